<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="html" encoding="UTF-8"/>
<xsl:decimal-format name="ru" decimal-separator="," grouping-separator="&#160;"/><xsl:template match="/"><html><head><title><xsl:value-of select="/doc/subject"/></title></head>
<body><h1>Здравствуйте, <xsl:value-of select="/doc/user/realname"/>!</h1>
<table><xsl:for-each select="/doc/invoice/item"><xsl:sort select="name"/><tr><td><xsl:value-of select="name"/></td><td align="right"><xsl:value-of select="format-number(price * count, '#&#160;##0,00', 'ru')"/></td></tr></xsl:for-each>
<tr><td>Итого</td><td><b><xsl:value-of select="format-number(sum(/doc/invoice/item/price), '#&#160;##0,00', 'ru')"/></b></td></tr></table>
<p><a href="{/doc/project/site}"><xsl:value-of select="/doc/project/name"/></a></p></body></html></xsl:template>
</xsl:stylesheet>
