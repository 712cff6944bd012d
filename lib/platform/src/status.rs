//! `status`: how the installation is, as values; what is wrong comes ranked, each with the command that cures it.

use crate::context::Context;
use crate::locks::{self, Runner};
use crate::pipeline::Platform;
use crate::refusal::Refusal;
use crate::status_findings;
use crate::status_secrets;
use crate::why::Pause;
use config::Vault;
use host::{Folder, Listed};
use notice::{GatewayId, Mask, ModuleName, Ms, Route, State, unasked};
use std::collections::{BTreeMap, BTreeSet};
use store::{
    Condition, Count, Direction, Gateway, GatewayState, LogFilter, LogRow, Project, TaskRow,
};

/// Attempts looked at for the rates.
const RATE_ROWS: u32 = 10_000;
/// The time rates are taken over.
const RATE_MS: i64 = 10 * 60_000;
/// What was refused before any gate was asked has left the queue: it is told of for an hour.
const REFUSED_MS: i64 = 60 * 60_000;
/// So many of them are counted.
pub(crate) const REFUSED_ROWS: u32 = 10_000;

/// An urgent task that waits longer, while a gateway is open for it, is a finding.
pub(crate) const URGENT_MS: i64 = 10_000;
/// So many of the last urgent messages are counted.
const URGENT_ROWS: u32 = 100_000;

/// The state of an installation at one moment.
#[derive(Clone, PartialEq, Eq)]
pub struct Status {
    /// When.
    pub now: Ms,
    /// The file that pauses the queue.
    pub paused: Option<Pause>,
    /// Every module that has tasks or a program, by name.
    pub modules: Vec<ModuleStatus>,
    /// Every gateway, in the order they are tried.
    pub gateways: Vec<GatewayStatus>,
    /// How the urgent messages fare.
    pub urgent: Urgency,
    /// What is wrong, the worst first.
    pub findings: Vec<Finding>,
}

/// A module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleStatus {
    /// Its name.
    pub name: String,
    /// Who works on its rows.
    pub runner: Runner,
    /// What is wrong with its program.
    pub broken: Option<String>,
    /// Rows in each state.
    pub tasks: BTreeMap<State, u64>,
    /// When the oldest ready row was queued.
    pub oldest_ready: Option<Ms>,
}

/// A gateway.
#[derive(Clone, PartialEq, Eq)]
pub struct GatewayStatus {
    /// The row.
    pub gateway: Gateway,
    /// `open`, `held`, `down`, or `off` when it is not active.
    pub word: &'static str,
    /// Its state, if it ever left `open`.
    pub state: Option<GatewayState>,
    /// Until when its service asked to be left alone.
    pub rests_until: Option<Ms>,
    /// Ready rows of the routes it serves.
    pub waiting: u64,
    /// When the oldest of them was queued.
    pub oldest: Option<Ms>,
    /// Messages sent in the last ten minutes; an estimate where the log is very full.
    pub sent_in_10_min: u64,
}

/// How the urgent messages fare: those of a priority above 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Urgency {
    /// Since when the oldest may go that is ready and was never handed over in doubt; None: none waits.
    pub oldest: Option<Ms>,
    /// Of the last hour.
    pub hour: Promptness,
    /// Of the last day.
    pub day: Promptness,
}

/// How soon urgent messages were handed over for the first time; one that lapsed before that is among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Promptness {
    /// So many, the last 100,000 at most.
    pub messages: u64,
    /// Within a second.
    pub within_1_s: u64,
    /// Within ten.
    pub within_10_s: u64,
}

impl Promptness {
    fn of(waits_ms: &[i64]) -> Self {
        let within = |most_ms| waits_ms.iter().filter(|waited| **waited <= most_ms).count() as u64;
        Self {
            messages: waits_ms.len() as u64,
            within_1_s: within(1_000),
            within_10_s: within(URGENT_MS),
        }
    }

    /// The part of a count, 0 to 1; None without messages.
    #[expect(clippy::cast_precision_loss, reason = "at most 100,000")]
    pub fn share(&self, count: u64) -> Option<f64> {
        (self.messages > 0).then(|| count as f64 / self.messages as f64)
    }
}

/// How bad it is: exit 1 or 2 of `gatepost status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// To be looked at.
    Warning,
    /// Messages do not go out, or secrets lie open.
    Critical,
}

/// Something wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// A stable word for scripts: `paused`, `daemon_missing` …
    pub code: &'static str,
    /// What is wrong, in a sentence.
    pub text: String,
    /// The command that cures it, or that shows more.
    pub cure: String,
}

impl Status {
    /// The worst finding; None: all is well.
    pub fn severity(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }
}

/// Everything the findings are made from.
pub(crate) struct Seen {
    pub(crate) now: Ms,
    pub(crate) paused: Option<Pause>,
    pub(crate) modules: Vec<ModuleStatus>,
    pub(crate) gateways: Vec<GatewayStatus>,
    pub(crate) counts: Vec<Count>,
    pub(crate) projects: Vec<Project>,
    pub(crate) gates: Vec<Listed>,
    pub(crate) oldest: Option<TaskRow>,
    pub(crate) tested: Vec<GatewayId>,
    /// The oldest urgent task of each module and route.
    pub(crate) urgent: Vec<(String, store::Urgent)>,
    /// Attempts of the last hour that ended before a gate was asked and took their task out of the queue.
    pub(crate) refused: Vec<LogRow>,
    /// Whether `ntemail.sendmail` can be run.
    pub(crate) has_sendmail: bool,
}

impl Platform {
    /// Looks at everything; changes nothing.
    pub fn status(&mut self) -> Result<Status, Refusal> {
        let paused = self.paused();
        let mut context = self.context(Mask::default());
        let seen = see(&mut context, paused)?;
        let mut findings = status_findings::of_seen(&seen, context.config);
        findings.extend(status_findings::of_files(&context, &seen.gateways));
        // without the key there is one finding, and it names the key
        if let Ok(vault) = Vault::load(context.root) {
            let rows = (seen.gateways.as_slice(), seen.counts.as_slice());
            findings.extend(status_secrets::lost(&mut context, &vault, rows)?);
        }
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        let urgent = urgency(&mut context, &seen)?;
        Ok(Status {
            now: seen.now,
            paused: seen.paused,
            modules: seen.modules,
            gateways: seen.gateways,
            urgent,
            findings,
        })
    }
}

fn see(context: &mut Context<'_>, paused: Option<Pause>) -> Result<Seen, Refusal> {
    let now = context.now();
    let programs = context.programs.list(Folder::Notify);
    let gates = context.programs.list(Folder::Gate);
    let (counts, workers, projects) = context
        .read(|snapshot| Ok((snapshot.counts()?, snapshot.workers()?, snapshot.projects()?)))?;
    let mut names: Vec<_> = counts.iter().map(|count| count.module.clone()).collect();
    names.extend(programs.iter().map(|program| program.name.clone()));
    names.sort_unstable();
    names.dedup();
    let modules = names
        .into_iter()
        .map(|name| {
            let program = programs.iter().find(|program| program.name == name);
            let broken = program.and_then(|program| program.features.clone().err());
            let worker = worker_of(&name, &counts);
            let runner = locks::runner(context.root, context.config, (worker, &workers), now);
            module_status(name, runner, broken, &counts)
        })
        .collect();
    let sent = context.read(|snapshot| sent(snapshot, now))?;
    let gateways = gateways(context, &counts, &sent)?;
    let tested = context.read(|snapshot| {
        let mut tested = Vec::new();
        for status in &gateways {
            if snapshot.setting(&crate::gateways::tested_setting(status.gateway.id))?.is_some() {
                tested.push(status.gateway.id);
            }
        }
        Ok(tested)
    })?;
    let oldest = context.read(|snapshot| oldest_ready(snapshot, &counts))?;
    let urgent = context.read(|snapshot| urgent(snapshot, &counts))?;
    let refused = context.read(|snapshot| refused(snapshot, now))?;
    Ok(Seen {
        now,
        paused,
        modules,
        gateways,
        counts,
        projects,
        gates,
        oldest,
        tested,
        urgent,
        refused,
        has_sendmail: context.config.ntemail.program(context.root.folder()).is_some(),
    })
}

/// The module whose program works on these rows: nthandler does the operations of a program in `processing/`.
pub(crate) fn worker_of<'a>(module: &'a str, counts: &[Count]) -> &'a str {
    let is_errand = |count: &Count| count.module == module && count.route.row().is_some();
    if counts.iter().any(is_errand) { ModuleName::HANDLER } else { module }
}

fn module_status(
    name: String,
    runner: Runner,
    broken: Option<String>,
    counts: &[Count],
) -> ModuleStatus {
    let own = || counts.iter().filter(|count| count.module == name);
    let mut tasks = BTreeMap::new();
    for count in own() {
        *tasks.entry(count.state).or_default() += count.tasks;
    }
    let oldest_ready =
        own().filter(|count| count.state == State::Ready).map(|count| count.oldest).min();
    ModuleStatus { name, runner, broken, tasks, oldest_ready }
}

/// Messages sent within [`RATE_MS`], by gateway and module: handlers and servers have numbers of their own.
type Sent = BTreeMap<(GatewayId, String), u64>;

fn sent(snapshot: &mut dyn store::Snapshot, now: Ms) -> Result<Sent, Refusal> {
    let filter = LogFilter { since: Some(now.plus(-RATE_MS)), ..LogFilter::default() };
    let mut sent = Sent::new();
    for row in snapshot.log(&filter, None, RATE_ROWS)? {
        if let Some(gateway) = row.row.gateway.filter(|_| row.row.outcome == "sent") {
            *sent.entry((gateway, row.row.module.clone())).or_default() += 1;
        }
    }
    Ok(sent)
}

fn urgent(
    snapshot: &mut dyn store::Snapshot,
    counts: &[Count],
) -> Result<Vec<(String, store::Urgent)>, Refusal> {
    let ready = counts.iter().filter(|count| count.state == State::Ready);
    let modules: BTreeSet<&str> = ready.map(|count| count.module.as_str()).collect();
    let mut urgent = Vec::new();
    for name in modules {
        // a foreign row may name anything
        let Ok(module) = ModuleName::new(name) else { continue };
        let of_module = snapshot.urgent_routes(&module)?.into_iter();
        urgent.extend(of_module.map(|one| (name.to_owned(), one)));
    }
    Ok(urgent)
}

fn urgency(context: &mut Context<'_>, seen: &Seen) -> Result<Urgency, Refusal> {
    let mut since = |ms: i64| {
        context.read(|snapshot| Ok(snapshot.urgent_waits(seen.now.plus(-ms), URGENT_ROWS)?))
    };
    Ok(Urgency {
        oldest: seen.urgent.iter().map(|(_, urgent)| urgent.ready).min(),
        hour: Promptness::of(&since(60 * 60_000)?),
        day: Promptness::of(&since(Ms::DAY)?),
    })
}

/// What the module itself refused within the hour, no gate asked (S3-77).
fn refused(snapshot: &mut dyn store::Snapshot, now: Ms) -> Result<Vec<LogRow>, Refusal> {
    let mut rows = snapshot.refused(now.plus(-REFUSED_MS), REFUSED_ROWS)?;
    rows.retain(|row| unasked::is_unasked(&row.row.reason));
    Ok(rows)
}

fn gateways(
    context: &mut Context<'_>,
    counts: &[Count],
    sent: &Sent,
) -> Result<Vec<GatewayStatus>, Refusal> {
    let now = context.now();
    context.read(|snapshot| {
        let states = snapshot.gateway_states()?;
        let gateways = snapshot.gateways()?;
        let rests: Vec<_> = gateways
            .iter()
            .map(|gateway| store::rests_until(snapshot, gateway.id, now))
            .collect::<Result<_, _>>()?;
        Ok(gateways
            .into_iter()
            .zip(rests)
            .map(|(gateway, rests_until)| {
                let state = states.iter().find(|state| state.gateway == gateway.id).cloned();
                let served: Vec<_> = counts
                    .iter()
                    .filter(|count| count.state == State::Ready && serves(&gateway, count))
                    .collect();
                let own = (gateway.id, gateway.module.to_string());
                GatewayStatus {
                    word: word_of(&gateway, state.as_ref()),
                    waiting: served.iter().map(|count| count.tasks).sum(),
                    oldest: served.iter().map(|count| count.oldest).min(),
                    sent_in_10_min: sent.get(&own).copied().unwrap_or_default(),
                    state,
                    rests_until,
                    gateway,
                }
            })
            .collect())
    })
}

/// True when the rows of a route can go out through a gateway (S3-18).
pub(crate) fn serves(gateway: &Gateway, count: &Count) -> bool {
    gateway.direction == Direction::Outgoing
        && gateway.module.as_str() == count.module
        && is_of_route(gateway, &count.route)
}

fn is_of_route(gateway: &Gateway, route: &Route) -> bool {
    gateway.project.is_none() || gateway.project == route.project_id()
}

fn word_of(gateway: &Gateway, state: Option<&GatewayState>) -> &'static str {
    if !gateway.active {
        return "off";
    }
    match state.map(|state| &state.condition) {
        None | Some(Condition::Open) => "open",
        Some(Condition::Held { .. }) => "held",
        Some(Condition::Down { .. }) => "down",
    }
}

/// The newest page of ready rows holds the oldest one only of a short queue; so the number is given where
/// it is found, and else left out.
fn oldest_ready(
    snapshot: &mut dyn store::Snapshot,
    counts: &[Count],
) -> Result<Option<TaskRow>, Refusal> {
    let ready = counts.iter().filter(|count| count.state == State::Ready);
    let Some(oldest) = ready.map(|count| count.oldest).min() else { return Ok(None) };
    let filter = store::TaskFilter {
        state: Some(State::Ready),
        queued_before: Some(oldest.plus(1)),
        ..store::TaskFilter::default()
    };
    Ok(snapshot.tasks(&filter, None, 1)?.pop())
}
