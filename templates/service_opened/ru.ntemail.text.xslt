<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:include href="text.ru.xslt"/>

  <xsl:template match="/doc">
    <xsl:call-template name="hello"/>
    <xsl:text>Мы подключили вашу услугу, ею уже можно пользоваться.&#10;</xsl:text>
    <xsl:if test="service/*"><xsl:text>&#10;</xsl:text></xsl:if>
    <xsl:apply-templates select="service"/>
    <xsl:if test="string(service/panel_url)">
      <xsl:text>&#10;Панель управления: </xsl:text><xsl:value-of select="service/panel_url"/><xsl:text>&#10;</xsl:text>
    </xsl:if>
    <xsl:if test="string(service/login)">
      <xsl:text>&#10;Пароль вы найдёте в личном кабинете: мы никогда не отправляем пароли&#10;в письмах.&#10;</xsl:text>
    </xsl:if>
    <xsl:call-template name="end"/>
  </xsl:template>

  <xsl:template match="service">
    <xsl:call-template name="line"><xsl:with-param name="name">Услуга</xsl:with-param><xsl:with-param name="value" select="name"/></xsl:call-template>
    <xsl:call-template name="line"><xsl:with-param name="name">Номер</xsl:with-param><xsl:with-param name="value" select="id"/></xsl:call-template>
    <xsl:call-template name="line"><xsl:with-param name="name">Домен</xsl:with-param><xsl:with-param name="value" select="domain"/></xsl:call-template>
    <xsl:call-template name="line"><xsl:with-param name="name">IP-адрес</xsl:with-param><xsl:with-param name="value" select="ip"/></xsl:call-template>
    <xsl:call-template name="line"><xsl:with-param name="name">Логин</xsl:with-param><xsl:with-param name="value" select="login"/></xsl:call-template>
    <xsl:for-each select="setting">
      <xsl:call-template name="line"><xsl:with-param name="name" select="name"/><xsl:with-param name="value" select="value"/></xsl:call-template>
    </xsl:for-each>
    <xsl:call-template name="line">
      <xsl:with-param name="name">Стоимость</xsl:with-param>
      <xsl:with-param name="value">
        <xsl:if test="string(price)">
          <xsl:call-template name="money"><xsl:with-param name="value" select="price"/><xsl:with-param name="currency" select="currency"/></xsl:call-template>
          <xsl:if test="string(months)"> за <xsl:call-template name="count"><xsl:with-param name="n" select="months"/><xsl:with-param name="one">месяц</xsl:with-param><xsl:with-param name="few">месяца</xsl:with-param><xsl:with-param name="many">месяцев</xsl:with-param></xsl:call-template></xsl:if>
        </xsl:if>
      </xsl:with-param>
    </xsl:call-template>
    <xsl:call-template name="line">
      <xsl:with-param name="name">Оплачена до</xsl:with-param>
      <xsl:with-param name="value"><xsl:call-template name="day"><xsl:with-param name="value" select="expires"/></xsl:call-template></xsl:with-param>
    </xsl:call-template>
  </xsl:template>
</xsl:stylesheet>
