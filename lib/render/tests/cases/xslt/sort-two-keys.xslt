<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:template match="/"><xsl:for-each select="//item"><xsl:sort select="@group"/><xsl:sort select="@id" data-type="number" order="descending"/><xsl:value-of select="@id"/>:<xsl:value-of select="name"/>|</xsl:for-each></xsl:template>
</xsl:stylesheet>
