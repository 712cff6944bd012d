<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:template match="/"><xsl:value-of select="substring('Здравствуйте', 2, 3)"/>|<xsl:value-of select="substring-before('a=b','=')"/>|<xsl:value-of select="substring-after('ключ=знач','=')"/>|<xsl:value-of select="contains('Привет','иве')"/>|<xsl:value-of select="starts-with('Привет','при')"/>|<xsl:value-of select="normalize-space(/doc/spaces)"/>|<xsl:value-of select="translate('привет','абвгдеиртп','АБВГДЕИРТП')"/></xsl:template>
</xsl:stylesheet>
