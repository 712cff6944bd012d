<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="xml" encoding="UTF-8"/>
<xsl:template match="/"><r><xsl:copy-of select="/doc/mixed|/doc/invoice/item[2]"/></r></xsl:template>
</xsl:stylesheet>
