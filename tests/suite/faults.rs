//! Writes and syncs that fail, counted commits, a clock that steps: by a shim that is loaded before the C library
//! (queue 4.5, 4.8).

use crate::judge::{Case, Played, enter, judge};
use crate::shim::{self, command, follow, process};
use crate::stage::{LONG, Stage, say};
use gatepost_kit::host::{Ran, wait_until};
use gatepost_kit::ledger::{DISK_FULL, DeliveryPath, NOTE_FAILS, SYNC_FAILS, WRITE_FAILS};
use std::collections::BTreeSet;
use std::process::Command;

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// The files that fail: a part of their paths.
const DATABASE: &str = "gatepost.db";
const NOTES: &str = ".sent";

/// A storage fault: what fails, in which files, how, and to which number it is tried.
struct Failing {
    point: &'static str,
    files: &'static str,
    call: &'static str,
    errno: i32,
    most: u32,
}

/// Each call fails once, the first, the second … (further on in growing steps) until a run passes it by; the queue is
/// drained at the end.
fn fail_each(path: DeliveryPath, failing: &Failing) {
    let stage = Stage::on(path, 1);
    if !shim::is_built(&stage) {
        return;
    }
    let Failing { point, files, call, errno, most } = *failing;
    let (mut messages, mut failed, mut clean) = (0, 0, false);
    let mut in_doubt = BTreeSet::new();
    let mut number = 1;
    while number <= most && !clean {
        stage.queue(messages + 1, 6);
        messages += 6;
        let _ = std::fs::remove_file(stage.host.path("counts"));
        let wish = format!("{number}:{call}:{errno}");
        let wishes = [("FAULTS_FILES", files), ("FAULTS_FAIL", &*wish), ("FAULTS_COUNT", "counts")];
        let ran = process(&stage, &wishes);
        // a failing disk kills nobody
        assert!([Some(0), Some(74), Some(75)].contains(&ran.code), "{wish}: {ran:?}");
        assert!(ran.code == Some(0) || !ran.stderr.is_empty(), "{wish}: it ends with words");
        let has_failed = stage.host.read("counts").contains("failed");
        failed += u32::from(has_failed);
        clean = !has_failed;
        in_doubt.extend(stage.in_doubt());
        assert_eq!(stage.host.sql("PRAGMA integrity_check"), "ok", "{wish}");
        number += (number / 4).max(1);
    }
    stage.drain();
    let case = Case { messages, ledger: &stage.ledger(), in_doubt: &in_doubt };
    let verdict = enter(&Played { path, point, rounds: failed }, &case);
    assert!(verdict.is_kept(), "{} {point}: {verdict:?}", path.word());
    assert_ne!(failed, 0);
    assert!(clean, "{point}: call {number} still fails, and no further one was tried");
}

fn fail_each_on_every_path(failing: &Failing) {
    for path in DeliveryPath::ALL {
        fail_each(path, failing);
    }
}

#[test]
fn a_write_that_fails_loses_nothing_and_doubles_only_what_was_in_hand() {
    let point = WRITE_FAILS;
    fail_each_on_every_path(&Failing {
        point,
        files: DATABASE,
        call: "write",
        errno: EIO,
        most: 400,
    });
}

#[test]
fn a_disk_that_is_full_at_any_write_loses_nothing_and_doubles_only_what_was_in_hand() {
    let point = DISK_FULL;
    fail_each_on_every_path(&Failing {
        point,
        files: DATABASE,
        call: "write",
        errno: ENOSPC,
        most: 400,
    });
}

#[test]
fn a_hand_over_that_can_not_be_noted_is_none() {
    let point = NOTE_FAILS;
    fail_each_on_every_path(&Failing {
        point,
        files: NOTES,
        call: "write",
        errno: ENOSPC,
        most: 100,
    });
}

#[test]
fn a_sync_that_fails_loses_nothing_and_doubles_only_what_was_in_hand() {
    let point = SYNC_FAILS;
    fail_each_on_every_path(&Failing {
        point,
        files: DATABASE,
        call: "fsync",
        errno: EIO,
        most: 40,
    });
}

#[test]
fn a_turn_costs_one_commit_and_a_commit_at_most_one_sync() {
    let mut stage = Stage::with_ledger(1);
    if !shim::is_built(&stage) {
        return;
    }
    let messages = 200;
    for sync in ["normal", "full"] {
        stage.set(&[("worker_sync", &format!("\"{sync}\""))]);
        stage.mass_more(messages, sync);
        let _ = std::fs::remove_file(stage.host.path("counts"));
        let before = stage.ledger().len();
        process(&stage, &[("FAULTS_COUNT", "counts")]).ended(0);
        assert_eq!(stage.ledger().len() - before, messages as usize);
        let counts = stage.host.read("counts");
        let count = |word: &str| counts.lines().filter(|line| *line == word).count();
        let (commits, log_syncs, checkpoints) =
            (count("commit"), count("sync wal"), count("sync db"));
        say(&format!(
            "{sync}: {messages} messages, {commits} commits, {log_syncs} syncs of the log, {checkpoints} checkpoints"
        ));
        // beside its commits the log is synced before a checkpoint, and when it begins anew after one
        assert!(log_syncs <= commits + 2 * checkpoints.max(1), "a commit is synced once");
        let by_checkpoints = 2 * checkpoints.max(1);
        assert!(sync == "full" || log_syncs <= by_checkpoints, "normal: only checkpoints sync");
        assert!(sync == "normal" || log_syncs >= commits, "full: a commit is synced");
        // a turn settles what has ended and claims the next: many messages a commit, not two commits for each
        assert!(commits <= messages as usize / 4, "{commits} commits");
    }
}

#[test]
fn what_enqueue_has_accepted_is_there_whatever_the_disk_did() {
    let stage = Stage::with_ledger(0);
    if !shim::is_built(&stage) {
        return;
    }
    stage.host.write("templates/hello/en.ntemail.text.ejs", "Hello\n");
    stage.host.write("templates/hello/notice.toml", "[subject]\nen = \"Hello\"\n");
    let (mut accepted, mut refused) = (0, 0);
    for (call, errno) in [("write", EIO), ("write", ENOSPC), ("fsync", EIO)] {
        for number in [1, 2, 3, 4, 5, 7, 9, 12, 16, 21, 28] {
            let (key, wish) =
                (format!("{call}{errno}-{number}"), format!("{number}:{call}:{errno}"));
            let to = format!("{key}@example.com");
            let send = [
                "send", "hello", "--to", &to, "--lang", "en", "--module", "ntemail", "--key", &key,
            ];
            let output = command(&stage, "bin/gatepost", (&send, &[("FAULTS_FAIL", &wish)]))
                .output()
                .unwrap();
            let rows = || {
                stage.number(&format!("SELECT count(*) FROM notifytask WHERE id IN (SELECT task_id FROM notifykey WHERE key LIKE '{key}/%')"))
            };
            if output.status.success() {
                accepted += 1;
                assert_eq!(rows(), 1, "{wish}: accepted and not there");
            } else {
                refused += 1;
                assert_ne!(Ran::of(&output).stderr, "", "{wish}");
            }
            stage.host.gatepost(&send).ended(0);
            assert_eq!(rows(), 1, "{wish}: repeated with its key it is there once");
        }
    }
    say(&format!("enqueue: {accepted} accepted, {refused} refused with words"));
    assert!(accepted > 0 && refused > 0);
}

#[test]
fn a_clock_that_steps_back_an_hour_and_forth_again_doubles_and_delays_nothing() {
    let mut stage = Stage::with_ledger(20);
    stage.set(&[("queue.lease_secs", "2"), ("queue.extend_secs", "0.4")]);
    if !shim::is_built(&stage) {
        return;
    }
    let messages = 150;
    stage.queue(1, messages);
    let wish: &[(&str, &str)] = &[("FAULTS_CLOCK", "clock")];
    let mut first = follow(&stage, wish);
    let mut steps = ["-3600", "0", "86400", "-86400", "0"].into_iter();
    let mut seen = 10;
    let mut beside = None;
    for step in &mut steps {
        stage.wait_for_entries(seen);
        stage.host.write("clock.new", step);
        std::fs::rename(stage.host.path("clock.new"), stage.host.path("clock")).unwrap();
        // and somebody else, who has the same clock, looks for the dead
        let arguments = ["--command", "process", "--force"];
        beside.get_or_insert_with(|| {
            command(&stage, "notify/ntemail", (&arguments, wish)).spawn().unwrap()
        });
        seen += 20;
    }
    wait_until(LONG, "all is sent", || stage.unfinished() == 0);
    let verdict = judge(&Case { messages, ledger: &stage.ledger(), in_doubt: &BTreeSet::new() });
    assert!(verdict.is_kept() && verdict.doubled == 0, "{verdict:?}");
    beside.unwrap().wait().unwrap();
    Command::new("kill").args(["-TERM", &first.id().to_string()]).status().unwrap();
    first.wait().unwrap();
}
