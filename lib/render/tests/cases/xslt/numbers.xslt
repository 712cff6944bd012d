<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:template match="/"><xsl:value-of select="round(2.5)"/>,<xsl:value-of select="round(-2.5)"/>,<xsl:value-of select="floor(-1.1)"/>,<xsl:value-of select="ceiling(1.1)"/>,<xsl:value-of select="1 div 3"/>,<xsl:value-of select="5 mod -3"/>,<xsl:value-of select="number('-1543.7')"/>,<xsl:value-of select="number('x')"/>,<xsl:value-of select="1000000 * 1000000"/>,<xsl:value-of select="0.1 + 0.2"/></xsl:template>
</xsl:stylesheet>
