//! `gatepost gateway …`, `pause` and `resume`.

use crate::arguments::Pause;
use crate::failure::{Failure, Result};
use crate::output;
use crate::session::Session;
use crate::{ask, fields};
use clap::Subcommand;
use config::Root;
use notice::{Clock, Fields, SystemClock};
use platform::when::{self, Moment};
use platform::{Answer, Platform};
use std::fs;
use wire::form::{Control, FormDocument, Mark};
use wire::xml::Document;

#[derive(Subcommand)]
pub(crate) enum Gateway {
    /// List them
    List,
    /// Configure a new one: asks the form of the gate, or takes K=V
    Add {
        /// The gate: a program in gate/
        gate: Option<String>,
        /// Fields of the form
        #[arg(value_name = "K=V")]
        fields: Vec<String>,
    },
    /// Change fields
    Edit {
        /// Id or name
        gateway: String,
        /// Fields of the form
        #[arg(value_name = "K=V")]
        fields: Vec<String>,
    },
    /// Check the connection; with --to send a test message
    Test {
        /// Id or name
        gateway: String,
        /// A contact to send a test message to
        #[arg(long)]
        to: Option<String>,
    },
    /// Hand nothing to it
    Hold {
        /// Id or name
        gateway: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Use it again
    Release {
        /// Id or name
        gateway: String,
    },
    /// Remove it
    Delete {
        /// Id or name
        gateway: String,
    },
}

const GATEWAY: &[&str] = &[
    "id",
    "name",
    "gateway_module",
    "notify_module",
    "project",
    "state",
    "next_probe",
    "reason",
    "priority",
    "active",
    "gateway_type",
    "concurrency",
    "rate",
    "on_unknown",
    "since",
    "rests_until",
];

/// What every gateway has beside the fields of its form.
const OWN: &str = "name project active priority concurrency rate on_unknown";

/// Runs it.
pub(crate) fn run(session: &mut Session, what: Gateway) -> Result<()> {
    match what {
        Gateway::List => {
            let answer = session.ask("gateway", &[])?;
            session.list(&answer, GATEWAY, 8)
        }
        Gateway::Add { gate: None, .. } => Err(no_gate(session)?),
        Gateway::Add { gate: Some(gate), fields } => {
            save(session, &Target { gate: &gate, elid: "" }, &fields)
        }
        Gateway::Edit { gateway, fields } => {
            save(session, &Target { gate: "", elid: &gateway }, &fields)
        }
        Gateway::Test { gateway, to } => test(session, &gateway, to.as_deref()),
        Gateway::Hold { gateway, reason } => {
            let answer = session.ask("gateway.hold", &[("elid", &gateway), ("reason", &reason)])?;
            session.report(&answer, &format!("gateway {gateway} is held: nothing is handed to it; `gatepost gateway release {gateway}` ends that"))
        }
        Gateway::Release { gateway } => {
            let answer = session.ask("gateway.release", &[("elid", &gateway)])?;
            session.report(&answer, &format!("gateway {gateway} is used again"))
        }
        Gateway::Delete { gateway } => {
            let answer = session.ask("gateway.delete", &[("elid", &gateway)])?;
            let warning = answer.text("warning");
            let warning =
                if warning.is_empty() { warning } else { format!("\nwarning: {warning}") };
            session.report(&answer, &format!("deleted gateway {gateway}{warning}"))
        }
    }
}

/// Which gates a gateway can be made of.
fn no_gate(session: &mut Session) -> Result<Failure> {
    let answer = session.ask("gate", &[])?;
    let names: Vec<_> = answer.rows().map(|row| row.child_text("name")).collect();
    let words = "name the gate first: `gatepost gateway add GATE`, and then its fields as NAME=VALUE; there are";
    Ok(Failure::usage(format!("{words} {}", names.join(", "))))
}

fn test(session: &mut Session, gateway: &str, to: Option<&str>) -> Result<()> {
    let answer =
        session.ask("gateway.test", &[("elid", gateway), ("to", to.unwrap_or_default())])?;
    let words = match to {
        None if answer.text("check") != "passed" => format!(
            "gateway {gateway} can be used; its gate offers no check_connection: `--to CONTACT` sends a test message"
        ),
        None => format!(
            "gateway {gateway} is well: its check_connection says so; `--to CONTACT` sends a test message"
        ),
        Some(contact) => format!(
            "gateway {gateway}: test message to {contact}: {} {}",
            answer.text("outcome"),
            answer.text("reason")
        ),
    };
    session.report(&answer, &format!("{}{}", words.trim_end(), still_held(&answer)))
}

/// A person's hold outlives an edit and a test.
fn still_held(answer: &Answer) -> String {
    match answer.text("held").as_str() {
        "" => String::new(),
        held => format!("; {held}"),
    }
}

/// The gateway that is saved: a new one of a gate, or one that is there.
struct Target<'a> {
    gate: &'a str,
    elid: &'a str,
}

/// Asks the form on a terminal when none of its fields were given, then saves: formtune, validation and connection check
/// are the platform's work, and nothing is saved unless all three went well.
fn save(session: &mut Session, target: &Target<'_>, words: &[String]) -> Result<()> {
    let mut given = fields::read(words)?;
    if let Some(module) = given.remove("module") {
        given.set("notify_module", module);
    }
    if !target.gate.is_empty() {
        given.set("gateway_module", target.gate);
    }
    given.set("elid", target.elid);
    let form = form_of(session, &given)?;
    let secrets = form.form();
    let secrets = secrets.secret_names();
    let mut given = fields::with_secrets(&given, |name| secrets.contains(name))?;
    given.set("sok", "ok");
    let is_new = target.elid.is_empty();
    let form_is_empty = !form.form().controls().any(|control| given.get(&control.name).is_some());
    let answer = if words.is_empty() || is_new && form_is_empty && ask::can_ask() {
        if !ask::can_ask() {
            return Err(Failure::usage(format!(
                "give the fields as NAME=VALUE: {}; beside them any of {OWN}",
                names_of(&form)
            )));
        }
        ask_until_saved(session, &form, &given)?
    } else {
        session.call("gateway.edit", &given)?
    };
    let verb = if is_new { "added" } else { "changed" };
    let words = format!("{verb} gateway {}{}", answer.text("id"), still_held(&answer));
    session.report(&answer, &words)
}

/// Asks, saves, and after a refusal asks again: what was typed is not lost.
fn ask_until_saved(session: &mut Session, form: &FormDocument, given: &Fields) -> Result<Answer> {
    output::tell(
        "* must be filled in; Enter alone takes what stands in brackets, or leaves the field empty",
    );
    let mut known = form.values();
    loop {
        let answers = asked(form, given, &known)?;
        match session.call("gateway.edit", &answers) {
            Err(failure) => {
                failure.tell();
                ask::sure("Ask again, with these answers in brackets?")?;
                known = answers;
            }
            Ok(answer) => return Ok(answer),
        }
    }
}

/// The form: what the gate's description asks, tuned by the gate.
fn form_of(session: &mut Session, given: &Fields) -> Result<FormDocument> {
    let base = ["elid", "gateway_module", "notify_module", "gateway_type"];
    let known = given.iter().filter(|(name, value)| base.contains(name) && !value.is_empty());
    let answer = session.call("gateway.edit", &known.collect())?;
    Ok(FormDocument::from_document(Document::new(answer.document)))
}

fn names_of(form: &FormDocument) -> String {
    let form = form.form();
    let names: Vec<&str> = form
        .controls()
        .filter(|control| control.takes_value())
        .map(|control| control.name.as_str())
        .collect();
    names.join(" ")
}

/// Asks one field after the other; what was answered decides which are shown next.
fn asked(document: &FormDocument, given: &Fields, known: &Fields) -> Result<Fields> {
    let form = document.form();
    let mut values = known.clone();
    for (name, value) in given.iter() {
        values.set(name, value);
    }
    let mut done: Vec<&str> = Vec::new();
    let mut answers = given.clone();
    loop {
        let visible = form.visible(&values);
        let mut controls = visible
            .iter()
            .flat_map(|field| &field.controls)
            .filter(|control| control.takes_value());
        let next = controls.find(|control| {
            !done.contains(&control.name.as_str()) && given.get(&control.name).is_none()
        });
        let Some(control) = next.and_then(|control| form.control(&control.name)) else {
            return Ok(answers);
        };
        done.push(&control.name);
        let answer = ask_one(document, control, values.text(&control.name))?;
        values.set(control.name.as_str(), answer.as_str());
        answers.set(control.name.as_str(), answer);
    }
}

fn ask_one(document: &FormDocument, control: &Control, known: &str) -> Result<String> {
    output::tell("");
    if let Some(hint) = document.hint(&control.name) {
        output::tell(&hint);
    }
    let choices: Vec<String> = document
        .choices(&control.name)
        .unwrap_or_default()
        .into_iter()
        .map(|choice| choice.key)
        .collect();
    let words =
        if choices.is_empty() { String::new() } else { format!(" ({})", choices.join(", ")) };
    let mark = if control.is(Mark::Required) { " *" } else { "" };
    let question = format!("{}{mark}{words}", document.label(&control.name));
    if !control.is_secret() {
        return ask::line(&question, known);
    }
    let answer = ask::secret(&question)?;
    Ok(if answer.is_empty() { known.to_owned() } else { answer })
}

/// `gatepost pause`: the whole queue by the `DoNothing` file, or one gateway by holding it.
pub(crate) fn pause(session: &mut Session, what: &Pause) -> Result<()> {
    let Some(gateway) = &what.gateway else { return pause_all(session.platform.root(), what) };
    let until = until_of(what)?.map(|until| when::shown(until.at)).unwrap_or_default();
    let answer = session
        .ask("gateway.hold", &[("elid", gateway), ("reason", &what.reason), ("until", &until)])?;
    let until = answer.text("until");
    let end = if until.is_empty() { String::new() } else { format!(" until {until}") };
    let words = format!(
        "gateway {gateway} is held{end}: {}; `gatepost resume --gateway {gateway}` ends that",
        what.reason
    );
    session.report(&answer, &words)
}

/// Pauses the whole queue. Nothing but ROOT is needed: it must work whatever is wrong with the settings.
pub(crate) fn pause_all(root: &Root, what: &Pause) -> Result<()> {
    let until = until_of(what)?;
    let words = config::pause_words(&what.reason, until.as_ref().map(|until| until.at));
    config::pause(root, &words)?;
    wake(root);
    let end = until.map(|until| format!(", and so does {}", when::shown(until.at)));
    output::tell(&format!(
        "paused: nothing goes out but tasks queued with --while-paused; `gatepost resume` ends it{}",
        end.unwrap_or_default()
    ));
    Ok(())
}

fn until_of(what: &Pause) -> Result<Option<Moment>> {
    let now = SystemClock.now();
    Ok(what.for_time.as_ref().map(|time| when::read_ahead("for", time, now)).transpose()?)
}

/// Workers look for the files at each hand-over: this only makes them look at once.
fn wake(root: &Root) {
    if let Ok(mut platform) = Platform::open(root.clone()) {
        platform.store().wake();
    }
}

/// `gatepost resume`
pub(crate) fn resume(session: &mut Session, gateway: Option<&str>) -> Result<()> {
    let Some(gateway) = gateway else { return resume_all(session.platform.root()) };
    let answer = session.ask("gateway.release", &[("elid", gateway)])?;
    session.report(&answer, &format!("gateway {gateway} is used again"))
}

/// Ends the pause of the whole queue; like [`pause_all`].
pub(crate) fn resume_all(root: &Root) -> Result<()> {
    let ended = config::paused(root, SystemClock.now()).is_some();
    for path in config::pause_files(root) {
        match fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    wake(root);
    output::tell(if ended { "the queue is open again" } else { "the queue was not paused" });
    Ok(())
}
