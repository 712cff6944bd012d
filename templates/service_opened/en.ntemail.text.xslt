<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:include href="text.en.xslt"/>

  <xsl:template match="/doc">
    <xsl:call-template name="hello"/>
    <xsl:text>We have set up your service, and it is ready to use.&#10;</xsl:text>
    <xsl:if test="service/*"><xsl:text>&#10;</xsl:text></xsl:if>
    <xsl:apply-templates select="service"/>
    <xsl:if test="string(service/panel_url)">
      <xsl:text>&#10;Control panel: </xsl:text><xsl:value-of select="service/panel_url"/><xsl:text>&#10;</xsl:text>
    </xsl:if>
    <xsl:if test="string(service/login)">
      <xsl:text>&#10;You will find the password in your client area: we never mail passwords.&#10;</xsl:text>
    </xsl:if>
    <xsl:call-template name="end"/>
  </xsl:template>

  <xsl:template match="service">
    <xsl:call-template name="line"><xsl:with-param name="name">Service</xsl:with-param><xsl:with-param name="value" select="name"/></xsl:call-template>
    <xsl:call-template name="line"><xsl:with-param name="name">Number</xsl:with-param><xsl:with-param name="value" select="id"/></xsl:call-template>
    <xsl:call-template name="line"><xsl:with-param name="name">Domain</xsl:with-param><xsl:with-param name="value" select="domain"/></xsl:call-template>
    <xsl:call-template name="line"><xsl:with-param name="name">IP address</xsl:with-param><xsl:with-param name="value" select="ip"/></xsl:call-template>
    <xsl:call-template name="line"><xsl:with-param name="name">Login</xsl:with-param><xsl:with-param name="value" select="login"/></xsl:call-template>
    <xsl:for-each select="setting">
      <xsl:call-template name="line"><xsl:with-param name="name" select="name"/><xsl:with-param name="value" select="value"/></xsl:call-template>
    </xsl:for-each>
    <xsl:call-template name="line">
      <xsl:with-param name="name">Price</xsl:with-param>
      <xsl:with-param name="value">
        <xsl:if test="string(price)">
          <xsl:call-template name="money"><xsl:with-param name="value" select="price"/><xsl:with-param name="currency" select="currency"/></xsl:call-template>
          <xsl:if test="string(months)"> for <xsl:call-template name="count"><xsl:with-param name="n" select="months"/><xsl:with-param name="one">month</xsl:with-param><xsl:with-param name="few">months</xsl:with-param></xsl:call-template></xsl:if>
        </xsl:if>
      </xsl:with-param>
    </xsl:call-template>
    <xsl:call-template name="line">
      <xsl:with-param name="name">Paid until</xsl:with-param>
      <xsl:with-param name="value"><xsl:call-template name="day"><xsl:with-param name="value" select="expires"/></xsl:call-template></xsl:with-param>
    </xsl:call-template>
  </xsl:template>
</xsl:stylesheet>
