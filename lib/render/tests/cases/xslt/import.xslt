<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:import href="shared-money.xslt"/><xsl:output method="text"/><xsl:template match="item">свой <xsl:apply-imports/>;</xsl:template><xsl:template match="/"><xsl:apply-templates select="//item"/></xsl:template>
</xsl:stylesheet>
