<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:template match="/">[<xsl:value-of select="substring('12345', 1.5, 2.6)"/>][<xsl:value-of select="substring('12345', 0, 3)"/>][<xsl:value-of select="substring('12345', 0 div 0)"/>][<xsl:value-of select="substring('12345', -42, 1 div 0)"/>]</xsl:template>
</xsl:stylesheet>
