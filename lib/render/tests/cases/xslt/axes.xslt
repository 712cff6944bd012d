<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:template match="/"><xsl:for-each select="//item[@id='10']"><xsl:value-of select="count(preceding-sibling::item)"/>,<xsl:value-of select="following-sibling::item[1]/@id"/>,<xsl:value-of select="name(ancestor::*[1])"/>,<xsl:value-of select="count(ancestor-or-self::node())"/>,<xsl:value-of select="local-name(../../*[last()])"/></xsl:for-each>|<xsl:value-of select="count(//@*)"/>|<xsl:value-of select="//item[last()]/@id"/>|<xsl:value-of select="//item[position() mod 2 = 0]/@id"/></xsl:template>
</xsl:stylesheet>
