<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:include href="text.xslt"/>
  <xsl:template match="/doc">
    <xsl:choose>
      <xsl:when test="service/name"><xsl:value-of select="service/name"/></xsl:when>
      <xsl:otherwise>Your service</xsl:otherwise>
    </xsl:choose>
    <xsl:text> is ready to use.&#10;</xsl:text>
    <xsl:if test="string(service/ip)">IP address: <xsl:value-of select="service/ip"/><xsl:text>&#10;</xsl:text></xsl:if>
    <xsl:if test="string(service/expires)">Paid until: <xsl:call-template name="day"><xsl:with-param name="value" select="service/expires"/></xsl:call-template><xsl:text>&#10;</xsl:text></xsl:if>
    <xsl:if test="string(service/panel_url)">Control panel: <xsl:value-of select="service/panel_url"/><xsl:text>&#10;</xsl:text></xsl:if>
  </xsl:template>
</xsl:stylesheet>
