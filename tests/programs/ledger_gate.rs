//! A gate that keeps its own ledger: one line for each hand-over it saw, written at once.
//!
//! `ID KEY ATTEMPT MAYBE_SENT CONTACT WORKER` goes to `var/ledger`, then it takes its time (`LEDGER_MS`) and says
//! it is sent. `WORKER` is the process that started it. A message that was cut off, because its worker died while
//! it wrote, is no hand-over. Doubles are counted here, never from our own log.

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
    let worker = std::os::unix::process::parent_id();
    let command = std::env::args().nth(2).unwrap_or_default();
    if command != "outgoing" {
        print!("{FEATURES}");
        return;
    }
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input).unwrap();
    if !input.trim_end().ends_with("</doc>") {
        std::process::exit(75);
    }
    let task = between(&input, "<task ", ">");
    let value = |name: &str| match between(task, &format!("{name}=\""), "\"") {
        "" => "-",
        found => found,
    };
    let contact = between(&input, "<email>", "</email>");
    let (id, key) = (value("id"), value("key"));
    let (attempt, maybe_sent) = (value("attempt"), value("maybe_sent"));
    let line = format!("{id} {key} {attempt} {maybe_sent} {contact} {worker}\n");
    let mut ledger =
        std::fs::OpenOptions::new().create(true).append(true).open("var/ledger").unwrap();
    ledger.write_all(line.as_bytes()).unwrap();
    let time: u64 = std::env::var("LEDGER_MS").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    std::thread::sleep(Duration::from_millis(time));
    print!("<doc/>");
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    text.split_once(from).and_then(|(_, rest)| rest.split_once(to)).map_or("", |(found, _)| found)
}
