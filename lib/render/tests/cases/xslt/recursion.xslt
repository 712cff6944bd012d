<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:template name="repeat"><xsl:param name="n"/><xsl:if test="$n &gt; 0">ж<xsl:call-template name="repeat"><xsl:with-param name="n" select="$n - 1"/></xsl:call-template></xsl:if></xsl:template><xsl:template match="/"><xsl:call-template name="repeat"><xsl:with-param name="n" select="100"/></xsl:call-template></xsl:template>
</xsl:stylesheet>
