//! Gateways over fake gates in sh.

use crate::testing::Bench;

const FEATURES: &str = "features) cat <<'X'
<doc><features><feature name=\"outgoing\"/><feature name=\"formtune\"/><feature name=\"check_connection\"/></features>\
<notify_module>ntsms</notify_module></doc>
X
;;";

const FORM: &str = r#"<mgrdata><plugin name="gwx"/><metadata name="gateway.gwx"><form>
 <field name="login"><input type="text" name="login" required="yes" identifier="yes"/></field>
 <field name="password"><input type="password" name="password" required="yes"/></field>
 <field name="port"><input type="text" name="port" check="int" checkargs="1,65535"/></field>
 <field name="mode"><select name="mode"><if value="plain" hide="realm"/></select></field>
 <field name="realm"><input type="text" name="realm" required="yes"/></field>
</form></metadata></mgrdata>"#;

/// A gate that writes what it reads to `var/COMMAND.in`, and answers as told.
fn bench(formtune: &str, check: &str) -> Bench {
    let bench = Bench::with_user();
    bench.write("etc/xml/billmgr_mod_gwx.xml", FORM);
    bench.program(
        "gate/gwx",
        &format!(
            "#!/bin/sh\ncase \"$2\" in\n{FEATURES}\nformtune) tee var/formtune.in {formtune};;\n\
             check_connection) tee var/check.in {check};;\n\
             outgoing) cat > var/outgoing.in;;\nesac\n"
        ),
    );
    bench
}

const TUNE: &str = "| sed 's|<port/>|<port>2525</port>|; s|<port></port>|<port>2525</port>|; \
     s|</doc>|<slist name=\"mode\"><val key=\"plain\"/><val key=\"digest\"/></slist></doc>|'";

fn good(extra: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let mut params = vec![
        ("gateway_module", "gwx"),
        ("login", "me"),
        ("password", "s3cret&pass"),
        ("mode", "plain"),
    ];
    params.extend_from_slice(extra);
    params
}

#[test]
fn a_gateway_is_tuned_validated_checked_and_only_then_saved() {
    let mut bench = bench(TUNE, "");
    let saved = bench.ok("gateway.add", &good(&[]));
    assert_eq!(saved.text("name"), "me"); // identifier="yes"
    let row = bench.read(|snapshot| snapshot.gateways()).remove(0);
    assert_eq!(row.module.as_str(), "ntsms");
    assert!(row.xmlparams.contains("<port>2525</port>"), "{}", row.xmlparams);
    assert!(!row.xmlparams.contains("s3cret"), "a password is never in xmlparams");
    assert!(!row.secret.is_empty() && !row.secret.windows(6).any(|bytes| bytes == b"s3cret"));
    let asked = std::fs::read_to_string(bench.folder.path().join("var/check.in")).unwrap();
    assert!(asked.contains("&lt;password&gt;s3cret&amp;amp;pass&lt;/password&gt;"), "{asked}");
}

#[test]
fn a_refused_check_saves_nothing_and_shows_no_secret() {
    // S3-47
    let refuse = ">/dev/null; printf '<doc><error type=\"auth\"><msg>bad s3cret&amp;pass for me</msg></error></doc>'";
    let mut bench = bench(TUNE, refuse);
    let refused = bench.refused("gateway.add", &good(&[]));
    assert!(
        refused.contains("bad *** for me") && refused.contains("nothing was saved"),
        "{refused}"
    );
    assert!(bench.refused("gateway.add", &good(&[("active", "off")])).contains("bad"));
    let journal = bench.ok("journal", &[("limit", "2")]);
    let runs: Vec<_> = journal
        .rows()
        .map(|run| ["place", "name", "outcome", "output"].map(|column| run.child_text(column)))
        .collect();
    assert_eq!(runs[0][..3], ["check_connection", "gwx", "failed"]);
    assert!(runs[0][3].contains("bad *** for me"), "{runs:?}");
    assert_eq!(runs[1], ["formtune", "gwx", "ok", ""]);
    assert!(bench.read(|snapshot| snapshot.gateways()).is_empty());
}

#[test]
fn a_test_that_fails_says_so_of_the_test() {
    let mut bench = bench(TUNE, "");
    bench.ok("gateway.add", &good(&[]));
    let said = "<doc><error type=\"later\"><msg>no s3cret&amp;pass today</msg></error></doc>";
    bench.program(
        "gate/gwx",
        &format!(
            "#!/bin/sh\ncase \"$2\" in\n{FEATURES}\ncheck_connection) test -e var/shut && echo '{said}' || cat;;\n\
             outgoing) echo '{said}';;\nesac\n"
        ),
    );
    let message = bench.refused("gateway.test", &[("elid", "me"), ("to", "+79123456789")]);
    assert_eq!(
        message,
        "the test of gateway `me` failed: gate/gwx, test message to +79123456789: later: no *** today"
    );
    bench.write("var/shut", "");
    let check = bench.refused("gateway.test", &[("elid", "me")]);
    assert!(check.starts_with("the test of gateway `me` failed: gate/gwx, check_connection: "));
    assert!(check.ends_with("no *** today"), "{check}");
}

#[test]
fn a_check_without_output_is_no_success() {
    // S3-74
    let mut bench = bench(TUNE, ">/dev/null");
    assert!(bench.refused("gateway.add", &good(&[])).contains("unsupported format"));
}

#[test]
fn required_fields_types_and_lists_are_checked_before_the_gate_is_asked() {
    // S3-64
    let mut bench = bench(TUNE, "");
    let missing = bench.refused("gateway.add", &[("gateway_module", "gwx"), ("mode", "plain")]);
    assert!(missing.contains("`login`") && missing.contains("`password`"), "{missing}");
    for (name, value) in [("port", "99999"), ("mode", "rot13")] {
        assert!(bench.refused("gateway.add", &good(&[(name, value)])).contains(name));
    }
    // a hidden required field is not required; a shown one is
    assert!(bench.refused("gateway.add", &good(&[("mode", "digest")])).contains("`realm`"));
    assert!(
        bench.refused("gateway.add", &good(&[("logni", "x")])).contains("did you mean `login`?")
    );
    assert!(!bench.folder.path().join("var/check.in").exists());
}

#[test]
fn an_edit_keeps_what_is_left_empty_and_the_form_shows_no_secret() {
    let mut bench = bench(TUNE, "");
    bench.ok("gateway.add", &good(&[]));
    let before = bench.read(|snapshot| snapshot.gateways()).remove(0);
    let check = bench.folder.path().join("var/check.in");
    std::fs::remove_file(&check).unwrap();
    let edit = [("sok", "ok"), ("elid", "me"), ("password", ""), ("port", "25")];
    bench.ok("gateway.edit", &edit);
    let after = bench.read(|snapshot| snapshot.gateways()).remove(0);
    assert!(after.version > before.version && after.active);
    assert!(
        after.xmlparams.contains("<port>25</port>")
            && after.xmlparams.contains("<login>me</login>")
    );
    let asked = std::fs::read_to_string(&check).unwrap();
    assert!(asked.contains("s3cret"), "the old password was used");
    // One that is taken out of use may be out of reach.
    std::fs::remove_file(&check).unwrap();
    bench.ok("gateway.edit", &[("sok", "ok"), ("elid", "me"), ("active", "off")]);
    assert!(!bench.read(|snapshot| snapshot.gateways()).remove(0).active && !check.exists());
    let form = bench.ok("gateway.edit", &[("elid", "1")]);
    let text = form.document.to_xml();
    assert!(text.contains("<port>25</port>") && !text.contains("s3cret"), "{text}");
    assert!(form.document.child("metadata").is_some());
}

#[test]
fn a_reference_is_followed_for_the_check_and_kept_as_it_stands() {
    let mut bench = bench(TUNE, "");
    bench.write("etc/pass", "from-file\n");
    let mut params = good(&[]);
    params[2].1 = "@file:etc/pass";
    bench.ok("gateway.add", &params);
    let asked = std::fs::read_to_string(bench.folder.path().join("var/check.in")).unwrap();
    assert!(asked.contains("&lt;password&gt;from-file&lt;"), "{asked}");
}

#[test]
fn what_can_not_be_a_gateway_is_refused_with_the_reason() {
    // S3-7, S3-21, S3-44
    let mut bench = bench(TUNE, "");
    bench.program("gate/gwjunk", "#!/bin/sh\necho hello\n");
    bench.program(
        "gate/gwint",
        "#!/bin/sh\necho '<doc><features><feature name=\"outgoing\"/></features><notify_module>ntinternal</notify_module></doc>'\n",
    );
    let listed = bench.ok("gate", &[]);
    let row =
        |name: &str| listed.rows().find(|row| row.child_text("name") == name).unwrap().clone();
    assert_eq!(row("gwx").child_text("notify_module"), "ntsms");
    assert!(!row("gwjunk").child_text("error").is_empty(), "listed with the reason");
    for (params, words) in [
        (vec![("gateway_module", "gwnone")], "no gate `gwnone`"),
        (vec![("gateway_module", "../bin/sh")], "no gate"),
        (vec![("gateway_module", "gwjunk")], "no gate `gwjunk`"),
        (vec![("gateway_module", "gwint")], "ntinternal has no gateways"),
        (
            vec![("gateway_module", "gwx"), ("notify_module", "ntemail")],
            "a gate of ntsms, not of ntemail",
        ),
        (vec![("gateway_module", "gwx"), ("gateway_type", "2")], "ntsms only sends"),
        (vec![], "`gateway_module` is missing"),
    ] {
        let refused = bench.refused("gateway.add", &params);
        assert!(refused.contains(words), "{refused}");
    }
}

#[test]
fn a_broken_formtune_leaves_the_plain_form_and_a_warning() {
    let mut bench = bench(">/dev/null; exit 1", "");
    let saved = bench.ok("gateway.add", &good(&[]));
    assert!(saved.text("warning").contains("formtune"), "{}", saved.to_lines());
}

#[test]
fn the_documents_own_description_and_form_work_unchanged() {
    // S3-67, S3-71: formtune and check_connection that echo
    let mut bench = Bench::with_user();
    let description = include_str!("samples/billmgr_mod_gwepochta.xml");
    bench.write("etc/xml/billmgr_mod_gwepochta.xml", description);
    bench.program(
        "gate/gwepochta",
        &format!("#!/bin/sh\ncase \"$2\" in\n{FEATURES}\n*) cat;;\nesac\n"),
    );
    let params =
        [("gateway_module", "gwepochta"), ("login", "l"), ("password", "p"), ("sender", "s")];
    assert_eq!(bench.ok("gateway.add", &params).text("name"), "l");
}

#[test]
fn a_test_message_goes_through_the_gate() {
    let mut bench = bench(TUNE, "");
    bench.ok("gateway.add", &good(&[]));
    bench.ok("gateway.hold", &[("elid", "me"), ("reason", "bill unpaid"), ("until", "+2h")]);
    let held = bench.ok("gateway", &[]);
    let row = held.rows().next().unwrap().clone();
    assert_eq!(
        (row.child_text("state"), row.child_text("reason")),
        ("held".into(), "bill unpaid".into())
    );
    let tested = bench.ok("gateway.test", &[("elid", "1"), ("to", "+79990001122")]);
    assert_eq!((tested.text("check"), tested.text("outcome")), ("passed".into(), "sent".into()));
    let input = std::fs::read_to_string(bench.folder.path().join("var/outgoing.in")).unwrap();
    assert!(
        input.contains("<phone>+79990001122</phone>") && input.contains("<name>Brand</name>"),
        "{input}"
    );
    assert!(tested.text("held").contains("bill unpaid"), "{tested:?}");
    bench.ok("gateway.delete", &[("elid", "me")]);
    assert_eq!(bench.ok("gateway", &[]).rows().count(), 0);
}

#[test]
fn a_password_sealed_with_a_lost_key_is_given_anew_and_never_dropped_in_passing() {
    let mut bench = bench(TUNE, "");
    bench.ok("gateway.add", &good(&[]));
    std::fs::remove_file(bench.folder.path().join("etc/secret.key")).unwrap();
    config::Vault::create(&config::Root::at(bench.folder.path()).unwrap()).unwrap();
    let refused = bench.refused("gateway.edit", &[("elid", "1"), ("sok", "ok"), ("name", "x")]);
    assert!(refused.contains("give the secret anew"), "{refused}");
    let anew = [("elid", "1"), ("sok", "ok"), ("password", "an0ther")];
    bench.ok("gateway.edit", &anew);
    bench.ok("gateway.edit", &[("elid", "1"), ("sok", "ok"), ("name", "x")]);
}

#[test]
fn everything_wrong_with_a_form_is_said_and_a_wrong_choice_before_what_it_brings_along() {
    let mut bench = bench(TUNE, "");
    let wrong = [("gateway_module", "gwx"), ("mode", "loud")];
    let refused = bench.refused("gateway.add", &wrong);
    assert!(refused.starts_with("`mode` can't be `loud`"), "{refused}");
    for words in ["one of plain, digest", "`login` is required", "`password` is required"] {
        assert!(refused.contains(words), "{words}: {refused}");
    }
    let refused = bench.refused("gateway.add", &good(&[("zzzzzzzz", "x")]));
    assert!(refused.contains("it takes login, password, port, mode, realm, name"), "{refused}");
}

#[test]
fn a_gateway_that_is_not_there_is_answered_with_those_that_are() {
    let mut bench = bench(TUNE, "");
    assert!(bench.refused("gateway.test", &[("elid", "relay")]).contains("gateway add GATE"));
    bench.ok("gateway.add", &good(&[]));
    for unknown in ["relay", "99"] {
        let refused = bench.refused("gateway.test", &[("elid", unknown)]);
        assert!(refused.contains("by its id or its name: 1 me;"), "{refused}");
    }
    bench.ok("log", &[("gateway", "me")]);
    bench.ok("log", &[("gateway", "99")]);
    assert!(bench.refused("log", &[("gateway", "relay")]).contains("1 me;"));
}

#[test]
fn a_hold_of_a_person_outlives_an_edit_and_a_test() {
    let mut bench = bench(TUNE, "");
    bench.ok("gateway.add", &good(&[]));
    bench.ok("gateway.hold", &[("elid", "me"), ("reason", "contract ended"), ("until", "+2h")]);
    let edited = bench.ok("gateway.edit", &[("sok", "ok"), ("elid", "me"), ("port", "25")]);
    let tested = bench.ok("gateway.test", &[("elid", "me")]);
    for answer in [edited, tested] {
        let words =
            "it stays held by a person (contract ended); `gatepost gateway release 1` ends that";
        assert_eq!(answer.text("held"), words);
    }
    let state =
        |bench: &mut Bench| bench.ok("gateway", &[]).rows().next().unwrap().child_text("state");
    assert_eq!(state(&mut bench), "held");
    // its own end has come, though no worker has noted it
    bench.clock.advance(2 * 3_600_000 + 1);
    assert_eq!(bench.ok("gateway.test", &[("elid", "me")]).text("held"), "");
    assert_eq!(state(&mut bench), "open");
}

#[test]
fn a_test_ends_a_hold_of_the_system() {
    let mut bench = bench(TUNE, "");
    bench.ok("gateway.add", &good(&[]));
    bench.ok("gateway.hold", &[("elid", "me"), ("reason", "no money")]);
    let mut state = bench.read(|snapshot| snapshot.gateway_states()).remove(0);
    state.condition = store::Condition::Held { reason: "no money".to_owned(), by_person: false };
    let now = crate::testing::NOW;
    let store = bench.platform.store();
    store::write(store, store::Durability::Crash, |tx| tx.set_gateway_state(&state, now)).unwrap();
    assert_eq!(bench.ok("gateway.test", &[("elid", "me")]).text("held"), "");
    assert_eq!(bench.ok("gateway", &[]).rows().next().unwrap().child_text("state"), "open");
}

#[test]
fn fields_of_a_gate_without_a_description_are_refused_with_where_it_belongs() {
    let mut bench = Bench::with_user();
    let features = FEATURES.replace("<feature name=\"formtune\"/>", "");
    bench.program(
        "gate/gwmine",
        &format!("#!/bin/sh\ncase \"$2\" in\n{features}\n*) cat;;\nesac\n"),
    );
    // what every gateway of the module has
    bench.write("etc/xml/gatepost_mod_ntsms.xml", &FORM.replace("gwx", "ntsms"));
    let refused = bench.refused("gateway.add", &[("gateway_module", "gwmine"), ("folder", "x")]);
    assert!(refused.contains("no parameter `folder`"), "{refused}");
    let missing = "gwmine has no fields of its own, since no file describes them: write etc/xml/gatepost_mod_gwmine.xml";
    assert!(refused.contains(missing), "{refused}");
    bench.write("etc/xml/gatepost_mod_gwmine.xml", &FORM.replace("gwx", "gwmine"));
    let refused = bench.refused("gateway.add", &[("gateway_module", "gwmine"), ("folder", "x")]);
    assert!(
        refused.contains("no parameter `folder`") && !refused.contains("describes"),
        "{refused}"
    );
}

#[test]
fn a_gate_of_any_module_is_refused_with_the_modules_there_are() {
    let mut bench = Bench::with_user();
    let features = FEATURES.replace("<notify_module>ntsms</notify_module>", "");
    bench
        .program("gate/gwany", &format!("#!/bin/sh\ncase \"$2\" in\n{features}\n*) cat;;\nesac\n"));
    let refused = bench.refused("gateway.add", &[("gateway_module", "gwany")]);
    assert!(refused.contains("write notify_module= and one of ntemail, ntsms"), "{refused}");
}

/// Mail without a gateway goes out by sendmail (S3-17); a message by another module waits.
#[test]
fn whoever_deletes_the_last_gateway_of_a_projects_mail_is_told_where_it_goes() {
    let mut bench = Bench::with_user();
    let features = FEATURES.replace("ntsms", "ntemail");
    bench.program(
        "gate/gwmail",
        &format!("#!/bin/sh\ncase \"$2\" in\n{features}\n*) cat;;\nesac\n"),
    );
    let add = |bench: &mut Bench, name| {
        bench.ok("gateway.add", &[("gateway_module", "gwmail"), ("name", name), ("project", "1")]);
    };
    let delete =
        |bench: &mut Bench, name| bench.ok("gateway.delete", &[("elid", name)]).text("warning");
    add(&mut bench, "one");
    add(&mut bench, "two");
    assert_eq!(delete(&mut bench, "one"), "", "another is left");
    let told = delete(&mut bench, "two");
    let words = "mail of project 1 Brand has no gateway any more and goes out by /bin/true; `gatepost pause`";
    assert!(told.starts_with(words), "{told}");
    add(&mut bench, "one");
    add(&mut bench, "two");
    assert_eq!(delete(&mut bench, "one, two"), told, "both at once");
}
