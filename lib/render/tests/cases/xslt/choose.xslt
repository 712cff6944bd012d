<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:template match="/"><xsl:for-each select="//item"><xsl:choose><xsl:when test="price &lt; 0">возврат</xsl:when><xsl:when test="price &gt; 1000">дорого</xsl:when><xsl:otherwise>обычно</xsl:otherwise></xsl:choose>;</xsl:for-each></xsl:template>
</xsl:stylesheet>
