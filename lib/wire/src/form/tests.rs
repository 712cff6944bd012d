use notice::Fields;

use super::*;
use crate::xml::{Document, Element};

/// A gate's description as authors write it: comments everywhere, messages of one language alone.
const GATE: &str = r#"<?xml version="1.0" encoding="UTF8"?>
<mgrdata>
  <!-- what the plugin is -->
  <plugin name="gwsms">       <!-- the program in gate/ -->
    <group>gateway</group>
    <author>Somebody</author>
    <msg name="price_gwsms" lang="en">Free</msg>
    <params><priority lang="ru">1</priority></params>
  </plugin>
  <handler name="x.pl" type="cgi">stray text<event name="user.add" after="yes"/></handler>
  <mainmenu><node name="a"/></mainmenu>
  <metadata name="gateway.gwsms">
    <form>
      <field name="login"><input type="text" name="login" required="yes" identifier="yes"/></field>
      <field name="password"><input type="password" name="password" required="yes"/></field>
      <field name="sender" before="password"><input type="text" name="sender" maxlength="11"/></field>
      <field name="gateway_type"><select name="gateway_type"><if value="2" hide="sender"/></select></field>
      <field name="proxy"><input type="checkbox" name="proxy"><if value="off" hide="proxy_page"/></input></field>
      <page name="proxy_page">
        <field name="proxy_host"><input name="proxy_host" required="yes" check="domain"/></field>
        <field name="proxy_port"><input name="proxy_port" check="int" checkargs="1,65535"/></field>
      </page>
    </form>
  </metadata>
  <lang name="ru">
    <messages name="gateway.gwsms">
      <msg name="login">Логин</msg><msg name="hint_login">Логин <b>личного</b> кабинета</msg>
      <msg name="sender">Отправитель</msg>
    </messages>
    <messages name="gateway_include"><msg name="module_gwsms">Сервис SMS</msg></messages>
  </lang>
  <lang name="en"><messages name="gateway.gwsms"><msg name="sender">Sender</msg></messages></lang>
</mgrdata>
"#;

const BASE: &str = r#"<mgrdata><metadata name="gateway.edit" type="form"><form title="name">
    <page name="main">
      <field name="name"><input type="text" name="name" required="yes"/></field>
      <field name="gateway_type"><select name="gateway_type" required="yes"/></field>
      <field name="gateway_module" remove_if="edit"><input name="gateway_module"/></field>
    </page>
    <buttons><button name="ok" type="ok"/></buttons>
  </form></metadata>
  <lang name="en"><messages name="gateway.edit"><msg name="name">Name</msg><msg name="sender">base</msg></messages></lang>
</mgrdata>"#;

fn descriptions() -> Descriptions {
    let mut all = Descriptions::default();
    for text in [BASE, GATE] {
        all.add(Description::parse(text.as_bytes()).unwrap());
    }
    all
}

fn fields(all: &[(&str, &str)]) -> Fields {
    all.iter().copied().collect()
}

fn edit_form(occasion: Occasion, values: &Fields) -> FormDocument {
    let metadata = ["gateway.edit", "gateway.gwsms"];
    let request =
        FormRequest { func: "gateway.edit", lang: "en", occasion, metadata: &metadata, values };
    FormDocument::build(&request, &descriptions())
}

fn names(fields: &[&Field]) -> Vec<String> {
    fields.iter().map(|field| field.name.clone()).collect()
}

#[test]
fn a_description_with_unknown_siblings_and_comments_loads() {
    // S3-62, S3-67, S0-24
    let all = descriptions();
    assert_eq!(all.plugins()[0].name, "gwsms");
    assert_eq!(all.plugins()[0].groups, ["gateway"]);
    assert_eq!(all.plugins()[0].author, "Somebody");
    assert_eq!(all.catalogue().text("ru", "plugin", "price_gwsms"), Some("Free"));
    assert_eq!(all.gate_caption("gwsms", "en"), "Сервис SMS");
    assert_eq!(all.gate_caption("gwother", "en"), "gwother");
}

#[test]
fn what_is_no_description_is_refused() {
    let refused = |text: &str| Description::parse(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(refused("<doc/>"), "the root of a description is `mgrdata`, not `doc`");
    assert_eq!(refused("<mgrdata>"), "the description is no document");
}

#[test]
fn a_missing_message_falls_back_to_another_language_and_then_to_the_key() {
    // S3-65, S3-66
    let all = descriptions();
    let label = |lang, key| all.catalogue().label(lang, "gateway.gwsms", key);
    assert_eq!(
        (label("en", "sender"), label("ru", "sender")),
        ("Sender".into(), "Отправитель".into())
    );
    assert_eq!((label("en", "login"), label("de", "sender")), ("Логин".into(), "Sender".into()));
    assert_eq!((label("en", "password"), label("xx", "")), ("password".into(), String::new()));
    assert_eq!(
        all.catalogue().label("en", "gateway.gwsms", "hint_login"),
        "Логин личного кабинета"
    );
}

#[test]
fn settings_are_merged_into_the_base_form_child_by_child() {
    // S3-63; ancestor-facts 2.1: a gate re-declares a base field only to add an `if`.
    let form = edit_form(Occasion::New, &Fields::new()).form();
    let all: Vec<_> = form.fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(
        all,
        [
            "name",
            "gateway_type",
            "gateway_module",
            "login",
            "sender",
            "password",
            "proxy",
            "proxy_host",
            "proxy_port"
        ]
    );
    let kind = form.control("gateway_type").unwrap();
    assert!(kind.is(Mark::Required) && kind.conditions.len() == 1);
    assert_eq!(form.fields[1].page.as_deref(), Some("main"));
    assert_eq!(form.identifier().unwrap().name, "login");
    assert_eq!(form.secret_names().into_iter().collect::<Vec<_>>(), ["password"]);
}

#[test]
fn merging_twice_changes_nothing() {
    let mut twice = descriptions();
    twice.add(Description::parse(GATE.as_bytes()).unwrap());
    let compose = |all: &Descriptions| all.composed(&["gateway.edit", "gateway.gwsms"]).unwrap();
    assert_eq!(compose(&twice), compose(&descriptions()));
}

#[test]
fn an_element_goes_where_it_says() {
    let merged = |additions: &str| {
        let mut base = Document::parse(
            b"<form><page name='p'><field name='a'/></page><field name='b'/></form>",
        )
        .unwrap()
        .root;
        merge(&mut base, &Document::parse(additions.as_bytes()).unwrap().root);
        base.to_xml().replace("<field name=\"", "").replace("\"/>", " ")
    };
    let table = [
        (
            "<form><field name='x' before='a'/></form>",
            "<form><page name=\"p\">x a </page>b </form>",
        ),
        ("<form><field name='x' after='a'/></form>", "<form><page name=\"p\">a x </page>b </form>"),
        (
            "<form><field name='x' first='yes'/></form>",
            "<form>x <page name=\"p\">a </page>b </form>",
        ),
        (
            "<form><field name='x' before='nobody'/></form>",
            "<form><page name=\"p\">a </page>b x </form>",
        ),
        ("<form><field name='b' before='a'/></form>", "<form><page name=\"p\">b a </page></form>"),
        (
            "<form><page name='p' first='yes'><field name='y'/></page></form>",
            "<form><page name=\"p\">a y </page>b </form>",
        ),
    ];
    for (additions, expected) in table {
        assert_eq!(merged(additions), expected, "{additions}");
    }
}

#[test]
fn a_field_can_be_cut_when_something_is_made_or_changed() {
    let has =
        |occasion| edit_form(occasion, &Fields::new()).form().control("gateway_module").is_some();
    assert!(has(Occasion::New) && !has(Occasion::Edit));
}

type Pairs<'a> = &'a [(&'a str, &'a str)];

#[test]
fn conditions_hide_fields_and_pages_and_are_joined_by_or() {
    let form = Form::read(
        &Document::parse(
            br#"<form>
            <field name="kind"><select name="kind"><if value="a" hide="x"/><if value="b" hide="y"/>
              <if value="b" hide="p"/><else hide="z"/></select></field>
            <field name="flag"><input type="checkbox" name="flag"><if value="on" hide="x"/>
              <if empty="yes" shadow="y"/></input></field>
            <field name="x"><input name="x"/></field><field name="y"><input name="y"/></field>
            <field name="z"><input name="z"/></field>
            <page name="p"><field name="q"><input name="q"/></field></page></form>"#,
        )
        .unwrap()
        .root,
    );
    let table: [(Pairs<'_>, &[&str], &[&str]); 5] = [
        (&[("kind", "a")], &["kind", "flag", "y", "z", "q"], &["y"]),
        (&[("kind", "b")], &["kind", "flag", "x", "z"], &["y"]),
        (&[("kind", "c"), ("flag", "off")], &["kind", "flag", "x", "y", "q"], &["y"]),
        (&[("kind", "c"), ("flag", "on")], &["kind", "flag", "y", "q"], &[]),
        (&[], &["kind", "flag", "x", "y", "q"], &["y"]),
    ];
    for (values, visible, shadowed) in table {
        let values = fields(values);
        assert_eq!(names(&form.visible(&values)), visible, "{values:?}");
        assert_eq!(form.shadowed(&values).into_iter().collect::<Vec<_>>(), shadowed, "{values:?}");
    }
}

#[test]
fn what_is_required_must_be_there_unless_it_is_hidden() {
    // S3-64
    let form = edit_form(Occasion::New, &Fields::new());
    let problems = |values: &[(&str, &str)]| -> Vec<String> {
        form.problems(&fields(values)).iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        problems(&[("gateway_type", "1"), ("password", " ")]),
        ["`name` is required", "`login` is required", "`password` is required"]
    );
    let good = [("name", "n"), ("gateway_type", "1"), ("login", "l"), ("password", "p")];
    assert_eq!(problems(&good), Vec::<String>::new());
    let proxied = [&good[..], &[("proxy", "on"), ("proxy_port", "70000")]].concat();
    assert_eq!(
        problems(&proxied),
        [
            "`proxy_host` is required",
            "`proxy_port` must be a whole number from 1 to 65535, not `70000`"
        ]
    );
    let long = [&good[..], &[("sender", "Двенадцать12")]].concat();
    assert_eq!(problems(&long), ["`sender` is longer than 11 characters, not `Двенадцать12`"]);
}

#[test]
fn a_secret_is_in_no_problem() {
    let form = Form::read(
        &Document::parse(
            b"<form><field name='p'><input type='password' name='p' maxlength='3'/></field>\
              <field name='t'><input name='t' private='yes' check='int'/></field></form>",
        )
        .unwrap()
        .root,
    );
    let problems = form.problems(&fields(&[("p", "hidden1"), ("t", "hidden2")]));
    assert_eq!(problems.len(), 2);
    for problem in problems {
        let shown = format!("{problem} {problem:?} {}", problem.to_error().to_element().to_xml());
        assert!(!shown.contains("hidden"), "{shown}");
    }
}

#[test]
fn several_lines_are_checked_each_alone() {
    let form = Form::read(
        &Document::parse(
            b"<form><field name='t'><textarea name='t' zoom='yes' check='ip'/></field></form>",
        )
        .unwrap()
        .root,
    );
    assert!(form.problems(&fields(&[("t", "1.2.3.4\n\n ::1 \n")])).is_empty());
    assert_eq!(form.problems(&fields(&[("t", "1.2.3.4\nx")])).len(), 1);
}

#[test]
fn a_form_on_the_wire_holds_messages_values_and_xmlparams() {
    let values = fields(&[("login", "me"), ("name", "main"), ("stray", "no")]);
    let mut form = edit_form(Occasion::New, &values);
    form.set_xmlparams(&fields(&[("login", "me"), ("password", "a&b")]));
    let read = FormDocument::from_document(Document::parse(&form.document().to_bytes()).unwrap());
    assert_eq!(read, form);
    assert_eq!(
        (read.label("sender"), read.label("password")),
        ("Sender".into(), "password".into())
    );
    assert_eq!(read.hint("login").as_deref(), Some("Логин личного кабинета"));
    assert_eq!((read.value("login").as_str(), read.values().text("name")), ("me", "main"));
    assert!(read.values().get("stray").is_none() && read.values().get("password") == Some(""));
    let xml = read.document().root.to_xml();
    assert!(xml.contains("<msg name=\"login\" added=\"lang\">Логин</msg>"), "{xml}");
    assert!(xml.contains("<xmlparams>&lt;doc&gt;&lt;login&gt;me"), "{xml}");
    let params = crate::params::GatewayParams::read(&read.document().root).unwrap();
    assert_eq!(params.text("password"), "a&b");
}

#[test]
fn what_a_gate_adds_is_seen_and_survives() {
    // S3-45: a gate appends an slist, or echoes; what it does not know stays.
    let answer = r#"<doc><metadata name="gateway.edit"><form><field name="route"><select name="route"/></field>
        <!-- mine --></form></metadata><messages name="x"><msg name="fast">Fast one</msg></messages>
        <slist name="route"><val key="1">One</val><val>two</val><msg>fast</msg><val key="4"/></slist><odd a="1"/></doc>"#;
    let mut form = FormDocument::from_document(Document::parse(answer.as_bytes()).unwrap());
    let choice = |key: &str, label: &str| Choice { key: key.into(), label: label.into() };
    let choices =
        [choice("1", "One"), choice("two", "two"), choice("fast", "Fast one"), choice("4", "4")];
    assert_eq!(form.choices("route").unwrap(), choices);
    assert_eq!(form.choices("other"), None);
    assert!(form.problems(&fields(&[("route", "two")])).is_empty());
    assert_eq!(
        form.problems(&fields(&[("route", "9")]))[0].to_string(),
        "`route` must be one of 1, two, fast, 4, not `9`"
    );
    form.set_choices("route", &choices[..1]);
    form.set_value("route", "1");
    let xml = form.into_document().root.to_xml();
    assert!(xml.contains("<!-- mine -->") && xml.contains("<odd a=\"1\"/>"), "{xml}");
    assert!(
        xml.ends_with(
            "<slist name=\"route\"><val key=\"1\">One</val></slist><route>1</route></doc>"
        ),
        "{xml}"
    );
}

#[test]
fn a_refusal_is_seen_as_one() {
    // S3-47, S3-72
    let refusal =
        Document::parse(b"  <doc>\n      <error type=\"error\"></error>\n  </doc>").unwrap();
    assert_eq!(FormDocument::from_document(refusal).error().unwrap().plain_text(), "error");
    assert!(edit_form(Occasion::New, &Fields::new()).error().is_none());
}

#[test]
fn a_form_nobody_described_is_an_empty_one() {
    let request = FormRequest {
        func: "f",
        lang: "en",
        occasion: Occasion::New,
        metadata: &["nobody"],
        values: &Fields::new(),
    };
    let form = FormDocument::build(&request, &descriptions());
    assert_eq!(form.form(), Form::default());
    assert!(form.problems(&Fields::new()).is_empty());
}

#[test]
fn every_kind_of_control_is_read() {
    let form = Form::read(
        &Document::parse(
            b"<form><field name='f'><input type='hidden' name='h'/><select type='radio' name='r'/>\
              <textarea name='t'/><htmldata name='d'/><slider name='s'/><link name='l'/><unknown/><input type='odd' name='o'/>\
              </field></form>",
        )
        .unwrap()
        .root,
    );
    let kinds: Vec<_> = form.controls().map(|control| control.kind).collect();
    assert_eq!(
        kinds,
        [
            ControlKind::Input(InputKind::Hidden),
            ControlKind::Select(SelectKind::Radio),
            ControlKind::Textarea,
            ControlKind::Other("htmldata"),
            ControlKind::Other("slider"),
            ControlKind::Other("link"),
            ControlKind::Input(InputKind::Text),
        ]
    );
    let valued: Vec<_> =
        form.controls().filter(|control| control.takes_value()).map(|c| &*c.name).collect();
    assert_eq!(valued, ["h", "r", "t", "s", "o"]);
}

proptest::proptest! {
    #[test]
    fn any_tree_can_be_merged_and_read_as_a_form(
        base in "(<(form|page|field|input|if) (name|value|hide|before|check)='[ab]'>|</(form|page|field)>){0,12}",
        more in "(<(form|page|field|select|else) (name|shadow|after|first)='[ab]'/>){0,6}",
    ) {
        let open = |text: &str| Document::parse(format!("<form>{text}</form>").as_bytes()).ok();
        let mut root = open(&base).map_or_else(|| Element::new("form"), |document| document.root);
        if let Some(addition) = open(&more) {
            merge(&mut root, &addition.root);
            let once = root.clone();
            let form = Form::read(&once);
            let _ = form.problems(&fields(&[("a", "b")]));
        }
    }
}
