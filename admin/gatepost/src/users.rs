//! Users, projects, subscriptions, contacts: thin forms of the functions.

#![expect(clippy::doc_markdown, reason = "these texts are what --help shows")]

use crate::failure::Result;
use crate::provisioning::Agent;
use crate::session::Session;
use crate::{ask, fields, output};
use clap::{Args, Subcommand};
use notice::Fields;

const USER: &[&str] = &[
    "id",
    "name",
    "email",
    "phone",
    "language",
    "project",
    "external_id",
    "realname",
    "timezone",
    "account",
    "level",
];
const AGENT: &[&str] = &["id", "username", "status", "reason", "since", "displayname"];
const PROJECT: &[&str] = &[
    "id",
    "name",
    "notifyemail",
    "language",
    "active",
    "site",
    "billurl",
    "supportemail",
    "supportphone",
    "country_default",
    "timezone",
];

const PRODUCT: &[&str] = &["id", "name", "type", "processing"];

#[derive(Subcommand)]
pub(crate) enum User {
    #[command(flatten)]
    Rows(Rows),
    /// Add or update many from CSV with a header line
    Import {
        /// The file, or - for stdin
        file: String,
        /// Project of rows that name none
        #[arg(long)]
        project: Option<String>,
    },
}

/// What is asked of the rows of a plain noun.
#[derive(Subcommand)]
pub(crate) enum Rows {
    /// List or filter
    List {
        /// Filters
        #[arg(value_name = "K=V")]
        fields: Vec<String>,
    },
    /// Add one
    Add {
        /// Fields
        #[arg(value_name = "K=V")]
        fields: Vec<String>,
    },
    /// Change one
    Edit {
        /// Id or name; a user by id, ext:EXTERNAL_ID or email
        id: String,
        /// Fields
        #[arg(value_name = "K=V")]
        fields: Vec<String>,
    },
    /// Remove one
    Delete {
        /// Id or name; a user by id, ext:EXTERNAL_ID or email
        id: String,
    },
}

#[derive(Subcommand)]
pub(crate) enum Subscription {
    /// What a user wants and does not want
    List {
        /// Id, ext:EXTERNAL_ID or email
        user: String,
    },
    /// Subscribe
    Add(SubscriptionOf),
    /// End a subscription
    Remove(SubscriptionOf),
}

#[derive(Args)]
pub(crate) struct SubscriptionOf {
    /// Id, ext:EXTERNAL_ID or email
    pub(crate) user: String,
    /// Notice, or *
    pub(crate) notice: String,
    /// Module, or *
    #[arg(long, default_value = "*")]
    pub(crate) module: String,
}

#[derive(Subcommand)]
pub(crate) enum Contact {
    /// What is known of a contact
    Show {
        /// The contact
        contact: String,
    },
    /// Send nothing to it any more
    Block {
        /// The contact
        contact: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Send to it again
    Unblock {
        /// The contact
        contact: String,
    },
}

/// `gatepost user …`
pub(crate) fn user(session: &mut Session, what: User) -> Result<()> {
    match what {
        User::Rows(what) => rows(session, "user", what, (USER, 6)),
        User::Import { file, project } => import(session, &file, project.as_deref()),
    }
}

/// `gatepost project …`
pub(crate) fn project(session: &mut Session, what: Rows) -> Result<()> {
    rows(session, "project", what, (PROJECT, 5))
}

/// `gatepost product …`
pub(crate) fn product(session: &mut Session, what: Rows) -> Result<()> {
    rows(session, "product", what, (PRODUCT, 4))
}

/// The same for every plain noun; of its columns the first `narrow` are shown in a table.
pub(crate) fn rows(
    session: &mut Session,
    noun: &str,
    what: Rows,
    columns: (&[&'static str], usize),
) -> Result<()> {
    match what {
        Rows::List { fields } => list(session, noun, &fields, columns),
        Rows::Add { fields } => edit(session, noun, "", &fields),
        Rows::Edit { id, fields } => edit(session, noun, &id, &fields),
        Rows::Delete { id } => delete(session, noun, &id),
    }
}

/// `gatepost agent …`
pub(crate) fn agent(session: &mut Session, what: Agent) -> Result<()> {
    match what {
        Agent::List { fields } => list(session, "agent", &fields, (AGENT, 4)),
        Agent::Status { agent, status, reason } => {
            let given = [("agent", agent.as_str()), ("status", &status), ("reason", &reason)];
            let answer = session.ask("agent.status", &given)?;
            session.report(&answer, &format!("{agent} is {status}"))
        }
    }
}

fn list(
    session: &mut Session,
    noun: &str,
    words: &[String],
    (columns, narrow): (&[&'static str], usize),
) -> Result<()> {
    let answer = session.call(noun, &fields::read(words)?)?;
    session.list(&answer, columns, narrow)
}

fn edit(session: &mut Session, noun: &str, id: &str, words: &[String]) -> Result<()> {
    let name = format!("{noun}.edit");
    let declared = platform::Platform::function(&name);
    let is_secret = |field: &str| declared.is_some_and(|function| function.is_secret(field));
    let mut given = fields::with_secrets(&fields::read(words)?, is_secret)?;
    given.set("sok", "ok");
    given.set("elid", id);
    let answer = session.call(&name, &given)?;
    let verb = if id.is_empty() { "added" } else { "changed" };
    let mut words = format!("{verb} {noun} {}", answer.text("id"));
    // a secret that was made is shown this once
    for name in ["secret", "note"] {
        let text = answer.text(name);
        if !text.is_empty() {
            words = format!("{words}\n{name}: {text}");
        }
    }
    session.report(&answer, &words)
}

fn delete(session: &mut Session, noun: &str, id: &str) -> Result<()> {
    let answer = session.ask(&format!("{noun}.delete"), &[("elid", id)])?;
    session.report(&answer, &format!("deleted {noun} {id}"))
}

fn import(session: &mut Session, file: &str, project: Option<&str>) -> Result<()> {
    let text = fields::file(file)?;
    let answer =
        session.ask("user.import", &[("csv", &text), ("project", project.unwrap_or_default())])?;
    session.report(
        &answer,
        &format!("added {}, changed {}", answer.text("created"), answer.text("changed")),
    )
}

/// `gatepost subscription …`
pub(crate) fn subscription(session: &mut Session, what: Subscription) -> Result<()> {
    let (of, active, verb) = match what {
        Subscription::List { user } => {
            let answer = session.ask("subscription", &[("user", &user)])?;
            return session.list(&answer, &["notice", "module", "active"], 3);
        }
        Subscription::Add(of) => (of, "on", "gets"),
        Subscription::Remove(of) => (of, "off", "does not get"),
    };
    let values = [
        ("sok", "ok"),
        ("user", of.user.as_str()),
        ("notice", &of.notice),
        ("module", &of.module),
        ("active", active),
    ];
    let answer = session.ask("subscription.edit", &values)?;
    session.report(&answer, &format!("{} {verb} {} by {}", of.user, of.notice, of.module))
}

/// `gatepost contact …`
pub(crate) fn contact(session: &mut Session, what: Contact) -> Result<()> {
    let (contact, state, reason) = match what {
        Contact::Show { contact } => {
            let answer = session
                .ask("contact_state", &[("kind", kind_of(&contact)), ("contact", &contact)])?;
            return session.list(&answer, &["kind", "contact", "state", "reason", "since"], 5);
        }
        Contact::Block { contact, reason } => (contact, "blocked", reason),
        Contact::Unblock { contact } => (contact, "ok", String::new()),
    };
    let kind = kind_of(&contact);
    let values = [
        ("sok", "ok"),
        ("kind", kind),
        ("contact", contact.as_str()),
        ("state", state),
        ("reason", &reason),
    ];
    let answer = session.ask("contact_state.edit", &values)?;
    session.report(&answer, &format!("{contact} is {state}"))
}

/// An address has an @, everything else a person types here is a phone.
fn kind_of(contact: &str) -> &'static str {
    if contact.contains('@') { "email" } else { "phone" }
}

/// `gatepost forget USER`
pub(crate) fn forget(session: &mut Session, user: &str, yes: bool) -> Result<()> {
    if !yes {
        ask::sure(&format!(
            "Erase {user} from log, inbox and incoming messages? This can't be taken back."
        ))?;
    }
    let values: Fields = [("user", user)].into_iter().collect();
    let answer = session.call("user.forget", &values)?;
    output::tell(&format!("{user} is forgotten"));
    session.report(&answer, &format!("{} rows erased", answer.text("rows")))
}
