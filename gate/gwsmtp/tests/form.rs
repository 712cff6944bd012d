//! The edit form, as the description and formtune make it.

use notice::Fields;
use wire::form::{Description, Descriptions, FormDocument, FormRequest, Occasion};
use wire::xml::Document;

use crate::call::gate;

#[test]
fn the_form_asks_for_what_the_gate_reads_in_both_languages() {
    // S3-45, S3-62, S3-63, S3-65
    let file = include_bytes!("../../../etc/xml/gatepost_mod_gwsmtp.xml");
    let mut descriptions = Descriptions::default();
    descriptions.add(Description::parse(file).unwrap());
    for lang in ["en", "ru"] {
        let request = FormRequest {
            func: "gateway.gwsmtp",
            lang,
            occasion: Occasion::New,
            metadata: &["gateway.gwsmtp"],
            values: &Fields::new(),
        };
        let form = FormDocument::build(&request, &descriptions).into_document();
        let ran = gate().run("formtune", &form.to_bytes()).ended(0);
        let form = FormDocument::from_document(Document::parse(ran.stdout.as_bytes()).unwrap());
        assert_eq!(
            (form.value("security"), form.value("auth")),
            ("starttls".into(), "none".into())
        );
        for control in form.form().controls() {
            assert!(form.message(&control.name).is_some(), "{lang}: {}", control.name);
            assert!(form.hint(&control.name).is_some(), "{lang}: hint_{}", control.name);
            for choice in form.choices(&control.name).unwrap_or_default() {
                assert_ne!(choice.key, choice.label, "{lang}");
            }
        }
        let secrets = form.form();
        assert_eq!(
            secrets.secret_names().into_iter().collect::<Vec<_>>(),
            ["dkim_key", "password"]
        );
        // S3-64: hidden fields are not required.
        let problems = |more: &[(&str, &str)]| -> Vec<String> {
            let all = [("host", "h")].into_iter().chain(more.iter().copied());
            let values = all.collect();
            form.problems(&values).into_iter().map(|problem| problem.name).collect()
        };
        assert_eq!(problems(&[("auth", "none")]), [""; 0]);
        assert_eq!(problems(&[("auth", "password")]), ["login", "password"]);
        assert_eq!(problems(&[("auth", "xoauth2"), ("login", "l")]), ["token_command"]);
        assert_eq!(problems(&[("dkim_domain", "d")]), ["dkim_selector", "dkim_key"]);
        assert_eq!(problems(&[("port", "70000")]), ["port"]);
    }
}

#[test]
fn what_the_gate_can_do_is_said() {
    // S3-43
    let said = gate().run("features", b"").ended(0).stdout;
    for name in ["outgoing", "check_connection", "formtune", "parallel", "serve"] {
        assert!(said.contains(&format!("<feature name=\"{name}\"/>")), "{said}");
    }
    assert!(said.contains("<window>64</window>"), "{said}");
    assert!(said.contains("<notify_module>ntemail</notify_module>") && !said.contains("ingoing"));
}
