<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:template match="/"><xsl:value-of select="/doc/subject"/>|<xsl:value-of select="/doc/project/name"/>|<xsl:value-of select="string-length(/doc/subject)"/></xsl:template>
</xsl:stylesheet>
