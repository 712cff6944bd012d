<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:o="urn:o">
<xsl:output method="xml" encoding="UTF-8"/>
<xsl:namespace-alias stylesheet-prefix="o" result-prefix="xsl"/><xsl:template match="/"><o:value-of select="x"/></xsl:template>
</xsl:stylesheet>
