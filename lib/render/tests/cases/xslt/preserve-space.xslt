<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:strip-space elements="*"/><xsl:preserve-space elements="invoice"/><xsl:template match="/">[<xsl:apply-templates select="/doc/invoice"/>]</xsl:template>
</xsl:stylesheet>
