<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:include href="mail.xslt"/>

  <xsl:template name="hello">Hello<xsl:if test="string($user/realname)"><xsl:text> </xsl:text><xsl:value-of select="$user/realname"/></xsl:if>,</xsl:template>

  <xsl:template name="footer">
    <xsl:if test="string($project/supportemail)">
      <xsl:text>Questions? Write to </xsl:text>
      <a href="mailto:{$project/supportemail}" style="color:#1f4e8c;"><xsl:value-of select="$project/supportemail"/></a>
      <xsl:if test="string($project/supportphone)"> or call <xsl:value-of select="$project/supportphone"/></xsl:if>
      <xsl:text>.</xsl:text><br/>
    </xsl:if>
    <xsl:text>You get this message because you are a customer of </xsl:text><xsl:value-of select="$project/name"/>.</xsl:template>
</xsl:stylesheet>
