<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="xml" encoding="UTF-8"/>
<xsl:template match="@*|node()"><xsl:copy><xsl:apply-templates select="@*|node()"/></xsl:copy></xsl:template><xsl:template match="price"><цена валюта="₽"><xsl:value-of select="."/></цена></xsl:template><xsl:template match="note|tree|processing-instruction()|comment()"/>
</xsl:stylesheet>
