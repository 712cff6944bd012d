//! Filled forms of services people use, so that three fields are enough.

use wire::xml::{Document, Element};

/// A service: its key in the form, its name, and the fields it fills.
struct Preset {
    key: &'static str,
    label: &'static str,
    fields: &'static [(&'static str, &'static str)],
}

const PRESETS: &[Preset] = &[
    Preset {
        key: "json",
        label: "JSON, Bearer token",
        fields: &[
            ("method", "POST"),
            ("content_type", "json"),
            ("auth", "bearer"),
            ("body", r#"{"to":"{phone}","from":"{sender}","text":"{message}","key":"{key}"}"#),
            ("reference", "json:id"),
        ],
    },
    Preset {
        key: "twilio",
        label: "Twilio",
        fields: &[
            ("url", "https://api.twilio.com/2010-04-01/Accounts/{login}/Messages.json"),
            ("method", "POST"),
            ("content_type", "form"),
            ("auth", "basic"),
            ("body", "To={phone}&From={sender}&Body={message}"),
            ("reference", "json:sid"),
            ("check_url", "https://api.twilio.com/2010-04-01/Accounts/{login}.json"),
            ("phone_format", "e164"),
        ],
    },
    Preset {
        key: "vonage",
        label: "Vonage (Nexmo)",
        fields: &[
            ("url", "https://rest.nexmo.com/sms/json"),
            ("method", "POST"),
            ("content_type", "form"),
            (
                "body",
                "api_key={login}&api_secret={password}&to={phone}&from={sender}&text={message}&type=unicode",
            ),
            ("success", "status 200\njson messages.0.status = 0"),
            ("hold", "json messages.0.status = 4\njson messages.0.status = 9"),
            ("never", "json messages.0.status = 3\njson messages.0.status = 6"),
            ("reference", "json:messages.0.message-id"),
            (
                "check_url",
                "https://rest.nexmo.com/account/get-balance?api_key={login}&api_secret={password}",
            ),
            ("phone_format", "digits"),
        ],
    },
    Preset {
        key: "smsru",
        label: "SMS.RU",
        fields: &[
            ("url", "https://sms.ru/sms/send"),
            ("method", "POST"),
            ("content_type", "form"),
            ("body", "api_id={token}&to={phone}&from={sender}&msg={message}&json=1"),
            ("success", "status 200\njson status_code = 100\ntext \"sms_id\""),
            ("hold", "json status_code = 200\njson status_code = 301"),
            ("reference", "after:\"sms_id\": \""),
            ("check_url", "https://sms.ru/auth/check?api_id={token}&json=1"),
            ("check_success", "json status_code = 100"),
            ("phone_format", "digits"),
        ],
    },
    Preset {
        key: "smsc",
        label: "SMSC.RU",
        fields: &[
            ("url", "https://smsc.ru/sys/send.php"),
            ("method", "POST"),
            ("content_type", "form"),
            (
                "body",
                "login={login}&psw={password}&phones={phone}&sender={sender}&mes={message}&fmt=3&charset=utf-8",
            ),
            ("success", "status 200\njson id"),
            ("hold", "json error_code = 2\njson error_code = 3\njson error_code = 4"),
            ("never", "json error_code = 6\njson error_code = 7\njson error_code = 8"),
            ("reference", "json:id"),
            ("check_url", "https://smsc.ru/sys/balance.php?login={login}&psw={password}&fmt=3"),
            ("check_success", "json balance"),
            ("phone_format", "digits"),
        ],
    },
];

const SELECTS: &[(&str, &[&str])] = &[
    ("method", &["POST", "GET", "PUT", "PATCH"]),
    ("content_type", &["json", "form", "xml", "text"]),
    ("auth", &["none", "basic", "bearer"]),
];

/// The form with the choices of its lists, and with the chosen preset's values in every field that is
/// still empty. What a person has typed stays.
pub(crate) fn tune(mut form: Document) -> Document {
    let root = &mut form.root;
    let chosen = root.child_text("preset");
    if let Some(preset) = PRESETS.iter().find(|preset| preset.key == chosen.trim()) {
        preset.fields.iter().for_each(|(name, value)| fill_empty(root, name, value));
    }
    let presets = PRESETS.iter().map(|preset| (preset.key, preset.label));
    set_list(root, "preset", std::iter::once(("", "-")).chain(presets));
    for (name, choices) in SELECTS {
        set_list(root, name, choices.iter().map(|choice| (*choice, *choice)));
        fill_empty(root, name, choices[0]);
    }
    form
}

fn fill_empty(root: &mut Element, name: &str, value: &str) {
    match root.child_mut(name) {
        Some(field) if field.text().trim().is_empty() => field.set_text(value),
        Some(_) => {}
        None => root.push(Element::new(name).with_text(value)),
    }
}

fn set_list<'a>(root: &mut Element, name: &str, choices: impl Iterator<Item = (&'a str, &'a str)>) {
    if root.children_named("slist").any(|list| list.has("name", name)) {
        return;
    }
    let mut list = Element::new("slist").with_attribute("name", name);
    for (key, label) in choices {
        list.push(Element::new("val").with_attribute("key", key).with_text(label));
    }
    root.push(list);
}

#[cfg(test)]
mod tests {
    use gatepost_gate::{Fields, GatewayParams};

    use super::*;
    use crate::settings::Settings;

    fn tuned(text: &str) -> Element {
        tune(Document::parse(text.as_bytes()).unwrap()).root
    }

    #[test]
    fn a_preset_fills_what_is_empty_and_keeps_what_was_typed() {
        let root = tuned("<doc><preset>twilio</preset><url/><auth>none</auth><!--kept--></doc>");
        assert!(root.child_text("url").contains("api.twilio.com"));
        assert_eq!(root.child_text("auth"), "none");
        assert_eq!(root.child_text("reference"), "json:sid");
        assert!(root.to_xml().contains("<!--kept-->"));
    }

    #[test]
    fn without_a_preset_the_lists_are_there_and_the_address_is_not() {
        let root = tuned("<doc><preset/></doc>");
        let lists: Vec<_> =
            root.children_named("slist").filter_map(|list| list.attribute("name")).collect();
        assert_eq!(lists, ["preset", "method", "content_type", "auth"]);
        assert_eq!(
            (root.child_text("method").as_str(), root.child_text("url").as_str()),
            ("POST", "")
        );
    }

    #[test]
    fn every_preset_gives_settings_that_can_be_read() {
        for preset in PRESETS {
            let root = tuned(&format!("<doc><preset>{}</preset></doc>", preset.key));
            let fields = root.elements().map(|it| (it.name.clone(), it.text()));
            let mut fields: Fields = fields.collect();
            if fields.text("url").is_empty() {
                fields.set("url", "http://127.0.0.1/");
            }
            let settings = Settings::read(&GatewayParams::new(Fields::new(), fields));
            assert!(settings.is_ok(), "{}", preset.key);
        }
    }
}
