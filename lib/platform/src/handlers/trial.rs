//! `handler` lists what is registered; `handler.test` runs one, on a made-up call or one that the journal holds, and
//! shows what it got and what it changed.

use super::registration::{Event, OnFailure, Transfer, When};
use super::{Handlers, decide_before, input, take_answer};
use crate::answer::Answer;
use crate::call::{Along, Call, CallId};
use crate::caller::Level;
use crate::context::Context;
use crate::function::{Extra, Function, Kind, Request, optional, required};
use crate::pipeline::Platform;
use crate::plan::Planned;
use crate::refusal::Refusal;
use notice::{Fields, Secret};
use store::JournalFilter;
use wire::xml::{Document, Element};

/// Before the names of the parameters a handler is tested with.
const PREFIX: &str = "param.";
/// Before the parameters of a run in the journal.
pub(super) const GOT: &str = "got: ";
/// Runs of one call that are looked at.
const RUNS: u32 = 1_000;

/// Its functions.
pub(crate) static FUNCTIONS: &[Function] = &[
    Function {
        name: "handler",
        aliases: &[],
        level: Level::Admin,
        help: "Lists event handlers in their order, also those that can't be run.",
        parameters: &[
            optional("name", Kind::Line, "only this script of addon/"),
            optional("event", Kind::Line, "only those of this function"),
        ],
        events: &[],
        extra: Extra::Refused,
        plan: list,
    },
    Function {
        name: "handler.test",
        aliases: &[],
        level: Level::Super,
        help: "Runs one event handler for real, and shows what it got and what it changed.",
        parameters: &[
            required("name", Kind::Line, "the script in addon/"),
            required("event", Kind::Line, "the function it is registered for"),
            optional("time", Kind::OneOf(&TIMES), "when; else the first it is registered for"),
            optional(
                "answer",
                Kind::Text,
                "the answer an after handler gets; else <doc><ok/></doc>",
            ),
            optional("call", Kind::Line, "the parameters of this call in the journal"),
        ],
        events: &[],
        extra: Extra::Prefixed(PREFIX),
        plan: test,
    },
];

const TIMES: [&str; 4] = ["before", "after", "late", "final"];

#[expect(clippy::unnecessary_wraps, reason = "the form of a planner")]
fn list(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let (handlers, _) = Handlers::load(context.root, context.config);
    let fits = |event: &&Event| {
        request.given("name").is_none_or(|name| name == event.script.name)
            && request
                .given("event")
                .is_none_or(|name| name == event.function || name == event.shown_as)
    };
    let mut rows: Vec<Element> =
        handlers.events.iter().filter(fits).map(|event| row(&handlers, event)).collect();
    let unusable = handlers.unusable.iter();
    rows.extend(
        unusable
            .filter(|(name, _)| request.given("name").is_none_or(|wanted| wanted == name))
            .filter(|_| request.given("event").is_none())
            .map(|(name, reason)| {
                element("elem", &[("name", name), ("state", "unusable"), ("reason", reason)])
            }),
    );
    Ok(Planned::Answer(Answer::list(rows)))
}

fn row(handlers: &Handlers, event: &Event) -> Element {
    let failing = handlers.means.as_ref().and_then(|means| means.breaker.state(&event.script.name));
    let (state, reason) = match failing {
        None => ("ready".to_owned(), String::new()),
        Some(failing) => match failing.open_for {
            Some(left) => (format!("open for {} s", left.as_secs() + 1), failing.reason),
            None => (format!("failing ({})", failing.failures), failing.reason),
        },
    };
    let on_failure = match (event.when, event.on_failure) {
        (When::Before, OnFailure::Refuse) => "refuse",
        _ => "ignore",
    };
    element(
        "elem",
        &[
            ("name", &event.script.name),
            ("event", &event.shown_as),
            ("function", &event.function),
            ("time", time_of(event)),
            ("type", if event.script.transfer == Transfer::Cgi { "cgi" } else { "xml" }),
            ("postdata", if event.postdata { "yes" } else { "no" }),
            ("onfailure", on_failure),
            ("state", &state),
            ("reason", &reason),
            ("file", &event.script.from),
        ],
    )
}

fn element(name: &str, columns: &[(&str, &str)]) -> Element {
    columns.iter().fold(Element::new(name), |element, (name, value)| {
        element.with_child(Element::new(*name).with_text(*value))
    })
}

fn time_of(event: &Event) -> &'static str {
    match event.when {
        When::Before => "before",
        When::After => "after",
        When::Late => "late",
        When::Final => "final",
    }
}

fn test(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let (handlers, _) = Handlers::load(context.root, context.config);
    let event = chosen(&handlers, request)?;
    let Some(function) = Platform::function(&event.function) else {
        return Err(not_there(&event.function, "there is no such function"));
    };
    let mut params = match request.given("call") {
        Some(call) => recorded(context, call)?,
        None => Fields::new(),
    };
    for (name, value) in request.extra.iter() {
        params.set(name.strip_prefix(PREFIX).unwrap_or(name), value);
    }
    for (name, value) in params.iter() {
        if function.is_secret(name) || name.contains("passw") {
            context.mask.add(&Secret::new(value));
        }
    }
    let mut call = Call {
        id: CallId::new(context.now()),
        function,
        called_as: event.shown_as.clone(),
        manager: context.config.manager_names.first().cloned().unwrap_or_default(),
        caller: request.caller.clone(),
        mask: context.mask.clone(),
        params,
        along: Along::Nothing,
    };
    let answer = match request.given("answer") {
        Some(text) => {
            Document::parse_text(text)
                .map_err(|error| Refusal::Value {
                    field: "answer".to_owned(),
                    value: String::new(),
                    reason: notice::chain(&error),
                })?
                .root
        }
        None => Answer::ok().document,
    };
    Ok(Planned::Answer(Answer::of(tried(context, &handlers, (&mut call, event), answer))))
}

fn chosen<'a>(handlers: &'a Handlers, request: &Request) -> Result<&'a Event, Refusal> {
    let (name, wanted) = (request.text("name"), request.text("event"));
    let of_script: Vec<&Event> =
        handlers.events.iter().filter(|event| event.script.name == name).collect();
    let found = of_script.iter().find(|event| {
        (event.shown_as == wanted || event.function == wanted)
            && request.given("time").is_none_or(|time| time == time_of(event))
    });
    if let Some(event) = found {
        return Ok(event);
    }
    if let Some((_, reason)) = handlers.unusable.iter().find(|(known, _)| known == name) {
        return Err(Refusal::Failed {
            what: "handler",
            name: format!("addon/{name}"),
            reason: reason.clone(),
        });
    }
    let known: Vec<String> =
        of_script.iter().map(|event| format!("{} {}", time_of(event), event.shown_as)).collect();
    let remedy = if known.is_empty() {
        "`gatepost handler list` shows what is registered".to_owned()
    } else {
        format!("it is registered for: {}", known.join(", "))
    };
    Err(not_there(&format!("{name} for {wanted}"), &remedy))
}

fn not_there(value: &str, remedy: &str) -> Refusal {
    Refusal::NotFound { noun: "handler", value: value.to_owned(), remedy: remedy.to_owned() }
}

/// The parameters of a call that the journal holds: secrets stand there as `***`.
fn recorded(context: &mut Context<'_>, call: &str) -> Result<Fields, Refusal> {
    let filter = JournalFilter { call: Some(call.to_owned()), ..JournalFilter::default() };
    let rows = context.read(|snapshot| Ok(snapshot.journal(&filter, None, RUNS)?))?;
    let got = rows.iter().find_map(|row| row.row.output.strip_prefix(GOT)?.lines().next());
    match got {
        Some(query) => Ok(input::params_of_query(query)),
        None => Err(Refusal::NotFound {
            noun: "call of a handler",
            value: call.to_owned(),
            remedy: "`gatepost func journal` lists calls".to_owned(),
        }),
    }
}

/// Runs it, and says everything about it.
fn tried(
    context: &Context<'_>,
    handlers: &Handlers,
    (call, event): (&mut Call, &Event),
    mut answer: Element,
) -> Element {
    let Some(means) = &handlers.means else { return answer };
    let given = (event.when != When::Before).then_some(&answer);
    let got = input::input((call, event), given, context.starter.environment(), "");
    let ended = means.start((call, event), given, &context.installation.outside());
    let mut shown = element(
        "doc",
        &[("handler", &event.script.name), ("event", &event.shown_as), ("time", time_of(event))],
    );
    let mut environment: Vec<String> = got
        .environment
        .iter()
        .map(|(name, value)| format!("{}={}", name.to_string_lossy(), value.to_string_lossy()))
        .collect();
    environment.sort();
    let (outcome, changed) = if event.when == When::Before {
        let (outcome, decided) = decide_before(call, event, &ended);
        let changed = match decided {
            Ok(super::Before::GoOn) => input::query_of(&call.params),
            Ok(super::Before::Skip(answer)) => answer.to_xml(),
            Err(refusal) => refusal.to_document().to_xml(),
        };
        (outcome, changed)
    } else {
        match &ended.document {
            Ok(root) => (take_answer(call, event, root, &mut answer), answer.to_xml()),
            Err(_) => ("failed", answer.to_xml()),
        }
    };
    let failure = ended.document.as_ref().err().map(ToString::to_string).unwrap_or_default();
    for (name, value) in [
        ("environment", environment.join("\n")),
        ("stdin", String::from_utf8_lossy(&got.stdin).into_owned()),
        ("printed", ended.printed.clone()),
        ("notes", ended.notes.join("\n")),
        ("took_ms", ended.took.as_millis().to_string()),
        ("outcome", outcome.to_owned()),
        ("reason", failure),
        (if event.when == When::Before { "then" } else { "answer" }, changed),
    ] {
        shown.push(Element::new(name).with_text(call.mask.apply(&value)));
    }
    shown
}
