//! Step 3: the chain of middleware around one call (S4-42 … S4-51).

use super::arguments;
use super::keeper::{Found, Keeper};
use super::serving;
use super::tagged;
use super::worker::{Kind, Question, Raised, Registration, Told, Trouble, Worker};
use super::{Inner, Weight};
use crate::answer::Answer;
use crate::call::{Call, Place, Run};
use crate::refusal::Refusal;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Instant;
use wire::xml::Element;

/// Runs the chain; the first registered is outermost (S4-44). Functions about plugins have none around
/// them: a plugin must not be able to keep itself from being unloaded.
pub(super) fn around(
    keeper: &Arc<Keeper>,
    call: &Call,
    journal: &mut Vec<Run>,
    inner: &mut Inner<'_>,
) -> Result<Answer, Refusal> {
    if call.function.name.starts_with("plugin") {
        return inner(&call.params);
    }
    let names = arguments::names_of(call);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    match keeper.registered(Kind::Middleware, &names, keeper.settings.middleware) {
        Found::Nobody => inner(&call.params),
        Found::Lost(plugin) => Err(unavailable(&plugin, "it is not running")),
        Found::Here(worker, links) => {
            if has_secrets(call) {
                keeper.hide(call.mask.clone());
            }
            let mut chain = Chain {
                keeper,
                worker,
                links,
                call,
                journal,
                inner,
                done: None,
                faults: Vec::new(),
            };
            let result = chain.step(0, arguments::of_call(call));
            chain.answer(result)
        }
    }
}

/// True when the mask of the call hides anything of its parameters.
fn has_secrets(call: &Call) -> bool {
    call.params.iter().any(|(_, value)| call.mask.apply(value) != value)
}

fn unavailable(plugin: &str, reason: &str) -> Refusal {
    Refusal::Failed {
        what: "plugin",
        name: plugin.to_owned(),
        reason: format!(
            "it stands before this function and {reason}; `gatepost plugin load {plugin}` starts it, \
             `gatepost plugin unload {plugin}` takes it away"
        ),
    }
}

struct Chain<'a, 'i> {
    keeper: &'a Arc<Keeper>,
    worker: Arc<Worker>,
    links: Vec<Registration>,
    call: &'a Call,
    journal: &'a mut Vec<Run>,
    inner: &'a mut Inner<'i>,
    /// The function has answered, and what plugins saw of it.
    done: Option<(Answer, Value)>,
    /// What went wrong, by the number that plugins hand through.
    faults: Vec<Refusal>,
}

/// Why a layer has no result.
enum Fault {
    /// The refusal of that number.
    Refused(usize),
    /// The worker is gone, by this plugin or while it ran.
    Ended(String, String),
}

impl Chain<'_, '_> {
    fn step(&mut self, at: usize, args: Vec<Value>) -> Result<Value, Fault> {
        let Some(link) = self.links.get(at).cloned() else { return self.function(&args) };
        let body = json!({ "do": "run", "registration": link.number, "args": args });
        let limit = self.keeper.settings.middleware;
        let question = Question { body, plugin: &link.plugin, limit };
        let (keeper, worker) = (Arc::clone(self.keeper), Arc::clone(&self.worker));
        let began = Instant::now();
        let mut went_on = false;
        let answer = keeper.ask_serving(&worker, question, &mut |nested| {
            if nested.name != "handler" {
                return serving::serve(keeper.server.as_ref(), nested);
            }
            went_on = true;
            self.step(at + 1, nested.args.clone()).map_err(|fault| self.told(fault))
        });
        let result = match answer {
            Ok(value) => Ok(value),
            // Taken back between the look and the question: the chain goes on without it.
            Err(Trouble::Gone) => return self.step(at + 1, args),
            Err(Trouble::Raised(raised)) => Err(self.raised(&link.plugin, &raised)),
            Err(trouble) => Err(Fault::Ended(link.plugin.clone(), trouble.words(limit))),
        };
        let outcome = self.outcome(&result, went_on);
        self.note(&link.plugin, began, outcome);
        result
    }

    /// The function itself, with what the innermost middleware gave its handler.
    fn function(&mut self, args: &[Value]) -> Result<Value, Fault> {
        let answer = arguments::to_params(self.call, args).and_then(|params| (self.inner)(&params));
        match answer {
            Ok(answer) => {
                let seen = tagged::of_answer(&answer);
                self.done = Some((answer, seen.clone()));
                Ok(seen)
            }
            Err(refusal) => Err(self.fault(refusal)),
        }
    }

    fn fault(&mut self, refusal: Refusal) -> Fault {
        self.faults.push(refusal);
        Fault::Refused(self.faults.len() - 1)
    }

    fn told(&self, fault: Fault) -> Told {
        match fault {
            Fault::Refused(at) => match self.faults.get(at) {
                Some(refusal) => Told { origin: Some(at), ..serving::told(refusal) },
                None => serving::processing("the request failed"),
            },
            Fault::Ended(plugin, why) => serving::processing(&format!("plugin {plugin}: {why}")),
        }
    }

    /// An exception that left a plugin: one that it only let pass is what it was.
    fn raised(&mut self, plugin: &str, raised: &Raised) -> Fault {
        if let Some(at) = raised.origin.filter(|at| *at < self.faults.len()) {
            return Fault::Refused(at);
        }
        if raised.kind == "unexpected" {
            self.keeper.say(Weight::Error, plugin, &raised.trace);
        }
        self.fault(refusal_of(plugin, raised))
    }

    /// The word of the journal, and what was said.
    fn outcome(&self, result: &Result<Value, Fault>, went_on: bool) -> (&'static str, String) {
        match result {
            Ok(_) if went_on => ("ok", String::new()),
            Ok(_) => ("short-circuited", String::new()),
            Err(Fault::Refused(at)) => {
                let text = self.faults.get(*at).map(ToString::to_string).unwrap_or_default();
                if self.done.is_some() {
                    ("refused after the function", text)
                } else {
                    ("refused", text)
                }
            }
            Err(Fault::Ended(_, why)) => ("failed", why.clone()),
        }
    }

    fn note(&mut self, plugin: &str, began: Instant, (outcome, output): (&str, String)) {
        if outcome == "short-circuited" {
            let text =
                format!("short-circuited {}: it did not call its handler", self.call.called_as);
            self.keeper.say(Weight::Info, plugin, &text);
        }
        self.journal.push(Run {
            place: Place::Middleware,
            name: plugin.to_owned(),
            outcome: outcome.to_owned(),
            took: began.elapsed(),
            output,
        });
    }

    /// What the caller gets. After the function is done nothing but an exception of a plugin fails the call.
    fn answer(mut self, result: Result<Value, Fault>) -> Result<Answer, Refusal> {
        match (result, self.done.take()) {
            (Ok(value), Some((answer, seen))) if value == seen => Ok(answer),
            (Ok(value), _) => Ok(tagged::to_answer(&value)),
            (Err(Fault::Refused(at)), _) => Err(self.faults.swap_remove(at)),
            (Err(Fault::Ended(plugin, why)), Some((answer, _))) => {
                let text = format!("failed after {} was done: {why}", self.call.called_as);
                self.keeper.say(Weight::Warn, &plugin, &text);
                Ok(answer)
            }
            (Err(Fault::Ended(plugin, why)), None) => Err(unavailable(&plugin, &why)),
        }
    }
}

/// What a plugin raised, as the refusal of the call (S4-49).
pub(super) fn refusal_of(plugin: &str, raised: &Raised) -> Refusal {
    if raised.kind == "unexpected" {
        return Refusal::Failed {
            what: "plugin",
            name: plugin.to_owned(),
            reason: format!("unexpected exception: {}", raised.words()),
        };
    }
    let fields = match &raised.value {
        Value::Object(fields) => fields.clone(),
        _ => Map::new(),
    };
    let words = |(field, text): (&String, &Value)| format!("{field}: {}", tagged::plain(text));
    let text = if fields.is_empty() {
        tagged::plain(&raised.value)
    } else {
        fields.iter().map(words).collect::<Vec<_>>().join("; ")
    };
    let mut error = Element::new("error").with_attribute("type", raised.kind.as_str());
    if let (1, Some((field, _))) = (fields.len(), fields.iter().next()) {
        error.set_attribute("object", field.as_str());
    }
    error.push(Element::new("msg").with_text(text.as_str()));
    for (field, reason) in &fields {
        let one = Element::new("field").with_attribute("name", field.as_str());
        error.push(one.with_text(tagged::plain(reason)));
    }
    Refusal::Said {
        by: format!("plugin {plugin}"),
        kind: raised.kind.clone(),
        text,
        document: Box::new(Element::new("doc").with_child(error)),
    }
}
