<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:str="http://exslt.org/strings" extension-element-prefixes="str">
<xsl:output method="text"/>
<xsl:template match="/"><xsl:for-each select="str:tokenize(/doc/words, ' ,;')"><xsl:value-of select="."/>/</xsl:for-each>|<xsl:value-of select="str:padding(5, 'аб')"/>|<xsl:value-of select="str:align('x', '------', 'right')"/>|<xsl:value-of select="str:concat(//item/@id)"/>|<xsl:value-of select="str:encode-uri('a b/ж', true())"/>|<xsl:value-of select="str:decode-uri('%D0%B6')"/>|<xsl:value-of select="str:replace('a-b-c', '-', '+')"/>|<xsl:for-each select="str:split('a, b', ', ')"><xsl:value-of select="."/>;</xsl:for-each></xsl:template>
</xsl:stylesheet>
