<?xml version="1.0" encoding="UTF-8"?>
<!-- Every mail: call "mail" with title, preheader (the line a mailbox shows beside the subject) and content.
     "hello" and "footer" come from mail.LANG.xslt. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:include href="format.xslt"/>
  <xsl:output method="html" encoding="UTF-8" indent="yes" doctype-system="about:legacy-compat"/>

  <xsl:template name="mail">
    <xsl:param name="title"/>
    <xsl:param name="preheader"/>
    <xsl:param name="content"/>
    <html lang="{$lang}">
      <head>
        <meta name="viewport" content="width=device-width, initial-scale=1"/>
        <meta name="color-scheme" content="light"/>
        <title><xsl:value-of select="$title"/></title>
      </head>
      <body style="margin:0;padding:0;background-color:#eef1f5;">
        <div style="display:none;max-height:0;overflow:hidden;mso-hide:all;font-size:1px;line-height:1px;color:#eef1f5;"><xsl:value-of select="$preheader"/></div>
        <table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="background-color:#eef1f5;">
          <tr>
            <td align="center" style="padding:24px 12px;">
              <table role="presentation" width="600" cellpadding="0" cellspacing="0" border="0" style="width:100%;max-width:600px;background-color:#ffffff;border:1px solid #d9dee5;">
                <tr>
                  <td style="padding:18px 32px;border-top:4px solid #1f4e8c;border-bottom:1px solid #e4e8ee;font-family:Arial,Helvetica,sans-serif;font-size:16px;line-height:24px;font-weight:bold;color:#1f4e8c;"><xsl:value-of select="$project/name"/></td>
                </tr>
                <tr>
                  <td style="padding:28px 32px 12px 32px;font-family:Arial,Helvetica,sans-serif;font-size:15px;line-height:23px;color:#1f2933;">
                    <h1 style="margin:0 0 16px 0;font-size:21px;line-height:28px;font-weight:bold;color:#111827;"><xsl:value-of select="$title"/></h1>
                    <p style="margin:0 0 14px 0;"><xsl:call-template name="hello"/></p>
                    <xsl:copy-of select="$content"/>
                  </td>
                </tr>
                <tr>
                  <td style="padding:16px 32px 20px 32px;border-top:1px solid #e4e8ee;font-family:Arial,Helvetica,sans-serif;font-size:12px;line-height:18px;color:#5b6673;"><xsl:call-template name="footer"/></td>
                </tr>
              </table>
            </td>
          </tr>
        </table>
      </body>
    </html>
  </xsl:template>

  <!-- A link that looks like a button. -->
  <xsl:template name="button">
    <xsl:param name="href"/>
    <xsl:param name="label"/>
    <table role="presentation" cellpadding="0" cellspacing="0" border="0" style="margin:4px 0 20px 0;">
      <tr>
        <td style="background-color:#1f4e8c;border-radius:4px;"><a href="{$href}" style="display:inline-block;padding:11px 24px;font-family:Arial,Helvetica,sans-serif;font-size:15px;line-height:20px;font-weight:bold;color:#ffffff;text-decoration:none;"><xsl:value-of select="$label"/></a></td>
      </tr>
    </table>
  </xsl:template>

  <!-- A name and a value; without a value nothing. Stands in a <table>. -->
  <xsl:template name="row">
    <xsl:param name="name"/>
    <xsl:param name="value"/>
    <xsl:if test="string($value)">
      <tr>
        <td width="35%" valign="top" style="padding:7px 12px 7px 0;border-bottom:1px solid #e4e8ee;font-family:Arial,Helvetica,sans-serif;font-size:14px;line-height:20px;color:#5b6673;"><xsl:value-of select="$name"/></td>
        <td valign="top" style="padding:7px 0;border-bottom:1px solid #e4e8ee;font-family:Arial,Helvetica,sans-serif;font-size:14px;line-height:20px;color:#111827;"><xsl:value-of select="$value"/></td>
      </tr>
    </xsl:if>
  </xsl:template>
</xsl:stylesheet>
