<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="xml" encoding="UTF-8"/>
<xsl:template match="/"><root a="1"><xsl:copy-of select="/doc/invoice/item[1]"/></root></xsl:template>
</xsl:stylesheet>
