<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:n="urn:n">
<xsl:output method="xml" encoding="UTF-8"/>
<xsl:template match="/"><xsl:value-of select="/n:doc/n:a"/>|<xsl:value-of select="namespace-uri(/*)"/>|<xsl:copy-of select="/n:doc/n:a"/></xsl:template>
</xsl:stylesheet>
