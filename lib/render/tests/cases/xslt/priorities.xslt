<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:template match="item">1</xsl:template><xsl:template match="item[@group='vps']">2</xsl:template><xsl:template match="*[@id='1']" priority="3">3</xsl:template><xsl:template match="/"><xsl:apply-templates select="//item"/></xsl:template>
</xsl:stylesheet>
