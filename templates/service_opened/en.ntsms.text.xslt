<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:include href="text.xslt"/>
  <xsl:template match="/doc">
    <xsl:value-of select="$project/name"/>: <xsl:choose>
      <xsl:when test="service/name"><xsl:value-of select="service/name"/></xsl:when>
      <xsl:otherwise>your service</xsl:otherwise>
    </xsl:choose> is ready<xsl:if test="service/ip">, IP <xsl:value-of select="service/ip"/></xsl:if>
    <xsl:if test="service/expires">, paid until <xsl:call-template name="day"><xsl:with-param name="value" select="service/expires"/></xsl:call-template></xsl:if>
    <xsl:text>. Details are in your mailbox.&#10;</xsl:text>
  </xsl:template>
</xsl:stylesheet>
