<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:include href="text.xslt"/>
  <xsl:template name="hello">Hello<xsl:if test="string($user/realname)"><xsl:text> </xsl:text><xsl:value-of select="$user/realname"/></xsl:if>,<xsl:text>&#10;&#10;</xsl:text></xsl:template>
  <xsl:template name="end"><xsl:call-template name="signature"><xsl:with-param name="questions">Questions</xsl:with-param></xsl:call-template></xsl:template>
</xsl:stylesheet>
