//! What a message costs the system in a drain: counters that hardly depend on the machine. The benches print the same ones.

use crate::stage::Stage;
use gatepost_kit::strace::Counters;

/// Messages of a drain.
const MESSAGES: u32 = 1_000;

/// A full queue goes out by `gwsmtp`; what that cost.
fn drained(settings: &[(&str, &str)]) -> Option<(Stage, Counters)> {
    let mut stage = Stage::mailing(0);
    stage.set(settings);
    stage.mass(MESSAGES);
    let process = stage.host.command("notify/ntemail", &["--command", "process", "--for", "600"]);
    let counters = Counters::of(&process, &stage.host.path("trace"))?;
    assert_eq!(stage.sink().count(), MESSAGES as usize);
    let sent = stage.number("SELECT count(*) FROM notifylog WHERE outcome='sent'");
    assert_eq!(sent, u64::from(MESSAGES));
    Some((stage, counters))
}

#[test]
fn a_message_of_a_drain_costs_a_round_trip_and_a_part_of_everything_else() {
    let Some((stage, counters)) = drained(&[]) else { return };
    assert!(counters.commits <= 100, "{counters:?}");
    assert!(counters.fsyncs <= 10, "{counters:?}");
    assert!(counters.spawns <= 4, "{counters:?}");
    assert!(counters.written_bytes <= 10 * 1024 * u64::from(MESSAGES), "{counters:?}");
    let (reads, connections) = (stage.sink().reads().len(), stage.sink().connections());
    assert!(reads <= 1_250 + 5 * connections, "{reads} reads over {connections} connections");
}

#[test]
fn full_syncs_cost_one_for_each_transaction_and_no_more() {
    let Some((_, counters)) = drained(&[("worker_sync", "\"full\"")]) else { return };
    assert!(counters.commits <= 100, "{counters:?}");
    // a transaction that changes nothing syncs nothing
    let syncs = counters.commits / 2..=counters.commits + 10;
    assert!(syncs.contains(&counters.fsyncs), "{counters:?}");
}
