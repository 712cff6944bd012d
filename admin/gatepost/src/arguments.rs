//! What can be typed. This surface is a contract (DESIGN 9): scripts call it.

#![expect(clippy::doc_markdown, reason = "these texts are the help, read on a terminal")]

use crate::bench::Bench;
use crate::gate::Gate;
use crate::gateway::Gateway;
use crate::provisioning::{Agent, Provisioning};
use crate::services::{Processing, Service};
use crate::users::{Contact, Rows, Subscription, User};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Control tool of Gatepost: queue, gateways, notices, users.
///
/// Without a command it shows the status. Every list takes `-o json`. Secrets are never literal arguments:
/// write `password=@FILE`, `password=@-` (stdin) or `password=@env:NAME`, or be asked.
#[derive(Parser)]
#[command(name = "gatepost", version, max_term_width = 110, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    /// The installation; default: GATEPOST_ROOT, else the folder this program is installed in
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// How to print
    #[arg(short, long, global = true, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<Format>,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

const EXIT_CODES: &str = "Exit codes: 0 done · 1 status: warning · 2 status: critical · 64 wrong use · 65 wrong input \
· 66 not found · 69 a service can't be reached · 73 can't write · 75 try again later · 77 not permitted · 78 wrong configuration";

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns that fit a person
    Table,
    /// Every column
    Wide,
    /// One JSON value
    Json,
    /// One JSON value a line
    Jsonl,
    /// An XML document
    Xml,
    /// Only ids or names, one a line
    Name,
    /// For `status`: metrics
    Prometheus,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make an installation; safe to run again
    Init(Init),
    /// What is going on, what is wrong, and the command that cures it
    Status {
        /// Show it again every two seconds
        #[arg(long)]
        watch: bool,
    },
    /// Read everything, change nothing, say what is wrong and what to do
    Check,
    /// Call a function by name
    Func {
        /// Its name, for example `user.edit`; without one: list them
        name: Option<String>,
        /// Parameters
        #[arg(value_name = "K=V")]
        parameters: Vec<String>,
    },
    /// Send a notice
    Send(Send),
    /// Put a ready notification file (/doc/notify) into the queue
    Enqueue(Enqueue),
    /// List tasks, or `queue order ageing|strict`
    Queue(Queue),
    /// Everything about one task as it stands
    Show {
        /// Its number
        id: i64,
    },
    /// The whole life of a task, in plain words
    Why {
        /// A task's number, a key, or a contact
        what: String,
    },
    /// Every attempt, newest first
    Log(Log),
    /// Put failed, asked or waiting tasks back
    Retry(Selection),
    /// Say that tasks were done
    Done(Selection),
    /// Take tasks out
    Cancel(Selection),
    /// Hand nothing out any more: the whole queue, or one gateway
    Pause(Pause),
    /// End a pause
    Resume {
        /// Only this gateway
        #[arg(long)]
        gateway: Option<String>,
    },
    /// Configured gateways
    #[command(subcommand)]
    Gateway(Gateway),
    /// Measure a gateway: real test messages through its gate, beside the queue
    Bench(Bench),
    /// Gate programs
    #[command(subcommand)]
    Gate(Gate),
    /// Event handlers: the scripts in addon/
    #[command(subcommand)]
    Handler(Handler),
    /// Templates
    #[command(subcommand)]
    Template(Template),
    /// Notices
    #[command(subcommand)]
    Notice(Notice),
    /// Users: thin forms of the functions
    #[command(subcommand)]
    User(User),
    /// Projects: thin forms of the functions
    #[command(subcommand)]
    Project(Rows),
    /// Python plugins
    #[command(subcommand)]
    Plugin(Plugin),
    /// Services: order, suspend, resume, change, close
    #[command(subcommand)]
    Service(Service),
    /// Servers that services are processed on
    #[command(subcommand)]
    Processing(Processing),
    /// What may be ordered
    #[command(subcommand)]
    Product(Rows),
    /// Handlers that are told of events: URLs and scripts
    #[command(subcommand)]
    Provisioning(Provisioning),
    /// Staff: who takes notices
    #[command(subcommand)]
    Agent(Agent),
    /// What users want to get
    #[command(subcommand)]
    Subscription(Subscription),
    /// Messages that came in
    Incoming {
        /// Only of this gateway
        #[arg(long)]
        gateway: Option<String>,
    },
    /// What is known of contacts: blocked, failing
    #[command(subcommand)]
    Contact(Contact),
    /// Tokens of programs that call over HTTP
    #[command(subcommand)]
    Token(Token),
    /// A user's notices in the client area
    Inbox {
        /// Id, ext:EXTERNAL_ID or email
        user: String,
    },
    /// etc/gatepost.toml
    #[command(subcommand)]
    Config(Config),
    /// Erase a person from log, inbox and incoming messages
    Forget {
        /// Id, ext:EXTERNAL_ID or email
        user: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Print completions for a shell, or the manual page
    Completions {
        /// bash, zsh, fish, … or man
        shell: String,
    },
}

#[derive(Args)]
pub(crate) struct Init {
    /// ageing: a step of priority is worth a day; strict: plain descending priority
    #[arg(long, value_parser = ["ageing", "strict"], default_value = "ageing")]
    pub(crate) order: String,
    /// Group whose members may queue tasks with their own INSERT; default: the owner's group
    #[arg(long, value_name = "GROUP")]
    pub(crate) submit_group: Option<String>,
    /// Add a project, a user and a gateway that writes to a file
    #[arg(long)]
    pub(crate) demo: bool,
    /// Make a new etc/secret.key where it is lost for good: every stored secret must then be given again
    #[arg(long)]
    pub(crate) new_key: bool,
    /// Make the ancestor's prefix a link to ROOT, so that programs which name it run unchanged
    #[arg(long, value_name = "PREFIX", num_args = 0..=1, default_missing_value = "/usr/local/mgr5")]
    pub(crate) mgr5: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(crate) enum Handler {
    /// List what is registered, in its order, and what can't be run
    List {
        /// Only this script
        script: Option<String>,
        /// Only those of this function
        #[arg(long, value_name = "FUNCTION")]
        event: Option<String>,
    },
    /// Run one for real: what it got, what it printed, what it changed
    Test(HandlerTest),
}

#[derive(Args)]
pub(crate) struct HandlerTest {
    /// The script in addon/
    pub(crate) name: String,
    /// The function it is registered for
    #[arg(long, value_name = "FUNCTION")]
    pub(crate) event: String,
    /// When; default: the first it is registered for
    #[arg(long, value_parser = ["before", "after", "late", "final"])]
    pub(crate) time: Option<String>,
    /// Take the parameters of this call in the journal; its secrets are not kept there
    #[arg(long, value_name = "CALL")]
    pub(crate) call: Option<String>,
    /// A file with the answer that an after handler gets, or - for stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) answer: Option<String>,
    /// Parameters of the call
    #[arg(value_name = "K=V")]
    pub(crate) fields: Vec<String>,
}

#[derive(Args)]
pub(crate) struct Send {
    /// Name of the notice, a folder of templates/
    pub(crate) notice: String,
    /// Id, ext:EXTERNAL_ID or email of a user
    #[arg(long, required_unless_present = "to", conflicts_with = "to")]
    pub(crate) user: Option<String>,
    /// A bare contact: an address or a number
    #[arg(long)]
    pub(crate) to: Option<String>,
    /// Language for a bare contact
    #[arg(long)]
    pub(crate) lang: Option<String>,
    /// Only by this module; default: every module the notice has a template for
    #[arg(long)]
    pub(crate) module: Option<String>,
    /// Project, id or name
    #[arg(long)]
    pub(crate) project: Option<String>,
    /// Higher is more urgent, −1000000 to 1000000; default: the notice's
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) priority: Option<i64>,
    /// Values of the notice
    #[arg(long, value_name = "K=V", num_args = 1..)]
    pub(crate) data: Vec<String>,
    /// The notice as an XML file, or - for stdin
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    pub(crate) xml: Option<String>,
    /// A file that goes with the mail; give it again for another one
    #[arg(long, value_name = "FILE")]
    pub(crate) attach: Vec<PathBuf>,
    /// Not before: RFC 3339, +2h, or "2026-11-23 09:00 Europe/Moscow"
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// Not after
    #[arg(long, value_name = "TIME")]
    pub(crate) expires: Option<String>,
    /// A key: the same key is never queued twice
    #[arg(long)]
    pub(crate) key: Option<String>,
    /// Goes out even while the queue is paused
    #[arg(long)]
    pub(crate) while_paused: bool,
}

#[derive(Args)]
pub(crate) struct Enqueue {
    /// The file
    pub(crate) file: PathBuf,
    /// The module that sends it
    #[arg(long)]
    pub(crate) module: String,
    /// Higher is more urgent
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) priority: Option<i64>,
    /// Goes out even while the queue is paused
    #[arg(long)]
    pub(crate) while_paused: bool,
}

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Queue {
    #[command(subcommand)]
    pub(crate) order: Option<QueueOrder>,
    /// ready, sending, waiting, failed or asked
    #[arg(long)]
    pub(crate) state: Option<String>,
    /// Only of this module
    #[arg(long)]
    pub(crate) module: Option<String>,
    /// Only last handed to this gateway, id or name
    #[arg(long)]
    pub(crate) gateway: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    pub(crate) limit: u32,
    /// Show the list again whenever it changes
    #[arg(long)]
    pub(crate) follow: bool,
}

#[derive(Subcommand)]
pub(crate) enum QueueOrder {
    /// Rebuild the order of the queue
    Order {
        /// ageing or strict
        #[arg(value_parser = ["ageing", "strict"])]
        order: String,
    },
}

#[derive(Args)]
pub(crate) struct Log {
    /// Stay and show new attempts
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only since then: a time, or an age like 2h
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only of this gateway, by id or name; for tasks of nthandler its provisioning handler
    #[arg(long)]
    pub(crate) gateway: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    pub(crate) limit: u32,
}

#[derive(Args)]
pub(crate) struct Selection {
    /// Numbers of tasks
    pub(crate) ids: Vec<i64>,
    /// ready, waiting, failed or asked
    #[arg(long)]
    pub(crate) state: Option<String>,
    /// Last handed to this gateway; not what no gateway has had yet: the answer counts that apart
    #[arg(long)]
    pub(crate) gateway: Option<String>,
    /// Of this notice
    #[arg(long)]
    pub(crate) notice: Option<String>,
    /// Of this module
    #[arg(long)]
    pub(crate) module: Option<String>,
    /// Whose reason contains this
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// Queued longer ago than this: 1h, 2d
    #[arg(long, value_name = "AGE")]
    pub(crate) older: Option<String>,
    /// Only say how many
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Args)]
pub(crate) struct Pause {
    /// Only this gateway, id or name
    #[arg(long)]
    pub(crate) gateway: Option<String>,
    /// Why, for whoever asks later
    #[arg(long)]
    pub(crate) reason: String,
    /// End it by itself after that time: 30m, 2h
    #[arg(long = "for", value_name = "AGE")]
    pub(crate) for_time: Option<String>,
}

#[derive(Subcommand)]
pub(crate) enum Template {
    /// List the templates of every notice
    List,
    /// Render one template and print the text, nothing else
    Render(Render),
    /// Render every template with its sample
    Test {
        /// Only this notice
        notice: Option<String>,
    },
}

#[derive(Args)]
pub(crate) struct Render {
    /// xslt, ejs or tera
    #[arg(long, value_parser = ["xslt", "ejs", "tera"])]
    pub(crate) engine: String,
    /// The template
    #[arg(long)]
    pub(crate) template: PathBuf,
    /// The notice as XML
    #[arg(long, conflicts_with = "json", required_unless_present = "json")]
    pub(crate) xml: Option<PathBuf>,
    /// The notice as JSON
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    /// The user: XML `<user>…</user>`; default: the `<user>` of the notice
    #[arg(long)]
    pub(crate) user: Option<PathBuf>,
    /// Where includes are looked for; default: the template's folder; then the folder `shared` beside that one
    #[arg(long)]
    pub(crate) templates: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(crate) enum Notice {
    /// List them
    List,
}

#[derive(Subcommand)]
pub(crate) enum Plugin {
    /// The files of plugins/, and whether each is loaded, or why not
    List,
    /// Load one; one that is loaded is stopped and loaded again
    Load {
        /// Its file in plugins/ without .py, or its class
        name: String,
    },
    /// Stop one, until it is loaded again or the server starts anew
    Unload {
        /// Its file in plugins/ without .py, or its class
        name: String,
    },
}

#[derive(Subcommand)]
pub(crate) enum Config {
    /// One value
    Get {
        /// Its key
        key: String,
    },
    /// Change a value in etc/gatepost.toml
    Set {
        /// Its key
        key: String,
        /// The value
        value: String,
    },
    /// Every key
    List {
        /// Also where each value comes from
        #[arg(long)]
        show_origin: bool,
    },
}

#[derive(Subcommand)]
pub(crate) enum Token {
    /// Every token, without its value
    List,
    /// Make one; its value is shown this once
    Add {
        /// The program that will use it
        name: String,
        /// What it may
        #[arg(long, default_value = "admin", value_parser = ["user", "reseller", "admin", "super"])]
        level: String,
    },
    /// Take one back: the next call with it is refused
    Delete {
        /// Its name
        name: String,
    },
}
