<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:func="http://exslt.org/functions" xmlns:my="urn:my" extension-element-prefixes="func">
<xsl:output method="text"/>
<func:function name="my:rub"><xsl:param name="x"/><func:result select="concat(format-number($x, '0.00'), ' ₽')"/></func:function><xsl:template match="/"><xsl:for-each select="//price"><xsl:value-of select="my:rub(.)"/>|</xsl:for-each></xsl:template>
</xsl:stylesheet>
