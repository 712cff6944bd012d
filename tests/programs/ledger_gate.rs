//! A gate that keeps its own ledger: one line for each hand-over it saw, written at once.
//!
//! `ID KEY ATTEMPT MAYBE_SENT` goes to `var/ledger`, then it takes its time (`LEDGER_MS`) and says it is sent.
//! Doubles are counted here, never from our own log.

use std::io::{Read, Write};
use std::time::Duration;

const FEATURES: &str = r#"<doc><features><feature name="outgoing"/><feature name="parallel"/></features><notify_module>ntemail</notify_module></doc>"#;

#[expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a gate for tests stands alone"
)]
fn main() {
    let command = std::env::args().nth(2).unwrap_or_default();
    if command != "outgoing" {
        print!("{FEATURES}");
        return;
    }
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input).unwrap();
    let task =
        input.split("<task ").nth(1).and_then(|rest| rest.split('>').next()).unwrap_or_default();
    let value = |name: &str| {
        task.split(&format!("{name}=\""))
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .unwrap_or("-")
    };
    let line =
        format!("{} {} {} {}\n", value("id"), value("key"), value("attempt"), value("maybe_sent"));
    let mut ledger =
        std::fs::OpenOptions::new().create(true).append(true).open("var/ledger").unwrap();
    ledger.write_all(line.as_bytes()).unwrap();
    let time: u64 = std::env::var("LEDGER_MS").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    std::thread::sleep(Duration::from_millis(time));
    print!("<doc/>");
}
