<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="html" encoding="UTF-8"/>
<xsl:template match="/"><p><xsl:value-of select="/doc/note" disable-output-escaping="yes"/><xsl:text disable-output-escaping="yes">&lt;hr&gt;</xsl:text></p></xsl:template>
</xsl:stylesheet>
