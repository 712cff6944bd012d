<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:math="http://exslt.org/math" extension-element-prefixes="math">
<xsl:output method="text"/>
<xsl:template match="/"><xsl:value-of select="math:max(//price)"/>|<xsl:value-of select="math:min(//price)"/>|<xsl:value-of select="math:highest(//price)/../name"/>|<xsl:value-of select="math:abs(-3)"/>|<xsl:value-of select="math:power(2, 10)"/>|<xsl:value-of select="math:sqrt(16)"/></xsl:template>
</xsl:stylesheet>
