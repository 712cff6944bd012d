<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:template match="/"><xsl:text>  </xsl:text>a<xsl:text>&#10;</xsl:text>
  b
  </xsl:template>
</xsl:stylesheet>
