//! The message itself, read back by Python's `email`, its signature by dkimpy.

use gatepost_kit::smtp_sink::Sink;
use gatepost_kit::tools;
use wire::outgoing::Attachment;

use crate::call::{Message, ask_python, gate, plain};

/// The message as the server got it.
fn taken(message: &Message) -> Vec<u8> {
    let sink = Sink::start();
    let mut fields = plain(sink.port());
    fields.extend(message.fields.clone());
    let ended = Message { fields, ..copy(message) }.send();
    assert_eq!(ended.outcome, "sent", "{}", ended.reason);
    sink.wait_for(1).remove(0).content
}

fn copy(message: &Message) -> Message {
    Message {
        fields: vec![],
        html: message.html.clone(),
        subject: message.subject.clone(),
        text: message.text.clone(),
        headers: message.headers.clone(),
        attachments: message.attachments.clone(),
        email: message.email.clone(),
        realname: message.realname.clone(),
        project_name: message.project_name.clone(),
        key: message.key.clone(),
    }
}

#[test]
fn headers_are_read_back_as_they_were_meant() {
    let mut message = Message::to("anna@example.test", vec![]);
    message.subject =
        "Счёт № 5 готов: пожалуйста, оплатите его до конца месяца, иначе услуга будет остановлена"
            .into();
    message.realname = "Иванова, Анна \"А\"".into();
    message.project_name = "Хостер".into();
    message.headers = vec![
        ("List-Unsubscribe".into(), "<https://example.test/u/7>, <mailto:u@example.test>".into()),
        ("List-Unsubscribe-Post".into(), "List-Unsubscribe=One-Click".into()),
        ("X-Ref".into(), "Привет".into()),
    ];
    message.fields = vec![("sender", "Relay <relay@example.test>".into())];
    let content = taken(&message);
    let Some(said) = ask_python(
        &content,
        "for h in ('Subject','From','Sender','To','Reply-To','List-Unsubscribe','List-Unsubscribe-Post','X-Ref','Auto-Submitted','MIME-Version'):\n    print(h, '=', m[h])\nprint(m['Date'].datetime.tzinfo is not None, [d for p in m.walk() for d in p.defects])",
    ) else {
        return;
    };
    let expected = "Subject = Счёт № 5 готов: пожалуйста, оплатите его до конца месяца, иначе услуга будет остановлена\n\
        From = Хостер <notify@example.test>\n\
        Sender = Relay <relay@example.test>\n\
        To = \"Иванова, Анна \\\"А\\\"\" <anna@example.test>\n\
        Reply-To = support@example.test\n\
        List-Unsubscribe = <https://example.test/u/7>, <mailto:u@example.test>\n\
        List-Unsubscribe-Post = List-Unsubscribe=One-Click\n\
        X-Ref = Привет\n\
        Auto-Submitted = auto-generated\n\
        MIME-Version = 1.0\n\
        True []\n";
    assert_eq!(said, expected);
    assert!(content.is_ascii() && content.split(|b| *b == b'\n').all(|line| line.len() <= 998));
}

#[test]
fn text_images_and_files_stand_where_readers_look_for_them() {
    let gate = gate();
    let sink = Sink::start();
    let mut message = Message::to("anna@example.test", plain(sink.port()));
    message.html = "<p>Привет <img src=\"cid:logo@x\"></p>\n.\n..dots\n".into();
    message.text = Some("Привет\n.\nFrom here\n".into());
    let file = |name: &str, kind: &str, cid: Option<&str>, content: &[u8]| {
        let path = format!("var/attach/{:x}", content.len());
        std::fs::write(gate.root().join(&path), content).unwrap();
        Attachment {
            name: name.into(),
            content_type: kind.into(),
            cid: cid.map(str::to_owned),
            path,
        }
    };
    let every_byte: Vec<u8> = (0..=255).collect();
    message.attachments = vec![
        file("logo.png", "image/png", Some("logo@x"), b"\x89PNG"),
        file("Счёт за октябрь.pdf", "application/pdf", None, &every_byte),
        file("../../etc/x\r\n.txt", "text/plain", None, b"a\nb\r\n.\r\nc"),
    ];
    let ended = message.send_by(&gate);
    assert_eq!(ended.outcome, "sent", "{}", ended.reason);
    let content = sink.wait_for(1).remove(0).content;
    let Some(said) = ask_python(
        &content,
        "def show(p, depth=0):\n    print(' '*depth + p.get_content_type(), p.get_filename(), p['Content-ID'], p.get_content_disposition())\n    for q in (p.iter_parts() if p.is_multipart() else []): show(q, depth+1)\nshow(m)\nbody=m.get_body(('html',)).get_content()\nprint(repr(body.replace('\\r\\n','\\n')))\nprint(repr(m.get_body(('plain',)).get_content().replace('\\r\\n','\\n')))\na=list(m.iter_attachments())\nprint(a[0].get_content()==bytes(range(256)), a[1].get_payload(decode=True))\nprint([d for p in m.walk() for d in p.defects])",
    ) else {
        return;
    };
    let expected = "multipart/mixed None None None\n \
        multipart/alternative None None None\n  \
        text/plain None None None\n  \
        multipart/related None None None\n   \
        text/html None None None\n   \
        image/png logo.png <logo@x> inline\n \
        application/pdf Счёт за октябрь.pdf None attachment\n \
        text/plain x  .txt None attachment\n\
        '<p>Привет <img src=\"cid:logo@x\"></p>\\n.\\n..dots\\n'\n\
        'Привет\\n.\\nFrom here\\n'\n\
        True b'a\\nb\\r\\n.\\r\\nc'\n[]\n";
    assert_eq!(said, expected);
}

#[test]
fn a_message_without_a_text_of_its_own_is_what_it_looks_like() {
    for (html, text, kind) in [
        ("<html><body>x</body></html>", None, "text/html"),
        ("Hello,\n1 < 2 and 3 > 2", None, "text/plain"),
        ("<b>x</b>", Some("x"), "multipart/alternative"),
        ("", Some("x"), "text/plain"),
        ("same", Some("same"), "text/plain"),
    ] {
        let mut message = Message::to("a@example.test", vec![]);
        message.html = html.into();
        message.text = text.map(str::to_owned);
        let content = String::from_utf8(taken(&message)).unwrap();
        assert!(content.contains(&format!("Content-Type: {kind}")), "{html}: {content}");
    }
}

#[test]
fn the_message_id_is_the_keys() {
    let id_of = |key: &str| {
        let sink = Sink::start();
        let mut message = Message::to("a@example.test", plain(sink.port()));
        message.key = key.into();
        let ended = message.send();
        let text = sink.wait_for(1)[0].text();
        assert!(text.contains(&format!("Message-ID: <{}>", ended.reference)), "{text}");
        ended.reference
    };
    assert_eq!(id_of("order-5/7/ntemail"), id_of("order-5/7/ntemail"));
    assert_ne!(id_of("order-5/7/ntemail"), id_of("order-6/7/ntemail"));
    assert!(id_of("x").ends_with("@example.test"));
}

/// Verifies with dkimpy, whose DNS is a function here.
fn verified(content: &[u8], record: &str) -> Option<String> {
    ask_python(
        content,
        &format!(
            "import dkim\nprint(dkim.verify(raw, dnsfunc=lambda name, timeout=5: b'{record}' if name == b's1._domainkey.example.test.' else None))\n\
             print(dkim.verify(raw.replace(b'Hello', b'Hullo'), dnsfunc=lambda name, timeout=5: b'{record}'))\n\
             print(dkim.verify(b'Subject: other\\r\\n' + raw, dnsfunc=lambda name, timeout=5: b'{record}'))"
        ),
    )
}

fn signed(key: &str) -> Vec<u8> {
    let mut message = Message::to("anna@example.test", vec![]);
    message.subject = "Счёт".into();
    message.html = "<p>Hello  world</p>\n\n  spaced\tout  \n\n\n".into();
    message.fields = vec![
        ("dkim_domain", "example.test".into()),
        ("dkim_selector", "s1".into()),
        ("dkim_key", key.into()),
    ];
    taken(&message)
}

#[test]
fn an_rsa_signature_is_good_for_dkimpy_and_breaks_with_the_message() {
    if !tools::is_here("openssl") {
        return;
    }
    for pem in [vec!["-traditional"], vec![]] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.pem").to_str().unwrap().to_owned();
        tools::run("openssl", &["genrsa", "-out", &file, "2048"]);
        let mut args = vec!["rsa", "-in", &file];
        args.extend(pem);
        let key = tools::run("openssl", &args);
        let public = tools::run("openssl", &["rsa", "-in", &file, "-pubout"]);
        let public: String = public.lines().filter(|line| !line.starts_with("--")).collect();
        let content = signed(&key);
        let Some(said) = verified(&content, &format!("v=DKIM1; k=rsa; p={public}")) else { return };
        assert_eq!(said, "True\nFalse\nFalse\n", "{}", String::from_utf8_lossy(&content));
    }
}

#[test]
fn an_ed25519_signature_is_good_for_dkimpy() {
    let has_nacl = tools::is_here("openssl")
        && ask_python(
            b"",
            "import importlib.util\nprint(importlib.util.find_spec('nacl') is not None)",
        )
        .is_some_and(|said| said == "True\n");
    if !has_nacl {
        tools::missing("python3-nacl");
        return;
    }
    let key = tools::run("openssl", &["genpkey", "-algorithm", "ed25519"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.pem");
    std::fs::write(&file, &key).unwrap();
    let public = tools::run("openssl", &["pkey", "-in", file.to_str().unwrap(), "-pubout"]);
    let public: String = public.lines().filter(|line| !line.starts_with("--")).collect();
    // The last 32 bytes of the key are the key (RFC 8410).
    let raw = &public[16..];
    let content = signed(&key);
    let Some(said) = verified(&content, &format!("v=DKIM1; k=ed25519; p={raw}")) else { return };
    assert!(said.starts_with("True\nFalse\n"), "{said} {}", String::from_utf8_lossy(&content));
}
