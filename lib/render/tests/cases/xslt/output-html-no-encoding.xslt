<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="html"/>
<xsl:template match="/"><html><head/><body>Привет &#160;&#169;&#8212;</body></html></xsl:template>
</xsl:stylesheet>
