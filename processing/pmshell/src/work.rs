//! The work itself: connect, look for the script, run it, say how it ended.

use crate::order::{Operation, Order};
use crate::reply::{self, NoReply};
use crate::server::Settings;
use host::ssh::{Server, connect, who_else_may_change};
use host::{End, Limits, Lost, Replied, Shell, Stop};
use notice::{Answer, Fields, Mask, Outcome};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use wire::error::ErrorDocument;

/// To look for a file.
const LOOK: Duration = Duration::from_secs(30);
/// Of what a script printed, so much goes into a reason.
const EXCERPT_BYTES: usize = 400;
/// Without them a server is not ready (S1-12).
const REQUIRED: [Operation; 4] =
    [Operation::Open, Operation::Suspend, Operation::Resume, Operation::Close];

/// What an operation brought.
pub(crate) struct Done {
    pub(crate) answer: Answer,
    /// What is kept of it: table `itemparam`.
    pub(crate) itemparams: Fields,
    pub(crate) notes: Vec<String>,
}

impl Default for Done {
    fn default() -> Self {
        Self { answer: Answer::sent(None), itemparams: Fields::new(), notes: Vec::new() }
    }
}

/// Does it. Up to the script's own line whatever goes wrong is known not to have happened; from there on
/// an end nobody saw is unknown (S1-26). Once `stop` is raised, what runs on this host is ended.
pub(crate) fn perform(order: &Order, stop: &Arc<Stop>) -> Done {
    let mask = order.mask();
    let mut done =
        attempt(order, &mask, stop).unwrap_or_else(|answer| Done { answer, ..Done::default() });
    done.answer.reason = mask.apply(&done.answer.reason);
    done
}

fn attempt(order: &Order, mask: &Mask, stop: &Arc<Stop>) -> Result<Done, Answer> {
    let mut shell = connected(&order.settings, stop)?;
    let script = script_of(&mut shell, &order.settings, order.operation)?;
    let arguments = order.arguments();
    let words: Vec<&str> = std::iter::once(&script).chain(&arguments).map(String::as_str).collect();
    let reply = shell.run(&words, order.settings.timeout);
    shell.close();
    match reply {
        Ok(replied) => judge(order, &replied, mask),
        Err(lost) => Err(unknown(order, &lost)),
    }
}

/// The form's question (S1-11, S1-12): does the server let us in, are the scripts there.
pub(crate) fn check(settings: &Settings, stop: &Arc<Stop>) -> Result<(), ErrorDocument> {
    let mask = settings.mask();
    let looked = || -> Result<(), Answer> {
        let mut shell = connected(settings, stop)?;
        for operation in REQUIRED {
            script_of(&mut shell, settings, operation)?;
        }
        shell.close();
        Ok(())
    };
    looked()
        .map_err(|answer| ErrorDocument::new("connection").with_text(mask.apply(&answer.reason)))
}

fn connected(settings: &Settings, stop: &Arc<Stop>) -> Result<Shell, Answer> {
    connect(&settings.server, &root()?, Limits::default(), stop).map_err(Answer::unreached)
}

/// Programs are started with ROOT as their folder.
fn root() -> Result<PathBuf, Answer> {
    let root = std::path::absolute(Path::new("."));
    root.map_err(|error| Answer::unreached(format!("our own folder is gone: {error}")))
}

/// The script's path, if it is there and can be run; on this host nobody else may change it.
fn script_of(
    shell: &mut Shell,
    settings: &Settings,
    operation: Operation,
) -> Result<String, Answer> {
    let path = format!("{}/{}", settings.path, operation.script());
    for (sign, problem) in [("-f", "is missing"), ("-x", "is not executable")] {
        let gone = |_| {
            Answer::unreached(format!(
                "the connection to {} was lost before anything was done",
                settings.place()
            ))
        };
        if shell.run(&["test", sign, &path], LOOK).map_err(gone)?.code != 0 {
            let reason =
                format!("{} {problem} on {}: {path}", operation.script(), settings.place());
            return Err(Answer::not_sent(Outcome::Never, reason));
        }
    }
    let by = match settings.server {
        Server::Here => who_else_may_change(Path::new(&path), &root()?),
        Server::There(_) => None,
    };
    match by {
        None => Ok(path),
        Some(who) => {
            let reason = format!("{} is not run: {who}", operation.script());
            Err(Answer::not_sent(Outcome::Never, reason))
        }
    }
}

/// Exit code 0 and an OK line: both are needed, and nothing more is looked at (S1-19, S1-26, S1-42).
fn judge(order: &Order, replied: &Replied, mask: &Mask) -> Result<Done, Answer> {
    let script = order.operation.script();
    let failed = |why: &str| {
        let outcome = match order.operation {
            Operation::Open => Outcome::Never,
            _ => Outcome::Later,
        };
        let said = said(replied, mask);
        let between = if said.is_empty() { "" } else { ": " };
        Err(Answer::not_sent(outcome, format!("{script}: {why}{between}{said}")))
    };
    if replied.code != 0 {
        return failed(&format!("exit {}", replied.code));
    }
    let reply = match reply::read(&replied.stdout) {
        Ok(reply) => reply,
        Err(NoReply::NoOk) => return failed("no line begins with OK"),
        Err(NoReply::CyrillicOk) => {
            return failed("no line begins with OK in Latin letters (one does in Cyrillic)");
        }
    };
    if order.operation != Operation::Open {
        return Ok(Done::default());
    }
    if reply.parameters.text("id").is_empty() {
        return failed("the OK line has no --id");
    }
    Ok(Done { itemparams: kept(order, &reply.parameters), notes: reply.notes, ..Done::default() })
}

/// S1-22 to S1-25: all it printed, its id as `externalid`, and the account, as the script has it if it
/// says so.
fn kept(order: &Order, printed: &Fields) -> Fields {
    let mut kept = Fields::new();
    kept.set("externalid", printed.text("id"));
    kept.set("username", &order.item.username);
    kept.set("password", &order.item.password);
    for (name, value) in printed.iter().filter(|(name, _)| !matches!(*name, "id" | "externalid")) {
        kept.set(name, value);
    }
    kept
}

fn unknown(order: &Order, lost: &Lost) -> Answer {
    let script = order.operation.script();
    let place = order.settings.place();
    let why = match &lost.end {
        End::Deadline => format!("no end within {} s", order.settings.timeout.as_secs()),
        End::OutputLimit => "it printed more than 8 MiB".to_owned(),
        End::Stopped => "we were told to leave while it ran".to_owned(),
        _ => "the connection was lost".to_owned(),
    };
    let reason = format!("{script} was started on {place}, and nobody knows how it ended: {why}");
    Answer::not_sent(Outcome::Unknown, reason)
}

/// The end of what it complained about and of what it printed. Masked before it is cut: half a secret would
/// pass the mask.
fn said(replied: &Replied, mask: &Mask) -> String {
    let tail = |bytes: &[u8]| {
        let text = mask.apply(&String::from_utf8_lossy(bytes));
        let lines: Vec<&str> =
            text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let text = lines.join(" | ");
        text[text.ceil_char_boundary(text.len().saturating_sub(EXCERPT_BYTES))..].to_owned()
    };
    let parts = [tail(&replied.stderr_tail), tail(&replied.stdout)];
    let said: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    said.join(" | ")
}
