<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="xml" indent="yes" encoding="UTF-8"/>
<xsl:template match="/"><root><a><b/></a><c>т</c></root></xsl:template>
</xsl:stylesheet>
