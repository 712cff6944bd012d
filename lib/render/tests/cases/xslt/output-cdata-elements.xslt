<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="xml" encoding="UTF-8" cdata-section-elements="n"/>
<xsl:template match="/"><root><n><xsl:value-of select="/doc/note"/></n><m>a &lt; b</m></root></xsl:template>
</xsl:stylesheet>
