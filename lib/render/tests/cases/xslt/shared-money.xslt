<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:decimal-format name="r" decimal-separator="," grouping-separator=" "/><xsl:template name="money"><xsl:param name="sum" select="0"/><xsl:value-of select="format-number($sum, '# ##0,00', 'r')"/> руб.</xsl:template><xsl:template match="item">общий <xsl:value-of select="@id"/></xsl:template>
</xsl:stylesheet>
