<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:template match="/"><xsl:apply-templates select="//item"><xsl:sort select="@id" data-type="number"/></xsl:apply-templates></xsl:template>
<xsl:template match="item"><xsl:value-of select="position()"/>/<xsl:value-of select="last()"/>=<xsl:value-of select="@id"/>;</xsl:template></xsl:stylesheet>
