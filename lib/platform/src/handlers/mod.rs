//! Event handlers (seed 000): scripts in `addon/` that `etc/xml/NAME_mod_*.xml` registers for functions.
//!
//! A before handler may change parameters, refuse the call, or take the function's place; an after handler adds to the
//! answer and can't fail the call; a final one influences nothing. Each is one run of a program, with a limit; nothing
//! of ours is locked meanwhile.

mod breaker;
mod input;
mod merge;
mod registration;
mod script;
#[cfg(test)]
mod tests;
mod trial;

use crate::call::{Call, Outside, Place, Run};
use crate::function::Alias;
use crate::refusal::Refusal;
use breaker::Breaker;
use config::{Config, Level, Log, Root};
use host::outcome::CallFailure;
use registration::{Calls, Event, OnFailure, Registrations, When};
use script::Ended;
use std::fmt;
use wire::xml::Element;

pub(crate) use trial::FUNCTIONS;

/// A line for the log: component `external` or `action`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) component: &'static str,
    pub(crate) level: Level,
    pub(crate) text: String,
}

/// Every registered handler, immutable.
#[derive(Default)]
pub(crate) struct Handlers {
    events: Vec<Event>,
    /// Handlers that are not run, with the reason.
    unusable: Vec<(String, String)>,
    /// None: there is nothing to run.
    means: Option<Means>,
}

/// What a run needs.
struct Means {
    root: Root,
    settings: config::Handlers,
    limits: host::Limits,
    breaker: Breaker,
}

/// What the before handlers decided; a refusal is an error.
#[derive(Debug)]
pub(crate) enum Before {
    /// The function is called, with the parameters as they now are.
    GoOn,
    /// `<skipaction/>`: this document is the answer.
    Skip(Element),
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handlers").field("events", &self.events).finish_non_exhaustive()
    }
}

/// Writes lines, each under its component. The usual level shows registrations (S0-27): `etc/debug.conf` sets another.
pub(crate) fn write(lines: &[Line], root: &Root, config: &Config) {
    for component in ["external", "action"] {
        let mut mine = lines.iter().filter(|line| line.component == component).peekable();
        if mine.peek().is_none() {
            continue;
        }
        if let Ok(log) = Log::open_at(root, config, (component, Level::ExtInfo)) {
            mine.for_each(|line| log.line(line.level, &line.text));
        }
    }
}

impl Handlers {
    /// Reads the registrations of ROOT; what is wrong with one is a line, the others load.
    pub(crate) fn load(root: &Root, config: &Config) -> (Self, Vec<Line>) {
        let files = crate::descriptions::files(root, config);
        let Registrations { events, unusable, lines } = Registrations::read(root, &files);
        if events.is_empty() {
            return (Self { unusable, ..Self::default() }, lines);
        }
        let settings = config.handlers.clone();
        let means = Means {
            root: root.clone(),
            limits: host::Limits {
                kill_after: config.gate.kill,
                stdout_bytes: config.gate.stdout_bytes,
                stderr_bytes: config.gate.stderr_bytes,
                ..host::Limits::default()
            },
            breaker: Breaker::new(
                root.path("var/run/handler"),
                settings.breaker_failures,
                settings.breaker,
            ),
            settings,
        };
        (Self { events, unusable, means: Some(means) }, lines)
    }

    /// Step 2: one after the other; each sees the changes of the one before it, there is no second round. The first
    /// that refuses or takes the function's place is the last.
    pub(crate) fn before(
        &self,
        call: &mut Call,
        outside: &mut Outside<'_>,
    ) -> Result<Before, Refusal> {
        let Some(means) = &self.means else { return Ok(Before::GoOn) };
        if is_creating(call) {
            // `user.add` says by its name what others say by these.
            call.params.set("sok", "ok");
            call.params.set("elid", "");
        }
        for event in self.events.iter().filter(|event| event.when == When::Before) {
            if !is_meant(event, call) {
                continue;
            }
            let ended = means.run((call, event), None, outside);
            let (outcome, next) = decide_before(call, event, &ended);
            outside.journal.push(run_of((call, event), outcome, &ended));
            script::tell((call, event), &ended, outside);
            match next {
                Ok(Before::GoOn) => {}
                other => return other,
            }
        }
        Ok(Before::GoOn)
    }

    /// Step 6, before the late modifiers (S0-51): adds to the answer; what goes wrong is a run of the
    /// journal, never a failed call.
    pub(crate) fn after(&self, call: &Call, answer: &mut Element, outside: &mut Outside<'_>) {
        self.run_all((call, When::After), answer, outside);
    }

    /// Step 8, after them: `proirity="after"` (S0-52); then `final` handlers, which influence nothing.
    pub(crate) fn late(&self, call: &Call, answer: &mut Element, outside: &mut Outside<'_>) {
        self.run_all((call, When::Late), answer, outside);
        self.run_all((call, When::Final), &mut answer.clone(), outside);
    }

    fn run_all(
        &self,
        (call, when): (&Call, When),
        answer: &mut Element,
        outside: &mut Outside<'_>,
    ) {
        let Some(means) = &self.means else { return };
        let events = self.events.iter().filter(|event| event.when == when);
        for event in events.filter(|event| is_meant(event, call)) {
            let ended = means.run((call, event), Some(answer), outside);
            let outcome = match &ended.document {
                Ok(_) if when == When::Final => "ok",
                Ok(root) => take_answer(call, event, root, answer),
                Err(CallFailure::Refused(_)) => "warning",
                Err(_) if ended.not_started => "skipped",
                Err(_) => "failed",
            };
            outside.journal.push(run_of((call, event), outcome, &ended));
            script::tell((call, event), &ended, outside);
        }
    }
}

/// What is wrong with the handlers of an installation, a text for each.
pub(crate) fn broken(root: &Root, config: &Config) -> Vec<String> {
    let (handlers, _) = Handlers::load(root, config);
    let unusable = handlers.unusable.iter();
    let mut all: Vec<String> = unusable
        .map(|(name, reason)| format!("handler `addon/{name}` is not run: {reason}"))
        .collect();
    let Some(means) = &handlers.means else { return all };
    for event in &handlers.events {
        let name = &event.script.name;
        let open = means.breaker.state(name).filter(|failing| failing.open_for.is_some());
        let text = open.map(|failing| {
            let (count, reason) = (failing.failures, failing.reason);
            format!(
                "handler `addon/{name}` failed {count} times in a row and is left alone: {reason}"
            )
        });
        if let Some(text) = text.filter(|text| !all.contains(text)) {
            all.push(text);
        }
    }
    all
}

/// Whether the event's function is called, and in the way it is registered for.
fn is_meant(event: &Event, call: &Call) -> bool {
    event.function == call.function.name
        && match event.calls {
            Calls::All => true,
            Calls::By(name) => call.called_as == name,
            Calls::Creations => {
                let params = &call.params;
                is_creating(call)
                    || !params.text("sok").is_empty() && params.text("elid").is_empty()
            }
        }
}

/// Whether it was called by a name that creates.
fn is_creating(call: &Call) -> bool {
    call.function
        .aliases
        .iter()
        .any(|alias| matches!(alias, Alias::Creates(name) if *name == call.called_as))
}

/// The word for the journal, and what becomes of the call.
fn decide_before(
    call: &mut Call,
    event: &Event,
    ended: &Ended,
) -> (&'static str, Result<Before, Refusal>) {
    let by = format!("addon/{}", event.script.name);
    match &ended.document {
        Ok(root) if root.child("skipaction").is_some() => {
            let answer = input::unmarked(root.clone(), call, event);
            ("skipaction", Ok(Before::Skip(merge::in_place_of_the_answer(answer))))
        }
        Ok(root) => match merge::parameters(call, event.script.transfer, root) {
            Some(params) => {
                merge::take(call, params);
                ("changed", Ok(Before::GoOn))
            }
            None => ("ok", Ok(Before::GoOn)),
        },
        Err(CallFailure::Refused(error)) => {
            let refusal = Refusal::Said {
                by,
                kind: error.kind.clone(),
                text: error.plain_text(),
                document: Box::new(error.to_document().root),
            };
            ("refused", Err(refusal))
        }
        Err(_) if event.on_failure == OnFailure::Ignore => ("ignored", Ok(Before::GoOn)),
        Err(failure) => {
            let reason = format!("{failure}; the call was refused for it (onfailure=\"refuse\")");
            ("failed", Err(Refusal::Failed { what: "handler", name: by, reason }))
        }
    }
}

fn take_answer(call: &Call, event: &Event, root: &Element, answer: &mut Element) -> &'static str {
    let root = input::unmarked(root.clone(), call, event);
    if merge::answered(answer, event.script.transfer, root) { "changed" } else { "ok" }
}

fn run_of((call, event): (&Call, &Event), outcome: &str, ended: &Ended) -> Run {
    let place = match event.when {
        When::Before => Place::Before,
        When::After => Place::After,
        When::Late => Place::Late,
        When::Final => Place::Final,
    };
    let mut output = ended.got.clone();
    for note in &ended.notes {
        output.push_str(note);
        output.push('\n');
    }
    match &ended.document {
        Ok(_) => output.push_str(&ended.printed),
        Err(failure) => output.push_str(&failure.to_string()),
    }
    Run {
        place,
        name: event.script.name.clone(),
        outcome: outcome.to_owned(),
        took: ended.took,
        // A handler may have brought a new secret just now.
        output: call.mask.apply(&output),
    }
}
