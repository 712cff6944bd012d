<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:exsl="http://exslt.org/common" extension-element-prefixes="exsl">
<xsl:output method="text"/>
<xsl:template match="/"><xsl:variable name="rows"><r>б</r><r>а</r></xsl:variable><xsl:for-each select="exsl:node-set($rows)/r"><xsl:sort/><xsl:value-of select="."/>,</xsl:for-each><xsl:value-of select="exsl:object-type($rows)"/></xsl:template>
</xsl:stylesheet>
