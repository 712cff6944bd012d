<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:include href="text.xslt"/>
  <xsl:template match="/doc">
    <xsl:value-of select="$project/name"/>: invoice<xsl:if test="invoice/number"><xsl:text> </xsl:text><xsl:value-of select="invoice/number"/></xsl:if>
    <xsl:if test="invoice/total"> for <xsl:call-template name="money"><xsl:with-param name="value" select="invoice/total"/></xsl:call-template><xsl:text> </xsl:text><xsl:value-of select="invoice/currency"/></xsl:if>
    <xsl:if test="invoice/due">, please pay by <xsl:call-template name="day"><xsl:with-param name="value" select="invoice/due"/></xsl:call-template></xsl:if>
    <xsl:text>. Details are in your mailbox.&#10;</xsl:text>
  </xsl:template>
</xsl:stylesheet>
