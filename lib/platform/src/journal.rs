//! The journal: one row for every run of outside code inside a call (extensions 3.6).

use crate::answer::Answer;
use crate::call::{Call, Run};
use crate::context::Context;
use crate::function::Request;
use crate::plan::Planned;
use crate::refusal::Refusal;
use crate::when;
use notice::Ms;
use store::{Durability, JournalFilter, NewJournalRow, Store};
use wire::xml::Element;

/// Most of an output that a row keeps, in letters.
const OUTPUT_LETTERS: usize = 8_192;
/// Rows of a list when `limit` is not given.
const LIST_ROWS: u32 = 100;

/// `<skipaction/>`: the last run took the function's place (S0-49).
pub(crate) fn skipped(journal: &mut [Run]) {
    if let Some(run) = journal.last_mut() {
        "function.skipped".clone_into(&mut run.outcome);
    }
}

/// Writes the runs of a call, masked. A journal that can't be written never fails a call that was made.
pub(crate) fn write(store: &mut dyn Store, call: &Call, (runs, now): (Vec<Run>, Ms)) {
    if runs.is_empty() {
        return;
    }
    let rows: Vec<_> = runs
        .into_iter()
        .map(|run| NewJournalRow {
            call: call.id.to_string(),
            at: now,
            function: call.function.name.to_owned(),
            place: run.place.word().to_owned(),
            name: run.name,
            outcome: run.outcome,
            took_ms: i64::try_from(run.took.as_millis()).unwrap_or(i64::MAX),
            output: call.mask.apply(&run.output).chars().take(OUTPUT_LETTERS).collect(),
        })
        .collect();
    let _ = store.write(Durability::Crash, &mut |tx| tx.add_journal(&rows));
}

/// `journal`: runs from the newest down.
pub(crate) fn list(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let text = |name: &str| request.given(name).map(str::to_owned);
    let filter = JournalFilter {
        call: text("call"),
        function: text("function"),
        name: text("name"),
        since: None,
    };
    let limit = request.number("limit").and_then(|n| u32::try_from(n).ok()).unwrap_or(LIST_ROWS);
    let before = request.number("before");
    let rows = context.read(|snapshot| Ok(snapshot.journal(&filter, before, limit)?))?;
    Ok(Planned::Answer(Answer::list(rows.iter().map(|known| {
        let row = &known.row;
        let columns = [
            ("id", known.id.to_string()),
            ("call", row.call.clone()),
            ("at", when::shown(row.at)),
            ("function", row.function.clone()),
            ("place", row.place.clone()),
            ("name", row.name.clone()),
            ("outcome", row.outcome.clone()),
            ("took_ms", row.took_ms.to_string()),
            ("output", row.output.clone()),
        ];
        columns.into_iter().fold(Element::new("elem"), |element, (name, value)| {
            element.with_child(Element::new(name).with_text(value))
        })
    }))))
}
