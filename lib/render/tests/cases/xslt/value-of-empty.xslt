<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:template match="/">[<xsl:value-of select="/doc/empty"/>][<xsl:value-of select="/doc/nowhere"/>][<xsl:value-of select="/doc/spaces"/>]</xsl:template>
</xsl:stylesheet>
