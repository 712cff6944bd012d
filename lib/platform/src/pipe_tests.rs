//! What follows from a call: events with their tasks, notices, balances, sessions, levels, the journal.

use crate::testing::Bench;
use crate::{Answer, Caller, Level, Platform, Refusal};
use notice::{Fields, Ms};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};
use store::{Durability, NewEvent, Told};

fn called(
    bench: &mut Bench,
    caller: &Caller,
    (name, params): (&str, &[(&str, &str)]),
) -> Result<Answer, Refusal> {
    let params: Fields = params.iter().copied().collect();
    bench.platform.call(name, &params, caller)
}

/// Kinds and objects of all events, in order.
fn events(bench: &mut Bench) -> Vec<String> {
    let answer = bench.ok("event", &[]);
    answer
        .rows()
        .map(|row| format!("{} {}", row.child_text("event"), row.child_text("object")))
        .collect()
}

fn with_notice(name: &str, toml: &str) -> Bench {
    let bench = Bench::empty();
    bench.write(&format!("templates/{name}/notice.toml"), toml);
    for module in ["ntemail", "ntsms"] {
        let file = format!("templates/{name}/en.{module}.text.ejs");
        bench.write(&file, "<%= locals.login %> <%= locals.balance %> __reply_token__");
    }
    bench
}

#[test]
fn every_change_of_a_client_is_an_event_with_its_data() {
    let mut bench = Bench::with_user();
    bench.ok("user.edit", &[("sok", "ok"), ("elid", "bob"), ("phone", "+79990000000")]);
    bench.write("etc/sql/billmgr.user.addon/jabber", "type=string\nsize=10\n");
    bench.ok("user.edit", &[("sok", "ok"), ("elid", "bob"), ("jabber", "b@j")]);
    bench.ok("user.delete", &[("elid", "bob"), ("archive", "on")]);
    bench.ok("user.delete", &[("elid", "bob")]);
    assert_eq!(
        events(&mut bench),
        [
            "clients.create 1",
            "clients.update 1",
            "clients.custom_fields.update 1",
            "clients.archive 1",
            "clients.delete 1"
        ]
    );
    let rows = bench.ok("event", &[("event", "clients.create")]);
    let data = rows.rows().next().unwrap().child_text("data");
    let data: serde_json::Value = serde_json::from_str(&data).unwrap();
    assert_eq!((data["id"].as_i64(), data["name"].as_str()), (Some(1), Some("bob")));
    let deleted = bench.ok("event", &[("event", "clients.delete")]);
    assert_eq!(deleted.rows().next().unwrap().child_text("data"), "{}");
}

#[test]
fn a_refused_call_leaves_no_event() {
    let mut bench = Bench::with_user();
    bench.refused("user.delete", &[("elid", "bob, nobody")]);
    bench.refused("user.edit", &[("sok", "ok"), ("elid", "bob"), ("email", "x")]);
    assert_eq!(events(&mut bench), ["clients.create 1"]);
}

#[test]
fn an_event_sends_the_notice_whose_toml_names_it() {
    let mut bench =
        with_notice("registration", "event = \"clients.create\"\nmodules = [\"ntsms\"]");
    bench.add_user();
    let tasks = bench.ok("task", &[]);
    let modules: Vec<_> = tasks.rows().map(|row| row.child_text("modulename")).collect();
    assert_eq!(modules, ["ntsms"]);
    bench.ok("user.add", &[("name", "al"), ("phone", "+79123456780"), ("quiet", "on")]);
    assert_eq!(bench.ok("task", &[]).rows().count(), 1, "quiet");
    bench.ok("user.import", &[("csv", "name,phone\nx,+79123456781\n")]);
    assert_eq!(bench.ok("task", &[]).rows().count(), 1, "who is imported is no newcomer");
    bench.ok("subscription.edit", &[("user", "bob"), ("active", "off")]);
    bench.ok("user.add", &[("name", "nophone")]);
    assert_eq!(bench.ok("task", &[]).rows().count(), 1, "no contact, no task");
    let body = bench.read(|snapshot| snapshot.body(notice::TaskId(1))).unwrap();
    let notice = String::from_utf8_lossy(&body.notice.bytes).into_owned();
    assert!(notice.contains("<events_id>clients.create</events_id>"), "{notice}");
    assert!(notice.contains("<login>bob</login>"), "{notice}");
}

#[test]
fn a_balance_notice_goes_out_on_crossing_alone_and_once_for_a_key() {
    // S2-22
    let toml = "event = \"clients.balance_zero\"\nmodules = [\"ntemail\"]\nconditions = [\"balance <= 0\"]";
    let mut bench = with_notice("low_balance", toml);
    bench.add_user();
    bench.ok("account.add", &[("name", "Bob's")]);
    bench.ok("user.edit", &[("sok", "ok"), ("elid", "bob"), ("account", "1")]);
    let pay = |bench: &mut Bench, amount: &str, key: &str| {
        let params = [("account", "user:bob"), ("amount", amount), ("key", key)];
        bench.ok("payment.add", &params)
    };
    assert_eq!(pay(&mut bench, "10.50", "a").text("balance"), "10.50");
    assert_eq!(pay(&mut bench, "-10.50", "b").text("balance"), "0.00");
    let again = pay(&mut bench, "-10.50", "b");
    assert_eq!((again.text("balance"), again.text("duplicate")), ("0.00".into(), "on".into()));
    let other = [("account", "user:bob"), ("amount", "-10.51"), ("key", "b")];
    let refusal = bench.refused("payment.add", &other);
    assert!(refusal.contains("key `b` is that of payment 2"), "{refusal}");
    pay(&mut bench, "-1", "c");
    pay(&mut bench, "5", "d");
    let balance: Vec<_> =
        events(&mut bench).into_iter().filter(|event| event.contains("balance")).collect();
    assert_eq!(balance, ["clients.balance_zero 1", "clients.balance_notzero 1"]);
    assert_eq!(bench.ok("task", &[]).rows().count(), 1);
    let body = bench.read(|snapshot| snapshot.body(notice::TaskId(1))).unwrap();
    let notice = String::from_utf8_lossy(&body.notice.bytes).into_owned();
    assert!(notice.contains("<balance>0.00</balance>"), "{notice}");
    assert_eq!(bench.ok("payment", &[("account", "1")]).rows().count(), 4);
    assert!(bench.refused("account.delete", &[("elid", "1")]).contains("account"));
}

#[test]
fn staff_notices_go_to_who_is_ready_else_to_the_project() {
    let toml = "event = \"tasks.failed\"\naudience = \"staff\"";
    let mut bench = with_notice("staff_alert", toml);
    bench.add_user();
    bench.ok("project.edit", &[("sok", "ok"), ("elid", "1"), ("supportemail", "s@brand.example")]);
    for (name, email) in [("petr", "petr@x.example"), ("jana", "jana@x.example")] {
        bench.ok("user.add", &[("name", name), ("email", email), ("level", "admin")]);
    }
    let fail = |bench: &mut Bench| {
        let event = NewEvent {
            events_id: "tasks.failed".into(),
            object_id: "9".into(),
            data: r#"{"id":9,"module":"ntsms","project":1,"reason":"too bad"}"#.into(),
            at: Ms(1),
        };
        let mut write = |tx: &mut dyn store::Tx| tx.add_event(&event, Told::NotYet).map(drop);
        bench.platform.store().write(Durability::Crash, &mut write).unwrap();
        assert_eq!(bench.platform.fan_out(10).unwrap(), 1);
        assert_eq!(bench.platform.fan_out(10).unwrap(), 0, "once");
        let newest = bench.ok("task", &[]).rows().next().unwrap().child_text("id");
        let id = notice::TaskId(newest.parse().unwrap());
        let body = bench.read(|snapshot| snapshot.body(id)).unwrap();
        let notice = String::from_utf8_lossy(&body.notice.bytes).into_owned();
        assert!(notice.contains("<text>too bad</text>"), "{notice}");
        body.user
    };
    assert!(fail(&mut bench).contains("s@brand.example"), "nobody is an agent");
    bench.ok("agent.status", &[("agent", "petr"), ("status", "ready")]);
    bench.clock.advance(1_000);
    bench.ok("agent.status", &[("agent", "jana"), ("status", "1")]);
    assert!(fail(&mut bench).contains("petr@x.example"), "ready longest");
    bench.ok("agent.status", &[("agent", "petr"), ("status", "aux"), ("reason", "Oběd")]);
    assert!(fail(&mut bench).contains("jana@x.example"), "AUX is passed over");
    bench.ok("agent.status", &[("agent", "jana"), ("status", "offline")]);
    assert!(fail(&mut bench).contains("s@brand.example"), "nobody is READY");
    let by_sms = bench.ok("task", &[("module", "ntsms")]).rows().count();
    assert_eq!(by_sms, 0, "an address is no number, and nobody here has one");
    let agents = bench.ok("agent", &[("status", "aux")]);
    assert_eq!(agents.rows().next().unwrap().child_text("reason"), "Oběd");
    assert!(bench.refused("agent.status", &[("agent", "jana"), ("status", "3")]).contains("ready"));
    let client = bench.refused("agent.status", &[("agent", "bob"), ("status", "ready")]);
    assert!(client.contains("level=admin"), "{client}");
}

#[test]
fn a_session_is_opened_by_password_and_is_what_the_user_may() {
    let mut bench = Bench::with_user();
    let edit = [("sok", "ok"), ("elid", "bob"), ("passwd", "correct horse")];
    bench.ok("user.edit", &edit);
    let nobody = Caller::new("", Level::Nobody);
    let sign_in = |bench: &mut Bench, password: &str| {
        let params = [("username", "bob"), ("password", password)];
        called(bench, &nobody, ("auth", &params))
    };
    assert_eq!(sign_in(&mut bench, "wrong").unwrap_err().exit_code(), 77);
    assert!(sign_in(&mut bench, "").is_err(), "only a super caller needs no password");
    let opened = sign_in(&mut bench, "correct horse").unwrap();
    let auth = opened.text("auth");
    assert_eq!((opened.text("level"), auth.len()), ("user".to_owned(), 40));
    let who = called(&mut bench, &nobody, ("whoami", &[("auth", &auth)])).unwrap();
    assert_eq!((who.text("name"), who.text("user")), ("bob".to_owned(), "1".to_owned()));
    let denied = called(&mut bench, &Caller::operator(), ("user", &[("auth", &auth)]));
    assert_eq!(denied.unwrap_err().exit_code(), 77, "auth= makes an operator a client");
    // Below the staff a call is about the caller himself.
    bench.ok("user.add", &[("name", "al")]);
    let own = called(&mut bench, &nobody, ("inbox", &[("auth", &auth), ("user", "bob")]));
    assert!(own.is_ok());
    let other = called(&mut bench, &nobody, ("inbox", &[("auth", &auth), ("user", "al")]));
    assert_eq!(other.unwrap_err().exit_code(), 77);
    // A new password ends the sessions of the old one; so does an hour without use, and closing.
    bench.ok("user.edit", &[("sok", "ok"), ("elid", "bob"), ("passwd", "other")]);
    assert!(called(&mut bench, &nobody, ("whoami", &[("auth", &auth)])).is_err());
    let auth = sign_in(&mut bench, "other").unwrap().text("auth");
    bench.clock.advance(3_500_000);
    assert!(called(&mut bench, &nobody, ("whoami", &[("auth", &auth)])).is_ok());
    bench.clock.advance(3_500_000);
    assert!(called(&mut bench, &nobody, ("whoami", &[("auth", &auth)])).is_ok(), "it was used");
    bench.clock.advance(3_600_001);
    assert!(called(&mut bench, &nobody, ("whoami", &[("auth", &auth)])).is_err());
    let auth = sign_in(&mut bench, "other").unwrap().text("auth");
    called(&mut bench, &nobody, ("session.close", &[("auth", &auth)])).unwrap();
    assert!(called(&mut bench, &nobody, ("whoami", &[("auth", &auth)])).is_err());
}

#[test]
fn nobody_makes_or_changes_somebody_who_may_more_than_himself() {
    let mut bench = Bench::with_user();
    bench.ok("user.add", &[("name", "root"), ("level", "super")]);
    let admin = Caller::new("a", Level::Admin);
    for params in [
        [("sok", "ok"), ("elid", "bob"), ("level", "super")],
        [("sok", "ok"), ("elid", "root"), ("level", "user")],
        [("sok", "ok"), ("elid", "root"), ("passwd", "x")],
        [("sok", "ok"), ("name", "new"), ("level", "30")],
    ] {
        let refusal = called(&mut bench, &admin, ("user.edit", &params)).unwrap_err();
        assert_eq!(refusal.exit_code(), 77, "{params:?}");
    }
    let refusal = called(&mut bench, &admin, ("user.delete", &[("elid", "root")])).unwrap_err();
    assert_eq!(refusal.exit_code(), 77);
    assert!(bench.refused("user.add", &[("name", "x"), ("level", "king")]).contains("admin"));
}

#[test]
fn a_function_is_not_called_again_from_inside_its_own_handler() {
    let mut bench = Bench::with_user();
    let inside = Caller { within: vec!["user.edit".into()], ..Caller::operator() };
    let refusal = called(&mut bench, &inside, ("user.add", &[("name", "x")])).unwrap_err();
    assert!(refusal.to_string().contains("final=\"yes\""), "{refusal}");
    assert!(called(&mut bench, &inside, ("user", &[])).is_ok(), "another function may be");
}

#[test]
fn the_balance_is_added_to_the_desktop_after_the_default_handlers() {
    // S0-51, S0-52, S0-53
    let mut bench = Bench::with_user();
    let document = bench.ok("desktop", &[]).document.to_xml();
    assert!(document.contains("<balance>0.00</balance>"), "{document}");
    assert!(document.contains("func=\"payment.add\""), "{document}");
}

#[test]
fn while_a_handler_sleeps_another_connection_commits_and_another_call_is_answered() {
    let mut bench = Bench::with_user();
    let script = "#!/bin/sh\ntouch var/entered\nsleep 1\necho '<doc/>'\n";
    bench.program("addon/slow.sh", script);
    let folder = bench.folder.path().to_owned();
    std::fs::set_permissions(folder.join("addon"), PermissionsExt::from_mode(0o755)).unwrap();
    bench.write(
        "etc/xml/billmgr_mod_slow.xml",
        "<mgrdata><handler name=\"slow.sh\" type=\"xml\"><event name=\"user.edit\" before=\"yes\"/></handler></mgrdata>",
    );
    bench.platform.reload().unwrap();
    let mut other = bench.platform.another().unwrap();
    let entered = folder.join("var/entered");
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| {
            let started = Instant::now();
            bench.ok("user.edit", &[("sok", "ok"), ("elid", "bob"), ("phone", "1")]);
            started.elapsed()
        });
        while !entered.exists() {
            std::thread::yield_now();
        }
        let started = Instant::now();
        let params = [("name", "Second")].into_iter().collect();
        other.call("project.add", &params, &Caller::operator()).unwrap();
        let rows = other.call("project", &Fields::new(), &Caller::operator()).unwrap();
        assert_eq!(rows.rows().count(), 2);
        assert!(!slow.is_finished() && started.elapsed() < Duration::from_millis(900));
        assert!(slow.join().unwrap() >= Duration::from_secs(1));
    });
    let journal = bench.ok("journal", &[]);
    let row = journal.rows().next().unwrap();
    assert_eq!(
        ["function", "place", "outcome"].map(|name| row.child_text(name)),
        ["user.edit", "before", "ok"]
    );
    assert!(row.child_text("took_ms").parse::<i64>().unwrap() >= 1_000);
}

#[test]
fn the_registry_is_swapped_as_a_whole_and_only_when_asked() {
    // S0-5
    let mut bench = Bench::with_user();
    bench.ok("desktop", &[]);
    bench.program("addon/no.sh", "#!/bin/sh\necho '<doc><error><msg>no</msg></error></doc>'\n");
    let folder = bench.folder.path().join("addon");
    std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).unwrap();
    bench.write(
        "etc/xml/billmgr_mod_no.xml",
        "<mgrdata><handler name=\"no.sh\" type=\"xml\"><event name=\"desktop\" before=\"yes\"/></handler></mgrdata>",
    );
    let mut other = bench.platform.another().unwrap();
    bench.ok("desktop", &[]);
    bench.ok("registry.reload", &[]);
    assert!(bench.refused("desktop", &[]).contains("no"));
    let refusal = other.call("desktop", &Fields::new(), &Caller::operator());
    assert!(refusal.is_err(), "every door sees the same registry");
    assert!(!bench.platform.is_to_leave());
    bench.ok("exit", &[]);
    assert!(bench.platform.is_to_leave());
}

#[test]
fn shared_values_are_json_or_text() {
    let mut bench = Bench::empty();
    bench.ok("shared.set", &[("id", "a"), ("value", "{\"x\": [1, null]}")]);
    assert_eq!(bench.ok("shared", &[("id", "a")]).text("value"), r#"{"x":[1,null]}"#);
    bench.ok("shared.set", &[("id", "a"), ("value", "plain words")]);
    assert_eq!(bench.ok("shared", &[("id", "a")]).text("value"), "\"plain words\"");
    assert!(bench.refused("shared", &[("id", "b")]).contains("shared.set"));
}

#[test]
fn a_line_in_a_notice_toml_counts_without_a_reload() {
    let mut bench = with_notice("welcome", "modules = [\"ntemail\"]");
    bench.add_user();
    let mut other = bench.platform.another().unwrap();
    let created = |bench: &mut Bench, name: &str| {
        bench.ok("user.add", &[("name", name), ("email", &format!("{name}@example.com"))]);
        bench.ok("task", &[]).rows().count()
    };
    assert_eq!(created(&mut bench, "eve"), 0);
    let toml = "modules = [\"ntemail\"]\nevent = \"clients.create\"";
    bench.write("templates/welcome/notice.toml", toml);
    assert_eq!(created(&mut bench, "ann"), 0, "the files are looked at once a second");
    bench.clock.advance(1_000);
    assert_eq!(created(&mut bench, "jim"), 1);
    bench.write("templates/later/notice.toml", toml);
    bench.write("templates/later/en.ntemail.text.ejs", "Later");
    bench.clock.advance(1_000);
    let params = [("name", "kim"), ("email", "kim@example.com")].into_iter().collect();
    other.call("user.add", &params, &Caller::operator()).unwrap();
    assert_eq!(bench.ok("task", &[]).rows().count(), 3, "a new notice, by another door");
    std::fs::remove_dir_all(bench.folder.path().join("templates/later")).unwrap();
    bench.write("templates/welcome/notice.toml", "event = 1");
    bench.clock.advance(1_000);
    assert_eq!(created(&mut bench, "lea"), 3, "one is gone, the other can't be read");
}

#[test]
fn calls_from_several_threads_lose_nothing() {
    let mut bench = Bench::with_user();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let mut door: Platform = bench.platform.another().unwrap();
            scope.spawn(move || {
                for at in 0..10 {
                    let name = format!("u{thread}-{at}");
                    let params = [("name", name.as_str())].into_iter().collect();
                    door.call("user.add", &params, &Caller::operator()).unwrap();
                }
            });
        }
    });
    assert_eq!(bench.ok("user", &[]).rows().count(), 41);
    assert_eq!(events(&mut bench).len(), 41);
}

#[test]
fn a_field_of_a_gate_named_auth_is_no_session() {
    let mut bench = Bench::with_user();
    let params = [("sok", "ok"), ("gateway_module", "gwnone"), ("auth", "password")];
    let refused = called(&mut bench, &Caller::operator(), ("gateway.edit", &params)).unwrap_err();
    assert_ne!(refused.exit_code(), 77, "{refused}");
    let params = [("auth", "password")];
    let refused = called(&mut bench, &Caller::operator(), ("whoami", &params)).unwrap_err();
    assert_eq!(refused.exit_code(), 77, "{refused}");
}

/// Registers scripts of `addon/` for `desktop`, each with these attributes.
fn with_handlers(handlers: &[(&str, &str, &str)]) -> Bench {
    let bench = Bench::with_user();
    let mut registered = Vec::new();
    for (name, attributes, script) in handlers {
        bench.program(&format!("addon/{name}"), &format!("#!/bin/sh\n{script}\n"));
        registered.push(format!(
            "<handler name=\"{name}\" type=\"cgi\"><event name=\"desktop\" {attributes}/></handler>"
        ));
    }
    let registered = registered.concat();
    let folder = bench.folder.path().join("addon");
    std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).unwrap();
    bench.write("etc/xml/billmgr_mod_x.xml", &format!("<mgrdata>{registered}</mgrdata>"));
    bench.platform.reload().unwrap();
    bench
}

#[test]
fn handlers_stand_where_the_document_says() {
    // S0-44, S0-51, S0-52, S0-53, S0-54, S0-55
    let look = |name: &str| {
        format!("cat > var/{name}; echo {name} >> var/order; echo '<doc><{name}/></doc>'")
    };
    let mut bench = with_handlers(&[
        ("before.sh", "before=\"yes\"", &look("before")),
        ("late.sh", "after=\"yes\" proirity=\"after\" base=\"project\"", &look("late")),
        ("after.sh", "after=\"yes\"", &look("after")),
    ]);
    let answer = bench.ok("desktop", &[]).document.to_xml();
    let read = |name: &str| {
        std::fs::read_to_string(bench.folder.path().join("var").join(name)).unwrap_or_default()
    };
    assert_eq!(read("order"), "before\nafter\nlate\n");
    assert!(!read("after").contains("<balance>"), "{}", read("after"));
    assert!(answer.contains("<after/>") && answer.contains("<late/>"), "{answer}");
    let balance = answer.find("<balance>").unwrap();
    assert!(
        answer.find("<after/>").unwrap() < balance && balance < answer.find("<late/>").unwrap()
    );
}

#[test]
fn a_skipped_function_runs_neither_itself_nor_its_after_handlers() {
    // S0-45, S0-46, S0-47, S0-49
    let mut bench = with_handlers(&[
        ("skip.sh", "before=\"yes\"", "echo '<doc><mine/><skipaction/></doc>'"),
        ("after.sh", "after=\"yes\"", "touch var/after-ran; echo '<doc/>'"),
        ("late.sh", "after=\"yes\" proirity=\"after\"", "touch var/after-ran; echo '<doc/>'"),
    ]);
    let answer = bench.ok("desktop", &[]).document.to_xml();
    assert!(answer.contains("<mine/>") && !answer.contains("<balance>"), "{answer}");
    assert!(!bench.folder.path().join("var/after-ran").exists());
    let journal = bench.ok("journal", &[]);
    let row = journal.rows().next().unwrap();
    assert_eq!(row.child_text("outcome"), "function.skipped");
    assert!(row.child_text("name").contains("skip.sh"));
}

#[test]
fn a_refusing_handler_is_the_answer_and_an_after_handler_never_undoes() {
    // S0-1, S0-50
    let error = "echo '<doc><error type=\"value\" object=\"x\"><msg>no way</msg></error></doc>'";
    let mut bench = with_handlers(&[("no.sh", "before=\"yes\"", error)]);
    let refusal = bench.call("desktop", &[]).unwrap_err();
    assert!(refusal.to_document().to_xml().contains("<msg>no way</msg>"), "{refusal}");
    let mut bench = with_handlers(&[("no.sh", "after=\"yes\"", error)]);
    assert_eq!(bench.ok("desktop", &[]).text("user"), "operator");
}

#[test]
fn a_call_keeps_the_registry_it_began_with() {
    let wait = "touch var/entered; until test -e var/go; do sleep 0.01; done; echo '<doc/>'";
    let mut bench = with_handlers(&[
        ("before.sh", "before=\"yes\"", wait),
        ("after.sh", "after=\"yes\"", "echo ran >> var/after; echo '<doc/>'"),
    ]);
    let folder = bench.folder.path().to_owned();
    let mut other = bench.platform.another().unwrap();
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| drop(bench.ok("desktop", &[])));
        while !folder.join("var/entered").exists() {
            std::thread::yield_now();
        }
        std::fs::write(folder.join("etc/xml/billmgr_mod_x.xml"), "<mgrdata/>").unwrap();
        for name in ["registry.reload", "desktop"] {
            other.call(name, &Fields::new(), &Caller::operator()).unwrap();
        }
        assert!(!folder.join("var/after").exists(), "a call of the new registry has no handlers");
        std::fs::write(folder.join("var/go"), "").unwrap();
        slow.join().unwrap();
    });
    let ran = || std::fs::read_to_string(folder.join("var/after")).unwrap();
    assert_eq!(ran(), "ran\n");
    bench.ok("desktop", &[]);
    assert_eq!(ran(), "ran\n", "the next call begins with the new one");
}

#[test]
fn every_change_of_an_account_is_an_event() {
    let mut bench = Bench::with_user();
    bench.ok("account.edit", &[("sok", "ok"), ("name", "Ours")]);
    bench.ok("account.edit", &[("sok", "ok"), ("elid", "1"), ("name", "Theirs")]);
    bench.ok("account.delete", &[("elid", "1")]);
    let accounts = ["create", "update", "delete"].map(|word| format!("clients.accounts.{word} 1"));
    assert_eq!(events(&mut bench)[1..], accounts);
    let mut data = |event: &str| {
        let rows = bench.ok("event", &[("event", event)]);
        rows.rows().next().unwrap().child_text("data")
    };
    assert!(data("clients.accounts.update").contains("\"Theirs\""));
    assert_eq!(data("clients.accounts.delete"), "{}");
}
