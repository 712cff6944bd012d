<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:key name="by-group" match="item" use="@group"/><xsl:key name="id" match="item" use="@id"/><xsl:template match="/"><xsl:value-of select="count(key('by-group', //item/@group))"/>,<xsl:value-of select="key('id', '10')/name"/></xsl:template>
</xsl:stylesheet>
