//! `why`: the whole life of a task, gathered as a value; what it waits for and until when.
//!
//! [`Platform::why`] gathers, [`crate::why_text::sentences`] says it.

use crate::context::Context;
use crate::errands::{self, Errand, Outlets};
use crate::locks::{self, Runner};
use crate::modules::QueueOf;
use crate::pipeline::Platform;
use crate::refusal::Refusal;
use crate::{modules, tasks};
use notice::{Mask, ModuleName, Ms, TaskId};
use std::path::PathBuf;
use store::{
    ContactState, Direction, Downtime, Gateway, GatewayState, LogFilter, LogRow, Snapshot,
    TaskFilter, TaskRow, User, UserFilter,
};
use wire::xml::Document;

/// Rows of the queue that are looked through for a contact, from the newest down.
const CONTACT_ROWS: u32 = 5_000;
/// Stories told of one contact or key.
const MOST_STORIES: usize = 20;
/// Attempts shown of one task or contact.
const MOST_ATTEMPTS: u32 = 1_000;

/// Everything about a task, a key or a contact.
#[derive(Clone, PartialEq, Eq)]
pub struct Why {
    /// What was asked about.
    pub subject: String,
    /// When.
    pub now: Ms,
    /// The file that pauses the queue.
    pub paused: Option<Pause>,
    /// The tasks it names, from the oldest.
    pub tasks: Vec<TaskStory>,
    /// The contact, if it is one.
    pub contact: Option<ContactStory>,
}

/// The queue is paused (S3-32).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// The file.
    pub file: PathBuf,
    /// Since when it is there.
    pub since: Option<Ms>,
    /// Its first line.
    pub reason: String,
    /// When it ends by itself.
    pub until: Option<Ms>,
}

/// One task.
#[derive(Clone, PartialEq, Eq)]
pub struct TaskStory {
    /// Its number.
    pub id: TaskId,
    /// The row, while it is in the queue.
    pub row: Option<TaskRow>,
    /// The notice.
    pub notice: Option<String>,
    /// The module.
    pub module: String,
    /// What it is about when it is no message.
    pub errand: Option<Errand>,
    /// For whom: the contact in its snapshot, else that of the log.
    pub contact: Option<String>,
    /// Its attempts, from the oldest.
    pub attempts: Vec<LogRow>,
    /// What they were handed to.
    pub outlets: Outlets,
    /// What its gateways are, in the order they are tried.
    pub gateways: Vec<GatewayStory>,
    /// Who works on its module's rows.
    pub runner: Runner,
    /// `ntemail.sendmail`, and whether it can be run.
    pub sendmail: (String, bool),
    /// True when the module takes its rows itself (DESIGN 4).
    pub foreign: bool,
    /// What is wrong with the module's program.
    pub module_broken: Option<String>,
    /// What is known of its contact.
    pub contact_state: Option<ContactState>,
}

/// A gateway of a task's route.
#[derive(Clone, PartialEq, Eq)]
pub struct GatewayStory {
    /// The row.
    pub gateway: Gateway,
    /// Its state, if it ever left `open`.
    pub state: Option<GatewayState>,
    /// Until when its service asked to be left alone.
    pub rests_until: Option<Ms>,
    /// When it was not usable, since the task was queued.
    pub downtimes: Vec<Downtime>,
}

/// A contact.
#[derive(Clone, PartialEq, Eq)]
pub struct ContactStory {
    /// As it was asked for.
    pub contact: String,
    /// Users who have it.
    pub users: Vec<User>,
    /// What is known of it.
    pub state: Option<ContactState>,
    /// The last attempts to reach it, from the oldest.
    pub attempts: Vec<LogRow>,
    /// What they were handed to.
    pub outlets: Outlets,
}

impl Platform {
    /// Gathers everything about a task's number, a key, or a contact.
    pub fn why(&mut self, subject: &str) -> Result<Why, Refusal> {
        let paused = self.paused();
        let now = self.shared.clock.now();
        let mut context = self.context(Mask::default());
        let subject = subject.trim();
        let (ids, contact) = named(&mut context, subject)?;
        let mut tasks = Vec::new();
        for id in ids.into_iter().take(MOST_STORIES) {
            tasks.push(story(&mut context, id)?);
        }
        if tasks.is_empty() && contact.is_none() {
            return Err(Refusal::NotFound {
                noun: "task, key or contact",
                value: subject.to_owned(),
                remedy: "the log goes back 30 days; `gatepost queue` lists what is queued"
                    .to_owned(),
            });
        }
        Ok(Why { subject: subject.to_owned(), now, paused, tasks, contact })
    }

    /// The file that pauses the queue, since when and why.
    pub fn paused(&self) -> Option<Pause> {
        let file = config::paused(&self.shared.root, self.shared.clock.now())?;
        let since = file.symlink_metadata().and_then(|found| found.modified()).ok();
        let since = since.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        let text = config::pause_text(&file);
        let reason = text.lines().next().unwrap_or_default().trim().chars().take(200).collect();
        let since = since.and_then(|since| i64::try_from(since.as_millis()).ok()).map(Ms);
        let until = config::pause_end(&text);
        Some(Pause { file, since, reason, until })
    }
}

/// The tasks a subject names: by number, else by key, else by contact.
fn named(
    context: &mut Context<'_>,
    subject: &str,
) -> Result<(Vec<TaskId>, Option<ContactStory>), Refusal> {
    if let Ok(id) = subject.parse::<TaskId>()
        && context.read(|snapshot| is_known(snapshot, id))?
    {
        return Ok((vec![id], None));
    }
    let mut of_key = context.read(|snapshot| Ok(snapshot.tasks_of_key(subject)?))?;
    if !of_key.is_empty() {
        of_key.sort_unstable();
        return Ok((of_key, None));
    }
    let contact = contact_story(context, subject)?;
    let mut ids = context.read(|snapshot| queued_for(snapshot, subject))?;
    if ids.is_empty() && contact.users.is_empty() && contact.attempts.is_empty() {
        return Ok((Vec::new(), contact.state.is_some().then_some(contact)));
    }
    ids.sort_unstable();
    Ok((ids, Some(contact)))
}

fn is_known(snapshot: &mut dyn Snapshot, id: TaskId) -> Result<bool, Refusal> {
    let filter = LogFilter { task: Some(id), ..LogFilter::default() };
    Ok(snapshot.task(id)?.is_some() || !snapshot.log(&filter, None, 1)?.is_empty())
}

fn contact_story(context: &mut Context<'_>, contact: &str) -> Result<ContactStory, Refusal> {
    let columns: Vec<_> =
        modules::all(context).into_iter().filter_map(|module| module.contact).collect();
    context.read(|snapshot| {
        let mut users: Vec<User> = Vec::new();
        let mut state = None;
        for column in &columns {
            let field = Some((column.clone(), contact.to_owned()));
            let filter = UserFilter { field, ..UserFilter::default() };
            for user in snapshot.users(&filter, None, 10)? {
                if !users.contains(&user) {
                    users.push(user);
                }
            }
            state = state.or(state_of(snapshot, column, contact)?);
        }
        let filter = LogFilter { contact: Some(contact.to_owned()), ..LogFilter::default() };
        let mut attempts = snapshot.log(&filter, None, 20)?;
        attempts.reverse();
        let outlets = Outlets::of(snapshot, &attempts)?;
        Ok(ContactStory { contact: contact.to_owned(), users, state, attempts, outlets })
    })
}

fn state_of(
    snapshot: &mut dyn Snapshot,
    kind: &str,
    contact: &str,
) -> Result<Option<ContactState>, Refusal> {
    let contact = if kind == "email" { contact.to_lowercase() } else { contact.to_owned() };
    Ok(snapshot.contact_states(kind, &[&contact])?.pop())
}

/// Queued tasks whose snapshot holds this contact.
fn queued_for(snapshot: &mut dyn Snapshot, contact: &str) -> Result<Vec<TaskId>, Refusal> {
    let mut found = Vec::new();
    for row in snapshot.tasks(&TaskFilter::default(), None, CONTACT_ROWS)? {
        let Some(body) = snapshot.body(row.id)? else { continue };
        if body.user.contains(contact) && contacts_in(&body.user).iter().any(|one| one == contact) {
            found.push(row.id);
        }
    }
    Ok(found)
}

/// Every text in a user snapshot.
fn contacts_in(user: &str) -> Vec<String> {
    let Ok(document) = Document::parse_text(user) else { return Vec::new() };
    document.root.elements().map(wire::xml::Element::text).collect()
}

fn story(context: &mut Context<'_>, id: TaskId) -> Result<TaskStory, Refusal> {
    let (row, notice, mut attempts, user, errand) = context.read(|snapshot| {
        let filter = LogFilter { task: Some(id), ..LogFilter::default() };
        let log = snapshot.log(&filter, None, MOST_ATTEMPTS)?;
        let user = snapshot.body(id)?.map(|body| body.user);
        let row = snapshot.task(id)?;
        let errand = row.as_ref().map(|row| errands::of(snapshot, row)).transpose()?.flatten();
        Ok((row, tasks::notice_of(snapshot, id)?, log, user, errand))
    })?;
    attempts.reverse();
    let name = row.as_ref().map(|row| row.module.clone());
    let module = name.or_else(|| attempts.last().map(|last| last.row.module.clone()));
    let module = module.unwrap_or_default();
    let known = modules::all(context).into_iter().find(|known| known.name.as_str() == module);
    let column = known.as_ref().and_then(|module| module.contact.clone());
    let in_snapshot = user.zip(column.as_ref()).and_then(|(user, column)| {
        let document = Document::parse_text(&user).ok()?;
        Some(document.root.child_text(column)).filter(|contact| !contact.is_empty())
    });
    let in_log = || attempts.iter().rev().find_map(|attempt| attempt.row.contact.clone());
    let contact = in_snapshot.or_else(in_log);
    let contact_state = match (&column, &contact) {
        (Some(column), Some(contact)) => {
            context.read(|snapshot| state_of(snapshot, column, contact))?
        }
        _ => None,
    };
    let now = context.now();
    let gateways = match &row {
        Some(row) => context.read(|snapshot| gateways_of(snapshot, row, now))?,
        None => Vec::new(),
    };
    let notice = notice.or_else(|| attempts.last().and_then(|last| last.row.notice.clone()));
    let worker = if errand.is_some() { ModuleName::HANDLER } else { &module };
    Ok(TaskStory {
        id,
        notice,
        contact,
        outlets: context.read(|snapshot| Outlets::of(snapshot, &attempts))?,
        attempts,
        gateways,
        runner: runner_of(context, worker)?,
        sendmail: {
            let ntemail = &context.config.ntemail;
            (ntemail.sendmail.clone(), ntemail.program(context.root.folder()).is_some())
        },
        foreign: known.as_ref().is_some_and(|module| module.queue == QueueOf::Itself),
        module_broken: broken_program(context, worker),
        errand,
        contact_state,
        module,
        row,
    })
}

fn runner_of(context: &mut Context<'_>, module: &str) -> Result<Runner, Refusal> {
    let now = context.now();
    let workers = context.read(|snapshot| Ok(snapshot.workers()?))?;
    Ok(locks::runner(context.root, context.config, (module, &workers), now))
}

/// A standard module takes tasks in while its program is broken; here it is named all the same.
fn broken_program(context: &Context<'_>, module: &str) -> Option<String> {
    context.programs.one(host::Folder::Notify, module).features.clone().err()
}

/// The gateways of a task's route in the order they are tried (S3-18); one that may have sent it comes alone.
pub(crate) fn gateways_of(
    snapshot: &mut dyn Snapshot,
    row: &TaskRow,
    now: Ms,
) -> Result<Vec<GatewayStory>, Refusal> {
    if row.module == ModuleName::INTERNAL {
        return Ok(Vec::new());
    }
    let project = row.route.project_id();
    let mut gateways = snapshot.gateways()?;
    gateways.retain(|gateway| {
        let fits = gateway.direction == Direction::Outgoing
            && gateway.module.as_str() == row.module
            && (gateway.project.is_none() || gateway.project == project);
        fits && (!row.maybe_sent || row.last_gateway == Some(gateway.id))
    });
    let states = snapshot.gateway_states()?;
    gateways
        .into_iter()
        .map(|gateway| {
            Ok(GatewayStory {
                state: states.iter().find(|state| state.gateway == gateway.id).cloned(),
                rests_until: store::rests_until(snapshot, gateway.id, now)?,
                downtimes: snapshot.downtimes(Some(gateway.id), row.queued)?,
                gateway,
            })
        })
        .collect()
}
