//! The command line, stdin and stdout of a gate.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use wire::answer::answer_to_bytes;
use wire::features::CDATA;
use wire::ingoing::IngoingRequest;
use wire::outgoing::OutgoingMessage;
use wire::params::GatewayParams;
use wire::xml::Document;

use crate::answer::{answer_of, refusal_of};
use crate::manual::manual_of;
use crate::serve::{Parting, serve};
use crate::{Failure, Features, Gate};

/// The largest document read, as the queue writes it: texts; attachments are files beside it.
const INPUT_LIMIT_BYTES: u64 = 32 * 1024 * 1024;

const EXIT_USAGE: u8 = 64;
const EXIT_PROTOCOL: u8 = 65;
const EXIT_IO: u8 = 74;

/// What was asked on the command line. Without an argument: features (S3-70).
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Command(String),
    Help,
    Nonsense(String),
}

/// Runs the gate as its command line says and answers on stdout. Exit code 0 whenever there is an
/// answer, bad news included; 64 for a command that is not known, 74 when stdin or stdout fails.
///
/// `serve` answers one message after another until stdin ends, and then leaves with 0. It ends with 65 and a
/// line on stderr when it is told what has no place in the conversation, and with 74 when nobody reads its
/// answers or no thread is to be had; what it has begun is finished before. A message at which the gate panics is answered *unknown*.
pub fn main(gate: &impl Gate) -> ExitCode {
    match asked(std::env::args().skip(1)) {
        Asked::Help => print(manual_of(gate.source()).as_bytes()),
        Asked::Nonsense(words) => refuse_usage(&words),
        Asked::Command(command) => run(gate, &command),
    }
}

fn asked(mut arguments: impl Iterator<Item = String>) -> Asked {
    let Some(first) = arguments.next() else { return Asked::Command("features".to_owned()) };
    let name = first.trim_start_matches('-');
    if matches!(name, "help" | "h") {
        return Asked::Help;
    }
    match name.split_once('=') {
        Some(("command", command)) => Asked::Command(command.to_owned()),
        None if name == "command" => match arguments.next() {
            Some(command) => Asked::Command(command),
            None => Asked::Nonsense("--command without a command".to_owned()),
        },
        _ => Asked::Nonsense(format!("`{first}` is not known")),
    }
}

fn run(gate: &impl Gate, command: &str) -> ExitCode {
    let features = as_served(gate.features());
    if command == "features" {
        return print(&features.to_bytes());
    }
    if !features.has(command) {
        return refuse_usage(&format!("command `{command}` is not known"));
    }
    if command == "serve" {
        return stay(gate, features.window);
    }
    let answer = match read_input() {
        Ok(input) => answer_whole(gate, command, &input),
        Err(failure) => refuse(failure),
    };
    print(&answer)
}

/// Frames are read by a parser here: whoever serves may be told texts as sections.
fn as_served(mut features: Features) -> Features {
    if features.has("serve") && !features.has(CDATA) {
        features.names.push(CDATA.to_owned());
    }
    features
}

fn stay(gate: &impl Gate, window: Option<u32>) -> ExitCode {
    let window = usize::try_from(window.unwrap_or(1).max(1)).unwrap_or(usize::MAX);
    let input = io::stdin().as_fd().try_clone_to_owned().map(File::from);
    let output = io::stdout().as_fd().try_clone_to_owned().map(File::from);
    let ended = match (input, output) {
        (Ok(input), Ok(output)) => serve(gate, window, (input, &output)),
        (Err(error), _) | (_, Err(error)) => Err(Parting::Input(error)),
    };
    let Err(parting) = ended else { return ExitCode::SUCCESS };
    // Where nobody hears, the code says it too.
    let _ = writeln!(io::stderr().lock(), "serve: {parting}");
    ExitCode::from(match parting {
        Parting::Protocol(_) => EXIT_PROTOCOL,
        Parting::Deaf | Parting::Input(_) | Parting::Thread(_) => EXIT_IO,
    })
}

/// A gate that panics may have sent: that is for the queue's unknown, not for an exit code.
fn answer_whole(gate: &impl Gate, command: &str, input: &[u8]) -> Vec<u8> {
    let answered = panic::catch_unwind(AssertUnwindSafe(|| answer(gate, command, input)));
    let panicked = || Failure::unknown("the gate panicked, see its stderr");
    match (answered, command) {
        (Ok(bytes), _) => bytes,
        (Err(_), "outgoing") => answer_to_bytes(&answer_of(Err(panicked()))),
        (Err(_), _) => refuse(panicked()),
    }
}

fn answer(gate: &impl Gate, command: &str, input: &[u8]) -> Vec<u8> {
    let form = match Document::parse(input) {
        Ok(document) => document,
        Err(error) => return refuse(Failure::later(format!("the input can't be read: {error}"))),
    };
    let root = &form.root;
    let unfit = |error| Failure::hold(format!("xmlparams can't be read: {error}"));
    match command {
        "formtune" => gate.formtune(form).map_or_else(refuse, |form| form.to_bytes()),
        "check_connection" => {
            let checked = GatewayParams::read(root).map_err(unfit);
            // An accepted form comes back as it was given (S3-46).
            checked
                .and_then(|it| gate.check_connection(&it))
                .map_or_else(refuse, |()| input.to_vec())
        }
        "outgoing" => {
            let sent = OutgoingMessage::read(root).map_err(unfit).and_then(|it| gate.outgoing(&it));
            answer_to_bytes(&answer_of(sent))
        }
        "ingoing" => {
            let fetched =
                IngoingRequest::read(root).map_err(unfit).and_then(|it| gate.ingoing(&it));
            fetched.map_or_else(refuse, |fetched| fetched.to_bytes())
        }
        _ => refuse(Failure::never(format!("command `{command}` is listed but has no code"))),
    }
}

fn refuse(failure: Failure) -> Vec<u8> {
    answer_to_bytes(&refusal_of(failure))
}

fn read_input() -> Result<Vec<u8>, Failure> {
    let mut input = Vec::new();
    let mut limited = io::stdin().lock().take(INPUT_LIMIT_BYTES + 1);
    limited
        .read_to_end(&mut input)
        .map_err(|error| Failure::later(format!("stdin can't be read: {error}")))?;
    if input.len() as u64 > INPUT_LIMIT_BYTES {
        return Err(Failure::never("the input is over 32 MiB"));
    }
    Ok(input)
}

fn print(bytes: &[u8]) -> ExitCode {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(EXIT_IO),
    }
}

fn refuse_usage(words: &str) -> ExitCode {
    let text = format!("{words}: use --command features, or --help\n");
    let written = io::stderr().lock().write_all(text.as_bytes());
    ExitCode::from(if written.is_ok() { EXIT_USAGE } else { EXIT_IO })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(arguments: &[&str]) -> Asked {
        asked(arguments.iter().map(|text| (*text).to_owned()))
    }

    #[test]
    fn the_command_is_read_in_each_known_spelling() {
        // S3-70
        let features = Asked::Command("features".to_owned());
        assert_eq!(ask(&[]), features);
        assert_eq!(ask(&["--command", "features"]), features);
        assert_eq!(ask(&["-command=features"]), features);
        assert_eq!(ask(&["--help"]), Asked::Help);
        assert!(matches!(ask(&["--command"]), Asked::Nonsense(_)));
        assert!(matches!(ask(&["--gate", "1"]), Asked::Nonsense(_)));
    }
}
