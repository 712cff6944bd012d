//! `gatepost handler list|test`: the scripts in `addon/`.

use crate::arguments::Handler;
use crate::failure::Result;
use crate::session::Session;
use crate::{fields, output};
use notice::Fields;
use platform::{Answer, Platform};
use std::fmt::Write as _;

const COLUMNS: &[&str] = &[
    "name",
    "event",
    "time",
    "state",
    "type",
    "function",
    "postdata",
    "onfailure",
    "reason",
    "file",
];
/// What a test shows, in this order, each under its heading.
const SHOWN: [(&str, &str); 8] = [
    ("environment", "it got this environment"),
    ("stdin", "and this on stdin"),
    ("printed", "it printed"),
    ("notes", "worth noting"),
    ("outcome", "outcome"),
    ("reason", "because"),
    ("then", "the call goes on with"),
    ("answer", "the answer is now"),
];

/// Runs it.
pub(crate) fn run(session: &mut Session, what: Handler) -> Result<()> {
    match what {
        Handler::List { script, event } => {
            let given = [
                ("name", script.as_deref().unwrap_or_default()),
                ("event", event.as_deref().unwrap_or_default()),
            ];
            let answer = session.ask("handler", &given)?;
            session.list(&answer, COLUMNS, 4)
        }
        Handler::Test(test) => {
            let declared = Platform::function(&test.event);
            let is_secret =
                |field: &str| declared.is_some_and(|function| function.is_secret(field));
            let params = fields::with_secrets(&fields::read(&test.fields)?, is_secret)?;
            let mut given: Fields =
                params.iter().map(|(name, value)| (format!("param.{name}"), value)).collect();
            given.set("name", test.name);
            given.set("event", test.event);
            given.set("time", test.time.unwrap_or_default());
            given.set("call", test.call.unwrap_or_default());
            if let Some(file) = test.answer {
                given.set("answer", fields::file(&file)?);
            }
            let answer = session.call("handler.test", &given)?;
            if session.format.is_some() {
                return session.print(&answer);
            }
            Ok(output::print(&words_of(&answer))?)
        }
    }
}

fn words_of(answer: &Answer) -> String {
    let mut text = String::new();
    for (name, heading) in SHOWN {
        let value = answer.text(name);
        if !value.trim().is_empty() {
            text.push_str(heading);
            text.push_str(":\n");
            text.extend(value.lines().map(|line| format!("  {line}\n")));
        }
    }
    let _ = writeln!(text, "it took {} ms", answer.text("took_ms"));
    text
}
