//! Messages as the render child makes them: data, macros, subject, text alternative, errors (S3-13 … S3-16).
#![cfg(feature = "xslt")]
#![expect(clippy::expect_used, reason = "a test that cannot go on says so")]

use render::{Limits, Renderer};
use wire::rendering::{
    BodyKind, BodyTemplate, Bundle, Engine, NoticeForm, Part, RenderRequest, TemplateError, Texts,
};
use wire::xml::Document;

const NOTICE: &str = "<doc><balance currency='RUB'>-1543.7</balance><billurl>https://my.x.ru/?a=1&amp;b=2</billurl>\
    <item><name>VPS &lt;1&gt;</name></item><project><id>1</id><name>Хостер</name></project><when>2026-11-22 21:00:00</when></doc>";
const USER: &str =
    "<user><id>7</id><realname>Ирина &amp; Ко</realname><email>i@x.ru</email></user>";

struct Case {
    bundle: Bundle,
    notice: (NoticeForm, String),
    request: RenderRequest,
}

fn case(engine: Engine, kind: BodyKind, text: &str) -> Case {
    let body = BodyTemplate { kind, engine, name: format!("ru.ntemail.{}.{engine}", kind.word()) };
    let parts = vec![match kind {
        BodyKind::Html => Part::Html,
        BodyKind::Text => Part::Text,
    }];
    let user = Some(Document::parse_text(USER).expect("XML").root);
    let (lang, timezone) = ("ru".to_owned(), "Asia/Omsk".to_owned());
    let request = RenderRequest {
        id: "1".into(),
        bundle: "b".into(),
        notice: "n".into(),
        parts,
        lang,
        timezone,
        user,
        project: None,
    };
    Case {
        bundle: Bundle::of_one(body, text),
        notice: (NoticeForm::Xml, NOTICE.to_owned()),
        request,
    }
}

impl Case {
    fn with_file(mut self, name: &str, text: &str) -> Self {
        self.bundle.files.push((name.to_owned(), text.to_owned()));
        self
    }

    fn with_subject(mut self, text: &str) -> Self {
        self.bundle.subject = Some((self.bundle.bodies[0].engine, text.to_owned()));
        self.request.parts = vec![Part::Subject];
        self
    }

    fn with_notice(mut self, xml: &str) -> Self {
        xml.clone_into(&mut self.notice.1);
        self
    }

    fn rendered(&self) -> Result<Texts, TemplateError> {
        let mut renderer = Renderer::new(self.bundle.bodies[0].engine, Limits::default())
            .expect("built with every engine");
        renderer.tell_bundle("b".into(), self.bundle.clone());
        renderer.tell_notice("n".into(), self.notice.0, self.notice.1.clone());
        let first = renderer.render(&self.request).result;
        assert_eq!(
            renderer.render(&self.request).result,
            first,
            "a second message of the same bundle is the same"
        );
        first
    }

    fn body(&self) -> String {
        let texts = self.rendered().expect("rendered");
        texts.html.or(texts.text).expect("a body")
    }

    fn error(&self) -> TemplateError {
        self.rendered().expect_err("must fail")
    }
}

fn xslt(body: &str) -> String {
    format!(
        "<xsl:stylesheet version=\"1.0\" xmlns:xsl=\"http://www.w3.org/1999/XSL/Transform\"><xsl:output method=\"html\"/>\n{body}</xsl:stylesheet>"
    )
}

#[test]
fn every_engine_sees_the_same_values() {
    let expected = "-1543.7|VPS &lt;1&gt;|Хостер|ru|Ирина &amp; Ко";
    let of_xslt = xslt(
        "<xsl:template match='/doc'><xsl:value-of select='balance'/>|<xsl:value-of select='item/name'/>|<xsl:value-of select='project/name'/>|<xsl:value-of select='$lang'/>|<xsl:value-of select='$user/realname'/></xsl:template>",
    );
    assert_eq!(case(Engine::Xslt, BodyKind::Html, &of_xslt).body().trim_end(), expected); // S3-14
    let ejs =
        "<%= balance %>|<%= item.name %>|<%= project.name %>|<%= lang %>|<%= user.realname %>";
    assert_eq!(case(Engine::Ejs, BodyKind::Html, ejs).body(), expected); // S3-15
    let tera =
        "{{ balance[\"$\"] }}|{{ item.name }}|{{ project.name }}|{{ lang }}|{{ user.realname }}";
    assert_eq!(case(Engine::Tera, BodyKind::Html, tera).body(), expected);
    let by_doc = "<%= doc.balance.$currency %> <%= doc.item.name %>";
    assert_eq!(case(Engine::Ejs, BodyKind::Html, by_doc).body(), "RUB VPS &lt;1&gt;");
}

#[test]
fn the_messages_project_stands_for_the_notices() {
    let mut of_message =
        case(Engine::Ejs, BodyKind::Html, "<%= project.name %> <%= doc.project.name %>");
    of_message.request.project = Some(element("<project><name>Новый</name></project>"));
    assert_eq!(of_message.body(), "Новый Хостер");
    of_message.request.project = Some(element("<project/>"));
    assert_eq!(of_message.body(), "Хостер Хостер");
}

#[test]
fn macros_are_replaced_in_text_and_subject() {
    // S3-16
    for engine in Engine::ALL {
        let template = match engine {
            Engine::Xslt => xslt(
                "<xsl:template match='/'><p>__realname__ __EMAIL__ __other__</p></xsl:template>",
            ),
            Engine::Ejs | Engine::Tera => "<p>__realname__ __EMAIL__ __other__</p>".to_owned(),
        };
        assert_eq!(
            case(engine, BodyKind::Html, &template).body().trim_end(),
            "<p>Ирина &amp; Ко i@x.ru __other__</p>"
        );
        let subject = case(engine, BodyKind::Html, &template)
            .with_subject("Для __realname__\r\nBcc: __email__");
        assert_eq!(
            subject.rendered().expect("rendered").subject.as_deref(),
            Some("Для Ирина & Ко Bcc: i@x.ru")
        );
    }
}

#[test]
fn a_value_can_not_smuggle_in_a_macro_or_markup_or_a_header() {
    let mut hostile = case(Engine::Ejs, BodyKind::Html, "__realname__")
        .with_subject("<%- user.realname %> __realname__");
    let user = "<user><realname>__email__&lt;script&gt;\r\nBcc: all@x</realname><email>i@x.ru</email></user>";
    hostile.request.user = Some(Document::parse_text(user).expect("XML").root);
    hostile.request.parts = vec![Part::Html, Part::Subject];
    let texts = hostile.rendered().expect("rendered");
    assert_eq!(texts.html.as_deref(), Some("__email__&lt;script&gt;\nBcc: all@x"));
    let subject = texts.subject.expect("a subject");
    assert!(!subject.contains(['\r', '\n']), "{subject:?}");
    assert_eq!(subject, "i@x.ru<script> Bcc: all@x __email__<script> Bcc: all@x");
}

#[test]
fn the_subject_is_the_notices_before_the_templates() {
    let of = |notice: &str| {
        case(Engine::Ejs, BodyKind::Html, "x")
            .with_notice(notice)
            .with_subject("из шаблона <%= lang %>")
            .rendered()
    };
    let subject = |notice: &str| of(notice).expect("rendered").subject.expect("a subject");
    assert_eq!(
        subject(
            "<doc><subject>первая</subject><noticeparams><subject>вторая</subject></noticeparams></doc>"
        ),
        "первая"
    );
    assert_eq!(
        subject(
            "<doc><noticeparams><subject>вторая <%= x %></subject></noticeparams></doc>"
                .replace("<%= x %>", "&lt;%= x %&gt;")
                .as_str()
        ),
        "вторая <%= x %>"
    );
    assert_eq!(subject("<doc/>"), "из шаблона ru");
}

#[test]
fn values_are_escaped_for_html_and_left_alone_in_text() {
    for (engine, template) in [
        (Engine::Ejs, "<%= item.name %> <%- item.name %>"),
        (Engine::Tera, "{{ item.name }} {{ item.name | safe }}"),
    ] {
        assert_eq!(case(engine, BodyKind::Html, template).body(), "VPS &lt;1&gt; VPS <1>");
        assert_eq!(case(engine, BodyKind::Text, template).body(), "VPS <1> VPS <1>");
    }
    let of_xslt = xslt("<xsl:template match='/'>a <xsl:value-of select='1'/></xsl:template>")
        .replace("<xsl:output method=\"html\"/>", "");
    assert_eq!(
        case(Engine::Xslt, BodyKind::Text, &of_xslt).body(),
        "a 1\n",
        "no declaration in front of a text"
    );
}

#[test]
fn the_text_is_made_from_html_where_no_text_template_is() {
    let mut only_html = case(
        Engine::Ejs,
        BodyKind::Html,
        "<h1>Здравствуйте, __realname__</h1><p><a href=\"<%= billurl %>\">Оплатить</a></p>",
    );
    only_html.request.parts = vec![Part::Text];
    let text = only_html.rendered().expect("rendered").text.expect("a text");
    assert!(
        text.contains("Здравствуйте, Ирина & Ко") && text.contains("https://my.x.ru/?a=1&b=2"),
        "{text}"
    );
    let mut both =
        case(Engine::Ejs, BodyKind::Html, "<p>html</p>").with_file("t.ejs", "own & text");
    both.bundle.bodies.push(BodyTemplate {
        kind: BodyKind::Text,
        engine: Engine::Ejs,
        name: "t.ejs".into(),
    });
    both.request.parts = vec![Part::Text, Part::Html];
    let texts = both.rendered().expect("rendered");
    assert_eq!(
        (texts.html.as_deref(), texts.text.as_deref()),
        (Some("<p>html</p>"), Some("own & text"))
    );
}

#[test]
fn dates_money_and_lists_are_written_alike() {
    let expected = "23.11.2026 03:00|23 ноября 2026|-1\u{a0}543,70\u{a0}₽|1";
    let ejs = "<%= date(when) %>|<%= rusdate(when) %>|<%= money(balance, '₽') %>|<%= list(item).length %>";
    assert_eq!(case(Engine::Ejs, BodyKind::Html, ejs).body(), expected);
    let tera = "{{ when | date }}|{{ rusdate(value=when) }}|{{ balance[\"$\"] | money(currency=\"₽\") }}|{{ list(value=item) | length }}";
    assert_eq!(case(Engine::Tera, BodyKind::Html, tera).body(), expected);
    assert_eq!(
        case(
            Engine::Ejs,
            BodyKind::Html,
            "<%= list(locals.none).length %> <%= list([1,2]).length %> <%= date(when, '%Y') %>"
        )
        .body(),
        "0 2 2026"
    );
}

#[test]
fn a_json_notice_is_taken_by_ejs_and_tera_and_refused_by_xslt() {
    let with_json = |engine, text: &str| {
        let mut case = case(engine, BodyKind::Html, text);
        case.notice = (NoticeForm::Json, r#"{"n": 5, "items": [{"name": "Ж"}]}"#.to_owned());
        case
    };
    assert_eq!(with_json(Engine::Ejs, "<%= n + 1 %> <%= items[0].name %>").body(), "6 Ж");
    assert_eq!(with_json(Engine::Tera, "{{ n + 1 }} {{ items[0].name }}").body(), "6 Ж");
    assert!(with_json(Engine::Xslt, &xslt("")).error().message.contains("JSON"));
}

#[test]
fn an_error_carries_file_line_and_message() {
    let place = |error: &TemplateError| format!("{}:{}", error.template, error.line);
    for (engine, text, expected, words) in [
        (Engine::Ejs, "a\n\n<%= nowhere %>\n", "ru.ntemail.html.ejs:3", "nowhere"),
        (
            Engine::Ejs,
            "a\n<%\n\n  throw new TypeError('сбой') %>",
            "ru.ntemail.html.ejs:4",
            "TypeError: сбой",
        ),
        (Engine::Ejs, "a\n<% throw 'text' %>", "ru.ntemail.html.ejs:2", "text"),
        (Engine::Ejs, "a\n<% if (x { %>", "ru.ntemail.html.ejs:2", "SyntaxError"),
        (Engine::Ejs, "a\n\n <% if (x) {", "ru.ntemail.html.ejs:3", "close tag"),
        (Engine::Ejs, "<%- include('part') %>", "part:2", "undefined"),
        (Engine::Ejs, "\n<%- include('absent') %>", "ru.ntemail.html.ejs:2", "absent"),
        (Engine::Tera, "a\n\n{{ nowhere }}", "ru.ntemail.html.tera:3", "nowhere"),
        (Engine::Tera, "a\n{% if %}", "ru.ntemail.html.tera:2", ""),
        (Engine::Tera, "\n{% include \"part.tera\" %}", "part.tera:2", "gone"),
        (Engine::Tera, "\n{% include \"absent\" %}", "ru.ntemail.html.tera:", "absent"),
    ] {
        let error = case(engine, BodyKind::Html, text)
            .with_file("part", "\n<%= undefined.x %>")
            .with_file("part.tera", "\n{{ gone.x }}")
            .error();
        assert!(place(&error).starts_with(expected), "{text:?}: {error:?}");
        assert!(error.message.contains(words), "{text:?}: {error:?}");
    }
    let broken = xslt("<xsl:template match='/'>\n<xsl:value-of select='$nowhere'/></xsl:template>");
    let error = case(Engine::Xslt, BodyKind::Html, &broken).error();
    assert_eq!(place(&error), "ru.ntemail.html.xslt:3", "{error:?}");
    let error = case(Engine::Xslt, BodyKind::Html, "<p>no stylesheet").error();
    assert_eq!(place(&error), "ru.ntemail.html.xslt:1", "{error:?}");
}

#[test]
fn a_notice_that_is_no_xml_or_has_a_doctype_fails_in_words() {
    for engine in Engine::ALL {
        for notice in ["", "text", "<doc>", "<!DOCTYPE d [<!ENTITY a 'b'>]><doc>&a;</doc>"] {
            let template = if engine == Engine::Xslt { xslt("") } else { "x".to_owned() };
            let error = case(engine, BodyKind::Html, &template).with_notice(notice).error();
            assert_eq!(error.template, "notice", "{engine} {notice:?}: {error:?}");
        }
    }
}

#[test]
fn a_part_of_another_engine_is_refused() {
    let mut mixed = case(Engine::Ejs, BodyKind::Html, "x").with_file("t.tera", "y");
    mixed.bundle.bodies.push(BodyTemplate {
        kind: BodyKind::Text,
        engine: Engine::Tera,
        name: "t.tera".into(),
    });
    mixed.request.parts = vec![Part::Text];
    assert!(mixed.error().message.contains("is a template for tera"));
}

#[test]
fn what_was_not_told_is_named() {
    let mut renderer = Renderer::new(Engine::Ejs, Limits::default()).expect("an engine");
    let request = case(Engine::Ejs, BodyKind::Html, "x").request;
    assert!(renderer.render(&request).result.expect_err("unknown").message.contains("bundle `b`"));
}

fn element(text: &str) -> std::sync::Arc<wire::xml::Element> {
    Document::parse_text(text).expect("XML").root.into()
}
