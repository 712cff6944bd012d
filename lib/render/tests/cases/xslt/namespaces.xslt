<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:x="urn:x" xmlns:y="urn:y">
<xsl:output method="xml" encoding="UTF-8"/>
<xsl:template match="/"><x:r><x:a y:b="1"/><xsl:element name="x:c" namespace="urn:x"/></x:r></xsl:template>
</xsl:stylesheet>
