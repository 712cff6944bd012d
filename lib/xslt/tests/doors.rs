//! What a hostile stylesheet or document can't do (S3-14; the nine rules of docs/templates.md).
#![expect(clippy::expect_used, reason = "a test that cannot go on says so")]

use xslt::{Document, Error, Limits, Parameters, Stylesheet};

const XSL: &str = r#"xmlns:xsl="http://www.w3.org/1999/XSL/Transform" version="1.0""#;

fn sheet(body: &str) -> String {
    format!("<xsl:stylesheet {XSL}>{body}<xsl:output method=\"text\"/></xsl:stylesheet>")
}

fn apply_files(files: &[(&str, &str)], xml: &str) -> Result<String, Error> {
    let limits = Limits::default();
    let stylesheet = Stylesheet::compile(files, &limits)?;
    let document = Document::parse(xml, &limits)?;
    let bytes = stylesheet.apply(&document, &Parameters::default(), &limits)?;
    Ok(String::from_utf8(bytes).expect("UTF-8"))
}

fn apply(body: &str, xml: &str) -> Result<String, Error> {
    apply_files(&[("a.xslt", &sheet(body))], xml)
}

fn refused(body: &str) -> Error {
    apply(body, "<doc/>").expect_err("must be refused")
}

#[test]
fn a_stylesheet_is_applied() {
    let text = apply(
        "<xsl:template match='/'>Здравствуйте, <xsl:value-of select='/doc/name'/>!</xsl:template>",
        "<doc><name>Ирина &amp; Ко</name></doc>",
    );
    assert_eq!(text.expect("applied"), "Здравствуйте, Ирина & Ко!");
}

#[test]
fn includes_come_from_the_bundle_alone() {
    let entry = sheet(
        "<xsl:include href='shared/b.xslt'/><xsl:template match='/'><xsl:call-template name='b'/></xsl:template>",
    );
    let included = sheet("<xsl:import href='../c.xslt'/>");
    let imported = sheet(
        "<xsl:template name='b'><xsl:param name='x' select='1'/>from c <xsl:value-of select='$x'/></xsl:template>",
    );
    let files = [("a.xslt", entry.as_str()), ("shared/b.xslt", &included), ("c.xslt", &imported)];
    assert_eq!(apply_files(&files, "<doc/>").expect("applied"), "from c 1");
    for outside in ["/etc/passwd", "file:///etc/passwd", "http://127.0.0.1/a.xslt", "absent.xslt"] {
        let error =
            apply(&format!("<xsl:include href='{outside}'/>"), "<doc/>").expect_err("refused");
        assert_eq!(error.file, "a.xslt", "{error:?}");
    }
}

#[test]
fn an_include_is_found_by_the_name_it_is_written_with() {
    let leaf = sheet("<xsl:template name='b'>leaf</xsl:template>");
    let middle = sheet("<xsl:include href='leaf.xslt'/>");
    for (href, name) in [
        ("b/middle.xslt", "b/middle.xslt"),
        ("tmpl:middle.xslt", "tmpl:middle.xslt"),
        ("tmpl:middle.xslt", "middle.xslt"),
    ] {
        let entry = sheet(&format!(
            "<xsl:include href='{href}'/><xsl:template match='/'><xsl:call-template name='b'/></xsl:template>"
        ));
        let files = [("a.xslt", entry.as_str()), (name, &middle), ("leaf.xslt", &leaf)];
        assert_eq!(apply_files(&files, "<doc/>").expect("applied"), "leaf", "{href}");
    }
}

#[test]
fn parameters_of_an_imported_template_keep_their_values() {
    let entry = sheet(
        "<xsl:import href='b.xslt'/><xsl:template match='/'><xsl:call-template name='money'><xsl:with-param name='sum' select='/doc/sum'/></xsl:call-template></xsl:template>",
    );
    let imported = sheet(
        "<xsl:template name='money'><xsl:param name='sum'/><xsl:value-of select=\"format-number($sum, '0.00')\"/></xsl:template>",
    );
    let text =
        apply_files(&[("a.xslt", &entry), ("b.xslt", &imported)], "<doc><sum>7.5</sum></doc>");
    assert_eq!(text.expect("applied"), "7.50");
}

#[test]
fn user_project_and_lang_are_parameters() {
    let limits = Limits::default();
    let body = "<xsl:param name='lang'/><xsl:template match='/'><xsl:value-of select=\"concat($user/name, '|', $project/site, '|', $lang, '|', count(/doc/*))\"/></xsl:template>";
    let stylesheet = Stylesheet::compile(&[("a.xslt", &sheet(body))], &limits).expect("compiled");
    let document = Document::parse("<doc><a/></doc>", &limits).expect("parsed");
    let parameters = Parameters {
        user: Some("<user><name>Ира</name></user>"),
        project: Some("<project><site>x.ru</site></project>"),
        lang: Some("r'u\""),
    };
    for _ in 0..3 {
        let bytes = stylesheet.apply(&document, &parameters, &limits).expect("applied");
        assert_eq!(String::from_utf8_lossy(&bytes), "Ира|x.ru|r'u\"|1");
    }
}

#[test]
fn files_and_network_are_refused() {
    for address in ["/etc/passwd", "file:///etc/hostname", "http://127.0.0.1:9/", ""] {
        refused(&format!(
            "<xsl:template match='/'><xsl:copy-of select=\"document('{address}')\"/></xsl:template>"
        ));
    }
    let target = std::env::temp_dir().join(format!("gatepost-xslt-{}", std::process::id()));
    let file = target.display();
    for element in [
        format!("<exsl:document href='{file}'>x</exsl:document>"),
        format!("<xsl:document href='{file}'>x</xsl:document>"),
        format!("<s:output file='{file}'>x</s:output>"),
        format!("<r:write file='{file}'>x</r:write>"),
    ] {
        let names = "xmlns:exsl='http://exslt.org/common' xmlns:s='http://icl.com/saxon' xmlns:r='http://xml.apache.org/xalan/redirect' extension-element-prefixes='exsl s r' version='1.1'";
        let text = sheet(&format!("<xsl:template match='/'>{element}</xsl:template>"))
            .replace("version=\"1.0\"", names);
        assert!(apply_files(&[("a.xslt", &text)], "<doc/>").is_err(), "{element}");
        assert!(!target.exists(), "{element} wrote a file");
    }
}

#[test]
fn functions_left_out_are_unknown() {
    refused(
        "<xsl:template match='/'><xsl:value-of xmlns:c='http://exslt.org/crypto' select=\"c:md5('x')\"/></xsl:template>",
    );
    refused(
        "<xsl:template match='/'><xsl:value-of xmlns:d='http://exslt.org/dynamic' select=\"d:evaluate('1')\"/></xsl:template>",
    );
}

#[test]
fn a_doctype_is_refused_before_its_entities_grow() {
    let laughs = "<!DOCTYPE d [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'>]><doc>&b;</doc>";
    let outside = "<!DOCTYPE d [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><doc>&a;</doc>";
    for xml in [laughs, outside, "<!DOCTYPE doc><doc/>"] {
        let error = Document::parse(xml, &Limits::default()).expect_err("refused");
        assert!(error.message.contains("DOCTYPE"), "{error:?}");
    }
    let text = format!("<!DOCTYPE x [<!ENTITY a 'b'>]>{}", sheet(""));
    assert!(Stylesheet::compile(&[("a.xslt", &text)], &Limits::default()).is_err());
}

#[test]
fn endless_templates_are_stopped() {
    let error = refused(
        "<xsl:template match='/'><xsl:call-template name='a'/></xsl:template><xsl:template name='a'><xsl:call-template name='a'/></xsl:template>",
    );
    assert_eq!(error.file, "a.xslt");
    assert!(error.line > 0, "{error:?}");
    refused(
        "<xsl:template match='/'><xsl:call-template name='a'/></xsl:template><xsl:template name='a'><xsl:call-template name='a'/><xsl:call-template name='a'/></xsl:template>",
    );
}

#[test]
fn nested_loops_reach_the_limit_of_operations() {
    let xml = format!("<doc>{}</doc>", "<a/>".repeat(300));
    let loops = "<xsl:for-each select='//a'>".repeat(4) + "xxxxxxxx" + &"</xsl:for-each>".repeat(4);
    let error = apply(&format!("<xsl:template match='/'>{loops}</xsl:template>"), &xml)
        .expect_err("stopped");
    assert!(error.message.contains("limit"), "{error:?}");
    let error = apply(
        "<xsl:template match='/'><xsl:value-of select='count(//*[count(//*[count(//*) &gt; 0]) &gt; 0])'/></xsl:template>",
        &xml,
    );
    assert!(error.expect_err("stopped").message.contains("limit"));
}

#[test]
fn doubling_strings_reach_the_limit_of_memory() {
    let body = "<xsl:template match='/'><xsl:call-template name='d'><xsl:with-param name='s' select=\"'0123456789abcdef'\"/><xsl:with-param name='n' select='40'/></xsl:call-template></xsl:template>\
        <xsl:template name='d'><xsl:param name='s'/><xsl:param name='n'/><xsl:choose><xsl:when test='$n = 0'><xsl:value-of select='$s'/></xsl:when>\
        <xsl:otherwise><xsl:call-template name='d'><xsl:with-param name='s' select='concat($s, $s)'/><xsl:with-param name='n' select='$n - 1'/></xsl:call-template></xsl:otherwise></xsl:choose></xsl:template>";
    assert!(refused(body).message.contains("memory"));
    assert_eq!(
        apply("<xsl:template match='/'>well</xsl:template>", "<doc/>")
            .expect("the engine is unharmed"),
        "well"
    );
}

#[test]
fn deep_documents_and_expressions_are_refused() {
    let deep = "<a>".repeat(5000) + &"</a>".repeat(5000);
    assert!(Document::parse(&deep, &Limits::default()).is_err());
    let nested = "(".repeat(20_000) + "1" + &")".repeat(20_000);
    refused(&format!("<xsl:template match='/'><xsl:value-of select='{nested}'/></xsl:template>"));
}

#[test]
fn an_error_carries_file_line_and_message() {
    let entry = sheet(
        "<xsl:include href='b.xslt'/><xsl:template match='/'><xsl:call-template name='b'/></xsl:template>",
    );
    let broken =
        sheet("\n\n<xsl:template name='b'>\n<xsl:value-of select='$nowhere'/></xsl:template>");
    let error =
        apply_files(&[("a.xslt", &entry), ("b.xslt", &broken)], "<doc/>").expect_err("refused");
    assert_eq!((error.file.as_str(), error.line), ("b.xslt", 4), "{error:?}");
    assert!(error.message.contains("nowhere") || error.message.contains("ariable"), "{error:?}");
    let error =
        apply("<xsl:template match='/'>\n<xsl:value-of select='1 +'/></xsl:template>", "<doc/>")
            .expect_err("refused");
    assert_eq!((error.file.as_str(), error.line), ("a.xslt", 2), "{error:?}");
    let error =
        apply("\n<xsl:template match='/'>\n<oops></xsl:template>", "<doc/>").expect_err("refused");
    assert_eq!((error.file.as_str(), error.line), ("a.xslt", 3), "{error:?}");
    let error = refused(
        "<xsl:template match='/'><xsl:message terminate='yes'>no balance</xsl:message></xsl:template>",
    );
    assert!(error.message.contains("no balance"), "{error:?}");
}

#[test]
fn another_output_encoding_becomes_utf8() {
    let text = format!(
        "<xsl:stylesheet {XSL}><xsl:output method='html' encoding='windows-1251'/><xsl:template match='/'><html><head/><body>Привет</body></html></xsl:template></xsl:stylesheet>"
    );
    let html = apply_files(&[("a.xslt", &text)], "<doc/>").expect("applied");
    assert!(html.contains("charset=UTF-8") && html.contains("Привет"), "{html}");
}
