<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:decimal-format name="ru" decimal-separator="," grouping-separator="&#160;" NaN="не число" infinity="∞" minus-sign="−"/><xsl:template match="/"><xsl:value-of select="format-number(0 div 0, '0', 'ru')"/>|<xsl:value-of select="format-number(1 div 0, '0', 'ru')"/>|<xsl:value-of select="format-number(-1 div 0, '0', 'ru')"/>|<xsl:value-of select="format-number('text', '0')"/>|<xsl:value-of select="format-number(1e15, '#,##0')"/></xsl:template>
</xsl:stylesheet>
