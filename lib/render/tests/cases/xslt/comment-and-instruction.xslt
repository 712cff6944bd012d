<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="xml" encoding="UTF-8"/>
<xsl:template match="/"><r><xsl:comment>примечание</xsl:comment><xsl:processing-instruction name="php">echo 1</xsl:processing-instruction><xsl:copy-of select="/doc/processing-instruction()"/></r></xsl:template>
</xsl:stylesheet>
