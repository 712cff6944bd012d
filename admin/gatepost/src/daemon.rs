//! Calls through the daemon's socket while one runs: it holds the plugins and the registry of handlers.
//! Without a daemon the tool is the platform itself (DESIGN 8).

use crate::failure::{Failure, Result, code};
use config::Root;
use host::{Called, DaemonCall, DaemonError};
use notice::Fields;
use platform::{Answer, Caller};
use std::path::Path;
use std::time::Duration;

/// Longer than any handler, gate or plugin may take together.
const PATIENCE: Duration = Duration::from_mins(5);

/// Parameters that name files of the person who calls: the daemon stands in another folder.
const FILES: [&str; 2] = ["attach", "file"];

/// A daemon that takes calls.
pub(crate) struct Daemon(host::Daemon);

impl Daemon {
    /// The daemon of this installation; None: there is none.
    pub(crate) fn of(root: &Root) -> Option<Self> {
        host::Daemon::of(root).map(Self)
    }

    /// Calls a function. None: the daemon has left in the meantime, before it took the call.
    pub(crate) fn call(
        &self,
        function: &str,
        fields: &Fields,
        caller: &Caller,
    ) -> Result<Option<Answer>> {
        let within = caller.within.join(",");
        let called = self.0.call(&DaemonCall {
            function,
            headers: &[("Gatepost-Manager", &caller.manager), ("Gatepost-Within", &within)],
            form: &form_of(fields),
            patience: PATIENCE,
        });
        let called = called.map_err(|error| {
            let code = match error {
                DaemonError::Unreached { .. } => code::TRY_AGAIN,
                // it may be done: who tries again blindly does it twice
                DaemonError::BrokenOff { .. } | DaemonError::Strange(_) => code::UNAVAILABLE,
            };
            Failure::new(code, error.to_string())
        })?;
        called.map(answer_of).transpose()
    }
}

fn form_of(fields: &Fields) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in fields.iter() {
        if FILES.contains(&name) {
            form.append_pair(name, &absolute(value));
        } else {
            form.append_pair(name, value);
        }
    }
    form.finish()
}

/// `a, b` with every path from the root on.
fn absolute(paths: &str) -> String {
    let one = |path: &str| {
        let path = path.trim();
        std::path::absolute(Path::new(path))
            .map_or_else(|_| path.to_owned(), |path| path.display().to_string())
    };
    paths.split(',').map(one).collect::<Vec<_>>().join(", ")
}

fn answer_of(called: Called) -> Result<Answer> {
    let text = called.reason();
    let document = Answer::of(called.document.root);
    if called.is_done {
        return Ok(document);
    }
    let exit = document.document.attribute("exit_code").and_then(|text| text.parse().ok());
    let code = exit.unwrap_or(code::UNAVAILABLE);
    Err(Failure::Refused { code, text, document: Box::new(document) })
}
