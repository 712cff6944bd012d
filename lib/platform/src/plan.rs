//! What a call will change, as a value; and the one place that changes it.

use crate::announce::Announcer;
use crate::answer::Answer;
use crate::context::Context;
use crate::events::{self, Notices, Raise};
use crate::gateways::tested_setting;
use crate::provisioning;
use crate::refusal::Refusal;
use crate::services::{self, ServicesChange, ServicesFact};
use config::ConfigError;
use notice::{AccountId, GatewayId, HandlerId, Ms, ProjectId, TaskId, UserId};
use store::{
    Accepted, Account, Agent, ApiToken, Body, ContactState, Event, Finish, Gateway, GatewayState,
    Hash, NewEvent, NewPayment, NewTask, Paid, Project, Provisioning, ReplyToken, SignIn,
    StoreError, Subscription, Told, Tx, User,
};

/// What planning brings.
pub(crate) enum Planned {
    /// Nothing changes: here is the answer.
    Answer(Answer),
    /// One transaction.
    Once(Plan),
    /// Many rows: plans one after the other, each a transaction of its own, until there is none.
    Pages(Pages),
}

/// Makes the plan of the next page; None: there is no more.
pub(crate) type NextPage = dyn FnMut(&mut Context<'_>) -> Result<Option<Plan>, Refusal>;

/// A source of plans, and how their sum is answered.
pub(crate) struct Pages {
    pub(crate) next: Box<NextPage>,
    pub(crate) answer: Box<dyn FnOnce(&Applied) -> Answer>,
}

/// Changes, what they were planned on, and the answer once they are made.
pub(crate) struct Plan {
    pub(crate) based_on: Vec<Fact>,
    pub(crate) changes: Vec<Change>,
    pub(crate) answer: Box<dyn Fn(&Applied) -> Answer>,
}

impl Plan {
    /// Changes that rest on nothing.
    pub(crate) fn new(changes: Vec<Change>, answer: impl Fn(&Applied) -> Answer + 'static) -> Self {
        Self { based_on: Vec::new(), changes, answer: Box::new(answer) }
    }

    /// Changes that hold only while these facts do.
    pub(crate) fn based_on(mut self, facts: impl IntoIterator<Item = Fact>) -> Self {
        self.based_on.extend(facts);
        self
    }
}

/// What a plan rests on. If it no longer holds inside the transaction, the call is planned anew, once.
pub(crate) enum Fact {
    Project(ProjectId, Option<Project>),
    User(UserId, Option<User>),
    /// The version of a gateway; None: it is not there.
    Gateway(GatewayId, Option<i64>),
    /// The version of a provisioning handler.
    Provisioning(HandlerId, Option<i64>),
    /// The user who has this external id in this project.
    ExternalId(ProjectId, String, Option<UserId>),
    /// An account with its balance.
    Account(AccountId, Option<Account>),
    /// An agent's status, which a hook was shown.
    Agent(UserId, Option<Agent>),
    /// A shared value, which a hook was shown.
    Shared(String, Option<String>),
    Services(ServicesFact),
}

impl Fact {
    fn holds(&self, tx: &mut dyn Tx) -> store::Result<bool> {
        Ok(match self {
            Self::Project(id, known) => tx.project(*id)? == *known,
            Self::User(id, known) => tx.user(*id)? == *known,
            Self::Account(id, known) => tx.account(*id)? == *known,
            Self::Agent(id, known) => tx.agent(*id)? == *known,
            Self::Shared(id, known) => tx.shared(id)? == *known,
            Self::Gateway(id, version) => tx.gateway(*id)?.map(|row| row.version) == *version,
            Self::Provisioning(id, version) => {
                tx.provisioning(*id)?.map(|row| row.version) == *version
            }
            Self::ExternalId(project, external_id, known) => {
                let filter = store::UserFilter {
                    project: Some(*project),
                    external_id: Some(external_id.clone()),
                    ..Default::default()
                };
                tx.users(&filter, None, 1)?.first().map(|user| user.id) == *known
            }
            Self::Services(fact) => fact.holds(tx)?,
        })
    }

    fn words(&self) -> String {
        match self {
            Self::Project(id, _) => format!("project {id}"),
            Self::User(id, _) => format!("user {id}"),
            Self::Gateway(id, _) => format!("gateway {id}"),
            Self::Account(id, _) => format!("account {id}"),
            Self::Agent(id, _) => format!("agent {id}"),
            Self::Shared(id, _) => format!("shared data `{id}`"),
            Self::Provisioning(id, _) => format!("provisioning handler {id}"),
            Self::ExternalId(_, external_id, _) => format!("user ext:{external_id}"),
            Self::Services(fact) => fact.words(),
        }
    }
}

/// Whether a gateway's gate was asked before it is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    /// `check_connection` said yes.
    Passed,
    /// The gate does not offer it (S3-44).
    NotOffered,
    /// It was not asked: the gateway is taken out of use.
    OutOfUse,
}

/// Seals the secrets of a gateway for the row it is written into.
pub(crate) type Seal = Box<dyn Fn(&Gateway) -> Result<Vec<u8>, ConfigError>>;

/// One change.
pub(crate) enum Change {
    SaveProject(Project),
    DeleteProject(ProjectId),
    SaveUser(User),
    DeleteUser(UserId),
    ForgetUser(UserId, Vec<String>),
    /// Cancels what is queued for him and not being sent; the log says why.
    EndTasksOf(UserId, &'static str),
    AddUserColumn(String),
    SaveGateway(Box<Gateway>, Checked, Seal),
    /// The gateway passed its check now.
    MarkTested(GatewayId),
    DeleteGateway(GatewayId),
    SetGatewayState(GatewayState),
    SaveSubscription(Subscription),
    SaveProvisioning(Box<Provisioning>, Option<provisioning::Seal>),
    DeleteProvisioning(HandlerId),
    /// What is saved of provisioning handlers is acted from.
    ActivateProvisionings,
    /// Past events, delivered once more to one handler, or to all.
    Replay(Vec<NewEvent>, Option<HandlerId>),
    Enqueue(Vec<NewTask>),
    Retry(Vec<TaskId>),
    End(Vec<TaskId>, Finish, String),
    MarkRead(UserId, Vec<i64>),
    SetContactState(ContactState),
    SaveAccount(Account),
    DeleteAccount(AccountId),
    /// A payment; those it is told of hear of a crossing.
    Pay(NewPayment, Vec<UserId>, Notices),
    SetAgent(Agent),
    SetShared(String, String),
    /// How users are known.
    Access(Access),
    AddReplyToken(ReplyToken),
    /// An event, with the tasks that follow from it (the outbox).
    Raise(Raise),
    AddToken(ApiToken),
    DeleteToken(String),
    Services(ServicesChange),
}

/// A change of how users are known.
pub(crate) enum Access {
    /// None: the user that the first saving change of the plan makes.
    SetPassword(Option<UserId>, Option<String>),
    SignIn(SignIn),
    SignOut(Hash),
    /// Every session of a user.
    SignOutUser(UserId),
}

impl Plan {
    /// The kinds of event it raises, as far as notices may follow.
    pub(crate) fn events(&self) -> impl Iterator<Item = &str> {
        self.changes.iter().flat_map(|change| match change {
            Change::Raise(raise) if raise.notices == Notices::Sent => vec![raise.events_id],
            Change::Pay(_, _, Notices::Sent) => {
                vec![events::BALANCE_ZERO, events::BALANCE_NOT_ZERO]
            }
            _ => Vec::new(),
        })
    }

    /// Notification files of the tasks, in the order of the tasks; None for those without.
    pub(crate) fn files(&self) -> Vec<Option<&str>> {
        let tasks = self.changes.iter().filter_map(|change| match change {
            Change::Enqueue(tasks) => Some(tasks),
            _ => None,
        });
        tasks
            .flatten()
            .map(|task| match &task.body {
                Body::File(name) => Some(name.as_str()),
                Body::Stored(_) => None,
            })
            .collect()
    }
}

/// What was made.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// Ids of saved rows, in the order of the changes.
    pub(crate) ids: Vec<i64>,
    /// What became of the tasks, in their order.
    pub(crate) accepted: Vec<Accepted>,
    /// Reply tokens written so far.
    tokens: usize,
    /// Rows touched by the other changes.
    pub(crate) touched: u64,
    /// What a payment did.
    pub(crate) paid: Option<Paid>,
    /// Events, in order: plugins hear of them after the commit.
    pub(crate) told: Vec<NewEvent>,
    /// What is wrong with notices that events should have sent.
    pub(crate) problems: Vec<String>,
}

impl Applied {
    pub(crate) fn add(&mut self, other: Self) {
        self.ids.extend(other.ids);
        self.accepted.extend(other.accepted);
        self.touched += other.touched;
        self.told.extend(other.told);
        self.problems.extend(other.problems);
    }
}

/// Why a plan was not applied. The transaction is rolled back.
#[derive(Debug)]
pub(crate) enum NotApplied {
    Changed(String),
    Conflict { operation: &'static str, reason: String },
    Store(StoreError),
}

impl From<StoreError> for NotApplied {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Makes the changes inside the transaction.
pub(crate) fn apply(
    plan: &Plan,
    tx: &mut dyn Tx,
    (announcer, now): (&Announcer, Ms),
) -> Result<Applied, NotApplied> {
    for fact in &plan.based_on {
        if !fact.holds(tx)? {
            return Err(NotApplied::Changed(fact.words()));
        }
    }
    let mut applied = Applied::default();
    for change in &plan.changes {
        match change {
            Change::Raise(raise) => raise_event(raise, tx, (announcer, now), &mut applied)?,
            Change::Pay(payment, holders, notices) => {
                let paid = tx.add_payment(payment)?;
                if let Paid::Other(id) = paid {
                    return Err(key_of_another(payment, id));
                }
                applied.paid = Some(paid);
                for raise in events::of_payment(paid, holders, *notices) {
                    raise_event(&raise, tx, (announcer, now), &mut applied)?;
                }
            }
            other => make(other, tx, now, &mut applied)?,
        }
    }
    Ok(applied)
}

/// A key is good for one payment: whoever repeats it with other figures has made a mistake.
fn key_of_another(payment: &NewPayment, id: i64) -> NotApplied {
    let key = payment.key.as_deref().unwrap_or_default();
    NotApplied::Conflict {
        operation: "add a payment",
        reason: format!(
            "key `{key}` is that of payment {id}, of another amount or account; a new payment needs a new key"
        ),
    }
}

/// The outbox: the event and every task that follows from it, in this transaction.
fn raise_event(
    raise: &Raise,
    tx: &mut dyn Tx,
    (announcer, now): (&Announcer, Ms),
    applied: &mut Applied,
) -> store::Result<()> {
    let event = raise.event(&applied.ids, now);
    let id = tx.add_event(&event, Told::Yes)?;
    let event = Event { id, event, told: Told::Yes };
    let mut tasks = provisioning::fan_out(tx, &event, now)?;
    if raise.notices == Notices::Sent {
        tasks += announcer.announce(tx, &event, &mut applied.problems)?;
    }
    applied.touched += tasks;
    applied.told.push(event.event);
    Ok(())
}

/// The tasks of events that a settling turn has written untold; each event once, whoever else tries.
pub(crate) fn tell(
    tx: &mut dyn Tx,
    limit: u32,
    (announcer, now): (&Announcer, Ms),
) -> store::Result<(Applied, usize)> {
    let mut applied = Applied::default();
    let events = tx.untold_events(limit)?;
    for event in &events {
        applied.touched += provisioning::fan_out(tx, event, now)?;
        applied.touched += announcer.announce(tx, event, &mut applied.problems)?;
    }
    let ids: Vec<_> = events.iter().map(|event| event.id).collect();
    tx.mark_events_told(&ids)?;
    applied.told = events.iter().map(|event| event.event.clone()).collect();
    Ok((applied, events.len()))
}

fn make(change: &Change, tx: &mut dyn Tx, now: Ms, applied: &mut Applied) -> store::Result<()> {
    let touched = match change {
        Change::SaveProject(project) => saved(applied, tx.save_project(project)?.0),
        Change::SaveUser(user) => saved(applied, tx.save_user(user)?.0),
        Change::SaveGateway(gateway, checked, seal) => {
            let id = save_gateway(tx, gateway, seal)?;
            applied.ids.push(id.0);
            mark_tested(tx, id, *checked, now)?
        }
        Change::SaveProvisioning(..)
        | Change::DeleteProvisioning(_)
        | Change::ActivateProvisionings
        | Change::Replay(..) => make_of_handlers(change, tx, now, applied)?,
        Change::MarkTested(id) => done(tx.set_setting(&tested_setting(*id), &now.to_string()))?,
        Change::Enqueue(tasks) => {
            applied.accepted.extend(tx.enqueue(tasks, now)?);
            0
        }
        Change::DeleteProject(id) => u64::from(tx.delete_project(*id)?),
        Change::DeleteUser(id) => u64::from(tx.delete_user(*id)?),
        Change::ForgetUser(id, contacts) => u64::from(tx.forget_user(*id, contacts)?),
        Change::EndTasksOf(id, reason) => {
            let tasks = tx.tasks_of_user(*id)?;
            u64::from(tx.end(&tasks, Finish::Cancel, reason, now)?)
        }
        Change::AddUserColumn(name) => done(tx.add_user_column(name))?,
        Change::DeleteGateway(id) => u64::from(tx.delete_gateway(*id, now)?),
        Change::SetGatewayState(state) => set_gateway_state(tx, state, now)?,
        Change::SaveSubscription(subscription) => done(tx.save_subscription(subscription))?,
        Change::Retry(ids) => u64::from(tx.retry(ids, now)?),
        Change::End(ids, how, reason) => u64::from(tx.end(ids, *how, reason, now)?),
        Change::MarkRead(user, ids) => u64::from(tx.mark_read(*user, ids, now)?),
        Change::SetContactState(state) => done(tx.set_contact_state(state))?,
        Change::SaveAccount(account) => saved(applied, tx.save_account(account)?.0),
        Change::DeleteAccount(id) => u64::from(tx.delete_account(*id)?),
        Change::SetAgent(agent) => done(tx.save_agent(agent))?,
        Change::SetShared(id, value) => done(tx.set_shared(id, Some(value)))?,
        Change::Access(change) => make_access(change, tx, applied)?,
        Change::AddReplyToken(token) => done(tx.add_reply_token(&of_its_task(token, applied)))?,
        Change::Services(change) => services::make(change, tx, now, applied)?,
        // Made by `apply`, which knows more.
        Change::Raise(_) | Change::Pay(..) => 0,
        Change::AddToken(token) => done(tx.add_token(token))?,
        Change::DeleteToken(name) => u64::from(tx.delete_token(name)?),
    };
    applied.touched += touched;
    Ok(())
}

/// Secrets belong to the row's id, which a new one gets when it is written (decision 0011).
fn save_gateway(tx: &mut dyn Tx, gateway: &Gateway, seal: &Seal) -> store::Result<GatewayId> {
    if gateway.id.0 != 0 || gateway.secret.is_empty() {
        return tx.save_gateway(gateway);
    }
    let id = tx.save_gateway(&Gateway { secret: Vec::new(), ..gateway.clone() })?;
    let mut row = Gateway { id, ..gateway.clone() };
    row.secret = seal(&row).map_err(|error| StoreError::Refused {
        operation: "save a gateway",
        reason: error.to_string(),
    })?;
    tx.save_gateway(&row)
}

fn make_of_handlers(
    change: &Change,
    tx: &mut dyn Tx,
    now: Ms,
    applied: &mut Applied,
) -> store::Result<u64> {
    Ok(match change {
        Change::SaveProvisioning(handler, seal) => {
            saved(applied, save_provisioning(tx, handler, seal.as_ref())?.0)
        }
        Change::DeleteProvisioning(id) => u64::from(tx.delete_provisioning(*id)?),
        Change::ActivateProvisionings => u64::from(tx.activate_provisionings()?),
        Change::Replay(events, only) => {
            applied.accepted.extend(provisioning::tell_again(tx, events, (*only, now))?);
            events.len() as u64
        }
        _ => 0,
    })
}

/// The same for a handler.
fn save_provisioning(
    tx: &mut dyn Tx,
    handler: &Provisioning,
    seal: Option<&provisioning::Seal>,
) -> store::Result<HandlerId> {
    let Some(seal) = seal else { return tx.save_provisioning(handler) };
    let id = tx.save_provisioning(&Provisioning { secret: Vec::new(), ..handler.clone() })?;
    let secret = seal(id).map_err(|error| StoreError::Refused {
        operation: "save a provisioning handler",
        reason: error.to_string(),
    })?;
    // the version of the row that was just made
    let version = tx.provisioning(id)?.map_or(handler.version, |row| row.version);
    tx.save_provisioning(&Provisioning { id, secret, version, ..handler.clone() })
}

fn make_access(change: &Access, tx: &mut dyn Tx, applied: &Applied) -> store::Result<u64> {
    Ok(match change {
        Access::SetPassword(user, hash) => {
            let made = UserId(applied.ids.first().copied().unwrap_or_default());
            done(tx.set_password_hash(user.unwrap_or(made), hash.as_deref()))?
        }
        Access::SignIn(sign_in) => done(tx.add_sign_in(sign_in))?,
        Access::SignOut(hash) => u64::from(tx.end_sign_in(hash)?),
        Access::SignOutUser(user) => u64::from(tx.end_sign_ins_of(*user)?),
    })
}

/// The tokens of a plan are those of its tasks, in their order.
fn of_its_task(token: &ReplyToken, applied: &mut Applied) -> ReplyToken {
    let task = match applied.accepted.get(applied.tokens) {
        Some(Accepted::New(id) | Accepted::Duplicate(id)) => *id,
        None => token.task,
    };
    applied.tokens += 1;
    ReplyToken { task, ..token.clone() }
}

/// One row was saved, under this id.
fn saved(applied: &mut Applied, id: i64) -> u64 {
    applied.ids.push(id);
    1
}

/// One row was saved; one that passed its check is marked so.
fn mark_tested(tx: &mut dyn Tx, id: GatewayId, checked: Checked, now: Ms) -> store::Result<u64> {
    if checked == Checked::Passed {
        tx.set_setting(&tested_setting(id), &now.to_string())?;
    }
    Ok(1)
}

/// A gateway that a person opens rests no longer, whatever its service asked for.
fn set_gateway_state(tx: &mut dyn store::Tx, state: &GatewayState, now: Ms) -> store::Result<u64> {
    if state.condition == store::Condition::Open {
        tx.set_setting(&store::rests_setting(state.gateway), &now.to_string())?;
    }
    done(tx.set_gateway_state(state, now))
}

fn done(result: store::Result<()>) -> store::Result<u64> {
    result.map(|()| 1)
}
