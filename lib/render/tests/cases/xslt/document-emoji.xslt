<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="html" encoding="UTF-8"/>
<xsl:template match="/"><p title="{/doc/a}"><xsl:value-of select="/doc/a"/></p></xsl:template>
</xsl:stylesheet>
