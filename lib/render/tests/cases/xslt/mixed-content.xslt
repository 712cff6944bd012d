<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="html" encoding="UTF-8"/>
<xsl:template match="/"><p><xsl:apply-templates select="/doc/mixed/node()"/></p></xsl:template><xsl:template match="b"><strong><xsl:apply-templates/></strong></xsl:template><xsl:template match="i"><em><xsl:apply-templates/></em></xsl:template>
</xsl:stylesheet>
