<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="xml" standalone="yes" encoding="UTF-8" version="1.0"/>
<xsl:template match="/"><root/></xsl:template>
</xsl:stylesheet>
