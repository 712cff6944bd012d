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
mod events;
mod rounds;
mod serve;
mod spawn;

type Bench = (&'static str, &'static str, fn());

const BENCHES: &[Bench] = &[
    ("spawn", "one gate process a message, beside a bare spawn loop of the same gate", spawn::run),
    (
        "serve",
        "a gate in serve mode, beside one process a message and a plain loop in one process",
        serve::run,
    ),
    (
        "cold",
        "start of `features`, and of `process` on an empty queue, above a bare exec",
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
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    println!("machine: {}", machine());
    for (name, what, run) in BENCHES {
        if wanted.is_empty() || wanted.iter().any(|one| one == name) {
            println!("\n## {name}: {what}\n");
            run();
        }
    }
}

/// The machine in words.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or(": unknown processor");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    format!(
        "{}, {cores} cores, Linux {}",
        model.trim_start_matches([' ', '\t', ':']),
        kernel.trim()
    )
}
