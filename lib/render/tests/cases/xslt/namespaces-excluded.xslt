<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:x="urn:x" exclude-result-prefixes="x">
<xsl:output method="xml" encoding="UTF-8"/>
<xsl:template match="/"><r><xsl:copy-of select="/doc/invoice/item[1]/price"/></r></xsl:template>
</xsl:stylesheet>
