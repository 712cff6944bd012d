<?xml version="1.0" encoding="UTF-8"?>
<!-- Money, dates and counted words, as people of the language write them. XSLT has no helpers of ours: dates are
     taken as they stand in the notice, without the user's time zone. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:param name="user" select="/doc/user"/>
  <xsl:param name="project" select="/doc/project"/>
  <xsl:param name="lang" select="'en'"/>

  <xsl:decimal-format name="ru" decimal-separator="," grouping-separator="&#160;"/>

  <!-- 1,234.50 EUR; in Russian 1 234,50 EUR. What is no number stays as it is. -->
  <xsl:template name="money">
    <xsl:param name="value"/>
    <xsl:param name="currency"/>
    <xsl:choose>
      <xsl:when test="not(number($value) = number($value))"><xsl:value-of select="$value"/></xsl:when>
      <xsl:when test="$lang = 'ru'"><xsl:value-of select="format-number($value, '#&#160;##0,00', 'ru')"/></xsl:when>
      <xsl:otherwise><xsl:value-of select="format-number($value, '#,##0.00')"/></xsl:otherwise>
    </xsl:choose>
    <xsl:if test="string($currency)">&#160;<xsl:value-of select="$currency"/></xsl:if>
  </xsl:template>

  <!-- 22 November 2026, 22 ноября 2026; of 2026-11-22. -->
  <xsl:template name="day">
    <xsl:param name="value"/>
    <xsl:variable name="month" select="number(substring($value, 6, 2))"/>
    <xsl:choose>
      <xsl:when test="not($month &gt;= 1 and $month &lt;= 12)"><xsl:value-of select="$value"/></xsl:when>
      <xsl:otherwise>
        <xsl:variable name="names">
          <xsl:choose>
            <xsl:when test="$lang = 'ru'">января   февраля  марта    апреля   мая      июня     июля     августа  сентября октября  ноября   декабря  </xsl:when>
            <xsl:otherwise>January  February March    April    May      June     July     August   SeptemberOctober  November December </xsl:otherwise>
          </xsl:choose>
        </xsl:variable>
        <xsl:value-of select="number(substring($value, 9, 2))"/>
        <xsl:text> </xsl:text>
        <xsl:value-of select="normalize-space(substring($names, ($month - 1) * 9 + 1, 9))"/>
        <xsl:text> </xsl:text>
        <xsl:value-of select="substring($value, 1, 4)"/>
      </xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <!-- A number with its word; English takes few for all but one. -->
  <xsl:template name="count">
    <xsl:param name="n"/>
    <xsl:param name="one"/>
    <xsl:param name="few"/>
    <xsl:param name="many" select="$few"/>
    <xsl:variable name="last" select="$n mod 10"/>
    <xsl:variable name="two" select="$n mod 100"/>
    <xsl:value-of select="$n"/>
    <xsl:text> </xsl:text>
    <xsl:choose>
      <xsl:when test="$lang != 'ru' and $n != 1"><xsl:value-of select="$few"/></xsl:when>
      <xsl:when test="$last = 1 and $two != 11"><xsl:value-of select="$one"/></xsl:when>
      <xsl:when test="$last &gt;= 2 and $last &lt;= 4 and ($two &lt; 12 or $two &gt; 14)"><xsl:value-of select="$few"/></xsl:when>
      <xsl:otherwise><xsl:value-of select="$many"/></xsl:otherwise>
    </xsl:choose>
  </xsl:template>
</xsl:stylesheet>
