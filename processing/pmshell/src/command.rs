//! The command line, stdin and stdout.

use crate::order::{Operation, Order};
use crate::server::Settings;
use crate::work::{Done, check, perform};
use host::Stop;
use notice::{Answer, Outcome};
use std::io::{self, Read as _, Write as _};
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::Arc;
use wire::answer::answer_to_bytes;
use wire::error::ErrorDocument;
use wire::features::Features;
use wire::xml::{Document, Element};

const INPUT_LIMIT_BYTES: u64 = 32 << 20;
const EXIT_USAGE: u8 = 64;
const EXIT_IO: u8 = 74;

/// Runs what the command line says and answers on stdout: exit code 0 whenever there is an answer, bad
/// news included.
pub(crate) fn main(source: &str) -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match asked(&words).as_deref() {
        Some("help") => print(manual_of(source).as_bytes()),
        Some("features") => print(&features().to_bytes()),
        Some(command) if features().has(command) => answer(command),
        _ => {
            let line =
                "use --command features|check_connection|open|suspend|resume|close|setparam\n";
            let _ = io::stderr().lock().write_all(line.as_bytes());
            ExitCode::from(EXIT_USAGE)
        }
    }
}

/// The command; without an argument: features.
fn asked(words: &[String]) -> Option<String> {
    let Some(first) = words.first() else { return Some("features".to_owned()) };
    let name = first.trim_start_matches('-');
    match (name.split_once('='), name, words.get(1)) {
        (Some(("command", command)), _, None) => Some(command.to_owned()),
        (None, "command", Some(command)) if words.len() == 2 => Some(command.clone()),
        (None, "help" | "h", None) => Some("help".to_owned()),
        _ => None,
    }
}

fn features() -> Features {
    let operations = Operation::ALL.map(Operation::name);
    Features::of(["check_connection"].into_iter().chain(operations))
}

fn answer(command: &str) -> ExitCode {
    let mut input = Vec::new();
    if io::stdin().lock().take(INPUT_LIMIT_BYTES).read_to_end(&mut input).is_err() {
        return ExitCode::from(EXIT_IO);
    }
    // whoever ends us ends what we have started
    let Ok(stop) = Stop::on_signals() else { return ExitCode::from(EXIT_IO) };
    let answered = match Operation::of(command) {
        None => checked(&input, &stop),
        Some(operation) => {
            // A program that panics may have started the script.
            let done =
                panic::catch_unwind(AssertUnwindSafe(|| performed(operation, &input, &stop)));
            let unknown = || Answer::not_sent(Outcome::Unknown, "pmshell panicked, see its stderr");
            done.unwrap_or_else(|_| answer_to_bytes(&unknown()))
        }
    };
    print(&answered)
}

fn performed(operation: Operation, input: &[u8], stop: &Arc<Stop>) -> Vec<u8> {
    let order = Document::parse(input)
        .map_err(|error| {
            Answer::not_sent(Outcome::Never, format!("the input can't be read: {error}"))
        })
        .and_then(|document| Order::read(operation, &document.root));
    let Done { answer, itemparams, notes } = match order {
        Ok(order) => perform(&order, stop),
        Err(answer) => Done { answer, ..Done::default() },
    };
    for note in notes {
        let _ = writeln!(io::stderr().lock(), "pmshell: {note}");
    }
    if answer.outcome != Outcome::Sent {
        return answer_to_bytes(&answer);
    }
    let mut root = Element::new("doc");
    for (name, value) in itemparams.iter() {
        root.push(Element::new("itemparam").with_attribute("name", name).with_text(value));
    }
    Document::new(root).to_bytes()
}

/// An accepted form comes back as it was given.
fn checked(input: &[u8], stop: &Arc<Stop>) -> Vec<u8> {
    let refusal = Document::parse(input)
        .map_err(|error| ErrorDocument::new("value").with_text(error.to_string()))
        .and_then(|form| Settings::read(&form.root))
        .and_then(|settings| check(&settings, stop));
    match refusal {
        Ok(()) => input.to_vec(),
        Err(error) => error.to_document().to_bytes(),
    }
}

fn manual_of(source: &str) -> String {
    let head = source.lines().map_while(|line| line.strip_prefix("//!"));
    head.fold(String::new(), |text, line| text + line.strip_prefix(' ').unwrap_or(line) + "\n")
}

fn print(bytes: &[u8]) -> ExitCode {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(EXIT_IO),
    }
}
