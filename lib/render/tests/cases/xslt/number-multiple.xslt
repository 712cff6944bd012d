<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:template match="/"><xsl:for-each select="//n"><xsl:number level="multiple" count="n" format="1.1 "/>;<xsl:number level="any" count="n" format="a"/>|</xsl:for-each></xsl:template>
</xsl:stylesheet>
