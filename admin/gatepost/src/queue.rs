//! `gatepost queue`, `show`, `log`, and `retry`, `done`, `cancel`.

use crate::arguments::{Log, Queue, QueueOrder, Selection};
use crate::failure::{Failure, Result};
use crate::session::Session;
use crate::{ask, output};
use notice::Fields;
use platform::Answer;
use std::time::Duration;
use store::Woken;

const TASK: &[&str] = &[
    "id",
    "state",
    "modulename",
    "notice",
    "priority",
    "queued",
    "due",
    "attempt",
    "err_info",
    "handler",
    "object",
    "key",
    "project",
    "route",
    "last_gateway",
    "error_count",
    "maybe_sent",
    "forcedonothing",
    "filename",
    "expires",
    "createdate",
];
const ATTEMPT: &[&str] = &[
    "at",
    "task",
    "module",
    "notice",
    "outcome",
    "contact",
    "gateway_name",
    "reason",
    "gateway",
    "attempt",
    "took_ms",
    "user",
    "project",
    "reference",
    "segments",
    "queued",
    "key",
    "id",
];

/// What a person sees of a list with tasks of nthandler in it.
const ERRANDS: [&str; 10] = [
    "id",
    "state",
    "modulename",
    "notice",
    "object",
    "handler",
    "queued",
    "due",
    "attempt",
    "err_info",
];

/// How many tasks may be changed without asking.
const WITHOUT_ASKING: u64 = 100;

/// Lists tasks, or rebuilds their order.
pub(crate) fn list(session: &mut Session, what: &Queue) -> Result<()> {
    if let Some(QueueOrder::Order { order }) = &what.order {
        return rebuild(session, order);
    }
    let limit = what.limit.to_string();
    let values = [
        ("state", what.state.as_deref().unwrap_or_default()),
        ("module", what.module.as_deref().unwrap_or_default()),
        ("gateway", what.gateway.as_deref().unwrap_or_default()),
        ("limit", &limit),
    ];
    loop {
        let answer = session.ask("task", &values)?;
        if what.follow && output::is_terminal() {
            output::wipe()?;
        }
        let (columns, narrow) = columns_of(&answer);
        session.list(&answer, &columns, narrow)?;
        if !what.follow {
            return Ok(());
        }
        let mut waker = session.platform.store().waker()?;
        while waker.wait(Duration::from_secs(2)) == Woken::Timeout {}
    }
}

/// The same columns whatever is in the list; which come first depends on it.
fn columns_of(answer: &Answer) -> (Vec<&'static str>, usize) {
    let has_errands = answer.rows().any(|row| !row.child_text("handler").is_empty());
    if !has_errands {
        return (TASK.to_vec(), 9);
    }
    let rest = TASK.iter().copied().filter(|name| !ERRANDS.contains(name));
    (ERRANDS.into_iter().chain(rest).collect(), ERRANDS.len())
}

fn rebuild(session: &Session, order: &str) -> Result<()> {
    let order = store::Order::from_word(order)
        .ok_or_else(|| Failure::usage(format!("`{order}` is no order")))?;
    let root = session.platform.root();
    store::rebuild_order(&session.platform.config().database, &root.path("var"), order)?;
    Ok(output::print(&format!("the queue is ordered anew: {}\n", order.word()))?)
}

/// Everything about one task.
pub(crate) fn show(session: &mut Session, id: i64) -> Result<()> {
    let answer = session.ask("task.show", &[("elid", &id.to_string())])?;
    if session.format.is_some() {
        return session.print(&answer);
    }
    let mut table = output::Table::new(&["column", "value"], 2);
    for element in answer.document.elements().filter(|element| element.elements().next().is_none())
    {
        table.rows.push(vec![element.name.clone(), element.text()]);
    }
    Ok(output::table(&table, None)?)
}

/// Attempts; with `-f` it stays and shows new ones.
pub(crate) fn log(session: &mut Session, what: &Log) -> Result<()> {
    let limit = what.limit.to_string();
    let mut after = String::new();
    loop {
        let values = [
            ("since", what.since.as_deref().unwrap_or_default()),
            ("gateway", what.gateway.as_deref().unwrap_or_default()),
            ("limit", &limit),
            ("after", &after),
        ];
        let answer = session.ask("log", &values)?;
        if answer.rows().next().is_some() || after.is_empty() {
            session.list(&answer, ATTEMPT, 8)?;
        }
        if !what.follow {
            return Ok(());
        }
        if let Some(newest) =
            answer.rows().filter_map(|row| row.child_text("id").parse::<i64>().ok()).max()
        {
            after = newest.to_string();
        } else if after.is_empty() {
            "0".clone_into(&mut after);
        }
        session.platform.store().waker()?.wait(Duration::from_secs(1));
    }
}

/// Calls `task.retry`, `task.done` or `task.cancel`; over 100 tasks it asks first.
pub(crate) fn change(session: &mut Session, function: &str, which: &Selection) -> Result<()> {
    let mut values = chosen(which)?;
    values.set("dry_run", "on");
    let counted = session.call(function, &values)?;
    let found: u64 = counted.text("found").parse().unwrap_or_default();
    let verb = function.trim_start_matches("task.");
    tell_of_others(which, &counted);
    if which.dry_run {
        let verb = if verb == "done" { "take as done" } else { verb };
        return Ok(output::print(&format!("would {verb} {}\n", tasks(&found.to_string())))?);
    }
    if found > WITHOUT_ASKING && !which.yes {
        ask::sure(&format!("{verb} {found} tasks?"))?;
    }
    values.remove("dry_run");
    let answer = session.call(function, &values)?;
    session.report(&answer, &format!("{verb}: {}", tasks(&answer.text("changed"))))
}

/// `--gateway` meets what a gateway had. What would go to it has none chosen yet: said, so that nobody takes it for met.
fn tell_of_others(which: &Selection, counted: &Answer) {
    let (others, module) = (counted.text("not_met"), counted.text("not_met_module"));
    let Some(gateway) = which.gateway.as_ref().filter(|_| !others.is_empty()) else { return };
    output::tell(&format!(
        "not met: {} that no gateway has had yet; gateway {gateway} or another may be given them. `--module {module}` without `--gateway` meets them",
        tasks(&others)
    ));
}

/// `1 task`, `5 tasks`.
fn tasks(count: &str) -> String {
    if count == "1" { "1 task".to_owned() } else { format!("{count} tasks") }
}

fn chosen(which: &Selection) -> Result<Fields> {
    let mut values = Fields::new();
    if !which.ids.is_empty() {
        let ids: Vec<String> = which.ids.iter().map(i64::to_string).collect();
        values.set("elid", ids.join(", "));
    }
    let filters = [
        ("state", &which.state),
        ("gateway", &which.gateway),
        ("notice", &which.notice),
        ("module", &which.module),
        ("reason", &which.reason),
        ("older", &which.older),
    ];
    for (name, value) in filters {
        if let Some(value) = value {
            values.set(name, value.as_str());
        }
    }
    if values.is_empty() {
        return Err(Failure::usage(
            "say which tasks: numbers, or --state, --gateway, --notice, --module, --reason, --older",
        ));
    }
    Ok(values)
}
