<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:include href="shared-money.xslt"/><xsl:template match="/"><xsl:for-each select="//item"><xsl:call-template name="money"><xsl:with-param name="sum" select="price"/></xsl:call-template>;</xsl:for-each></xsl:template>
</xsl:stylesheet>
