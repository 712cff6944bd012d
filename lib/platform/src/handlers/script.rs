//! One run of one script.

use super::Means;
use super::input::{Input, input, query_of};
use super::registration::{Event, When};
use super::trial::GOT;
use crate::call::{Call, Outside};
use config::Level;
use host::outcome::{CallFailure, document_of};
use host::{Limits, Program};
use std::time::Duration;
use wire::xml::Element;

/// Of what a script printed, so much is kept for the journal.
const PRINTED_BYTES: usize = 4 << 10;
/// Of a parameter, so much is kept for the journal.
const KEPT_BYTES: usize = 200;

/// What became of it.
pub(super) struct Ended {
    /// The root of its document; an error document and everything else that is none is a failure.
    pub(super) document: Result<Element, CallFailure>,
    /// The line that says what it was asked, masked.
    pub(super) got: String,
    /// What is worth a line, masked.
    pub(super) notes: Vec<String>,
    /// What it printed, masked, the beginning.
    pub(super) printed: String,
    pub(super) took: Duration,
    /// Its breaker is open: it was left alone.
    pub(super) not_started: bool,
}

impl Means {
    /// Runs the script, unless its breaker is open.
    pub(super) fn run(
        &self,
        (call, event): (&Call, &Event),
        answer: Option<&Element>,
        outside: &Outside<'_>,
    ) -> Ended {
        let name = &event.script.name;
        if let Some(failing) = self.breaker.state(name)
            && let Some(left) = failing.open_for
        {
            let reason = format!(
                "its breaker is open after {} failures, it is tried again in {} s; the last one: {}",
                failing.failures,
                left.as_secs() + 1,
                failing.reason
            );
            return Ended::left_alone(reason);
        }
        let ended = self.start((call, event), answer, outside);
        self.count(name, &ended, outside);
        ended
    }

    /// Runs the script, whatever its breaker says.
    pub(super) fn start(
        &self,
        (call, event): (&Call, &Event),
        answer: Option<&Element>,
        outside: &Outside<'_>,
    ) -> Ended {
        if let Some(reason) = config::who_else_may_write(&self.root, &event.script.path) {
            return Ended::left_alone(reason);
        }
        let starter = outside.starter;
        let within = &call.caller.within;
        let chain: Vec<&str> =
            within.iter().map(String::as_str).chain([call.function.name]).collect();
        let Input { environment, stdin, left_out } =
            input((call, event), answer, starter.environment(), &chain.join(","));
        outside.line(Level::Info, &format!("Executing: {}", event.script.path.display()));
        let program = Program {
            path: event.script.path.clone(),
            args: Vec::new(),
            dir: starter.dir().to_path_buf(),
            environment,
            limits: self.limits_of(event),
        };
        let mut ended = Ended::of(&starter.run(&program, &stdin), call);
        ended.got = format!("{GOT}{}\n", shortened(call));
        for name in left_out {
            ended.notes.push(format!(
                "parameter `{name}` is too long for the environment; read it by postdata=\"yes\""
            ));
        }
        ended
    }

    fn limits_of(&self, event: &Event) -> Limits {
        let deadline = match event.when {
            When::Before => self.settings.before,
            When::After | When::Late => self.settings.after,
            When::Final => self.settings.last,
        };
        Limits { deadline, ..self.limits }
    }

    fn count(&self, script: &str, ended: &Ended, outside: &Outside<'_>) {
        let reason = match &ended.document {
            // An error document is an answer.
            Ok(_) | Err(CallFailure::Refused(_)) => return self.breaker.worked(script),
            Err(failure) => failure.to_string(),
        };
        let failing = self.breaker.failed(script, &reason);
        if failing.is_some_and(|failing| failing.open_for.is_some()) {
            outside.line(
                Level::Error,
                &format!("Addon 'addon/{script}' keeps failing: its breaker is open; `gatepost handler list`"),
            );
        }
    }
}

impl Ended {
    fn left_alone(reason: String) -> Self {
        Self {
            document: Err(CallFailure::NoDocument(reason)),
            got: String::new(),
            notes: Vec::new(),
            printed: String::new(),
            took: Duration::ZERO,
            not_started: true,
        }
    }

    fn of(ran: &host::Ran, call: &Call) -> Self {
        let (document, notes) = match document_of(ran, &call.mask) {
            Ok((document, notes)) if document.root.name == "doc" => (Ok(document.root), notes),
            Ok((document, notes)) => {
                let root = &document.root.name;
                (Err(CallFailure::NoDocument(format!("its root is `{root}`, not `doc`"))), notes)
            }
            Err(failure) => (Err(failure), Vec::new()),
        };
        let printed = &ran.stdout[..ran.stdout.len().min(64 << 10)];
        let mut printed = call.mask.apply(&String::from_utf8_lossy(printed));
        printed.truncate(printed.floor_char_boundary(PRINTED_BYTES));
        Self { document, got: String::new(), notes, printed, took: ran.took, not_started: false }
    }
}

/// What is worth a line of it.
pub(super) fn tell((call, event): (&Call, &Event), ended: &Ended, outside: &Outside<'_>) {
    let name = &event.script.name;
    for note in &ended.notes {
        let note = call.mask.apply(note);
        outside.line(Level::Debug, &format!("Addon 'addon/{name}': {note}"));
    }
    let function = call.function.name;
    let line = match (&ended.document, event.when) {
        (Err(CallFailure::Refused(error)), When::Before) => (
            Level::Info,
            format!("Addon 'addon/{name}' refused {function}: {}", error.plain_text()),
        ),
        (Err(CallFailure::Refused(error)), _) => (
            Level::Warning,
            format!(
                "Addon 'addon/{name}' has an error after {function}, too late to refuse: {}",
                error.plain_text()
            ),
        ),
        (Err(_), _) if ended.not_started => {
            (Level::Debug, format!("Addon 'addon/{name}' was left alone: its breaker is open"))
        }
        (Err(failure), _) => (
            Level::Warning,
            format!(
                "Addon 'addon/{name}' terminated with an error or returned an invalid XML ({function}): {failure}"
            ),
        ),
        (Ok(root), when) if when != When::Before && root.child("skipaction").is_some() => (
            Level::Warning,
            format!("Addon 'addon/{name}': <skipaction/> means nothing after {function}"),
        ),
        (Ok(_), _) => return,
    };
    outside.line(line.0, &call.mask.apply(&line.1));
}

/// The parameters as the journal keeps them: enough to run a script again on. Masked before they are cut.
fn shortened(call: &Call) -> String {
    let kept = |value: &str| {
        let value = call.mask.apply(value);
        value[..value.floor_char_boundary(KEPT_BYTES)].to_owned()
    };
    query_of(&call.params.iter().map(|(name, value)| (name, kept(value))).collect())
}
