//! What is urgent does not wait for what is not; what is paused waits unharmed (S3-29, S3-32).

use crate::stage::{LONG, Stage, say};
use gatepost_kit::host::wait_until;
use serde_json::{Value, json};

/// Rows of the mass mailing; the long run sets 100000.
fn rows() -> u32 {
    let given = std::env::var("GATEPOST_BULK_ROWS").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(2_000)
}

// S3-29
#[test]
fn an_urgent_message_is_among_the_next_five_while_a_mailing_drains() {
    let stage = Stage::with_ledger(50);
    stage.host.sql("UPDATE gateway SET concurrency=4");
    stage.mass(rows());
    let mut worker = stage.host.start("notify/ntemail", &["--command", "process"]);
    let mut places = Vec::new();
    for round in 1..=5 {
        let already = stage.ledger().len();
        stage.wait_for_entries(already + 20);
        let contact = format!("urgent{round}@example.com");
        stage
            .host
            .gatepost(&[
                "send",
                "hello",
                "--to",
                &contact,
                "--lang",
                "en",
                "--module",
                "ntemail",
                "--priority",
                "9",
            ])
            .ended(0);
        let when_queued = stage.ledger().len();
        let place = || stage.ledger().iter().position(|entry| entry.contact == contact);
        wait_until(LONG, "it is handed over", || place().is_some());
        places.push(place().unwrap().saturating_sub(when_queued) + 1);
    }
    say(&format!(
        "urgent behind {} rows: handed over as number {places:?} after it was queued",
        rows()
    ));
    assert!(places.iter().all(|place| *place <= 5), "{places:?}");
    assert_ne!(stage.unfinished(), 0, "the mailing was still going on");
    worker.signal("TERM");
    worker.wait(LONG);
}

// S3-29: plain descending priority, equal ones in the order they came
#[test]
fn the_order_is_priority_then_age() {
    for order in ["ageing", "strict"] {
        let stage = Stage::with_ledger(0);
        stage.host.sql("UPDATE gateway SET concurrency=1");
        stage.host.gatepost(&["queue", "order", order]).ended(0);
        stage.host.write("templates/hello/en.ntemail.text.ejs", "Hello\n");
        stage.host.write("templates/hello/notice.toml", "[subject]\nen = \"Hello\"\n");
        for (contact, priority) in
            [("a", "0"), ("b", "5"), ("c", "-3"), ("d", "5"), ("e", "0"), ("f", "1000")]
        {
            let to = format!("{contact}@example.com");
            stage
                .host
                .gatepost(&[
                    "send",
                    "hello",
                    "--to",
                    &to,
                    "--lang",
                    "en",
                    "--module",
                    "ntemail",
                    "--priority",
                    priority,
                ])
                .ended(0);
        }
        stage.drain();
        let sent: Vec<String> =
            stage.ledger().iter().map(|entry| entry.contact[..1].to_owned()).collect();
        assert_eq!(sent.concat(), "fbdaec", "{order}");
    }
}

// S3-30, S3-31, S3-32: either file pauses everything that is not forced
#[test]
fn while_a_pause_file_exists_only_forced_messages_go_out() {
    let stage = Stage::with_ledger(0);
    stage.host.write("templates/hello/en.ntemail.text.ejs", "Hello\n");
    stage.host.write("templates/hello/notice.toml", "[subject]\nen = \"Hello\"\n");
    let send = |to: &str, more: &[&str]| {
        let mut arguments =
            vec!["send", "hello", "--to", to, "--lang", "en", "--module", "ntemail"];
        arguments.extend(more);
        stage.host.gatepost(&arguments).ended(0);
    };
    let mut expected = Vec::new();
    for file in ["etc/gatepost.DoNothing", "etc/billmgr.DoNothing"] {
        stage.host.write(file, "");
        send("waits@example.com", &[]);
        send("forced@example.com", &["--while-paused"]);
        stage.host.process("ntemail").ended(0);
        expected.push("forced@example.com");
        let contacts = || stage.ledger().into_iter().map(|entry| entry.contact).collect::<Vec<_>>();
        assert_eq!(contacts(), expected, "{file}");
        let row = stage.host.sql("SELECT state, attempt, error_count FROM notifytask");
        assert_eq!(row, "0|0|0", "it waits unharmed");
        assert!(stage.host.gatepost(&["status"]).stdout.contains("paused"), "{file}");
        // a worker that stays notices the end of the pause
        let mut worker = stage.host.start("notify/ntemail", &["--command", "process", "--follow"]);
        wait_until(LONG, "it has begun", || stage.number("SELECT count(*) FROM notifyworker") == 1);
        std::fs::remove_file(stage.host.path(file)).unwrap();
        wait_until(LONG, "the rest goes out", || stage.unfinished() == 0);
        expected.push("waits@example.com");
        assert_eq!(contacts(), expected, "{file}");
        worker.signal("TERM");
        worker.wait(LONG);
    }
}

#[test]
fn a_pause_for_a_time_ends_by_itself() {
    let stage = Stage::with_ledger(0);
    let paused = stage.host.gatepost(&["pause", "--reason", "moving", "--for", "8s"]);
    assert!(paused.stderr.contains("and so does 20"), "{}", paused.stderr);
    stage.queue(1, 3);
    let status = stage.host.gatepost(&["status"]).stdout;
    assert!(status.contains("paused") && status.contains("moving"), "{status}");
    stage.host.process("ntemail").ended(0);
    assert_eq!(stage.ledger().len(), 0);
    let mut worker = stage.host.start("notify/ntemail", &["--command", "process", "--follow"]);
    wait_until(LONG, "the pause is over", || stage.unfinished() == 0);
    worker.signal("TERM");
    worker.wait(LONG);
    assert!(!stage.host.gatepost(&["status"]).stdout.contains("paused"));
    stage.host.gatepost(&["resume"]).ended(0);
    assert!(!stage.host.path("etc/gatepost.DoNothing").exists());
}

#[test]
fn a_pause_in_the_middle_of_a_drain_holds_what_was_not_handed_over() {
    let stage = Stage::with_ledger(30);
    stage.queue(1, 200);
    let mut worker = stage.host.start("notify/ntemail", &["--command", "process", "--follow"]);
    stage.wait_for_entries(10);
    stage.host.gatepost(&["pause", "--reason", "test"]).ended(0);
    wait_until(LONG, "what was in hand is settled", || {
        stage.number("SELECT count(*) FROM notifytask WHERE state=1") == 0
    });
    let seen = stage.ledger().len();
    assert!(seen < 200);
    assert_eq!(stage.number("SELECT count(*) FROM notifytask WHERE attempt>0 OR error_count>0"), 0);
    assert_eq!(stage.number("SELECT count(*) FROM notifytask"), 200 - seen as u64);
    stage.host.gatepost(&["resume"]).ended(0);
    wait_until(LONG, "all is sent", || stage.unfinished() == 0);
    assert_eq!(stage.ledger().len(), 200);
    worker.signal("TERM");
    worker.wait(LONG);
}

#[test]
fn status_tells_how_urgent_messages_fare() {
    let stage = Stage::with_ledger(0);
    stage.host.write("templates/hello/en.ntemail.text.ejs", "Hello\n");
    stage.host.write("templates/hello/notice.toml", "[subject]\nen = \"Hello\"\n");
    let send = |to: &str, more: &[&str]| {
        let to = ["send", "hello", "--to", to, "--lang", "en", "--module", "ntemail"];
        stage.host.gatepost(&[&to[..], more].concat()).ended(0);
    };
    let status = || -> Value {
        serde_json::from_str(&stage.host.gatepost(&["status", "-o", "json"]).stdout).unwrap()
    };
    let is_found = |status: &Value| {
        let findings = status["findings"].as_array().unwrap().clone();
        findings.iter().any(|finding| finding["code"] == "urgent_late")
    };
    assert_eq!(status()["urgent"]["day"]["within_1_s"], Value::Null, "nothing is urgent");
    assert!(!stage.host.gatepost(&["status"]).stdout.contains("urgent"));
    send("ordinary@example.com", &[]);
    for number in 0..4 {
        send(&format!("urgent{number}@example.com"), &["--priority", "9"]);
    }
    // as if they had been queued long ago
    stage.host.sql("UPDATE notifytask SET queued_ms=queued_ms-60000, ready_ms=ready_ms-20000");
    let before = status();
    assert!(before["urgent"]["oldest_ms"].as_u64().unwrap() >= 20_000, "{before}");
    assert!(is_found(&before), "{before}");
    stage.host.gatepost(&["gateway", "edit", "1", "active=off"]).ended(0);
    assert!(!is_found(&status()), "no gateway could take it");
    stage.host.gatepost(&["gateway", "edit", "1", "active=on"]).ended(0);
    stage.host.process("ntemail").ended(0);
    let after = status();
    assert!(!is_found(&after), "{after}");
    assert_eq!(after["urgent"]["oldest_ms"], Value::Null);
    for span in ["hour", "day"] {
        let span = &after["urgent"][span];
        assert_eq!(span["messages"], 4, "{after}");
        assert_eq!((&span["within_1_s"], &span["within_10_s"]), (&json!(0.0), &json!(0.0)));
    }
    send("soon@example.com", &["--priority", "1"]);
    // however slow this machine is
    stage.host.sql("UPDATE notifytask SET queued_ms=queued_ms+600000");
    stage.host.process("ntemail").ended(0);
    assert_eq!(status()["urgent"]["hour"]["within_1_s"], 0.2);
    let page = stage.host.gatepost(&["status"]).stdout;
    assert!(
        page.contains("urgent: none waits; last hour 5 handed over, 20 % within 1 s"),
        "{page}"
    );
    let metrics = stage.host.gatepost(&["status", "-o", "prometheus"]).stdout;
    for line in [
        "gatepost_urgent_oldest_seconds 0.000",
        "gatepost_urgent_messages{span=\"1h\"} 5",
        "gatepost_urgent_within{span=\"1d\",seconds=\"1\"} 1",
    ] {
        assert!(metrics.lines().any(|one| one == line), "{line}: {metrics}");
    }
}
