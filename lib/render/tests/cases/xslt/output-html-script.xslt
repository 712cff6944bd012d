<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="html" encoding="UTF-8"/>
<xsl:template match="/"><html><head><script>if (a &lt; b) x();</script><style>p &gt; b { color: red }</style></head><body><a href="?a=1&amp;b=ж й">x</a></body></html></xsl:template>
</xsl:stylesheet>
