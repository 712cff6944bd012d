<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:decimal-format name="ru" decimal-separator="," grouping-separator="&#160;" NaN="не число" infinity="∞" minus-sign="−"/><xsl:template match="/"><xsl:for-each select="//price"><xsl:value-of select="format-number(., '0.00;(0.00)')"/>|</xsl:for-each></xsl:template>
</xsl:stylesheet>
