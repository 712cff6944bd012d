<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="html" indent="yes" encoding="UTF-8"/>
<xsl:template match="/"><table><tr><td>1</td><td>ж</td></tr></table></xsl:template>
</xsl:stylesheet>
