<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:include href="text.xslt"/>
  <xsl:template match="/doc">
    <xsl:value-of select="$project/name"/>: услуга<xsl:if test="service/name"><xsl:text> </xsl:text><xsl:value-of select="service/name"/></xsl:if> подключена<xsl:if test="service/ip">, IP <xsl:value-of select="service/ip"/></xsl:if>
    <xsl:if test="service/expires">, оплачена до <xsl:call-template name="day"><xsl:with-param name="value" select="service/expires"/></xsl:call-template></xsl:if>
    <xsl:text>. Подробности в письме.&#10;</xsl:text>
  </xsl:template>
</xsl:stylesheet>
