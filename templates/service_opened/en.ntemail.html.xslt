<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:include href="mail.en.xslt"/>

  <xsl:template match="/doc">
    <xsl:call-template name="mail">
      <xsl:with-param name="title">Your service is ready</xsl:with-param>
      <xsl:with-param name="preheader"><xsl:value-of select="service/name"/><xsl:if test="service/name">: </xsl:if>here is how to reach it.</xsl:with-param>
      <xsl:with-param name="content"><xsl:apply-templates select="." mode="content"/></xsl:with-param>
    </xsl:call-template>
  </xsl:template>

  <xsl:template match="doc" mode="content">
    <p style="margin:0 0 14px 0;">We have set up your service, and it is ready to use.</p>
    <xsl:if test="service/*">
      <table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="margin:0 0 20px 0;">
        <xsl:apply-templates select="service"/>
      </table>
    </xsl:if>
    <xsl:if test="string(service/panel_url)">
      <xsl:call-template name="button">
        <xsl:with-param name="href" select="service/panel_url"/>
        <xsl:with-param name="label">Open control panel</xsl:with-param>
      </xsl:call-template>
    </xsl:if>
    <xsl:if test="string(service/login)">
      <p style="margin:0 0 14px 0;">You will find the password in your client area: we never mail passwords.</p>
    </xsl:if>
  </xsl:template>

  <xsl:template match="service">
    <xsl:call-template name="row"><xsl:with-param name="name">Service</xsl:with-param><xsl:with-param name="value" select="name"/></xsl:call-template>
    <xsl:call-template name="row"><xsl:with-param name="name">Number</xsl:with-param><xsl:with-param name="value" select="id"/></xsl:call-template>
    <xsl:call-template name="row"><xsl:with-param name="name">Domain</xsl:with-param><xsl:with-param name="value" select="domain"/></xsl:call-template>
    <xsl:call-template name="row"><xsl:with-param name="name">IP address</xsl:with-param><xsl:with-param name="value" select="ip"/></xsl:call-template>
    <xsl:call-template name="row"><xsl:with-param name="name">Login</xsl:with-param><xsl:with-param name="value" select="login"/></xsl:call-template>
    <xsl:for-each select="setting">
      <xsl:call-template name="row"><xsl:with-param name="name" select="name"/><xsl:with-param name="value" select="value"/></xsl:call-template>
    </xsl:for-each>
    <xsl:call-template name="row">
      <xsl:with-param name="name">Price</xsl:with-param>
      <xsl:with-param name="value">
        <xsl:if test="string(price)">
          <xsl:call-template name="money"><xsl:with-param name="value" select="price"/><xsl:with-param name="currency" select="currency"/></xsl:call-template>
          <xsl:if test="string(months)"> for <xsl:call-template name="count"><xsl:with-param name="n" select="months"/><xsl:with-param name="one">month</xsl:with-param><xsl:with-param name="few">months</xsl:with-param></xsl:call-template></xsl:if>
        </xsl:if>
      </xsl:with-param>
    </xsl:call-template>
    <xsl:call-template name="row">
      <xsl:with-param name="name">Paid until</xsl:with-param>
      <xsl:with-param name="value"><xsl:call-template name="day"><xsl:with-param name="value" select="expires"/></xsl:call-template></xsl:with-param>
    </xsl:call-template>
  </xsl:template>
</xsl:stylesheet>
