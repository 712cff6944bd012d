<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="html" encoding="UTF-8"/>
<xsl:attribute-set name="base"><xsl:attribute name="class">a</xsl:attribute><xsl:attribute name="border">0</xsl:attribute></xsl:attribute-set><xsl:attribute-set name="more" use-attribute-sets="base"><xsl:attribute name="class">б</xsl:attribute></xsl:attribute-set><xsl:template match="/"><table xsl:use-attribute-sets="more"><tr/></table></xsl:template>
</xsl:stylesheet>
