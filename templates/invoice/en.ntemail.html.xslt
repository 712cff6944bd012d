<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:include href="mail.en.xslt"/>

  <xsl:template match="/doc">
    <xsl:call-template name="mail">
      <xsl:with-param name="title">Invoice<xsl:if test="invoice/number"><xsl:text> </xsl:text><xsl:value-of select="invoice/number"/></xsl:if></xsl:with-param>
      <xsl:with-param name="preheader">
        <xsl:choose>
          <xsl:when test="invoice/total"><xsl:call-template name="total"/><xsl:if test="invoice/due">, to be paid by <xsl:call-template name="due"/></xsl:if>.</xsl:when>
          <xsl:otherwise>There is a new invoice for you.</xsl:otherwise>
        </xsl:choose>
      </xsl:with-param>
      <xsl:with-param name="content"><xsl:apply-templates select="." mode="content"/></xsl:with-param>
    </xsl:call-template>
  </xsl:template>

  <xsl:template match="doc" mode="content">
    <p style="margin:0 0 14px 0;">We have issued an invoice for your services<xsl:if test="invoice/due">. Please pay it by <xsl:call-template name="due"/></xsl:if>.</p>
    <xsl:if test="invoice/item or string(invoice/total)">
      <table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="margin:0 0 20px 0;">
        <xsl:if test="invoice/item">
          <tr>
            <td style="padding:7px 12px 7px 0;border-bottom:2px solid #d9dee5;font-family:Arial,Helvetica,sans-serif;font-size:13px;line-height:18px;color:#5b6673;">Service</td>
            <td align="right" style="padding:7px 12px;border-bottom:2px solid #d9dee5;font-family:Arial,Helvetica,sans-serif;font-size:13px;line-height:18px;color:#5b6673;">Quantity</td>
            <td align="right" style="padding:7px 0;border-bottom:2px solid #d9dee5;font-family:Arial,Helvetica,sans-serif;font-size:13px;line-height:18px;color:#5b6673;">Amount</td>
          </tr>
        </xsl:if>
        <xsl:for-each select="invoice/item">
          <tr>
            <td valign="top" style="padding:7px 12px 7px 0;border-bottom:1px solid #e4e8ee;font-family:Arial,Helvetica,sans-serif;font-size:14px;line-height:20px;color:#111827;"><xsl:value-of select="name"/></td>
            <td valign="top" align="right" style="padding:7px 12px;border-bottom:1px solid #e4e8ee;font-family:Arial,Helvetica,sans-serif;font-size:14px;line-height:20px;color:#111827;"><xsl:value-of select="quantity"/></td>
            <td valign="top" align="right" style="padding:7px 0;border-bottom:1px solid #e4e8ee;font-family:Arial,Helvetica,sans-serif;font-size:14px;line-height:20px;color:#111827;white-space:nowrap;"><xsl:call-template name="money"><xsl:with-param name="value" select="amount"/></xsl:call-template></td>
          </tr>
        </xsl:for-each>
        <xsl:if test="string(invoice/total)">
          <tr>
            <td colspan="2" style="padding:10px 12px 7px 0;font-family:Arial,Helvetica,sans-serif;font-size:15px;line-height:20px;font-weight:bold;color:#111827;">Total</td>
            <td align="right" style="padding:10px 0 7px 0;font-family:Arial,Helvetica,sans-serif;font-size:15px;line-height:20px;font-weight:bold;color:#111827;white-space:nowrap;"><xsl:call-template name="total"/></td>
          </tr>
        </xsl:if>
      </table>
    </xsl:if>
    <xsl:if test="string(invoice/pay_url)">
      <xsl:call-template name="button">
        <xsl:with-param name="href" select="invoice/pay_url"/>
        <xsl:with-param name="label">Pay invoice</xsl:with-param>
      </xsl:call-template>
    </xsl:if>
    <xsl:if test="attachments/attachment">
      <p style="margin:0 0 14px 0;">Attached: <xsl:for-each select="attachments/attachment"><xsl:if test="position() &gt; 1">, </xsl:if><xsl:value-of select="@name"/></xsl:for-each></p>
    </xsl:if>
  </xsl:template>

  <xsl:template name="total">
    <xsl:call-template name="money">
      <xsl:with-param name="value" select="/doc/invoice/total"/>
      <xsl:with-param name="currency" select="/doc/invoice/currency"/>
    </xsl:call-template>
  </xsl:template>

  <xsl:template name="due">
    <xsl:call-template name="day"><xsl:with-param name="value" select="/doc/invoice/due"/></xsl:call-template>
  </xsl:template>
</xsl:stylesheet>
