//! Gateways: configured rows that use a gate.

use crate::answer::Answer;
use crate::context::Context;
use crate::function::Request;
use crate::plan::{Change, Fact, Plan, Planned};
use crate::refusal::Refusal;
use crate::when;
use notice::{Fields, GatewayId, ModuleName, Ms, OnUnknown, ProjectId, State};
use store::{Condition, Count, Direction, Gateway, GatewayState, Project, Snapshot};
use wire::xml::Element;

/// `gateway`: lists with the state of each; secrets are not shown.
pub(crate) fn list(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let now = context.now();
    let rows = context.read(|snapshot| {
        let project = match request.given("project") {
            Some(text) => Some(crate::projects::find(snapshot, text)?.id),
            None => None,
        };
        let states = snapshot.gateway_states()?;
        let mut gateways = snapshot.gateways()?;
        gateways.retain(|gateway| {
            request.given("module").is_none_or(|module| gateway.module.as_str() == module)
                && request.given("gate").is_none_or(|gate| gateway.gate == gate)
                && (project.is_none() || gateway.project == project)
        });
        let mut rows = Vec::with_capacity(gateways.len());
        for gateway in &gateways {
            let state = states.iter().find(|state| state.gateway == gateway.id);
            let rests_until = store::rests_until(snapshot, gateway.id, now)?;
            rows.push(element(gateway, (state, rests_until)));
        }
        Ok(rows)
    })?;
    Ok(Planned::Answer(Answer::list(rows)))
}

/// The columns of a row as a gate gets them (ancestor-facts 1.1); `xmlparams` and secrets apart.
pub(crate) fn columns(gateway: &Gateway) -> Fields {
    let number = |value: Option<u32>| value.map(|number| number.to_string()).unwrap_or_default();
    let columns = [
        ("id", gateway.id.to_string()),
        ("name", gateway.name.clone()),
        ("project", gateway.project.map(|id| id.to_string()).unwrap_or_default()),
        ("notify_module", gateway.module.to_string()),
        ("gateway_module", gateway.gate.clone()),
        ("gateway_type", direction_number(gateway.direction).to_owned()),
        ("active", if gateway.active { "on" } else { "off" }.to_owned()),
        ("priority", gateway.priority.to_string()),
        ("concurrency", number(gateway.concurrency)),
        ("rate", number(gateway.rate_per_sec)),
        ("on_unknown", gateway.on_unknown.map(OnUnknown::word).unwrap_or_default().to_owned()),
    ];
    columns.into_iter().collect()
}

/// The columns of a row, its state, and until when its service asked to be left alone.
pub(crate) fn element(
    gateway: &Gateway,
    (state, rests_until): (Option<&GatewayState>, Option<Ms>),
) -> Element {
    let (word, reason) = match state.map(|state| &state.condition) {
        None | Some(Condition::Open) => ("open", ""),
        Some(Condition::Held { reason, .. }) => ("held", reason.as_str()),
        Some(Condition::Down { reason }) => ("down", reason.as_str()),
    };
    let mut row = crate::projects::with_fields(
        Element::new("elem").with_child(Element::new("id").with_text(gateway.id.to_string())),
        &columns(gateway),
    );
    let probe = state.and_then(|state| state.next_probe).map(when::shown).unwrap_or_default();
    let rest = rests_until.filter(|_| word == "open");
    let rest_words = rest.map(when::rest).unwrap_or_default();
    let reason = if rest_words.is_empty() { reason } else { &rest_words };
    for (name, value) in [
        ("state", if gateway.active { word } else { "off" }),
        ("reason", reason),
        ("since", &state.map(|state| when::shown(state.since)).unwrap_or_default()),
        ("next_probe", &probe),
        ("rests_until", &rest.map(when::shown).unwrap_or_default()),
    ] {
        row.push(Element::new(name).with_text(value));
    }
    row
}

/// The ancestor's number of a direction: 1 outgoing, 2 ingoing.
pub(crate) fn direction_number(direction: Direction) -> &'static str {
    match direction {
        Direction::Outgoing => "1",
        Direction::Ingoing => "2",
    }
}

/// What to type in place of a gateway that is not there.
fn instead(all: &[Gateway]) -> String {
    const SHOWN: usize = 10;
    if all.is_empty() {
        return "none is configured yet: `gatepost gateway add GATE` makes one, `gatepost gate list` shows the gates"
            .to_owned();
    }
    let known: Vec<_> =
        all.iter().take(SHOWN).map(|gateway| format!("{} {}", gateway.id, gateway.name)).collect();
    format!(
        "name one by its id or its name: {}; `gatepost gateway list` shows them",
        known.join(", ")
    )
}

/// The gateway of that id or name.
pub(crate) fn find(snapshot: &mut dyn Snapshot, text: &str) -> Result<Gateway, Refusal> {
    if let Ok(id) = text.parse::<GatewayId>()
        && let Some(gateway) = snapshot.gateway(id)?
    {
        return Ok(gateway);
    }
    let all = snapshot.gateways()?;
    let mut named: Vec<_> = all.iter().filter(|gateway| gateway.name == text).cloned().collect();
    match named.len() {
        0 => Err(Refusal::NotFound {
            noun: "gateway",
            value: text.to_owned(),
            remedy: instead(&all),
        }),
        1 => Ok(named.remove(0)),
        _ => Err(Refusal::Ambiguous {
            noun: "gateway",
            value: text.to_owned(),
            candidates: named.iter().map(|g| format!("{} {}", g.id, g.name)).collect(),
        }),
    }
}

/// `gateway.hold`: nothing is handed to it until somebody releases it, or the time is up.
pub(crate) fn hold(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let now = context.now();
    let until =
        request.given("until").map(|text| when::read("until", text, now, "")).transpose()?;
    let said = until.as_ref().map(|moment| moment.understood.clone());
    let condition = Condition::Held { reason: request.text("reason").to_owned(), by_person: true };
    let changes = states_with(context, request, &condition, until.map(|moment| moment.at))?;
    Ok(Planned::Once(Plan::new(changes, move |_| {
        let mut document = Element::new("doc").with_child(Element::new("ok"));
        if let Some(said) = &said {
            document.push(Element::new("until").with_text(said));
        }
        Answer::of(document)
    })))
}

/// `gateway.release`: usable again, whoever held it.
pub(crate) fn release(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let changes = states_with(context, request, &Condition::Open, None)?;
    Ok(Planned::Once(Plan::new(changes, |_| Answer::ok())))
}

fn states_with(
    context: &mut Context<'_>,
    request: &Request,
    condition: &Condition,
    next_probe: Option<notice::Ms>,
) -> Result<Vec<Change>, Refusal> {
    let now = context.now();
    context.read(|snapshot| {
        let states = snapshot.gateway_states()?;
        request
            .group("elid")
            .iter()
            .map(|name| {
                let gateway = find(snapshot, name)?;
                let known = states.iter().find(|state| state.gateway == gateway.id);
                Ok(Change::SetGatewayState(GatewayState {
                    gateway: gateway.id,
                    condition: condition.clone(),
                    since: now,
                    next_probe,
                    probes: 0,
                    strikes: 0,
                    holds: 0,
                    last_error: known.and_then(|state| state.last_error.clone()),
                }))
            })
            .collect()
    })
}

/// What becomes of a gateway that has shown that it can be used.
pub(crate) enum Reopened {
    /// It is open.
    Already,
    /// This change opens it.
    By(Change),
    /// A person holds it, and nobody else ends that; the words say so.
    Held(String),
}

impl Reopened {
    /// The change, and what is to be said.
    pub(crate) fn split(self) -> (Option<Change>, Option<String>) {
        match self {
            Self::Already => (None, None),
            Self::By(change) => (Some(change), None),
            Self::Held(words) => (None, Some(words)),
        }
    }
}

/// Opens a gateway again that the system held; what a person has held, only a person or its own end opens.
pub(crate) fn reopened(
    snapshot: &mut dyn Snapshot,
    id: GatewayId,
    now: notice::Ms,
) -> Result<Reopened, Refusal> {
    let states = snapshot.gateway_states()?;
    let Some(state) = states.into_iter().find(|state| state.gateway == id) else {
        return Ok(Reopened::Already);
    };
    let is_over = state.next_probe.is_some_and(|until| until <= now);
    match &state.condition {
        Condition::Open if state.strikes == 0 && state.holds == 0 => return Ok(Reopened::Already),
        Condition::Held { reason, by_person: true } if !is_over => {
            return Ok(Reopened::Held(format!(
                "it stays held by a person ({reason}); `gatepost gateway release {id}` ends that"
            )));
        }
        Condition::Open | Condition::Held { .. } | Condition::Down { .. } => {}
    }
    Ok(Reopened::By(Change::SetGatewayState(GatewayState {
        condition: Condition::Open,
        since: now,
        next_probe: None,
        probes: 0,
        strikes: 0,
        holds: 0,
        ..state
    })))
}

/// The setting that says when a gateway last passed its check.
pub(crate) fn tested_setting(id: GatewayId) -> String {
    format!("gateway.{id}.tested")
}

/// `gateway.delete`: what is bound to it is asked. Mail of a project that has no gateway after that goes another way,
/// and the answer says so.
pub(crate) fn delete(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let names = request.group("elid");
    let (gateways, without) = context.read(|snapshot| {
        let gone = names.iter().map(|name| find(snapshot, name)).collect::<Result<Vec<_>, _>>()?;
        let without = mail_without_gateway(snapshot, &gone)?;
        Ok((gone, without))
    })?;
    let warning = without.map(|mail| {
        let ntemail = &context.config.ntemail;
        let can_run = ntemail.program(context.root.folder()).is_some();
        mail.words(&ntemail.sendmail, can_run)
    });
    let changes = gateways.iter().map(|gateway| Change::DeleteGateway(gateway.id)).collect();
    let facts: Vec<_> =
        gateways.iter().map(|gateway| Fact::Gateway(gateway.id, Some(gateway.version))).collect();
    let answer = move |_: &_| {
        let mut document = Element::new("doc").with_child(Element::new("ok"));
        if let Some(warning) = &warning {
            document.push(Element::new("warning").with_text(warning));
        }
        Answer::of(document)
    };
    Ok(Planned::Once(Plan::new(changes, answer).based_on(facts)))
}

/// Mail that has lost its last gateway.
struct WithoutGateway {
    /// `project 1 Example`, and so on.
    projects: Vec<String>,
    /// Messages in the queue.
    waiting: u64,
}

impl WithoutGateway {
    fn words(&self, sendmail: &str, can_run: bool) -> String {
        let waiting = match self.waiting {
            0 => String::new(),
            1 => ", 1 message that waits too".to_owned(),
            count => format!(", {count} messages that wait too"),
        };
        let projects = self.projects.join(", ");
        if can_run {
            format!(
                "mail of {projects} has no gateway any more and goes out by {sendmail}{waiting}; `gatepost pause` keeps it back"
            )
        } else {
            format!(
                "mail of {projects} has no gateway any more and waits for one{waiting}: ntemail.sendmail ({sendmail}) can't be run"
            )
        }
    }
}

/// The mail that these gateways leave behind, if they are the last ones of its project: it needs none to go out.
fn mail_without_gateway(
    snapshot: &mut dyn Snapshot,
    gone: &[Gateway],
) -> Result<Option<WithoutGateway>, Refusal> {
    let all = snapshot.gateways()?;
    let (gone, left): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|one| gone.iter().any(|lost| lost.id == one.id));
    let carries = |gateways: &[Gateway], project: ProjectId| {
        gateways.iter().any(|gateway| {
            gateway.direction == Direction::Outgoing
                && gateway.module.as_str() == ModuleName::EMAIL
                && gateway.project.is_none_or(|own| own == project)
        })
    };
    let mut projects = snapshot.projects()?;
    projects.retain(|project| carries(&gone, project.id) && !carries(&left, project.id));
    if projects.is_empty() {
        return Ok(None);
    }
    let is_theirs = |count: &Count| {
        let own = count.route.project_id();
        count.module == ModuleName::EMAIL
            && matches!(count.state, State::Ready | State::Waiting)
            && projects.iter().any(|project| own == Some(project.id))
    };
    let counts = snapshot.counts()?;
    let waiting = counts.iter().filter(|count| is_theirs(count)).map(|count| count.tasks).sum();
    let named =
        |project: &Project| format!("project {} {}", project.id, project.fields.text("name"));
    Ok(Some(WithoutGateway { projects: projects.iter().map(named).collect(), waiting }))
}
