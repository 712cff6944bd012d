<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:include href="text.xslt"/>
  <xsl:template match="/doc">
    <xsl:text>Мы выставили счёт на оплату ваших услуг</xsl:text>
    <xsl:if test="invoice/total">: <xsl:call-template name="money"><xsl:with-param name="value" select="invoice/total"/><xsl:with-param name="currency" select="invoice/currency"/></xsl:call-template></xsl:if>
    <xsl:text>.&#10;</xsl:text>
    <xsl:if test="invoice/due">Просим оплатить его не позднее <xsl:call-template name="day"><xsl:with-param name="value" select="invoice/due"/></xsl:call-template><xsl:text> года.&#10;</xsl:text></xsl:if>
    <xsl:if test="string(invoice/pay_url)"><xsl:value-of select="invoice/pay_url"/><xsl:text>&#10;</xsl:text></xsl:if>
  </xsl:template>
</xsl:stylesheet>
