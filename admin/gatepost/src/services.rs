//! `gatepost service|processing|product …`: thin forms of the functions.

#![expect(clippy::doc_markdown, reason = "these texts are what --help shows")]

use crate::failure::Result;
use crate::session::Session;
use crate::{ask, fields, output};
use clap::Subcommand;
use notice::Fields;
use wire::form::FormDocument;
use wire::xml::Document;

#[derive(Subcommand)]
pub(crate) enum Service {
    /// List or filter
    List {
        /// Filters: user, product, processing, state
        #[arg(value_name = "K=V")]
        fields: Vec<String>,
    },
    /// Order a product for a user and queue its opening
    Open {
        /// Id, ext:EXTERNAL_ID or email
        #[arg(long)]
        user: String,
        /// Id or name
        #[arg(long)]
        product: String,
        /// addon.NAME=VALUE, param.NAME=VALUE, processing=ROW
        #[arg(value_name = "K=V")]
        fields: Vec<String>,
    },
    /// Queue the stop of active services
    Suspend {
        /// `1, 2`
        services: String,
    },
    /// Queue the return of suspended services
    Resume {
        /// `1, 2`
        services: String,
    },
    /// Queue the end of services
    Close {
        /// `1, 2`
        services: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Queue a change of ordered values
    Setparam {
        /// `1, 2`
        services: String,
        /// addon.NAME=VALUE, param.NAME=VALUE
        #[arg(value_name = "K=V")]
        fields: Vec<String>,
    },
    /// Give a service that is still to be opened a new password, made if you name none
    Password {
        /// Its id
        service: String,
        /// password=@FILE
        #[arg(value_name = "K=V")]
        fields: Vec<String>,
    },
    /// Say that services were renewed: nothing is run
    Renew {
        /// `1, 2`
        services: String,
        /// Paid until, like 2027-11-22
        #[arg(long)]
        until: Option<String>,
    },
    /// Set what you know better than the queue: nothing is run
    Edit {
        /// Its id
        service: String,
        /// state=…, externalid=…
        #[arg(value_name = "K=V")]
        fields: Vec<String>,
    },
}

#[derive(Subcommand)]
pub(crate) enum Processing {
    /// List or filter
    List {
        /// Filters
        #[arg(value_name = "K=V")]
        fields: Vec<String>,
    },
    /// Add one: its program is asked whether the server is well
    Add {
        /// The program in processing/: pmshell
        module: String,
        /// Fields of its form; password=@FILE
        #[arg(value_name = "K=V")]
        fields: Vec<String>,
    },
    /// Change one; an empty password keeps the old one
    Edit {
        /// Id or name
        row: String,
        /// Fields
        #[arg(value_name = "K=V")]
        fields: Vec<String>,
    },
    /// Remove one
    Delete {
        /// Id or name
        row: String,
    },
    /// Print our public key for /root/.ssh/authorized_keys of servers; made the first time
    Key,
}

const SERVICE: &[&str] =
    &["id", "user", "name", "username", "state", "externalid", "processing", "product", "ordered"];
const PROCESSING: &[&str] = &[
    "id",
    "name",
    "module",
    "product_type",
    "active",
    "priority",
    "ip",
    "path",
    "department",
    "concurrency",
    "public_key",
];

/// `gatepost service …`
pub(crate) fn service(session: &mut Session, what: Service) -> Result<()> {
    match what {
        Service::List { fields } => {
            let answer = session.call("service", &fields::read(&fields)?)?;
            session.list(&answer, SERVICE, 7)
        }
        Service::Open { user, product, fields } => open(session, (&user, &product), &fields),
        Service::Suspend { services } => queue(session, "suspend", &services),
        Service::Resume { services } => queue(session, "resume", &services),
        Service::Close { services, yes } => {
            if !yes {
                ask::sure(&format!("Close service {services} for good?"))?;
            }
            queue(session, "close", &services)
        }
        Service::Setparam { services, fields } => {
            let mut given = fields::read(&fields)?;
            given.set("elid", &services);
            let answer = session.call("service.setparam", &given)?;
            queued(session, "setparam", &answer)
        }
        Service::Password { service, fields } => {
            let given = fields::with_secrets(&fields::read(&fields)?, |name| name == "password")?;
            let all: Fields = given.iter().chain([("elid", service.as_str())]).collect();
            let answer = session.call("service.password", &all)?;
            let task = answer.text("task");
            let next = if task.is_empty() {
                String::new()
            } else {
                format!("; `gatepost retry {task}` opens it now")
            };
            session.report(&answer, &format!("service {service} has a new password{next}"))
        }
        Service::Renew { services, until } => {
            let until = until.unwrap_or_default();
            let answer = session.ask("service.renew", &[("elid", &services), ("until", &until)])?;
            session.report(&answer, &format!("renewed {services}"))
        }
        Service::Edit { service, fields } => {
            let mut given = fields::read(&fields)?;
            given.set("elid", &service);
            given.set("sok", "ok");
            let answer = session.call("service.edit", &given)?;
            session.report(&answer, &format!("changed service {service}; nothing was run"))
        }
    }
}

fn open(session: &mut Session, (user, product): (&str, &str), words: &[String]) -> Result<()> {
    let mut given = fields::read(words)?;
    given.set("user", user);
    given.set("product", product);
    let answer = session.call("service.open", &given)?;
    let words = format!(
        "service {} is ordered on processing row {}: task {}",
        answer.text("id"),
        answer.text("processing"),
        answer.text("task")
    );
    session.report(&answer, &words)
}

fn queue(session: &mut Session, operation: &str, services: &str) -> Result<()> {
    let answer = session.ask(&format!("service.{operation}"), &[("elid", services)])?;
    queued(session, operation, &answer)
}

fn queued(session: &Session, operation: &str, answer: &platform::Answer) -> Result<()> {
    let tasks: Vec<String> =
        answer.document.children_named("task").map(wire::xml::Element::text).collect();
    session.report(answer, &format!("{operation} is queued: task {}", tasks.join(", ")))
}

/// `gatepost processing …`
pub(crate) fn processing(session: &mut Session, what: Processing) -> Result<()> {
    match what {
        Processing::List { fields } => {
            let answer = session.call("processing", &fields::read(&fields)?)?;
            session.list(&answer, PROCESSING, 7)
        }
        Processing::Add { module, fields } => save(session, ("module", &module), &fields),
        Processing::Edit { row, fields } => save(session, ("elid", &row), &fields),
        Processing::Delete { row } => {
            let answer = session.ask("processing.delete", &[("elid", &row)])?;
            session.report(&answer, &format!("deleted processing {row}"))
        }
        Processing::Key => {
            let answer = session.ask("processing.key", &[])?;
            session.report(&answer, &answer.text("key"))
        }
    }
}

/// A password is never a literal argument: `password=@FILE`, or asked for.
fn save(session: &mut Session, (name, value): (&str, &str), words: &[String]) -> Result<()> {
    let form = session.ask("processing.edit", &[(name, value)])?;
    let form = FormDocument::from_document(Document::new(form.document)).form();
    let secrets = form.secret_names();
    let given = fields::with_secrets(&fields::read(words)?, |field| secrets.contains(field))?;
    let own = [(name, value), ("sok", "ok")];
    let all: Fields = given.iter().chain(own).collect();
    let answer = session.call("processing.edit", &all)?;
    let verb = if name == "elid" { "changed" } else { "added" };
    session.report(&answer, &format!("{verb} processing {}", answer.text("id")))?;
    if verb == "added" {
        output::tell("products without a processing row of their own find it by their type");
    }
    Ok(())
}
