<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:include href="text.xslt"/>
  <xsl:template match="/doc">
    <xsl:text>Услуга</xsl:text><xsl:if test="service/name"><xsl:text> </xsl:text><xsl:value-of select="service/name"/></xsl:if><xsl:text> подключена, ею уже можно пользоваться.&#10;</xsl:text>
    <xsl:if test="string(service/ip)">IP-адрес: <xsl:value-of select="service/ip"/><xsl:text>&#10;</xsl:text></xsl:if>
    <xsl:if test="string(service/expires)">Оплачена до: <xsl:call-template name="day"><xsl:with-param name="value" select="service/expires"/></xsl:call-template><xsl:text>&#10;</xsl:text></xsl:if>
    <xsl:if test="string(service/panel_url)">Панель управления: <xsl:value-of select="service/panel_url"/><xsl:text>&#10;</xsl:text></xsl:if>
  </xsl:template>
</xsl:stylesheet>
