//! Services: what was ordered, and the tasks that open, suspend, resume, change and close it (001).

mod change;
mod choice;
mod edit;
mod operate;
mod operation;
mod order;
mod password;
mod products;
mod rows;
mod servers;
mod task;
#[cfg(test)]
mod tests;

pub(crate) use change::{ServicesChange, ServicesFact, make};
pub use operation::ServiceOperation;
pub(crate) use password::locked;
pub use task::{ServiceCall, ServiceTask, ServiceTurn, service_call};

use crate::caller::Level;
use crate::function::{Alias, Extra, Function, Kind, Parameter, optional, required};

const SOK: Parameter = optional("sok", Kind::Line, "not empty: save; empty or missing: show");
const ID: Parameter = optional("id", Kind::Number(1, i64::MAX), "only this one");
const LIMIT: Parameter = optional("limit", Kind::Number(1, 10_000), "rows at most, 100");
const SERVICES: Parameter = required("elid", Kind::Line, "the services: `1, 2`");
const STATE: Kind = Kind::OneOf(&["opening", "active", "suspended", "closed"]);
const PRODUCT_TYPE: &str = "vhost, or a type of your own";

/// Its functions.
pub(crate) static FUNCTIONS: &[Function] = &[
    Function {
        name: "product",
        aliases: &[Alias::Same("product.list")],
        level: Level::User,
        help: "Lists what may be ordered.",
        parameters: &[ID, optional("type", Kind::Line, "only of this type")],
        extra: Extra::Refused,
        events: &[],
        plan: products::list,
    },
    Function {
        name: "product.edit",
        aliases: &[Alias::Creates("product.add")],
        level: Level::Admin,
        help: "Shows, changes or creates a product.",
        parameters: &[
            SOK,
            optional("elid", Kind::Line, "the product, by id or name"),
            optional("name", Kind::Line, "its name"),
            optional("type", Kind::Line, PRODUCT_TYPE),
            optional(
                "processing",
                Kind::Line,
                "the processing row that serves it; else one of its type",
            ),
        ],
        extra: Extra::Refused,
        events: &[],
        plan: products::edit,
    },
    Function {
        name: "product.delete",
        aliases: &[],
        level: Level::Admin,
        help: "Deletes products that have no services.",
        parameters: &[required("elid", Kind::Line, "the products: `a, b`")],
        extra: Extra::Refused,
        events: &[],
        plan: products::delete,
    },
    Function {
        name: "processing",
        aliases: &[Alias::Same("processing.list")],
        level: Level::Admin,
        help: "Lists processing rows: servers, and the programs that work on them.",
        parameters: &[ID, optional("module", Kind::Line, "only of this program")],
        extra: Extra::Refused,
        events: &[],
        plan: servers::list,
    },
    Function {
        name: "processing.edit",
        aliases: &[Alias::Creates("processing.add")],
        level: Level::Super,
        help: "Shows, changes or creates a processing row; check_connection must pass.",
        parameters: &[
            SOK,
            optional("elid", Kind::Line, "the row, by id or name"),
            optional("module", Kind::Line, "the program in processing/, like pmshell"),
            optional("name", Kind::Line, "its name"),
            optional(
                "product_type",
                Kind::Line,
                "products of this type; vhost, or a type of your own",
            ),
            optional("active", Kind::OnOff, "off: nothing new is opened on it"),
            optional(
                "priority",
                Kind::Number(-1_000_000, 1_000_000),
                "the lower number is taken first",
            ),
            optional("department", Kind::Line, "who is responsible"),
            optional("concurrency", Kind::Number(1, 1_000), "operations at once, 2"),
        ],
        extra: Extra::Planned,
        events: &[],
        plan: edit::edit,
    },
    Function {
        name: "processing.delete",
        aliases: &[],
        level: Level::Admin,
        help: "Deletes processing rows that no product or service names.",
        parameters: &[required("elid", Kind::Line, "the rows: `a, b`")],
        extra: Extra::Refused,
        events: &[],
        plan: servers::delete,
    },
    Function {
        name: "processing.key",
        aliases: &[],
        level: Level::Admin,
        help: "Shows the public key for /root/.ssh/authorized_keys of servers; makes the pair once.",
        parameters: &[],
        extra: Extra::Refused,
        events: &[],
        plan: servers::key,
    },
    Function {
        name: "service",
        aliases: &[Alias::Same("service.list")],
        level: Level::User,
        help: "Lists services with what was ordered and what their programs answered.",
        parameters: &[
            ID,
            optional("user", Kind::Line, "only of this user"),
            optional("product", Kind::Line, "only of this product"),
            optional("processing", Kind::Line, "only of this processing row"),
            optional("state", STATE, "only in this state"),
            LIMIT,
            optional("after", Kind::Number(0, i64::MAX), "only ids above it: the next page"),
        ],
        extra: Extra::Refused,
        events: &[],
        plan: operate::list,
    },
    Function {
        name: "service.open",
        aliases: &[Alias::Same("service.order")],
        level: Level::Admin,
        help: "Orders a product for a user and queues its opening; with addon.NAME= and param.NAME=.",
        parameters: &[
            required("user", Kind::Line, "the user: id, ext:EXTERNAL_ID or email"),
            required("product", Kind::Line, "the product, by id or name"),
            optional("processing", Kind::Line, "the processing row; else the best for the product"),
        ],
        extra: Extra::Planned,
        events: &["clients.subscriptions.assign", "clients.subscriptions.activate"],
        plan: order::open,
    },
    Function {
        name: "service.suspend",
        aliases: &[],
        level: Level::Admin,
        help: "Queues the stop of active services.",
        parameters: &[SERVICES],
        extra: Extra::Refused,
        events: &["clients.subscriptions.deactivate"],
        plan: operate::suspend,
    },
    Function {
        name: "service.resume",
        aliases: &[],
        level: Level::Admin,
        help: "Queues the return of suspended services.",
        parameters: &[SERVICES],
        extra: Extra::Refused,
        events: &["clients.subscriptions.activate"],
        plan: operate::resume,
    },
    Function {
        name: "service.close",
        aliases: &[],
        level: Level::Admin,
        help: "Queues the end of services.",
        parameters: &[SERVICES],
        extra: Extra::Refused,
        events: &["clients.subscriptions.close"],
        plan: operate::close,
    },
    Function {
        name: "service.setparam",
        aliases: &[],
        level: Level::Admin,
        help: "Queues a change of ordered values, addon.NAME= and param.NAME=; kept once it is done.",
        parameters: &[SERVICES],
        extra: Extra::Planned,
        events: &[],
        plan: operate::setparam,
    },
    Function {
        name: "service.renew",
        aliases: &[],
        level: Level::Admin,
        help: "Says that services were renewed: what was paid for next; nothing is run.",
        parameters: &[SERVICES, optional("until", Kind::Line, "paid until, like 2027-11-22")],
        extra: Extra::Refused,
        events: &["clients.subscriptions.renew"],
        plan: operate::renew,
    },
    Function {
        name: "service.password",
        aliases: &[],
        level: Level::Admin,
        help: "Gives a service that is still to be opened a new password; the one it had can't be read any more.",
        parameters: &[
            required("elid", Kind::Line, "the service"),
            optional("password", Kind::Secret, "the password; else one is made"),
        ],
        extra: Extra::Refused,
        events: &[],
        plan: password::password,
    },
    Function {
        name: "service.edit",
        aliases: &[],
        level: Level::Admin,
        help: "Shows a service, or sets what a person knows of it after a task ended otherwise; nothing is run.",
        parameters: &[
            SOK,
            required("elid", Kind::Line, "the service"),
            optional("state", STATE, "where it stands"),
            optional("externalid", Kind::Line, "its id on the server"),
        ],
        extra: Extra::Refused,
        events: &[],
        plan: operate::edit,
    },
];
