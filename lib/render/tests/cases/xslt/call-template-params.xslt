<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:template name="money"><xsl:param name="sum"/><xsl:param name="cur" select="'руб.'"/><xsl:value-of select="format-number($sum, '0.00')"/><xsl:text> </xsl:text><xsl:value-of select="$cur"/></xsl:template><xsl:template match="/"><xsl:for-each select="//item"><xsl:call-template name="money"><xsl:with-param name="sum" select="price * count"/></xsl:call-template>|</xsl:for-each><xsl:call-template name="money"><xsl:with-param name="sum" select="1"/><xsl:with-param name="cur">€</xsl:with-param></xsl:call-template></xsl:template>
</xsl:stylesheet>
