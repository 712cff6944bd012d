<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:template match="/">a &lt; b &amp; c "кавычки" <xsl:value-of select="/doc/note"/></xsl:template>
</xsl:stylesheet>
