<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:template match="/"><xsl:value-of select="/doc/a"/>|<xsl:value-of select="string-length(/doc/a)"/>|<xsl:value-of select="/doc/@t"/></xsl:template>
</xsl:stylesheet>
