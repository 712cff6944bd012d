<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:template match="/"><xsl:for-each select="//item"><xsl:number value="position()" format="01"/>-<xsl:number value="position()" format="а"/> </xsl:for-each></xsl:template>
</xsl:stylesheet>
