<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:template match="item" mode="short"><xsl:value-of select="@id"/>,</xsl:template><xsl:template match="item" mode="long"><xsl:value-of select="name"/>;</xsl:template><xsl:template match="/"><xsl:apply-templates select="//item" mode="short"/>|<xsl:apply-templates select="//item" mode="long"/></xsl:template>
</xsl:stylesheet>
