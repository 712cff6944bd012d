<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:include href="text.xslt"/>
  <xsl:template match="/doc">
    <xsl:value-of select="$project/name"/>: выставлен счёт<xsl:if test="invoice/number"> № <xsl:value-of select="invoice/number"/></xsl:if>
    <xsl:if test="invoice/total"> на <xsl:call-template name="money"><xsl:with-param name="value" select="invoice/total"/><xsl:with-param name="currency" select="invoice/currency"/></xsl:call-template></xsl:if>
    <xsl:if test="invoice/due">, оплатите не позднее <xsl:call-template name="day"><xsl:with-param name="value" select="invoice/due"/></xsl:call-template></xsl:if>
    <xsl:text>. Подробности в письме.&#10;</xsl:text>
  </xsl:template>
</xsl:stylesheet>
