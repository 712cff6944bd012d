<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:include href="text.ru.xslt"/>
  <xsl:template match="/doc">
    <xsl:variable name="total"><xsl:call-template name="money"><xsl:with-param name="value" select="invoice/total"/><xsl:with-param name="currency" select="invoice/currency"/></xsl:call-template></xsl:variable>
    <xsl:variable name="date"><xsl:call-template name="day"><xsl:with-param name="value" select="invoice/date"/></xsl:call-template></xsl:variable>
    <xsl:variable name="due"><xsl:call-template name="day"><xsl:with-param name="value" select="invoice/due"/></xsl:call-template></xsl:variable>
    <xsl:call-template name="hello"/>
    <xsl:text>Мы выставили счёт на оплату ваших услуг.&#10;</xsl:text>
    <xsl:if test="invoice/*"><xsl:text>&#10;</xsl:text></xsl:if>
    <xsl:call-template name="line"><xsl:with-param name="name">Номер счёта</xsl:with-param><xsl:with-param name="value" select="invoice/number"/></xsl:call-template>
    <xsl:call-template name="line"><xsl:with-param name="name">Дата</xsl:with-param><xsl:with-param name="value" select="$date"/></xsl:call-template>
    <xsl:call-template name="line"><xsl:with-param name="name">Оплатить не позднее</xsl:with-param><xsl:with-param name="value" select="$due"/></xsl:call-template>
    <xsl:for-each select="invoice/item">
      <xsl:text>- </xsl:text><xsl:value-of select="name"/> × <xsl:value-of select="quantity"/>: <xsl:call-template name="money"><xsl:with-param name="value" select="amount"/></xsl:call-template><xsl:text>&#10;</xsl:text>
    </xsl:for-each>
    <xsl:call-template name="line"><xsl:with-param name="name">Итого</xsl:with-param><xsl:with-param name="value" select="$total"/></xsl:call-template>
    <xsl:if test="string(invoice/pay_url)">
      <xsl:text>&#10;Оплатить: </xsl:text><xsl:value-of select="invoice/pay_url"/><xsl:text>&#10;</xsl:text>
    </xsl:if>
    <xsl:if test="attachments/attachment">
      <xsl:text>&#10;В приложении: </xsl:text><xsl:for-each select="attachments/attachment"><xsl:if test="position() &gt; 1">, </xsl:if><xsl:value-of select="@name"/></xsl:for-each><xsl:text>&#10;</xsl:text>
    </xsl:if>
    <xsl:call-template name="end"/>
  </xsl:template>
</xsl:stylesheet>
