<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:template match="/"><xsl:value-of select="sum(//price)"/>|<xsl:value-of select="count(//item[price &gt; 0])"/>|<xsl:value-of select="sum(//count) div count(//item)"/></xsl:template>
</xsl:stylesheet>
