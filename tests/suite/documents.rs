//! The documents' own worked example, from the form to the wire (S3-78), and what they say of the system as a whole.

use gatepost_kit::host::{Host, examples, has};
use gatepost_kit::http_sink::{HttpSink, Reply, Request};
use std::io::Write;
use std::process::Command;

/// An installation whose gates reach every host through this service, as the documents' gate needs it (S3-69).
fn host_behind(service: &HttpSink) -> Host {
    let host = Host::new();
    let settings = format!(
        "[gate.env]\nHTTP_PROXY = \"{}\"\nhttp_proxy = \"{}\"\n",
        service.url(""),
        service.url("")
    );
    host.write("etc/gatepost.toml", settings);
    host.gatepost(&[
        "project",
        "add",
        "name=North",
        "notifyemail=a@north.example",
        "country_default=RU",
    ])
    .ended(0);
    host.gatepost(&[
        "user",
        "add",
        "quiet=on",
        "name=bob",
        "email=bob@north.example",
        "phone=8 912 345-67-89",
    ])
    .ended(0);
    host.write("templates/hello/en.ntsms.text.ejs", "Привет, <%- user.name %> & <%- who %>");
    host.write("templates/hello/notice.toml", "modules = [\"ntsms\"]\n");
    host
}

/// Answers as the service of the example: status 0, or another for a wrong password.
fn service() -> HttpSink {
    HttpSink::start(|request: &Request| {
        let status = u8::from(request.body.contains("<password>wrong</password>"));
        Reply::ok(format!("<RESPONSE><status>{status}</status></RESPONSE>"))
    })
}

/// S3-78, S3-68, S3-42, S3-1: create gateway, formtune, `check_connection`, queue, process, outgoing, with the gate that
/// stands in `gate/` under that name.
fn from_form_to_wire(host: &Host, service: &HttpSink, more: &[&str]) {
    host.write("etc/password", "wrong\n");
    let fields =
        [more, &["name=sms", "login=me", "password=@etc/password", "sender=Gatepost"]].concat();
    let refused = host.gatepost(&[&["gateway", "add", "gwepochta"], &fields[..]].concat());
    assert_ne!(refused.code, Some(0), "{}", refused.stdout);
    assert_eq!(
        host.sql("SELECT count(*) FROM gateway"),
        "0",
        "a refused check_connection saves nothing (S3-47)"
    );
    host.write("etc/password", "p&q w\n");
    host.gatepost(&[&["gateway", "add", "gwepochta"], &fields[..]].concat()).ended(0);
    host.gatepost(&["send", "hello", "--user", "1", "--data", "who=<you>"]).ended(0);
    host.process("ntsms").ended(0);
    let sent = service
        .requests()
        .into_iter()
        .filter(|request| request.body.contains("<operation>SEND</operation>"));
    let sent: Vec<Request> = sent.collect();
    assert_eq!(sent.len(), 1, "{:?}", service.requests());
    for part in [
        "<username>me</username>",
        "<password>p&amp;q w</password>",
        "<sender>Gatepost</sender>",
        "Привет, bob &amp; &lt;you&gt;",
    ] {
        assert!(sent[0].body.contains(part), "{part} in {}", sent[0].body);
    }
    assert_eq!(host.sql("SELECT outcome FROM notifylog"), "sent");
    assert_eq!(host.sql("SELECT count(*) FROM notifytask"), "0");
}

/// S3-1, S3-68: the documents' own Go gate, built and run unchanged; with our own gate where the documents or Go are absent.
#[test]
fn the_documents_gate_goes_from_the_form_to_the_wire() {
    let service = service();
    let host = host_behind(&service);
    let Some(folder) = examples().filter(|_| has("go")) else {
        let _ = writeln!(
            std::io::stderr(),
            "the documents' gate is absent: 0 of 1 run; our own runs in its place"
        );
        return from_form_to_wire_with_ours(&host, &service);
    };
    let built = Command::new("go")
        .args(["build", "-o"])
        .arg(host.path("gate/gwepochta.new"))
        .arg(folder.join("notification/gwepochta.go"))
        .env("GO111MODULE", "off")
        .status();
    assert!(built.unwrap().success());
    std::fs::rename(host.path("gate/gwepochta.new"), host.path("gate/gwepochta")).unwrap();
    std::fs::copy(
        folder.join("notification/billmgr_mod_gwepochta.xml"),
        host.path("etc/xml/billmgr_mod_gwepochta.xml"),
    )
    .unwrap();
    from_form_to_wire(&host, &service, &[]);
    let phone = "<number>8 912 345-67-89</number>";
    let sent = service.requests().into_iter().any(|request| request.body.contains(phone));
    assert!(sent, "user/phone stays as it is stored (DESIGN 5)");
    assert!(
        host.read("var/gwepochta.log").contains("REQUEST"),
        "its log stands under ROOT/var (S3-76)"
    );
}

/// Ours speaks https unless its address says otherwise.
fn from_form_to_wire_with_ours(host: &Host, service: &HttpSink) {
    let url = format!("url={}", service.url("/members/sms/xml.php"));
    from_form_to_wire(host, service, &[&url]);
}

#[test]
fn our_own_gate_of_the_example_goes_the_same_way() {
    let service = service();
    let host = host_behind(&service);
    from_form_to_wire_with_ours(&host, &service);
}

/// S3-40, S3-41: the three stand on the skeleton's trait. S3-3 … S3-6: the three types with their contacts, and what each may do.
#[test]
fn there_are_three_types_by_default() {
    let host = Host::new();
    for (module, contact) in [("ntemail", "email"), ("ntsms", "phone"), ("ntinternal", "")] {
        let features =
            host.run(&format!("notify/{module}"), &["--command", "features"]).ended(0).stdout;
        assert!(
            features.contains(&format!("<contact_type>{contact}</contact_type>"))
                || contact.is_empty(),
            "{features}"
        );
        assert!(features.contains("name=\"queue\""), "{features}");
    }
    for module in ["ntsms", "ntinternal"] {
        let fetch = ["--command", "getmessage", "--gate", "all"];
        let refused = host.run(&format!("notify/{module}"), &fetch);
        assert!(
            refused.code != Some(0) && refused.stderr.contains("only sends"),
            "S3-4, S3-6, S3-7: {refused:?}"
        );
    }
    host.gatepost(&["project", "add", "name=North", "notifyemail=a@north.example"]).ended(0);
    let refused = host.gatepost(&["gateway", "add", "gwfile", "module=ntinternal", "folder=var/x"]);
    assert!(
        refused.code != Some(0) && refused.stderr.contains("ntinternal has no gateways"),
        "S3-7: {}",
        refused.stderr
    );
}

/// S3-17: a type without gateways sends by itself; S3-6: the inbox is made from the mail's template.
#[test]
fn the_inbox_is_written_by_its_module_from_the_mails_template() {
    let host = Host::new();
    host.gatepost(&["project", "add", "name=North", "notifyemail=a@north.example"]).ended(0);
    host.gatepost(&["user", "add", "quiet=on", "name=bob", "email=bob@north.example"]).ended(0);
    host.write("templates/hello/en.ntemail.html.tera", "<p>Hello <b>{{ user.name }}</b></p>");
    host.write(
        "templates/hello/notice.toml",
        "modules = [\"ntemail\", \"ntinternal\"]\n[subject]\nen = \"Good morning\"\n",
    );
    host.gatepost(&["send", "hello", "--user", "1"]).ended(0);
    host.process("ntinternal").ended(0);
    let inbox = host.gatepost(&["inbox", "1", "-o", "json"]).ended(0).stdout;
    assert!(
        inbox.contains("Hello bob") && inbox.contains("Good morning") && !inbox.contains("<p>"),
        "{inbox}"
    );
}

/// S3-8, S3-19: called at once (`gateway test --to`) as well as in the background, with the same input.
#[test]
fn a_gate_gets_parameters_contact_text_and_heading() {
    let host = Host::new();
    host.program(
        "gate/gwkeep",
        "#!/bin/sh\ncase \"$2\" in outgoing) cat > var/got; echo '<doc/>';; *) echo '<doc><features><feature name=\"outgoing\"/></features><notify_module>ntemail</notify_module></doc>';; esac\n",
    );
    host.write(
        "etc/xml/billmgr_mod_gwkeep.xml",
        "<mgrdata><plugin name=\"gwkeep\"><group>gateway</group></plugin><metadata name=\"gateway.gwkeep\"><form><field name=\"login\"><input type=\"text\" name=\"login\"/></field></form></metadata></mgrdata>",
    );
    host.gatepost(&["project", "add", "name=North", "notifyemail=a@north.example"]).ended(0);
    host.gatepost(&["user", "add", "quiet=on", "name=bob", "email=bob@north.example"]).ended(0);
    host.gatepost(&["gateway", "add", "gwkeep", "name=keep", "login=me"]).ended(0);
    host.write("templates/hello/en.ntemail.text.tera", "Hello {{ user.name }}");
    host.write("templates/hello/notice.toml", "[subject]\nen = \"Good morning\"\n");
    host.gatepost(&["send", "hello", "--user", "1", "--module", "ntemail"]).ended(0);
    host.process("ntemail").ended(0);
    let got = host.read("var/got");
    let parts = [
        "<message>Hello bob",
        "<subject>Good morning</subject>",
        "<email>bob@north.example</email>",
        "&lt;login&gt;me&lt;/login&gt;",
        "<name>North</name>",
        "<gateway_module>gwkeep</gateway_module>",
    ];
    for part in parts {
        assert!(got.contains(part), "{part} in {got}");
    }
    std::fs::remove_file(host.path("var/got")).unwrap();
    host.gatepost(&["gateway", "test", "keep", "--to", "eve@north.example"]).ended(0);
    assert!(host.read("var/got").contains("eve@north.example"), "S3-8");
}

/// S0-6: the ancestor's form of a call; a format nobody knows is refused before anything is done.
#[test]
fn the_ancestors_tool_answers_in_its_lines_and_refuses_an_unknown_format() {
    let host = Host::new();
    let call = |words: &[&str]| host.run("sbin/mgrctl", &[&["-m", "billmgr"], words].concat());
    let add = ["project.edit", "sok=ok", "name=North", "notifyemail=a@north.example"];
    for bad in [&["-o", "table2"][..], &["-o"]] {
        let refused = call(&[&add, bad].concat()).ended(64);
        assert!(refused.stderr.contains("is none of table, wide, json"), "{}", refused.stderr);
        assert_eq!(host.sql("SELECT count(*) FROM project"), "0", "nothing was done");
    }
    call(&add).ended(0);
    let listed = call(&["project"]).ended(0).stdout;
    assert!(listed.starts_with("id=1 ") && listed.contains("name=North"), "{listed}");
    assert!(call(&["-o", "json", "project"]).ended(0).stdout.contains("North"));
}
