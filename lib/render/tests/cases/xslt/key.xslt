<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:key name="by-group" match="item" use="@group"/><xsl:template match="/"><xsl:for-each select="key('by-group', 'vps')"><xsl:value-of select="name"/>;</xsl:for-each><xsl:value-of select="count(key('by-group','нет'))"/></xsl:template>
</xsl:stylesheet>
