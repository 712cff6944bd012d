//! `gatepost send` and `gatepost enqueue`.

use crate::arguments::{Enqueue, Send};
use crate::failure::{Failure, Result};
use crate::fields;
use crate::output;
use crate::output::Table;
use crate::session::Session;
use notice::Fields;
use platform::Answer;
use platform::when;
use std::path::PathBuf;

/// Sends a notice: one task for each module.
pub(crate) fn send(session: &mut Session, what: &Send) -> Result<()> {
    let mut values = Fields::new();
    for (name, value) in fields::read(&what.data)?.iter() {
        values.set(format!("data.{name}"), value);
    }
    let texts = [
        ("notice", Some(&what.notice)),
        ("user", what.user.as_ref()),
        ("to", what.to.as_ref()),
        ("lang", what.lang.as_ref()),
        ("module", what.module.as_ref()),
        ("project", what.project.as_ref()),
        ("at", what.at.as_ref()),
        ("expires", what.expires.as_ref()),
        ("key", what.key.as_ref()),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            values.set(name, value.as_str());
        }
    }
    if let Some(priority) = what.priority {
        values.set("priority", priority.to_string());
    }
    if let Some(file) = &what.xml {
        values.set("xml", fields::file(file)?);
    }
    if !what.attach.is_empty() {
        values.set("attach", attached(&what.attach)?);
    }
    if what.while_paused {
        values.set("while_paused", "on");
    }
    let answer = session.call("notify.send", &values)?;
    report(session, &answer)?;
    if !what.while_paused {
        tell_of_pause(session);
    }
    Ok(())
}

/// The files' whole paths, as the function takes them: separated by commas.
fn attached(files: &[PathBuf]) -> Result<String> {
    let mut paths = Vec::new();
    for file in files {
        let path = std::path::absolute(file)?.to_string_lossy().into_owned();
        if path.contains(',') {
            let why =
                format!("--attach: `{path}` has a comma in its name: give the file another one");
            return Err(Failure::usage(why));
        }
        paths.push(path);
    }
    Ok(paths.join(","))
}

/// What was queued waits: better said now than looked for later.
fn tell_of_pause(session: &Session) {
    let Some(pause) = session.platform.paused() else { return };
    let end = pause.until.map(|until| format!("{} or ", when::shown(until))).unwrap_or_default();
    output::tell(&format!("the queue is paused: this waits until {end}`gatepost resume`"));
}

/// One line a module: queued with its number, or why not.
fn report(session: &Session, answer: &Answer) -> Result<()> {
    if session.format.is_some() {
        return session.print(answer);
    }
    let mut table = Table::new(&["module", "outcome", "task", "contact", "reason"], 5);
    for row in answer.document.children_named("task") {
        let outcome = if row.child_text("duplicate") == "on" { "known" } else { "queued" };
        table.rows.push(vec![
            row.child_text("module"),
            outcome.into(),
            row.child_text("id"),
            row.child_text("contact"),
            String::new(),
        ]);
    }
    for row in answer.document.children_named("skipped") {
        table.rows.push(vec![
            row.child_text("module"),
            row.child_text("reason"),
            String::new(),
            String::new(),
            row.child_text("text"),
        ]);
    }
    output::table(&table, None)?;
    for name in ["at", "expires"] {
        let understood = answer.text(name);
        if !understood.is_empty() {
            output::tell(&format!("{name}: {understood}"));
        }
    }
    Ok(())
}

/// Puts a ready notification file into the queue.
pub(crate) fn enqueue(session: &mut Session, what: &Enqueue) -> Result<()> {
    let file = std::path::absolute(&what.file)?;
    let priority = what.priority.map(|number| number.to_string()).unwrap_or_default();
    let paused = if what.while_paused { "on" } else { "" };
    let file = file.to_string_lossy();
    let values = [
        ("file", file.as_ref()),
        ("module", &what.module),
        ("priority", &priority),
        ("while_paused", paused),
    ];
    let answer = session.ask("notify.enqueue", &values)?;
    let id = answer.document.child("task").map(|task| task.child_text("id")).unwrap_or_default();
    let words = match answer.text("notifications").as_str() {
        "1" => format!("queued task {id}"),
        count => format!("queued task {id}: {count} notifications, a task each when it is claimed"),
    };
    session.report(&answer, &words)?;
    if !what.while_paused {
        tell_of_pause(session);
    }
    Ok(())
}
