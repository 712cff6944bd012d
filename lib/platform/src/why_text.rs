//! Says in plain sentences what [`crate::why`] gathered. Pure.

use crate::errands::{self, Errand, Outlets};
use crate::locks::Runner;
use crate::when::{distance, shown};
use crate::why::{ContactStory, GatewayStory, Pause, TaskStory, Why};
use notice::{GatewayId, ModuleName, Ms, State};
use std::fmt::Write as _;
use store::{Condition, LogRow, TaskRow};

/// One sentence a line, in the order a person asks: what it is, where it stands, what it waits for and until
/// when, what was tried, what can be done. Times are UTC, with the distance from now.
pub fn sentences(why: &Why) -> Vec<String> {
    let mut said = Vec::new();
    if let Some(contact) = &why.contact {
        said.extend(of_contact(contact, why.now));
    }
    for task in &why.tasks {
        if !said.is_empty() {
            said.push(String::new());
        }
        said.extend(of_task(task, why));
    }
    said
}

fn of_task(task: &TaskStory, why: &Why) -> Vec<String> {
    let mut said = vec![heading(task)];
    match &task.row {
        Some(row) => said.extend(of_row(task, row, why)),
        None => said.push(of_end(task, why.now)),
    }
    said.extend(attempts(&task.attempts, &task.outlets));
    said.extend(task.contact_state.iter().filter(|state| state.state != "ok").map(|state| {
        format!(
            "Its contact is marked {} since {}: {}",
            state.state,
            shown(state.since),
            state.reason
        )
    }));
    said
}

fn heading(task: &TaskStory) -> String {
    if let Some(about) = of_errand(task) {
        return about;
    }
    let notice = task.notice.as_deref().map(|name| format!("notice {name}"));
    let notice = notice.unwrap_or_else(|| "a notification file".to_owned());
    let contact = task.contact.as_deref().map(|to| format!(" to {to}")).unwrap_or_default();
    format!("Task {}: {notice} by {}{contact}.", task.id, task.module)
}

/// `Task 5: clients.create about 12, for handler 2 Billing.`
fn of_errand(task: &TaskStory) -> Option<String> {
    let event = task.notice.as_deref().unwrap_or("an event");
    if let Some(Errand { handler, object }) = &task.errand {
        return Some(format!("Task {}: {event} about {object}, for {handler}.", task.id));
    }
    // the row is gone: the log knows for whom it was, and what
    let last = task.attempts.last().filter(|last| errands::is_errand(&last.row))?;
    let outlet = task.outlets.words(&last.row).map(|to| format!(", for {to}")).unwrap_or_default();
    Some(format!("Task {}: {event}{outlet}.", task.id))
}

/// The program whose `process` works on its row.
fn worker_of(task: &TaskStory) -> &str {
    if task.errand.is_some() { ModuleName::HANDLER } else { &task.module }
}

fn of_row(task: &TaskStory, row: &TaskRow, why: &Why) -> Vec<String> {
    let mut said = vec![format!(
        "It was queued {}, with priority {}.",
        moment(row.queued, why.now),
        row.priority
    )];
    match row.state {
        State::Ready => said.extend(of_ready(task, row, why)),
        State::Sending => said.push(of_sending(task, row, why.now)),
        State::Waiting => {
            said.push(of_waiting(row, why.now));
            let (way, gateways) = of_gateways(task, row, why.now);
            said.extend(gateways.into_iter().filter(|_| way == Way::Shut));
        }
        State::Failed => said.push(format!(
            "It failed {} and stays for a person: {}. `gatepost retry {id}` tries again, `gatepost cancel {id}` drops it.",
            row.run_at.map_or_else(String::new, |at| moment(at, why.now)),
            reason_of(&row.err_info),
            id = row.id
        )),
        State::Asked => said.push(format!(
            "Nobody knows whether it was sent: {}. A person is asked until {}: `gatepost done {id}` if it arrived, `gatepost retry {id}` if it did not, `gatepost cancel {id}` to drop it.",
            reason_of(&row.err_info),
            asked_until(row.run_at, why.now),
            id = row.id
        )),
    }
    said.extend(given_back(task, row));
    if row.state != State::Ready {
        said.extend(pause_for(row, why));
    }
    if let Some(expires) = row.expires {
        said.push(format!("It expires {}.", moment(expires, why.now)));
    }
    said
}

/// Failed attempts of the log that the row no longer counts: the gateway turned out to be unfit (DESIGN 3). What was
/// before a person's `retry` is another story.
fn given_back(task: &TaskStory, row: &TaskRow) -> Option<String> {
    let failed = task.attempts.iter().filter(|attempt| {
        let log = &attempt.row;
        let has_failed = matches!(log.outcome.as_str(), "later" | "hold" | "unknown");
        has_failed && log.attempt > 0 && log.at >= row.queued
    });
    let given = u32::try_from(failed.count()).ok()?.checked_sub(row.error_count)?;
    (given > 0).then(|| {
        format!("{} below cost it nothing: the gateway was at fault.", attempts_words(given))
    })
}

/// What stops a ready task: what holds everything back comes before who would work on it.
fn of_ready(task: &TaskStory, row: &TaskRow, why: &Why) -> Vec<String> {
    if task.foreign {
        let own = format!(
            "It is ready; {} takes its rows from the queue itself, when its `process` runs.",
            task.module
        );
        return std::iter::once(own).chain(pause_for(row, why)).collect();
    }
    let mut said = vec![format!("It is ready since {}.", moment(row.ready, why.now))];
    if let Some(reason) = &task.module_broken {
        let reason = reason_of(reason);
        said.push(format!(
            "notify/{} can't be used: {reason}. It waits until that program is mended.",
            worker_of(task)
        ));
    }
    said.extend(pause_for(row, why));
    let (way, gateways) = of_gateways(task, row, why.now);
    said.extend(gateways);
    let is_paused = why.paused.is_some() && !row.forced;
    if task.module_broken.is_none() {
        said.extend(of_runner(task, if is_paused { Way::Shut } else { way }, why.now));
    }
    said
}

/// Whether something would take a task out at this moment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Open,
    Shut,
}

fn pause_for(row: &TaskRow, why: &Why) -> Option<String> {
    let pause = why.paused.as_ref()?;
    if row.forced {
        return Some("The queue is paused, but this task goes out all the same.".to_owned());
    }
    Some(pause_sentence(pause, why.now))
}

fn pause_sentence(pause: &Pause, now: Ms) -> String {
    let since = pause.since.map(|at| format!(" since {}", moment(at, now))).unwrap_or_default();
    let reason = match pause.reason.as_str() {
        "" => String::new(),
        reason => format!(" ({reason})"),
    };
    let until = pause.until.map(|at| format!(" until {}", moment(at, now))).unwrap_or_default();
    format!(
        "The whole queue is paused{since}{until}{reason} by `{}`; `gatepost resume` ends it.",
        pause.file.display()
    )
}

fn of_runner(task: &TaskStory, way: Way, now: Ms) -> Option<String> {
    match &task.runner {
        Runner::Daemon { .. } | Runner::Process { .. } => None,
        Runner::Hung { beat, pid } => Some(format!(
            "The daemon of {} holds its lock but gave no sign of life{}{}; `notify/{} --command process` delivers all the same.",
            worker_of(task),
            beat.map(|at| format!(" since {}", moment(at, now))).unwrap_or_default(),
            pid.map(|pid| format!(" (process {pid})")).unwrap_or_default(),
            worker_of(task)
        )),
        Runner::Nobody => {
            let worker = worker_of(task);
            let cure = format!(
                "when cron runs `notify/{worker} --command process`, or gatepostd is started"
            );
            Some(match way {
                Way::Open => format!(
                    "Nobody works on the rows of {worker} at this moment: it goes out {cure}."
                ),
                Way::Shut => format!(
                    "Once that has ended it goes out {cure}: nobody works on the rows of {worker} at this moment."
                ),
            })
        }
    }
}

/// Whether a gateway would take it, and what is to be said of them.
fn of_gateways(task: &TaskStory, row: &TaskRow, now: Ms) -> (Way, Vec<String>) {
    if task.module == ModuleName::INTERNAL
        || row.route.is_unread()
        || task.errand.is_some()
        || task.foreign
    {
        return (Way::Open, Vec::new());
    }
    if task.gateways.is_empty() {
        return without_gateways(task, row);
    }
    let mut said: Vec<_> = task.gateways.iter().filter_map(|story| unusable(story, now)).collect();
    let usable = task.gateways.iter().find(|story| unusable(story, now).is_none());
    match usable {
        Some(first) => said.push(format!(
            "It goes next through gateway {} {}, when that one has room.",
            first.gateway.id, first.gateway.name
        )),
        None => said.insert(
            0,
            "no_gateway: it waits, unharmed, for a gateway that can be used.".to_owned(),
        ),
    }
    if row.maybe_sent {
        said.push("It may have been sent already, so no other gateway may have it.".to_owned());
    }
    (if usable.is_some() { Way::Open } else { Way::Shut }, said)
}

fn without_gateways(task: &TaskStory, row: &TaskRow) -> (Way, Vec<String>) {
    let project = row.route.project_id().map(|id| id.to_string()).unwrap_or_default();
    let (way, words) = if row.maybe_sent {
        let words = "It may have been sent by a gateway that is gone; `gatepost retry` frees it.";
        (Way::Shut, words.to_owned())
    } else if task.module == ModuleName::EMAIL {
        match &task.sendmail {
            (program, true) => (
                Way::Open,
                format!(
                    "Project {project} has no gateway for ntemail, so it goes out by {program}."
                ),
            ),
            (program, false) => (
                Way::Shut,
                format!(
                    "no_gateway: project {project} has no gateway for ntemail, and ntemail.sendmail ({program}) can't be \
                     run; `gatepost gateway add` makes one."
                ),
            ),
        }
    } else {
        let words = "`gatepost gateway add` makes one.";
        let module = &task.module;
        (Way::Shut, format!("no_gateway: project {project} has no gateway for {module}; {words}"))
    };
    (way, vec![words])
}

/// Why a gateway can't be used, and until when.
pub(crate) fn unusable(story: &GatewayStory, now: Ms) -> Option<String> {
    let gateway = &story.gateway;
    let name = format!("Gateway {} {}", gateway.id, gateway.name);
    if !gateway.active {
        return Some(format!(
            "{name} is not active; `gatepost gateway edit {} active=on`.",
            gateway.id
        ));
    }
    let rest = story.rests_until.map(|until| {
        let until = moment(until, now);
        format!("{name} rests until {until}: its service asked for that; `gatepost gateway release {}`.", gateway.id)
    });
    let Some(state) = &story.state else { return rest };
    let next = state.next_probe;
    match &state.condition {
        Condition::Open => rest,
        Condition::Held { reason, by_person: true } => Some(format!(
            "{name} is held by a person since {}: {reason}; {}`gatepost gateway release {}`.",
            moment(state.since, now),
            match next {
                Some(at) if at <= now => "its time is over: a worker opens it, or ".to_owned(),
                Some(at) => format!("released {}, or by ", moment(at, now)),
                None => "until ".to_owned(),
            },
            gateway.id
        )),
        Condition::Held { reason, by_person: false } => Some(format!(
            "{name} is held since {}: {reason}; {}",
            moment(state.since, now),
            again(next, gateway, now)
        )),
        Condition::Down { reason } => Some(format!(
            "{name} can't be reached since {}: {reason}; {}",
            moment(state.since, now),
            again(next, gateway, now)
        )),
    }
}

fn again(next: Option<Ms>, gateway: &store::Gateway, now: Ms) -> String {
    let next = match next {
        None => String::new(),
        Some(at) if at <= now => "its next try is due, a worker makes it; ".to_owned(),
        Some(at) => format!("tried again {}; ", moment(at, now)),
    };
    format!("{next}`gatepost gateway test {}` tries it now.", gateway.id)
}

fn of_sending(task: &TaskStory, row: &TaskRow, now: Ms) -> String {
    let gateway = match &task.errand {
        Some(errand) => format!(" for {}", errand.handler),
        None => row.last_gateway.map(|id| for_gateway(id, task)).unwrap_or_default(),
    };
    let owner = row.lease_owner.as_deref().unwrap_or("a worker");
    let until = row.lease_until.map(|at| moment(at, now)).unwrap_or_default();
    format!(
        "It is being sent{gateway}: attempt {}, in the hands of {owner}, whose lease ends {until}.",
        row.attempt
    )
}

fn for_gateway(id: GatewayId, task: &TaskStory) -> String {
    let known = task.gateways.iter().find(|story| story.gateway.id == id);
    let name = known.map(|story| format!(" {}", story.gateway.name)).unwrap_or_default();
    format!(" for gateway {id}{name}")
}

/// Operations of services are asked of for good: so late a time is no time.
fn asked_until(until: Option<Ms>, now: Ms) -> String {
    const FOR_GOOD_MS: i64 = 10 * 365 * Ms::DAY;
    match until {
        Some(at) if at.since(now) < FOR_GOOD_MS => {
            format!("{}, then it is failed", moment(at, now))
        }
        Some(_) | None => "somebody answers".to_owned(),
    }
}

fn of_waiting(row: &TaskRow, now: Ms) -> String {
    let Some(at) = row.run_at else {
        return "It waits until the task before it, for the same object, has ended.".to_owned();
    };
    if row.error_count == 0 && row.err_info.is_empty() {
        return format!("It waits: not before {}.", moment(at, now));
    }
    format!(
        "It waits until {}, then it is tried again; {} failed so far, the last: {}.",
        moment(at, now),
        attempts_words(row.error_count),
        reason_of(&row.err_info)
    )
}

fn of_end(task: &TaskStory, now: Ms) -> String {
    let Some(last) = task.attempts.last() else {
        return "It is not in the queue and the log has nothing of it.".to_owned();
    };
    let log = &last.row;
    let at = moment(log.at, now);
    let word = if errands::is_errand(log) { "to" } else { "through" };
    let gateway =
        task.outlets.words(log).map(|outlet| format!(" {word} {outlet}")).unwrap_or_default();
    let reference =
        log.reference.as_deref().map(|number| format!(", reference {number}")).unwrap_or_default();
    match log.outcome.as_str() {
        "sent" if log.reason.is_empty() => format!("It was sent {at}{gateway}{reference}."),
        "sent" => format!("It was taken as sent {at}: {}.", log.reason),
        "delivered" => format!("It was sent{gateway}{reference} and arrived {at}."),
        "never" => {
            format!("It was refused {at}{gateway}: {}. It left the queue.", reason_of(&log.reason))
        }
        "cancelled" => format!("It was cancelled {at}: {}.", reason_of(&log.reason)),
        "expired" => format!("It expired {at} before it could be sent."),
        other => format!("It ended {at} as {other}: {}.", reason_of(&log.reason)),
    }
}

fn attempts(log: &[LogRow], outlets: &Outlets) -> Vec<String> {
    let mut said: Vec<_> = log.iter().map(|row| attempt(row, outlets)).collect();
    if !said.is_empty() {
        said.insert(0, "What the log has of it:".to_owned());
    }
    said
}

fn attempt(row: &LogRow, outlets: &Outlets) -> String {
    let log = &row.row;
    let mut words = format!("  {} {}", shown(log.at), log.outcome);
    if log.attempt > 0 {
        let _ = write!(words, " (attempt {})", log.attempt);
    }
    let hands = if errands::is_errand(log) { "its hands" } else { "the gate's hands" };
    let parts = [
        outlets.words(log),
        log.contact.as_ref().map(|to| format!("to {to}")),
        log.reference.as_ref().map(|number| format!("reference {number}")),
        log.segments.map(|count| format!("{count} segments")),
        log.took_ms.map(|took| format!("{took} ms in {hands}")),
        Some(log.reason.clone()).filter(|reason| !reason.is_empty()),
    ];
    for part in parts.into_iter().flatten() {
        words.push_str(", ");
        words.push_str(&part);
    }
    words
}

fn of_contact(story: &ContactStory, now: Ms) -> Vec<String> {
    let mut said = vec![match story.users.as_slice() {
        [] => format!("{} belongs to no user.", story.contact),
        users => {
            let names: Vec<_> = users
                .iter()
                .map(|user| format!("user {} {}", user.id, user.fields.text("name")))
                .collect();
            format!("{} is the contact of {}.", story.contact, names.join(", "))
        }
    }];
    if let Some(state) = story.state.as_ref().filter(|state| state.state != "ok") {
        said.push(format!(
            "It is marked {} since {}: {}; `gatepost contact unblock` changes that.",
            state.state,
            moment(state.since, now),
            reason_of(&state.reason)
        ));
    }
    said.extend(attempts(&story.attempts, &story.outlets));
    if story.attempts.is_empty() {
        said.push("The log has no attempt to reach it.".to_owned());
    }
    said
}

fn attempts_words(count: u32) -> String {
    if count == 1 { "1 attempt".to_owned() } else { format!("{count} attempts") }
}

fn reason_of(text: &str) -> &str {
    let text = text.trim().trim_end_matches('.');
    if text.is_empty() { "no reason given" } else { text }
}

/// `2026-11-21T22:26:40Z (2 h ago)`.
fn moment(at: Ms, now: Ms) -> String {
    let away = at.since(now);
    if away >= 0 {
        format!("{} (in {})", shown(at), distance(away))
    } else {
        format!("{} ({} ago)", shown(at), distance(-away))
    }
}
