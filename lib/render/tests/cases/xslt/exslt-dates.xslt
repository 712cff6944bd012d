<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:date="http://exslt.org/dates-and-times" extension-element-prefixes="date">
<xsl:output method="text"/>
<xsl:template match="/"><xsl:value-of select="date:year(/doc/date)"/>|<xsl:value-of select="date:month-name(/doc/date)"/>|<xsl:value-of select="date:day-in-week(/doc/date)"/>|<xsl:value-of select="date:add(/doc/date, 'P1M2DT3H')"/>|<xsl:value-of select="date:difference('2026-01-01', '2026-11-22')"/>|<xsl:value-of select="date:leap-year('2028')"/>|<xsl:value-of select="date:seconds('1970-01-02T00:00:00Z')"/>|<xsl:value-of select="date:week-in-year('2026-11-22')"/></xsl:template>
</xsl:stylesheet>
