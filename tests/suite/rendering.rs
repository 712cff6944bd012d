//! A render child that dies in the middle of its batch: one message is charged, the others are rendered again.

use crate::stage::{LONG, Stage, notify};
use gatepost_kit::host::{Host, wait_until};
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

/// So much processor time, in ticks of 10 ms, has only the child that is caught in the endless template; half of what
/// its own limit allows.
const CAUGHT_TICKS: u64 = 50;

/// The process of this installation's child for EJS, if it runs.
fn render_child(host: &Host) -> Option<(u32, u64)> {
    let program = host.path("libexec/gatepost-render");
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        entry.unwrap().file_name().to_str().and_then(|name| name.parse::<u32>().ok())
    });
    pids.into_iter().find_map(|pid| {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        (line.split('\0').next() == program.to_str()).then_some(())?;
        let state = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let words: Vec<&str> = state.rsplit_once(')')?.1.split_whitespace().collect();
        Some((pid, words[11].parse::<u64>().ok()? + words[12].parse::<u64>().ok()?))
    })
}

#[test]
fn a_render_child_that_dies_in_its_batch_costs_one_message_one_attempt() {
    const MESSAGES: u32 = 32;
    const DEADLY: u32 = 16;
    let mut stage = Stage::with_ledger(0);
    stage.set(&[
        ("gateway.window_first", "40"),
        // on a busy machine its own limit, of processor time, is the one that counts
        ("render.message_secs", "60"),
        ("retry.mail.base_secs", "600"),
        ("retry.mail.cap_secs", "600"),
    ]);
    let endless =
        format!("&lt;% while (n == {DEADLY} &amp;&amp; project.name == 'Example') {{}} %&gt;");
    let notifies = (1..=MESSAGES)
        .map(|number| notify(number, 1).replace("<tmpl>", &format!("<tmpl>{endless}")));
    stage.queue_file("batch.xml", format!("<doc>{}</doc>", notifies.collect::<String>()));
    let mut worker = stage.host.start("notify/ntemail", &["--command", "process", "--force"]);
    let mut killed = BTreeSet::new();
    wait_until(LONG, "only the deadly one is left", || {
        if let Some((pid, _)) = render_child(&stage.host).filter(|(_, used)| *used >= CAUGHT_TICKS)
        {
            Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap();
            killed.insert(pid);
        }
        stage.ledger().len() == MESSAGES as usize - 1
            && stage.number("SELECT count(*) FROM notifytask WHERE state=2") == 1
    });
    assert_eq!(worker.wait(LONG), Some(0));
    assert_eq!(killed.len(), 2, "once in the batch, once alone");
    let charged = "SELECT contact, attempt, outcome, reason LIKE '%signal 9%' FROM notifylog WHERE outcome<>'sent'";
    assert_eq!(stage.host.sql(charged), format!("u{DEADLY}@example.com|1|later|1"));

    // the project is read when the message is rendered: now its template ends
    stage.host.gatepost(&["project", "edit", "1", "name=Other"]).ended(0);
    let id = stage.host.sql("SELECT id FROM notifytask");
    stage.host.gatepost(&["retry", &id]).ended(0);
    stage.drain();
    let contacts: BTreeSet<String> =
        stage.ledger().into_iter().map(|entry| entry.contact).collect();
    assert_eq!(contacts.len(), MESSAGES as usize, "nothing is lost");
    assert_eq!(stage.ledger().len(), MESSAGES as usize, "nothing is doubled");
}
