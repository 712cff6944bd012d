<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="html" encoding="UTF-8"/>
<xsl:key name="by-group" match="item" use="@group"/><xsl:template match="/"><ul><xsl:for-each select="//item[generate-id() = generate-id(key('by-group', @group)[1])]"><xsl:sort select="@group"/><li><xsl:value-of select="@group"/>: <xsl:value-of select="sum(key('by-group', @group)/price)"/></li></xsl:for-each></ul></xsl:template>
</xsl:stylesheet>
