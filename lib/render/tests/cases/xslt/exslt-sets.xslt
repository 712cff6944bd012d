<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:set="http://exslt.org/sets" extension-element-prefixes="set">
<xsl:output method="text"/>
<xsl:template match="/"><xsl:value-of select="count(set:distinct(//@group))"/>|<xsl:value-of select="count(set:difference(//item, //item[@group='vps']))"/>|<xsl:value-of select="set:has-same-node(//item, //item[1])"/>|<xsl:for-each select="set:leading(//item, //item[3])"><xsl:value-of select="@id"/>,</xsl:for-each></xsl:template>
</xsl:stylesheet>
