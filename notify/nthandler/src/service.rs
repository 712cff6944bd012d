//! One service task: a run of a program in `processing/`, and what its end means (extensions 3.5).

use gatepost_module::{Heard, How, Message, Tools};
use host::outcome::{Contract, judge};
use host::{Folder, Programs};
use notice::{Answer, Clock, Outcome, Reach, SystemClock};
use platform::{Platform, ServiceCall, ServiceTask, ServiceTurn, service_call};
use std::sync::{Mutex, PoisonError};

/// What all service tasks share.
#[derive(Default)]
pub(crate) struct Services {
    platform: Mutex<Option<Platform>>,
}

/// What a body is about: `service.open`.
pub(crate) fn subject_of(body: &[u8]) -> Option<String> {
    ServiceTask::read(body).map(|task| task.subject())
}

impl Services {
    pub(crate) fn run(&self, message: &Message, tools: &Tools<'_>) -> Result<Heard, How> {
        let call = match self.call(message, tools)? {
            Ok(call) => call,
            Err(answer) => return Ok(Heard::of(answer, Vec::new())),
        };
        let programs = Programs::new(tools.caller());
        let listed = programs.one(Folder::Processing, &call.program);
        if let Err(failure) = listed.must_offer(call.command) {
            return Ok(Heard::of(Answer::unreached(failure.to_string()), Vec::new()));
        }
        let limit = tools.config().processing.call;
        let program = tools.caller().command_within(&listed.path, call.command, limit);
        let ran = tools.caller().run(&program, &call.input);
        let judged = judge(&ran, Contract::Processing, &call.mask);
        for note in &judged.notes {
            tools.note(&format!("{}: {note}", call.program));
        }
        Ok(settled(&call, judged.answer, &ran))
    }

    /// The inner error: there is nothing to run.
    fn call(
        &self,
        message: &Message,
        tools: &Tools<'_>,
    ) -> Result<Result<ServiceCall, Answer>, How> {
        let mut held = self.platform.lock().unwrap_or_else(PoisonError::into_inner);
        let platform = match held.take() {
            Some(platform) => platform,
            None => Platform::open(tools.site().clone())
                .map_err(|error| How::NotReady(notice::chain(&error)))?,
        };
        let platform = held.insert(platform);
        let turn = ServiceTurn {
            body: message.raw(),
            task: message.attributes(),
            user_xml: &message.order.person.xml,
        };
        Ok(service_call(platform.store(), tools.site(), &turn))
    }
}

/// What the run means for the task, and what it changes.
fn settled(call: &ServiceCall, answer: Answer, ran: &host::Ran) -> Heard {
    let answer = of_operation(call.command, answer);
    if answer.outcome != Outcome::Sent {
        return Heard::of(answer, Vec::new());
    }
    let unknown = |why: String| Heard::of(Answer::not_sent(Outcome::Unknown, why), Vec::new());
    // sent is said by a document alone
    let Ok((document, _)) = host::outcome::document_of(ran, &call.mask) else {
        return unknown("its document can't be read twice".to_owned());
    };
    let is_named = document
        .root
        .children_named("itemparam")
        .any(|param| param.attribute("name") == Some("externalid") && !param.text().is_empty());
    if call.command == OPEN && !is_named {
        // S1-21
        let why = "done, but without an `externalid`: nobody can tell what was opened";
        return Heard::of(Answer::not_sent(Outcome::Never, why), Vec::new());
    }
    match call.effects(&document.root, SystemClock.now()) {
        Ok(effects) => Heard::of(answer, effects),
        Err(why) => unknown(format!("done, but what it answered can't be kept: {why}")),
    }
}

const OPEN: &str = "open";

/// An `open` that has reached the server is never repeated (extensions 1.6); a row that makes no sense has
/// reached nobody.
fn of_operation(command: &str, answer: Answer) -> Answer {
    match (answer.outcome, answer.reach) {
        (Outcome::Hold, _) => Answer::unreached(answer.reason),
        (Outcome::Later, Reach::Reached) if command == OPEN => {
            Answer { outcome: Outcome::Never, ..answer }
        }
        _ => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // S1-26
    #[test]
    fn an_open_is_repeated_only_when_nobody_was_reached() {
        let outcome = |command, answer| {
            let answer = of_operation(command, answer);
            (answer.outcome, answer.reach)
        };
        let busy = || Answer::not_sent(Outcome::Later, "exit 1");
        assert_eq!(outcome(OPEN, busy()).0, Outcome::Never);
        assert_eq!(outcome("suspend", busy()).0, Outcome::Later);
        for command in [OPEN, "close"] {
            let away = outcome(command, Answer::unreached("no route"));
            assert_eq!(away, (Outcome::Later, Reach::Unreached));
            let unfit = outcome(command, Answer::not_sent(Outcome::Hold, "no path"));
            assert_eq!(unfit, (Outcome::Later, Reach::Unreached));
            let lost = outcome(command, Answer::not_sent(Outcome::Unknown, "lost"));
            assert_eq!(lost.0, Outcome::Unknown);
        }
    }
}
