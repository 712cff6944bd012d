//! What a script gets, and what it decides before the function.

use super::*;

#[test]
fn a_handler_gets_all_that_real_ones_read() {
    // S0-17, S0-33, S0-40, S0-59, S0-60
    let place = Place::new();
    place.script("tell.sh", TELL);
    place.handler("tell.sh", "cgi", "name='user.edit' after='yes' postdata='yes'");
    let params = [("sok", "ok"), ("elid", ""), ("name", "bob; drop=1&x"), ("passwd", "p w+%\"")];
    place.after(&call("user.edit", &params), EMPTY);
    let body = "func=user.edit&sok=ok&elid=&name=bob%3B%20drop%3D1%26x&passwd=p%20w%2B%25%22";
    assert_eq!(place.read("told.in"), body);
    let told = place.read("told.env");
    let length = format!("CONTENT_LENGTH={}", body.len());
    for line in [
        "REQUEST_METHOD=POST",
        "CONTENT_TYPE=application/x-www-form-urlencoded",
        &length,
        &format!("QUERY_STRING={body}"),
        "PARAM_func=user.edit",
        "PARAM_sok=ok",
        "PARAM_elid=",
        "PARAM_name=bob; drop=1&x",
        "PARAM_passwd=p w+%\"",
        "AUTH_USER=operator",
        "AUTH_LEVEL=30",
        "REMOTE_USER=operator",
        "SESSION_LEVEL=30",
        "SESSION_LANG=en",
        "ACTION_NAME=user.edit",
        "EVENT_TYPE=after",
        "HANDLER_STAGE=after",
        "MGR=billmgr",
        "GATEPOST_WITHIN=user.edit",
    ] {
        assert!(told.lines().any(|known| known == line), "{line}\n{told}");
    }
    assert!(
        told.lines().any(|line| line.starts_with("PATH=")) && !told.contains("CARGO"),
        "{told}"
    );
    // Without postdata: a GET, nothing on stdin.
    place.handler("tell.sh", "cgi", "name='user.edit' after='yes'");
    place.after(&call("user.edit", &params), EMPTY);
    assert_eq!(place.read("told.in"), "");
    let told = place.read("told.env");
    assert!(told.contains("REQUEST_METHOD=GET\n") && !told.contains("CONTENT_LENGTH"), "{told}");
    assert!(told.contains(&format!("QUERY_STRING={body}\n")), "{told}");
    // type=xml gets the same names, and a document.
    place.handler("tell.sh", "xml", "name='user.edit' after='yes'");
    place.after(&call("user.edit", &params), EMPTY);
    assert!(place.read("told.env").contains("PARAM_sok=ok\n"));
    let stdin = place.read("told.in");
    assert!(stdin.contains("func=\"user.edit\"") && stdin.ends_with("<ok/></doc>\n"), "{stdin}");
}

#[test]
fn a_value_too_long_for_the_environment_comes_with_postdata() {
    let place = Place::new();
    place.script("tell.sh", TELL);
    place.handler("tell.sh", "cgi", "name='user.edit' after='yes' postdata='yes'");
    let long = "x".repeat(3 << 20);
    let mut params = vec![("sok", "ok"), ("note", long.as_str())];
    let many = vec!["y".repeat(20_000); 6];
    let names = ["n1", "n2", "n3", "n4", "n5", "n6"];
    params.extend(names.iter().zip(&many).map(|(name, value)| (*name, value.as_str())));
    let (_, runs) = place.after(&call("user.edit", &params), EMPTY);
    assert_eq!(runs, ["after tell.sh ok"]);
    assert!(place.read("told.in").len() > 3 << 20);
    let told = place.read("told.env");
    assert!(!told.contains("PARAM_note=") && told.contains("PARAM_n6=yyy"));
    assert!(told.contains("QUERY_STRING=func=user.edit&sok=ok\n"));
}

#[test]
fn values_that_together_are_too_long_for_the_environment_come_with_postdata() {
    let place = Place::new();
    place.script("tell.sh", TELL);
    place.handler("tell.sh", "cgi", "name='user.edit' after='yes' postdata='yes'");
    let names: Vec<String> = (0..100).map(|number| format!("n{number:02}")).collect();
    let value = "y".repeat(32_000);
    let params: Vec<_> = names.iter().map(|name| (name.as_str(), value.as_str())).collect();
    let (_, runs) = place.after(&call("user.edit", &params), EMPTY);
    assert_eq!(runs, ["after tell.sh ok"]);
    assert!(place.read("told.in").len() > 100 * value.len());
    let told = place.read("told.env");
    assert!(told.contains("PARAM_n00=yyy") && !told.contains("PARAM_n99="));
}

#[test]
fn one_name_for_reading_changing_and_creating() {
    // S0-14
    // S0-34, S0-35, S0-36, S0-37, S0-38
    let place = Place::new();
    place.script("tell.sh", TELL);
    place.handler("tell.sh", "cgi", "name='user.edit' after='yes'");
    for params in [
        &[("elid", "bob")][..],
        &[("elid", "bob"), ("sok", "yes"), ("phone", "1")],
        &[("sok", "ok"), ("name", "al")],
    ] {
        let (_, runs) = place.after(&call("user.edit", params), EMPTY);
        assert_eq!(runs.len(), 1, "{params:?}");
        for (name, value) in params {
            assert!(place.read("told.env").contains(&format!("PARAM_{name}={value}\n")));
        }
    }
    place.handler("tell.sh", "cgi", "name='project.edit' after='yes'");
    assert_eq!(place.after(&call("project.edit", &[("elid", "1")]), EMPTY).1.len(), 1);
    assert_eq!(place.after(&call("user.edit", &[("elid", "1")]), EMPTY).1.len(), 0);
}

#[test]
fn registered_for_a_creation_it_runs_for_creations_and_is_told_so() {
    // S0-28, S0-37, S0-64
    let place = Place::new();
    place.script("tell.sh", TELL);
    place.handler("tell.sh", "cgi", "name='user.add' after='yes' postdata='yes'");
    let runs = |called: &Call| place.after(called, EMPTY).1.len();
    assert_eq!(runs(&call("user.edit", &[("elid", "bob")])), 0, "read");
    assert_eq!(runs(&call("user.edit", &[("sok", "ok"), ("elid", "bob")])), 0, "changed");
    assert_eq!(runs(&call("user.edit", &[("sok", "ok"), ("name", "al")])), 1, "created");
    assert_eq!(place.read("told.in"), "func=user.add&sok=ok&name=al&elid=");
    // `user.add name=al` is a creation without saying so.
    assert_eq!(runs(&call("user.add", &[("name", "al")])), 1);
    assert_eq!(place.read("told.in"), "func=user.add&name=al&sok=ok&elid=");
    // Registered for the function's own name it is called by that name, whatever the caller said.
    place.handler("tell.sh", "cgi", "name='user.edit' after='yes' postdata='yes'");
    assert_eq!(runs(&call("user.add", &[("name", "al"), ("sok", "ok")])), 1);
    assert!(place.read("told.in").starts_with("func=user.edit&"));
}

#[test]
fn a_group_is_one_run() {
    // S0-39
    let place = Place::new();
    place.script("tell.sh", TELL);
    place.handler("tell.sh", "cgi", "name='user.delete' after='yes' postdata='yes'");
    let (_, runs) = place.after(&call("user.delete", &[("elid", "bob, al, carol")]), EMPTY);
    assert_eq!(runs.len(), 1);
    assert_eq!(place.read("told.in"), "func=user.delete&elid=bob%2C%20al%2C%20carol");
    let told = place.read("told.env");
    assert!(told.contains("PARAM_elid=bob, al, carol\nPARAM_elids=bob, al, carol\n"), "{told}");
}

#[test]
fn a_before_handler_changes_parameters_each_seeing_the_former_ones() {
    // S0-2, S0-15, S0-44, S0-55
    let place = Place::new();
    place.script(
        "one.sh",
        "#!/bin/sh\necho '<doc><param name=\"realname\">One</param><params><phone>1</phone></params></doc>'\n",
    );
    place.script("two.sh", "#!/bin/sh\ncat > told.in\nsed 's|One|Two|; s|<phone>1</phone>||; s|user.edit</func>|user.delete</func>|' told.in\n");
    place.register(
        "a",
        "<handler name='one.sh' type='cgi'><event name='user.edit' before='yes'/></handler>",
    );
    place.register(
        "b",
        "<handler name='two.sh' type='xml'><event name='user.edit' before='yes'/></handler>",
    );
    let mut called = call("user.edit", &[("sok", "ok"), ("elid", "bob"), ("odd name", "stays")]);
    let (decided, runs) = place.before(&mut called);
    assert!(matches!(decided, Ok(Before::GoOn)));
    assert_eq!(runs, ["before one.sh changed", "before two.sh changed"]);
    let stdin = place.read("told.in");
    assert!(stdin.contains("<params><func>user.edit</func><sok>ok</sok>"), "{stdin}");
    assert!(stdin.contains("<realname>One</realname>") && stdin.ends_with("</params></doc>\n"));
    let params: Vec<_> = called.params.iter().collect();
    assert_eq!(
        params,
        [
            ("func", "user.edit"),
            ("sok", "ok"),
            ("elid", "bob"),
            ("realname", "Two"),
            ("odd name", "stays")
        ],
        "a document of parameters is all of them; `func` stays"
    );
}

#[test]
fn an_error_document_refuses_the_call_and_is_the_answer() {
    // S0-1, S0-50
    let place = Place::new();
    place.script(
        "no.sh",
        "#!/bin/sh\necho '<doc><error type=\"value\" object=\"name\"><param name=\"value\">hunter2</param>\
         <msg>no such names: hunter2</msg></error></doc>'\nexit 3\n",
    );
    place.script("never.sh", TELL);
    place.register("a", "<handler name='no.sh' type='cgi'><event name='user.edit' before='yes' onfailure='ignore'/></handler>");
    place.register(
        "b",
        "<handler name='never.sh' type='cgi'><event name='user.edit' before='yes'/></handler>",
    );
    let (decided, runs) = place.before(&mut call("user.edit", &[("sok", "ok")]));
    assert_eq!(runs, ["before no.sh refused"], "nothing runs after it");
    let refusal = decided.unwrap_err();
    assert_eq!((refusal.kind(), refusal.to_string().as_str()), ("value", "no such names: ***"));
    let document = refusal.to_document().to_xml();
    assert!(document.starts_with("<doc><error type=\"value\" object=\"name\">"), "{document}");
    assert!(!document.contains("hunter2"));
}

#[test]
fn skipaction_takes_the_place_of_the_function() {
    // S0-2, S0-45, S0-47, S0-48
    let place = Place::new();
    place.script(
        "skip.sh",
        "#!/bin/sh\ncat >/dev/null\necho '<doc lang=\"en\"><skipaction/><ok/><id>7</id></doc>'\n",
    );
    place.script("never.sh", TELL);
    place.register(
        "a",
        "<handler name='skip.sh' type='xml'><event name='user.edit' before='yes'/></handler>",
    );
    place.register(
        "b",
        "<handler name='never.sh' type='xml'><event name='user.edit' before='yes'/></handler>",
    );
    let (decided, runs) = place.before(&mut call("user.edit", &[("sok", "ok")]));
    assert_eq!(runs, ["before skip.sh skipaction"]);
    let Ok(Before::Skip(answer)) = decided else { panic!("{decided:?}") };
    assert_eq!(answer.to_xml(), "<doc><ok/><id>7</id></doc>");
    // Deeper inside, or after the function, the tag means nothing.
    place.script("skip.sh", "#!/bin/sh\necho '<doc><x><skipaction/></x></doc>'\n");
    let (decided, _) = place.before(&mut call("user.edit", &[("sok", "ok")]));
    assert!(matches!(decided, Ok(Before::GoOn)));
    place.register(
        "a",
        "<handler name='skip.sh' type='cgi'><event name='user.edit' after='yes'/></handler>",
    );
    place.script("skip.sh", "#!/bin/sh\necho '<doc><skipaction/><more>1</more></doc>'\n");
    let (answer, _) = place.after(&call("user.edit", &[]), EMPTY);
    assert_eq!(answer, "<doc><ok/><more>1</more></doc>");
    assert!(place.log().contains("<skipaction/> means nothing after user.edit"), "{}", place.log());
}
