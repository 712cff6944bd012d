//! Questions at the terminal: a line, a secret without echo, yes or no.

use crate::failure::{Failure, Result};
use crate::output;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use std::io::{BufRead, IsTerminal};

/// True if a person can be asked.
pub(crate) fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks for a line; an empty answer is the default.
pub(crate) fn line(question: &str, default: &str) -> Result<String> {
    let shown = if default.is_empty() { String::new() } else { format!(" [{default}]") };
    output::prompt(&format!("{question}{shown}: "));
    let answer = read_line()?;
    Ok(if answer.is_empty() { default.to_owned() } else { answer })
}

/// Asks for a secret; what is typed is not shown.
pub(crate) fn secret(question: &str) -> Result<String> {
    let terminal = std::io::stdin();
    let before = tcgetattr(&terminal).map_err(std::io::Error::from)?;
    let mut hidden = before.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&terminal, OptionalActions::Now, &hidden).map_err(std::io::Error::from)?;
    output::prompt(&format!("{question} (not shown): "));
    let answer = read_line();
    tcsetattr(&terminal, OptionalActions::Now, &before).map_err(std::io::Error::from)?;
    output::tell("");
    answer
}

/// Asks before something that can't be taken back; without a terminal the answer is no, in words.
pub(crate) fn sure(question: &str) -> Result<()> {
    if !can_ask() {
        return Err(Failure::usage(format!("{question} Nobody can be asked here: say --yes")));
    }
    output::prompt(&format!("{question} [y/N] "));
    match read_line()?.as_str() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::usage("left as it is")),
    }
}

fn read_line() -> Result<String> {
    let mut line = String::new();
    if std::io::stdin().lock().read_line(&mut line)? == 0 {
        return Err(Failure::usage("no answer: stdin has ended"));
    }
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}
