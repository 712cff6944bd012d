<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:include href="mail.xslt"/>

  <xsl:template name="hello">Здравствуйте<xsl:if test="string($user/realname)">, <xsl:value-of select="$user/realname"/></xsl:if>!</xsl:template>

  <xsl:template name="footer">
    <xsl:if test="string($project/supportemail)">
      <xsl:text>Есть вопросы? Напишите на </xsl:text>
      <a href="mailto:{$project/supportemail}" style="color:#1f4e8c;"><xsl:value-of select="$project/supportemail"/></a>
      <xsl:if test="string($project/supportphone)"> или позвоните: <xsl:value-of select="$project/supportphone"/></xsl:if>
      <xsl:text>.</xsl:text><br/>
    </xsl:if>
    <xsl:text>Вы получили это письмо как клиент </xsl:text><xsl:value-of select="$project/name"/>.</xsl:template>
</xsl:stylesheet>
