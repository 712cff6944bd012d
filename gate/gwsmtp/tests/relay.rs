//! Against a real Postfix, the message read back from its mailbox.

use gatepost_kit::postfix::{LOGIN, PASSWORD, Postfix};

use crate::call::{Message, ask_python, check, plain};

fn fields(postfix: &Postfix, port: u16, security: &str) -> Vec<(&'static str, String)> {
    vec![
        ("host", "localhost".into()),
        ("port", port.to_string()),
        ("security", security.to_owned()),
        ("auth", "password".into()),
        ("login", LOGIN.into()),
        ("password", PASSWORD.into()),
        ("ca_file", postfix.authority().to_str().unwrap().to_owned()),
        ("timeout_secs", "10".into()),
    ]
}

fn with(
    mut fields: Vec<(&'static str, String)>,
    name: &'static str,
    text: &str,
) -> Vec<(&'static str, String)> {
    fields.retain(|(known, _)| *known != name);
    fields.push((name, text.to_owned()));
    fields
}

#[test]
fn postfix_takes_mail_by_starttls_and_login_and_delivers_it() {
    let Some(postfix) = Postfix::start() else { return };
    let starttls = fields(&postfix, postfix.submission_port, "starttls");
    let mut message = Message::to("anna@example.test, boris@example.test", starttls.clone());
    message.subject = "Счёт № 5".into();
    message.text = Some("Привет, Анна\n.\n".into());
    let ended = message.send();
    assert_eq!(ended.outcome, "sent", "{}\n{}", ended.reason, postfix.log());
    for user in ["anna", "boris"] {
        let mail = postfix.wait_for(user, 1).remove(0);
        let script = "print(m['Subject'], m['Message-ID'], m['Return-Path'])\nprint(repr(m.get_body(('plain',)).get_content()))\nprint('ESMTPSA' in str(m['Received']), [d for p in m.walk() for d in p.defects])";
        let Some(said) = ask_python(&mail, script) else { return };
        let expected = format!(
            "Счёт № 5 <{}> <notify@example.test>\n'Привет, Анна\\n.\\n'\nTrue []\n",
            ended.reference
        );
        assert_eq!(said, expected);
    }

    // TLS from the first byte.
    let tls = fields(&postfix, postfix.tls_port, "tls");
    let ended = Message::to("user1@example.test", tls.clone()).send();
    assert_eq!(ended.outcome, "sent", "{}\n{}", ended.reason, postfix.log());
    postfix.wait_for("user1", 1);

    // S3-46, S3-47: what the check says is true.
    assert_eq!(check(&starttls), None);
    assert_eq!(check(&tls), None);
    for (fields, words) in [
        (with(starttls.clone(), "password", "wrong"), "AUTH: 535"),
        (with(starttls.clone(), "ca_file", ""), "TLS with localhost"),
        (with(starttls.clone(), "security", "none"), "offers no AUTH"),
        (with(tls.clone(), "host", "127.0.0.2"), "can't connect"),
        (with(starttls.clone(), "ca_file", "/nonexistent.pem"), "`ca_file`: can't open"),
    ] {
        let said = check(&fields).expect("refused");
        assert!(said.contains(words), "{words}: {said}");
    }

    // Postfix's own refusals.
    let plain = plain(postfix.port);
    for (contact, outcome, words) in [
        ("nobody@example.test", "never", "550"),
        ("a@elsewhere.test", "never", "554"),
        ("anna@example.test", "sent", ""),
    ] {
        let ended = Message::to(contact, plain.clone()).send();
        assert_eq!(ended.outcome, outcome, "{contact}: {}", ended.reason);
        assert!(ended.reason.contains(words), "{contact}: {}", ended.reason);
    }
    let ended = Message::to("anna@example.test", with(starttls, "password", "wrong")).send();
    assert_eq!(ended.outcome, "hold", "{}", ended.reason);
    assert_eq!(postfix.wait_for("anna", 2).len(), 2);

    // What bounces names the reference: gwmailbox makes a receipt of it.
    let ended = Message::to("bounced@example.test", plain.clone()).send();
    assert_eq!(ended.outcome, "sent", "{}", ended.reason);
    let bounce = postfix.wait_for("notify", 1).remove(0);
    let bounce = String::from_utf8_lossy(&bounce);
    assert!(bounce.contains(&format!("Original-Envelope-Id: {}", ended.reference)), "{bounce}");
    assert!(bounce.contains(&format!("Message-ID: <{}>", ended.reference)), "{bounce}");
}
