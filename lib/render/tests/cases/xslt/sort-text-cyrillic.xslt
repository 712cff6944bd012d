<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:template match="/"><xsl:for-each select="//item[@group!='mail']/name/parent::*"><xsl:sort select="name"/><xsl:value-of select="@id"/>:<xsl:value-of select="name"/>|</xsl:for-each></xsl:template>
</xsl:stylesheet>
