<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:x="urn:x" extension-element-prefixes="x">
<xsl:output method="text"/>
<xsl:template match="/"><x:nothing><xsl:fallback>запасное</xsl:fallback></x:nothing></xsl:template>
</xsl:stylesheet>
