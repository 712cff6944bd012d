<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="xml" encoding="UTF-8"/>
<xsl:variable name="all" select="//item"/><xsl:variable name="tree"><a><b>дерево</b></a></xsl:variable><xsl:param name="given" select="'нет'"/><xsl:template match="/"><xsl:value-of select="count($all)"/><xsl:value-of select="$tree"/><xsl:copy-of select="$tree"/><xsl:value-of select="$given"/></xsl:template>
</xsl:stylesheet>
