<?xml version="1.0" encoding="UTF-8"?>
<!-- For texts: "line" writes a name and a value on a line of its own, "signature" ends a mail. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:include href="format.xslt"/>
  <xsl:output method="text" encoding="UTF-8"/>

  <xsl:template name="line">
    <xsl:param name="name"/>
    <xsl:param name="value"/>
    <xsl:if test="string($value)"><xsl:value-of select="$name"/>: <xsl:value-of select="$value"/><xsl:text>&#10;</xsl:text></xsl:if>
  </xsl:template>

  <xsl:template name="signature">
    <xsl:param name="questions"/>
    <xsl:text>&#10;-- &#10;</xsl:text>
    <xsl:value-of select="$project/name"/>
    <xsl:if test="string($project/site)">, <xsl:value-of select="$project/site"/></xsl:if>
    <xsl:text>&#10;</xsl:text>
    <xsl:if test="string($project/supportemail)">
      <xsl:value-of select="$questions"/>: <xsl:value-of select="$project/supportemail"/>
      <xsl:if test="string($project/supportphone)">, <xsl:value-of select="$project/supportphone"/></xsl:if>
      <xsl:text>&#10;</xsl:text>
    </xsl:if>
  </xsl:template>
</xsl:stylesheet>
