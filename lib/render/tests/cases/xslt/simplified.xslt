<html xsl:version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><body><p>Счёт: <xsl:value-of select="/doc/subject"/></p></body></html>
