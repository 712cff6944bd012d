//! `why` and `status` over `SQLite`, with a worker's turns made by hand.

use crate::testing::{Bench, NOW};
use crate::{Finding, Severity, sentences};
use notice::{Clock, GatewayId, ModuleName, Ms, ProjectId, Route, TaskId};
use store::{
    Claimed, Condition, Demand, Direction, Done, Durability, Gateway, GatewayState, LogFilter,
    NewLog, Owner, Pool, Settlement, Tx,
};

fn bench() -> Bench {
    let mut bench = Bench::with_user();
    bench.write("templates/hi/en.ntsms.text.ejs", "hi");
    bench.write("templates/hi/en.ntemail.text.ejs", "hi");
    bench.program(
        "gate/gwx",
        "#!/bin/sh\necho '<doc><features><feature name=\"outgoing\"/></features><notify_module>ntsms</notify_module></doc>'\n",
    );
    bench.program(
        "notify/ntsms",
        "#!/bin/sh\necho '<doc><features><feature name=\"sms\"/><feature name=\"queue\"/></features><contact_type>phone</contact_type></doc>'\n",
    );
    bench
        .ok("notify.send", &[("notice", "hi"), ("user", "bob"), ("module", "ntsms"), ("key", "K")]);
    bench
}

fn why(bench: &mut Bench, subject: &str) -> String {
    sentences(&bench.platform.why(subject).unwrap()).join("\n")
}

fn write(bench: &mut Bench, mut change: impl FnMut(&mut dyn Tx) -> store::Result<()>) {
    store::write(bench.platform.store(), Durability::Crash, |tx| change(tx)).unwrap();
}

fn gateway(bench: &mut Bench, name: &str) {
    let row = Gateway {
        id: GatewayId(0),
        name: name.to_owned(),
        project: Some(ProjectId(1)),
        module: ModuleName::new("ntsms").unwrap(),
        gate: "gwx".to_owned(),
        direction: Direction::Outgoing,
        active: true,
        priority: 0,
        concurrency: None,
        rate_per_sec: None,
        on_unknown: None,
        xmlparams: String::new(),
        secret: Vec::new(),
        version: 0,
    };
    write(bench, |tx| tx.save_gateway(&row).map(drop));
}

/// One attempt of task 1 through gateway 1 that ends so.
fn attempt(bench: &mut Bench, settlement: &Settlement, outcome: &str, reason: &str) {
    let owner = Owner("ntsms-host-1-1".to_owned());
    let now = bench.clock.now();
    let demand = Demand {
        module: ModuleName::new("ntsms").unwrap(),
        pool: Pool::Route(Route::project(ProjectId(1))),
        gateway: Some(GatewayId(1)),
        count: 1,
        forced_only: false,
        lease_until: now.plus(60_000),
        ceiling: None,
    };
    let mut claimed: Vec<Claimed> = Vec::new();
    write(bench, |tx| {
        claimed = tx.turn(&owner, &[], std::slice::from_ref(&demand), now)?.claimed;
        Ok(())
    });
    let task = claimed.remove(0);
    let log = NewLog {
        task: task.lease.task,
        key: Some(task.key.clone()),
        module: "ntsms".to_owned(),
        notice: Some("hi".to_owned()),
        user: None,
        project: Some(ProjectId(1)),
        gateway: Some(GatewayId(1)),
        contact: Some("+79123456789".to_owned()),
        attempt: task.attempt,
        outcome: outcome.to_owned(),
        reason: reason.to_owned(),
        reference: (outcome == "sent").then(|| "R-7".to_owned()),
        segments: Some(1),
        queued: task.queued,
        at: now,
        // what is gone and was not sent never reached a gate
        took_ms: (*settlement != Settlement::Gone || outcome == "sent").then_some(12),
        waited_ms: None,
    };
    let done = Done {
        lease: task.lease,
        settlement: settlement.clone(),
        reason: reason.to_owned(),
        log: Some(log),
        effects: Vec::new(),
    };
    write(bench, |tx| tx.turn(&owner, std::slice::from_ref(&done), &[], now).map(drop));
}

#[test]
fn an_attempt_that_was_given_back_is_named_and_one_that_counts_is_not() {
    let mut bench = bench();
    gateway(&mut bench, "one");
    for turn in 0..2 {
        let at = bench.clock.now();
        let later = Ms(at.0 + 60_000);
        let wait = Settlement::Wait { at: later, spent: true, maybe_sent: false };
        attempt(&mut bench, &wait, "later", "exit 1");
        if turn == 0 {
            assert!(!why(&mut bench, "1").contains("cost it nothing"));
            let lease = store::Lease { task: TaskId(1), seq: 1 };
            write(&mut bench, |tx| tx.give_back(&[lease], at).map(drop));
        }
    }
    let said = why(&mut bench, "1");
    assert!(said.contains("1 attempt below cost it nothing: the gateway was at fault."), "{said}");
}

#[test]
fn a_ready_task_says_that_it_has_no_gateway_and_no_worker() {
    // S3-20
    let mut bench = bench();
    let said = why(&mut bench, "1");
    assert!(said.starts_with("Task 1: notice hi by ntsms to +79123456789."), "{said}");
    assert!(said.contains("no_gateway: project 1 has no gateway for ntsms"), "{said}");
    assert!(said.contains("`gatepost gateway add`"), "{said}");
    assert!(
        said.contains("Once that has ended it goes out when cron runs `notify/ntsms")
            && said.contains("nobody works on the rows of ntsms"),
        "{said}"
    );
    gateway(&mut bench, "main");
    let said = why(&mut bench, "1");
    assert!(said.contains("Nobody works on the rows of ntsms at this moment: it goes"), "{said}");
}

/// What stands after the sentence that it is ready.
fn reasons(bench: &mut Bench) -> Vec<String> {
    let said = sentences(&bench.platform.why("1").unwrap());
    said.into_iter().skip_while(|line| !line.starts_with("It is ready since")).skip(1).collect()
}

#[test]
fn what_holds_a_task_back_is_said_before_who_would_work_on_it() {
    let mut bench = bench();
    gateway(&mut bench, "main");
    bench.ok("gateway.hold", &[("elid", "main"), ("reason", "bill unpaid"), ("until", "+2h")]);
    let said = reasons(&mut bench);
    assert!(said[0].starts_with("no_gateway: it waits, unharmed"), "{said:?}");
    assert!(said[1].contains("(in 2 h), or by `gatepost gateway release 1`."), "{said:?}");
    assert!(said[2].starts_with("Once that has ended it goes out when cron"), "{said:?}");
    bench.ok("gateway.hold", &[("elid", "main"), ("reason", "x")]);
    assert!(reasons(&mut bench)[1].ends_with("x; until `gatepost gateway release 1`."));
    bench.ok("gateway.release", &[("elid", "main")]);
    let until = NOW.plus(7_200_000);
    bench.write("etc/gatepost.DoNothing", &config::pause_words("moving", Some(until)));
    let said = reasons(&mut bench);
    assert!(said[0].starts_with("The whole queue is paused since"), "{said:?}");
    assert!(said[0].contains("until 2026-11-22T00:26:40Z (in 2 h) (moving)"), "{said:?}");
    assert!(said[0].ends_with("`gatepost resume` ends it."), "{said:?}");
    assert!(said.last().unwrap().starts_with("Once that has ended"), "{said:?}");
}

#[test]
fn a_task_whose_next_try_meets_no_open_gateway_says_so() {
    let mut bench = bench();
    gateway(&mut bench, "main");
    let later = Settlement::Wait { at: NOW.plus(30_000), spent: true, maybe_sent: false };
    attempt(&mut bench, &later, "later", "busy");
    let said = why(&mut bench, "1");
    let (before_the_log, _) = said.split_once("What the log has of it").unwrap();
    assert!(!before_the_log.to_lowercase().contains("gateway 1 main"), "{said}");
    bench.ok("gateway.hold", &[("elid", "main"), ("reason", "bill unpaid")]);
    let said = why(&mut bench, "1");
    assert!(said.contains("Gateway 1 main is held by a person"), "{said}");
}

#[test]
fn a_ready_task_says_which_gateway_holds_it_and_until_when() {
    let mut bench = bench();
    gateway(&mut bench, "main");
    bench.ok("gateway.hold", &[("elid", "main"), ("reason", "bill unpaid"), ("until", "+2h")]);
    let said = why(&mut bench, "1");
    assert!(said.contains("no_gateway: it waits, unharmed"), "{said}");
    assert!(said.contains("Gateway 1 main is held by a person since"), "{said}");
    assert!(said.contains("bill unpaid; released 2026-11-22T00:26:40Z (in 2 h)"), "{said}");
    gateway(&mut bench, "second");
    assert!(why(&mut bench, "1").contains("It goes next through gateway 2 second"));
    let down = GatewayState {
        gateway: GatewayId(2),
        condition: Condition::Down { reason: "connection refused".to_owned() },
        since: NOW,
        next_probe: Some(NOW.plus(5_000)),
        probes: 1,
        strikes: 1,
        holds: 0,
        last_error: None,
    };
    write(&mut bench, |tx| tx.set_gateway_state(&down, NOW));
    let said = why(&mut bench, "1");
    assert!(
        said.contains("Gateway 2 second can't be reached") && said.contains("(in 5 s)"),
        "{said}"
    );
}

#[test]
fn a_pause_is_named_with_its_file_and_its_reason() {
    // S3-32
    let mut bench = bench();
    bench.write("etc/billmgr.DoNothing", "moving to the new panel\n");
    let said = why(&mut bench, "1");
    assert!(said.contains("paused") && said.contains("billmgr.DoNothing"), "{said}");
    assert!(said.contains("moving to the new panel"), "{said}");
    bench.ok(
        "notify.send",
        &[("notice", "hi"), ("user", "bob"), ("module", "ntsms"), ("while_paused", "on")],
    );
    assert!(why(&mut bench, "2").contains("goes out all the same"));
}

#[test]
fn a_waiting_a_failed_and_an_asked_task_say_until_when_and_what_to_do() {
    let mut bench = bench();
    gateway(&mut bench, "main");
    let later = Settlement::Wait { at: NOW.plus(30_000), spent: true, maybe_sent: false };
    attempt(&mut bench, &later, "later", "busy");
    let said = why(&mut bench, "1");
    assert!(
        said.contains(
            "(in 30 s), then it is tried again; 1 attempt failed so far, the last: busy."
        ),
        "{said}"
    );
    assert!(said.contains("later (attempt 1), gateway 1 main, to +79123456789"), "{said}");
    bench.ok("task.retry", &[("elid", "1")]);
    attempt(&mut bench, &Settlement::Ask { until: NOW.plus(Ms::DAY) }, "unknown", "no answer");
    let said = why(&mut bench, "1");
    assert!(
        said.contains("Nobody knows whether it was sent") && said.contains("gatepost done 1"),
        "{said}"
    );
    write(&mut bench, |tx| tx.retry(&[TaskId(1)], NOW).map(drop));
    let rows = bench.ok("task", &[("state", "failed")]);
    assert_eq!(rows.rows().count(), 0);
}

#[test]
fn a_sent_task_is_found_by_number_key_and_contact() {
    let mut bench = bench();
    gateway(&mut bench, "main");
    attempt(&mut bench, &Settlement::Gone, "sent", "");
    for subject in ["1", "K", "K/1/ntsms"] {
        let said = why(&mut bench, subject);
        assert!(said.contains("It was sent 2026-11-21T22:26:40Z"), "{subject}: {said}");
        assert!(said.contains("through gateway 1 main, reference R-7"), "{said}");
    }
    let said = why(&mut bench, "+79123456789");
    assert!(said.starts_with("+79123456789 is the contact of user 1 bob."), "{said}");
    assert!(said.contains("sent (attempt 1), gateway 1 main"), "{said}");
    let logged = bench.ok("log", &[]).rows().next().unwrap().clone();
    let column = |name| logged.child_text(name);
    assert_eq!((column("gateway"), column("gateway_name")), ("1".into(), "main".into()));
    write(&mut bench, |tx| tx.delete_gateway(GatewayId(1), NOW).map(drop));
    let logged = bench.ok("log", &[]).rows().next().unwrap().clone();
    assert_eq!(logged.child_text("gateway_name"), "1", "it is gone");
    assert!(why(&mut bench, "1").contains("through gateway 1, reference R-7"));
    let refused = bench.platform.why("nothing-of-it").err().unwrap().to_string();
    assert!(refused.contains("nothing-of-it"), "{refused}");
}

#[test]
fn a_queued_task_is_found_by_its_contact() {
    let mut bench = bench();
    let said = why(&mut bench, "+79123456789");
    assert!(said.contains("Task 1: notice hi"), "{said}");
}

fn findings(bench: &mut Bench) -> Vec<Finding> {
    bench.platform.status().unwrap().findings
}

fn finding(bench: &mut Bench, code: &str) -> Finding {
    let all = findings(bench);
    let codes: Vec<_> = all.iter().map(|finding| finding.code).collect();
    match all.iter().find(|finding| finding.code == code) {
        Some(finding) => finding.clone(),
        None => panic!("no finding {code} among {codes:?}"),
    }
}

#[test]
fn a_route_without_a_gateway_is_critical_and_comes_with_its_cure() {
    let mut bench = bench();
    let found = finding(&mut bench, "no_gateway");
    assert_eq!(found.severity, Severity::Critical);
    assert!(found.cure.starts_with("gatepost gateway add gwx project=1"), "{}", found.cure);
    assert_eq!(findings(&mut bench)[0].severity, Severity::Critical, "the worst comes first");
    // each can be typed as it stands
    gateway(&mut bench, "main");
    let mut row = bench.read(|snapshot| snapshot.gateways()).remove(0);
    row.active = false;
    write(&mut bench, |tx| tx.save_gateway(&row).map(drop));
    assert_eq!(finding(&mut bench, "no_gateway").cure, "gatepost gateway edit 1 active=on");
    write(&mut bench, |tx| tx.delete_gateway(GatewayId(1), NOW).map(drop));
    std::fs::remove_file(bench.folder.path().join("gate/gwx")).unwrap();
    assert_eq!(finding(&mut bench, "no_gateway").cure, "gatepost gate list");
}

#[test]
fn the_gate_to_add_is_the_usual_one_of_the_module_and_the_one_for_trials_comes_last() {
    let mut bench = bench();
    let gate = |bench: &Bench, name: &str, module: &str, feature: &str| {
        let module = format!("<notify_module>{module}</notify_module>");
        bench.program(
            &format!("gate/{name}"),
            &format!("#!/bin/sh\necho '<doc><features><feature name=\"{feature}\"/></features>{module}</doc>'\n"),
        );
    };
    bench.ok("notify.send", &[("notice", "hi"), ("user", "bob"), ("module", "ntsms")]);
    let cure = |bench: &mut Bench| finding(bench, "no_gateway").cure;
    std::fs::remove_file(bench.folder.path().join("gate/gwx")).unwrap();
    gate(&bench, "gwaa", "ntsms", "ingoing");
    gate(&bench, "gwab", "ntemail", "outgoing");
    assert_eq!(cure(&mut bench), "gatepost gate list", "neither sends for ntsms");
    for (name, module) in
        [("gwfile", ""), ("gwany", ""), ("gwepochta", "ntsms"), ("gwhttp", "ntsms")]
    {
        gate(&bench, name, module, "outgoing");
        let wanted = format!("gatepost gateway add {name} project=1 notify_module=ntsms");
        assert_eq!(cure(&mut bench), wanted);
    }
}

#[test]
fn a_pause_a_missing_worker_and_an_old_task_are_found() {
    let mut bench = bench();
    gateway(&mut bench, "main");
    bench.clock.advance(3 * 3_600_000);
    assert_eq!(finding(&mut bench, "daemon_missing").severity, Severity::Critical);
    assert!(finding(&mut bench, "oldest_ready").cure.contains("why 1"));
    bench.write("etc/gatepost.DoNothing", "");
    assert_eq!(finding(&mut bench, "paused").cure, "gatepost resume");
    let until = bench.clock.now().plus(7_200_000);
    bench.write("etc/gatepost.DoNothing", &config::pause_words("moving", Some(until)));
    let text = finding(&mut bench, "paused").text;
    assert!(text.contains(", until 2026-11-22T03:26:40Z (2 h more) by"), "{text}");
}

#[test]
fn a_held_gateway_is_worse_when_tasks_wait_for_it_alone() {
    let mut bench = bench();
    gateway(&mut bench, "main");
    gateway(&mut bench, "second");
    bench.ok("gateway.hold", &[("elid", "main"), ("reason", "x")]);
    assert_eq!(finding(&mut bench, "gateway_held").severity, Severity::Warning);
    bench.ok("gateway.hold", &[("elid", "main"), ("reason", "x"), ("until", "+2h")]);
    let text = finding(&mut bench, "gateway_held").text;
    assert!(text.contains("for 0 s, until 2026-11-22T00:26:40Z (2 h more): x"), "{text}");
    bench.ok("gateway.hold", &[("elid", "second"), ("reason", "x")]);
    assert_eq!(finding(&mut bench, "gateway_held").severity, Severity::Critical);
    assert!(finding(&mut bench, "gateway_untested").cure.contains("gateway test"));
}

#[test]
fn open_secrets_and_file_modes_are_found() {
    use std::os::unix::fs::PermissionsExt;
    let mut bench = bench();
    let key = bench.folder.path().join("etc/secret.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(finding(&mut bench, "secret_key").severity, Severity::Critical);
    assert_eq!(finding(&mut bench, "secret_key").cure, "chmod 600 etc/secret.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&key, "rubbish").unwrap();
    let damaged = finding(&mut bench, "secret_key");
    assert!(
        damaged.text.contains("hex") && damaged.cure.contains("mv etc/secret.key"),
        "{damaged:?}"
    );
    std::fs::remove_file(key).unwrap();
    assert!(finding(&mut bench, "secret_key").cure.ends_with("gatepost init --new-key"));
    bench.write(
        "etc/xml/gatepost_mod_gwx.xml",
        "<mgrdata><metadata name=\"gateway.gwx\"><form><field name=\"p\"><input type=\"password\" name=\"p\"/></field></form></metadata></mgrdata>",
    );
    gateway(&mut bench, "main");
    let mut row = bench.read(|snapshot| snapshot.gateways()).remove(0);
    row.xmlparams = "<doc><p>s3cr3t</p></doc>".to_owned();
    write(&mut bench, |tx| tx.save_gateway(&row).map(drop));
    assert!(!finding(&mut bench, "secret_unsealed").text.contains("s3cr3t"));
}

#[test]
fn secrets_that_the_key_does_not_open_are_named_with_what_gives_them_anew() {
    let mut bench = bench();
    gateway(&mut bench, "main");
    bench.ok(
        "provisioning.add",
        &[("name", "Billing"), ("event", "clients.create"), ("task", "http://127.0.0.1:9/api")],
    );
    bench.ok("cachemanager.restart", &[]);
    let mut row = bench.read(|snapshot| snapshot.gateways()).remove(0);
    let vault = config::Vault::load(bench.platform.root()).unwrap();
    let fields = [("password", "x")].into_iter().collect();
    let place = config::Place::of_gateway(GatewayId(1), "gwx");
    row.secret = vault.seal(place, &fields).unwrap();
    write(&mut bench, |tx| tx.save_gateway(&row).map(drop));
    let lost = |bench: &mut Bench| {
        let all = findings(bench).into_iter().filter(|found| found.code == "secret_lost");
        all.map(|found| found.cure).collect::<Vec<_>>()
    };
    assert_eq!(lost(&mut bench), [""; 0]);
    std::fs::remove_file(bench.folder.path().join("etc/secret.key")).unwrap();
    config::Vault::create(bench.platform.root()).unwrap();
    let anew = "gatepost provisioning edit 1 rotate=on, then gatepost provisioning restart";
    assert_eq!(lost(&mut bench), ["gatepost gateway edit 1", anew]);
    bench.ok("provisioning.edit", &[("sok", "ok"), ("elid", "1"), ("rotate", "on")]);
    assert_eq!(lost(&mut bench)[1], "gatepost provisioning restart");
    bench.ok("cachemanager.restart", &[]);
    row.secret = config::Vault::load(bench.platform.root()).unwrap().seal(place, &fields).unwrap();
    write(&mut bench, |tx| tx.save_gateway(&row).map(drop));
    assert_eq!(lost(&mut bench), [""; 0]);
}

#[test]
fn broken_programs_and_failed_tasks_are_found_and_a_well_house_has_no_finding() {
    let mut bench = bench();
    bench.program("notify/ntjunk", "#!/bin/sh\necho junk\n");
    bench.write("etc/xml/gatepost_mod_bad.xml", "<mgrdata");
    assert!(finding(&mut bench, "module_broken").text.contains("ntjunk"));
    assert!(finding(&mut bench, "description_broken").text.contains("gatepost_mod_bad.xml"));
    gateway(&mut bench, "main");
    attempt(&mut bench, &Settlement::Fail, "never", "no such number");
    assert!(finding(&mut bench, "failed").cure.contains("--state failed"));
    assert!(findings(&mut bench).iter().all(|finding| finding.code != "refused"));
    let mut well = Bench::with_user();
    let status = well.platform.status().unwrap();
    assert!(status.findings.is_empty(), "{:?}", status.findings);
    assert_eq!(status.severity(), None);
}

// S3-77
#[test]
fn what_was_refused_without_a_gate_is_told_for_an_hour() {
    let mut bench = bench();
    gateway(&mut bench, "main");
    let reason = "bad_contact: `12` is no phone number";
    attempt(&mut bench, &Settlement::Gone, "never", reason);
    let found = finding(&mut bench, "refused");
    assert!(found.text.starts_with("1 message was refused"), "{}", found.text);
    assert!(found.text.contains("task 1 hi to +79123456789: bad_contact: `12`"), "{}", found.text);
    assert_eq!((found.severity, found.cure.as_str()), (Severity::Warning, "gatepost why 1"));
    let told = why(&mut bench, "1");
    assert!(told.starts_with("Task 1: notice hi by ntsms to +79123456789."), "{told}");
    assert!(told.contains("It was refused") && told.contains(reason), "{told}");
    // however much has been sent since
    let sent = NewLog {
        outcome: "sent".to_owned(),
        reason: String::new(),
        took_ms: Some(1),
        waited_ms: None,
        ..bench.read(|snapshot| snapshot.log(&LogFilter::default(), None, 1)).remove(0).row
    };
    let sent = vec![sent; 10_001];
    write(&mut bench, |tx| tx.add_log(&sent).map(drop));
    assert!(finding(&mut bench, "refused").text.starts_with("1 message was refused"));
    bench.clock.advance(61 * 60_000);
    assert!(findings(&mut bench).iter().all(|finding| finding.code != "refused"));
}

#[test]
fn a_try_that_is_due_has_no_time_to_come() {
    let mut bench = bench();
    gateway(&mut bench, "x");
    let state = |condition: Condition| GatewayState {
        gateway: GatewayId(1),
        condition,
        since: NOW.plus(-9_000),
        next_probe: Some(NOW.plus(-1_000)),
        probes: 1,
        strikes: 0,
        holds: 0,
        last_error: None,
    };
    let down = Condition::Down { reason: "no route".to_owned() };
    let by_person = Condition::Held { reason: "move".to_owned(), by_person: true };
    for (condition, words) in [
        (down, "its next try is due, a worker makes it"),
        (by_person, "its time is over: a worker opens it"),
    ] {
        let state = state(condition);
        write(&mut bench, |tx| tx.set_gateway_state(&state, NOW));
        let texts: Vec<_> =
            bench.platform.status().unwrap().findings.into_iter().map(|found| found.text).collect();
        assert!(texts.iter().any(|text| text.contains(words)), "{texts:?}");
        assert!(!texts.iter().any(|text| text.contains("0 s more")), "{texts:?}");
        let said = why(&mut bench, "1");
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn a_gate_that_is_not_there_is_the_reason_and_not_that_nobody_is_reached() {
    let mut bench = bench();
    gateway(&mut bench, "x");
    std::fs::remove_file(bench.folder.path().join("gate/gwx")).unwrap();
    let state = GatewayState {
        gateway: GatewayId(1),
        condition: Condition::Down { reason: "gate/gwx can't be started".to_owned() },
        since: NOW,
        next_probe: None,
        probes: 0,
        strikes: 5,
        holds: 0,
        last_error: None,
    };
    write(&mut bench, |tx| tx.set_gateway_state(&state, NOW));
    let found = bench.platform.status().unwrap().findings;
    let codes: Vec<_> = found.iter().map(|found| found.code).collect();
    assert!(codes.contains(&"gate_broken") && !codes.contains(&"gateway_down"), "{codes:?}");
    let broken = found.iter().find(|found| found.code == "gate_broken").unwrap();
    assert!(broken.text.contains("it is not there"), "{}", broken.text);
}

#[test]
fn nobody_is_promised_what_a_broken_module_would_have_to_do() {
    let mut bench = bench();
    bench.program("notify/ntsms", "#!/bin/sh\nexit 1\n");
    let said = why(&mut bench, "1");
    assert!(said.contains("notify/ntsms can't be used: "), "{said}");
    assert!(said.contains("It waits until that program is mended."), "{said}");
    assert!(!said.contains("when cron runs"), "{said}");
}

#[test]
fn mail_without_a_gateway_and_without_sendmail_is_said_to_wait() {
    let send = [("notice", "hi"), ("user", "bob"), ("module", "ntemail")];
    let told = |sendmail: &str| {
        let mut bench = Bench::with_sendmail(sendmail);
        bench.write("templates/hi/notice.toml", "[subject]\nen = \"Hi\"\n");
        bench.write("templates/hi/en.ntemail.text.tera", "hi\n");
        bench.ok("notify.send", &send);
        let found = findings(&mut bench).into_iter().find(|finding| finding.code == "no_gateway");
        (why(&mut bench, "1"), found.map(|finding| finding.text))
    };
    let (said, found) = told("/bin/true");
    assert!(said.contains("so it goes out by /bin/true"), "{said}");
    assert_eq!(found, None);
    let (said, found) = told("/nowhere/sendmail");
    let words = "and ntemail.sendmail (/nowhere/sendmail) can't be run";
    assert!(said.contains(words) && found.is_some_and(|text| text.contains(words)), "{said}");
}

#[test]
fn a_task_behind_a_gateway_that_rests_says_until_when() {
    let mut bench = bench();
    gateway(&mut bench, "main");
    let until = NOW.plus(60_000).to_string();
    let rests = store::rests_setting(GatewayId(1));
    write(&mut bench, |tx| tx.set_setting(&rests, &until));
    let said = why(&mut bench, "1");
    assert!(said.contains("Gateway 1 main rests until") && said.contains("(in 1 min)"), "{said}");
    assert!(!said.contains("It goes next through"), "{said}");
    bench.ok("gateway.release", &[("elid", "main")]);
    let said = why(&mut bench, "1");
    assert!(said.contains("It goes next through gateway 1 main"), "{said}");
}
