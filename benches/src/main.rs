//! The load harness: `cargo xtask bench [NAME]`.
//!
//! Each bench runs Gatepost and what it is compared with in turn, several rounds in one run, and prints medians,
//! spread and ratios. Rates belong to the machine; ratios inside one run are what counts. Nothing here is a test.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a bench prints, and ends when it can't go on"
)]

mod call;
mod claim;
mod cold;
mod contest;
mod drain;
mod events;
mod invoice;
mod mail;
mod options;
mod peers;
mod postfix;
mod report;
mod rounds;
mod serve;
mod sinks;
mod sms;
mod spawn;
mod urgent;
mod usage;

use options::Options;
use report::Report;

type Bench = (&'static str, &'static str, fn(&mut Report));

const BENCHES: &[Bench] = &[
    ("mail", "mail from a full queue to an SMTP server, beside its peers", mail::run),
    ("sms", "short messages from a full queue to an HTTP service, beside its peers", sms::run),
    ("spawn", "one gate process a message, beside a bare spawn loop of the same gate", spawn::run),
    (
        "serve",
        "a gate in serve mode, beside one process a message and a plain loop in one process",
        serve::run,
    ),
    (
        "urgent",
        "urgent messages while a mailing drains, from commit to gate, and how soon an idle worker wakes",
        urgent::run,
    ),
    (
        "cold",
        "start of `features`, and of `process` on an empty queue that is as it was, and has just changed, above a bare exec",
        cold::run,
    ),
    (
        "events",
        "10,000 `user.edit` calls with 3 provisioning handlers, beside a plain reqwest loop",
        events::run,
    ),
    ("call", "a function call, without handlers and with one", call::run),
    ("claim", "one claim with 10 thousand, 100 thousand and 1 million ready rows", claim::run),
];

fn main() {
    let options = Options::read(std::env::args().skip(1));
    for name in &options.names {
        assert!(BENCHES.iter().any(|(known, ..)| known == name), "there is no bench {name}");
    }
    let mut report = Report::new(options);
    for (name, what, run) in BENCHES {
        let wanted = &report.options.names;
        if wanted.is_empty() || wanted.iter().any(|one| one == name) {
            report.begin(name, what);
            run(&mut report);
        }
    }
    report.finish();
}
