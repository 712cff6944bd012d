//! What a script's document does, and what comes of scripts that bring none.

use super::*;

#[test]
fn cgi_is_merged_and_xml_replaces() {
    // S0-2, S0-16, S0-41
    let place = Place::new();
    place.script(
        "merge.sh",
        "#!/bin/sh\necho '<doc x=\"1\"><ok type=\"list\">func=user</ok><redirect>/x</redirect><param name=\"p\">1</param>\
         <params><q/></params><name>new</name><pages><two/></pages><elem><id>2</id></elem></doc>'\n",
    );
    place.handler("merge.sh", "cgi", "name='user.edit' after='yes'");
    let called = call("user.edit", &[]);
    let answer = "<doc><ok/><name>old</name><pages><one/></pages><elem><id>1</id></elem></doc>";
    let (merged, runs) = place.after(&called, answer);
    assert_eq!(runs, ["after merge.sh changed"]);
    assert_eq!(
        merged,
        "<doc x=\"1\"><ok type=\"list\">func=user</ok><name>new</name><pages><one/><two/></pages>\
         <elem><id>1</id></elem><redirect>/x</redirect><elem><id>2</id></elem></doc>"
    );
    place.script("replace.sh", "#!/bin/sh\nsed 's|</doc>$|<more>1</more></doc>|; s|<ok/>||'\n");
    place.register(
        "merge.sh",
        "<handler name='replace.sh' type='xml'><event name='user.edit' after='yes'/></handler>",
    );
    let (replaced, _) = place.after(&called, "<doc list=\"yes\"><ok/></doc>");
    assert_eq!(
        replaced, "<doc list=\"yes\"><more>1</more></doc>",
        "what we put on the root is gone again"
    );
    let (replaced, _) = place.after(&called, "<doc/>");
    assert_eq!(replaced, "<doc><more>1</more></doc>", "the end tag is there to be found");
    for nothing in
        ["<doc/>", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\\n<doc/>\\n", "<doc>\\n</doc>"]
    {
        place.script("replace.sh", &format!("#!/bin/sh\nprintf '{nothing}'\n"));
        let (kept, runs) = place.after(&called, EMPTY);
        assert_eq!((kept.as_str(), runs[0].as_str()), (EMPTY, "after replace.sh ok"), "{nothing}");
    }
}

#[test]
fn late_handlers_see_what_was_added_after_the_others_and_final_ones_change_nothing() {
    // S0-21, S0-22, S0-51, S0-52, S0-53
    let place = Place::new();
    for name in ["early", "late", "last"] {
        place.script(
            &format!("{name}.sh"),
            &format!("#!/bin/sh\ncat > {name}.in\necho \"<doc><{name}/></doc>\"\n"),
        );
    }
    place.register(
        "x",
        "<handler name='late.sh' type='xml'><event name='user.edit' after='yes' proirity='after' base='project'/></handler>\
         <handler name='last.sh' type='xml'><event name='user.edit' final='yes'/></handler>\
         <handler name='early.sh' type='cgi'><event name='user.edit' after='yes' postdata='yes'/></handler>",
    );
    let (handlers, _) = place.load();
    let ground = place.ground();
    let mut outside = place.outside(&ground);
    let called = call("user.edit", &[]);
    let mut answer = Document::parse(EMPTY.as_bytes()).unwrap().root;
    handlers.after(&called, &mut answer, &mut outside);
    // The late modifier of the pipeline.
    answer.push(wire::xml::Element::new("balance").with_text("5"));
    handlers.late(&called, &mut answer, &mut outside);
    assert_eq!(
        words(&outside),
        ["after early.sh ok", "late late.sh changed", "final last.sh ok"]
            .map(|line| line.replace("early.sh ok", "early.sh changed"))
    );
    assert!(
        place.read("late.in").contains("<balance>5</balance>")
            && place.read("late.in").contains("<early/>")
    );
    assert!(place.read("last.in").contains("<late/>"));
    assert_eq!(answer.to_xml(), "<doc><late/></doc>");
}

#[test]
fn noise_a_header_and_an_exit_code_do_not_spoil_a_document() {
    // S0-42, S0-61, S0-62, S0-65, S0-66
    let place = Place::new();
    let good = [
        "echo 'Added user bob.'; echo '<?xml version=\"1.0\" encoding=\"UTF-8\"?>'; echo '<doc><x/></doc>'",
        "printf 'Content-Type: text/xml\\r\\n\\r\\n<doc><x/></doc>'",
        "echo '<doc><x/></doc>'; exit 3",
        "exec <&-; echo '  <doc>'; echo '<x/>'; echo '</doc>'",
        "echo 'a < b' ; echo '<?xml version=\"1.0\" encoding=\"UTF8\"?><doc><x/></doc>'",
    ];
    place.handler("x.sh", "cgi", "name='user.edit' after='yes' postdata='yes'");
    let long = "y".repeat(1 << 20);
    for script in good {
        place.script("x.sh", &format!("#!/bin/sh\n{script}\n"));
        let (answer, runs) = place.after(&call("user.edit", &[("note", &long)]), EMPTY);
        assert_eq!(
            (answer.as_str(), runs[0].as_str()),
            ("<doc><ok/><x/></doc>", "after x.sh changed"),
            "{script}"
        );
    }
}

/// Scripts that bring no document, and a word of what is said of them.
const FAILING: &[(&str, &str)] = &[
    ("true", "printed nothing"),
    ("echo OK", "exit 0 without a document"),
    ("echo '<doc><x></doc>'", "exit 0 without a document"),
    ("echo '<html/>'", "its root is `html`"),
    ("echo oops hunter2 >&2; exit 5", "exit 5: oops ***"),
    ("kill -SEGV $$", "signal 11"),
    ("sleep 60 & sleep 60", "killed"),
    ("yes '<doc>'", "killed"),
    ("(sleep 60 &) ; exec sleep 60", "killed"),
    ("exec /no/such/program", "exit 127"),
];

fn quick() -> Place {
    Place::new().set(&[
        ("handlers.before_secs", "0.5"),
        ("handlers.after_secs", "0.5"),
        ("handlers.breaker_failures", "100"),
        ("gate.kill_secs", "0.2"),
        ("gate.stdout_bytes", "100000"),
    ])
}

#[test]
fn a_failed_before_handler_refuses_unless_its_event_says_otherwise() {
    // S0-42; extensions 3.5
    let place = quick();
    place.register(
        "x",
        "<handler name='x.sh' type='cgi'><event name='user.edit' before='yes'/>\
         <event name='user.delete' before='yes' onfailure='ignore'/></handler>\
         <handler name='y.sh' type='cgi' ignore_errors='yes'><event name='project.edit' before='yes'/></handler>",
    );
    for (script, words) in FAILING {
        for name in ["x.sh", "y.sh"] {
            place.script(name, &format!("#!/bin/sh\n{script}\n"));
        }
        let (decided, runs) = place.before(&mut call("user.edit", &[]));
        let refusal = decided.unwrap_err();
        assert_eq!(refusal.kind(), "handler_failed", "{script}");
        assert!(refusal.to_string().contains(words), "{script}: {refusal}");
        assert_eq!(runs, ["before x.sh failed"]);
        for function in ["user.delete", "project.edit"] {
            let (decided, runs) = place.before(&mut call(function, &[]));
            assert!(matches!(decided, Ok(Before::GoOn)), "{script}");
            assert!(runs[0].ends_with(" ignored"), "{runs:?}");
        }
    }
    fs::remove_file(place.root.path("addon/x.sh")).unwrap();
    let log = place.log();
    assert!(log.contains("terminated with an error or returned an invalid XML"), "{log}");
    assert!(log.contains("external INFO Executing: ") && log.contains("/addon/x.sh"), "S0-31");
    assert!(!log.contains("hunter2"));
}

#[test]
fn a_failed_after_handler_leaves_the_answer() {
    // S0-42
    let place = quick();
    for name in ["x.sh", "z.sh"] {
        place.register(
            name,
            &format!(
                "<handler name='{name}' type='xml'><event name='user.edit' after='yes'/></handler>"
            ),
        );
    }
    place.script("z.sh", "#!/bin/sh\nsed 's|</doc>$|<z/></doc>|'\n");
    for (script, _) in FAILING {
        place.script("x.sh", &format!("#!/bin/sh\n{script}\n"));
        let (answer, runs) = place.after(&call("user.edit", &[]), EMPTY);
        assert_eq!(answer, "<doc><ok/><z/></doc>", "{script}");
        assert_eq!(runs, ["after x.sh failed", "after z.sh changed"]);
    }
    place.script("x.sh", "#!/bin/sh\necho '<doc><error type=\"late\"/><y/></doc>'\n");
    let (answer, runs) = place.after(&call("user.edit", &[]), EMPTY);
    assert_eq!((answer.as_str(), runs[0].as_str()), ("<doc><ok/><z/></doc>", "after x.sh warning"));
    assert!(place.log().contains("too late to refuse"));
}

#[test]
fn a_handler_that_keeps_failing_is_left_alone_for_a_while() {
    let place =
        Place::new().set(&[("handlers.breaker_failures", "2"), ("handlers.breaker_secs", "3600")]);
    place.register(
        "x",
        "<handler name='x.sh' type='cgi'><event name='user.edit' before='yes' after='yes'/></handler>",
    );
    place.script("x.sh", "#!/bin/sh\necho x >> runs\nexit 1\n");
    for _ in 0..5 {
        assert!(place.before(&mut call("user.edit", &[])).0.is_err());
    }
    assert_eq!(place.read("runs"), "x\nx\n", "then its breaker is open");
    let refusal = place.before(&mut call("user.edit", &[])).0.unwrap_err().to_string();
    assert!(refusal.contains("its breaker is open after 2 failures"), "{refusal}");
    let (answer, runs) = place.after(&call("user.edit", &[]), EMPTY);
    assert_eq!((answer.as_str(), runs[0].as_str()), (EMPTY, "after x.sh skipped"));
    assert!(place.log().contains("keeps failing: its breaker is open"));
    // It is time again, and it works: nothing is remembered.
    let file = place.root.path("var/run/handler/x.sh");
    fs::write(&file, "2 1000\nonce").unwrap();
    place.script("x.sh", "#!/bin/sh\necho '<doc/>'\n");
    assert!(place.before(&mut call("user.edit", &[])).0.is_ok());
    assert!(!file.exists());
}

#[test]
fn a_script_that_came_under_others_hands_is_not_run() {
    let place = Place::new();
    place.script("x.sh", TELL);
    place.handler("x.sh", "cgi", "name='user.edit' before='yes'");
    let (handlers, _) = place.load();
    let ground = place.ground();
    let mut outside = place.outside(&ground);
    let path = place.root.path("addon/x.sh");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o757)).unwrap();
    let refusal = handlers.before(&mut call("user.edit", &[]), &mut outside).unwrap_err();
    assert!(refusal.to_string().contains("others may write it"), "{refusal}");
    fs::remove_file(path).unwrap();
    let refusal = handlers.before(&mut call("user.edit", &[]), &mut outside).unwrap_err();
    assert!(refusal.to_string().contains("no such file"), "{refusal}");
}

#[test]
fn secrets_are_in_no_log_and_in_no_journal() {
    let place = Place::new();
    place.script("x.sh", "#!/bin/sh\nenv\necho hunter2 >&2\necho '<doc><param name=\"passwd\">newsecret</param></doc>'\n");
    place.script("y.sh", "#!/bin/sh\necho newsecret hunter2\nexit 1\n");
    place.register(
        "x",
        "<handler name='x.sh' type='cgi'><event name='user.edit' before='yes'/></handler>\
         <handler name='y.sh' type='cgi'><event name='user.edit' before='yes'/></handler>",
    );
    fs::write(place.root.path("etc/debug.conf"), "*.external 9\n").unwrap();
    let (handlers, _) = place.load();
    let ground = place.ground();
    let mut outside = place.outside(&ground);
    let mut called = call("user.edit", &[("sok", "ok"), ("passwd", "hunter2")]);
    let refusal = handlers.before(&mut called, &mut outside).unwrap_err().to_string();
    let journal: Vec<_> = outside.journal.iter().map(|run| run.output.as_str()).collect();
    let all = format!("{refusal}\n{}\n{}", place.log(), journal.join("\n"));
    assert!(!all.contains("hunter2") && !all.contains("newsecret"), "{all}");
    // S0-29, S0-30
    assert!(place.log().contains("external DEBUG"), "{}", place.log());
}

#[test]
fn the_documents_samba_handler_adds_and_removes_accounts() {
    // S0-10, S0-56, S0-57, S0-58, S0-61, S0-64
    let place = Place::new();
    let Some(folder) = examples() else { return };
    let script = fs::read_to_string(folder.join("event-handlers/samba.pl")).unwrap();
    place.script("samba.pl", &script);
    place.program(
        "tools/smbpasswd",
        "#!/bin/sh\nif [ \"$1\" = -a ]; then echo \"$@: $(cat | tr '\\n' ' ')\" >> smb.log; echo \"Added user $2.\"; \
         else echo \"$@\" >> smb.log; fi\n",
    );
    let xml = fs::read_to_string(folder.join("event-handlers/billmgr_mod_samba.xml")).unwrap();
    fs::write(place.root.path("etc/xml/billmgr_mod_samba.xml"), xml).unwrap();
    let created = [("sok", "ok"), ("elid", ""), ("name", "bob"), ("passwd", "p;w 1")];
    let (answer, runs) = place.after(&call("user.edit", &created), EMPTY);
    assert_eq!((answer.as_str(), runs.as_slice()), (EMPTY, &["after samba.pl ok".to_owned()][..]));
    assert_eq!(place.read("smb.log"), "-a bob: p;w 1 p;w 1 \n");
    place.after(&call("user.delete", &[("elid", "bob, al, carol")]), EMPTY);
    assert_eq!(
        place.read("smb.log").lines().skip(1).collect::<Vec<_>>(),
        ["-x bob", "-x al", "-x carol"]
    );
    // By the second listing it is registered for user.edit, and by its own words does nothing then.
    let useredit = fs::read_to_string(folder.join("event-handlers/samba-useredit.xml")).unwrap();
    place.register("samba", &useredit);
    let (_, runs) = place.after(&call("user.edit", &created), EMPTY);
    assert_eq!((runs.len(), place.read("smb.log").lines().count()), (1, 4));
}

#[test]
fn the_documents_test_py_takes_the_place_of_a_function() {
    // S0-10, S0-31, S0-32, S0-43, S0-46, S0-65, S0-66
    let place = Place::new();
    let text = examples().map_or_else(
        || "#!/usr/bin/env python3\nprint(\"<doc>\");\nprint(\"<skipaction/>\");\nprint(\"</doc>\");\n".to_owned(),
        |folder| fs::read_to_string(folder.join("event-handlers/test.py")).unwrap(),
    );
    place.script("test.py", &text);
    place.handler("test.py", "xml", "name='user.edit' before='yes'");
    let long = "y".repeat(4 << 20);
    let (decided, _) = place.before(&mut call("user.edit", &[("note", &long)]));
    let Ok(Before::Skip(answer)) = decided else { panic!("{decided:?}") };
    assert_eq!(answer.text().trim(), "");
    let line = format!("Executing: {}", place.root.path("addon/test.py").display());
    assert!(place.log().contains(&line), "{}", place.log());
}
