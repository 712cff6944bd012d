<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="html" encoding="UTF-8"/>
<xsl:template match="/"><p><xsl:attribute name="title">«<xsl:value-of select="/doc/subject"/>» &quot;&lt;&gt;</xsl:attribute>x</p></xsl:template>
</xsl:stylesheet>
