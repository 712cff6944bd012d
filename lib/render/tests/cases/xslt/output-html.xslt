<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="html" encoding="UTF-8"/>
<xsl:template match="/"><html><head><title><xsl:value-of select="/doc/subject"/></title></head><body><p>Здравствуйте<br/><img src="a.png" alt="ж"/><input checked="checked"/></p></body></html></xsl:template>
</xsl:stylesheet>
