//! `gatepost why`: the life of a task in plain words; everything is gathered and worded by the platform.

use crate::arguments::Format;
use crate::failure::{Failure, Result, code};
use crate::output;
use crate::session::Session;

/// Tells it. Nothing known of it: 66.
pub(crate) fn run(session: &mut Session, what: &str) -> Result<()> {
    let why = session.platform.why(what)?;
    let sentences = platform::sentences(&why);
    match session.format {
        Some(Format::Json) => output::print_json(&format!("{}\n", serde_json::json!(sentences)))?,
        Some(Format::Jsonl) => {
            let each = sentences.iter().map(|line| serde_json::json!(line));
            output::print_json(&output::lines(each))?;
        }
        _ => output::print(&(sentences.join("\n") + "\n"))?,
    }
    if why.tasks.is_empty() && why.contact.is_none() {
        return Err(Failure::new(code::NOT_FOUND, format!("nothing is known of `{what}`")));
    }
    Ok(())
}
