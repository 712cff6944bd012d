<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:template match="/"><xsl:for-each select="//item"><xsl:number/>.<xsl:number value="position()" format="i"/>.<xsl:number value="position()" format="A"/>.<xsl:number value="position() * 1000" grouping-size="3" grouping-separator=" "/>|</xsl:for-each></xsl:template>
</xsl:stylesheet>
