//! The control tool of Gatepost: queue, gateways, notices, users, and what is wrong with them.
//!
//! `gatepost --help` is its manual. It does nothing by itself: every command is a call of a platform
//! function, a look at the queue, or a program of the installation. It never delivers:
//! what it sends itself are the test messages of `bench`.

mod ancestor;
mod arguments;
mod ask;
mod bench;
mod check;
mod daemon;
mod failure;
mod fields;
mod gate;
mod gateway;
mod handler;
mod init;
mod listing;
mod output;
mod provisioning;
mod queue;
mod sealed;
mod send;
mod services;
mod session;
mod settings;
mod status;
mod template;
mod tokens;
mod users;
mod why;

use arguments::{Arguments, Command};
use clap::{CommandFactory, Parser};
use failure::{Failure, Result};
use session::Session;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let result = match ancestor::form_of(&words) {
        Some(form) => ancestor::run(&form),
        None => parsed(&words).and_then(run),
    };
    match result {
        Ok(code) => code,
        Err(failure) => {
            failure.tell();
            failure.code()
        }
    }
}

fn parsed(words: &[String]) -> Result<Arguments> {
    Arguments::try_parse_from(words).map_err(Failure::from)
}

fn run(arguments: Arguments) -> Result<ExitCode> {
    let Some(command) = arguments.command else {
        return status::run(
            &mut Session::open(arguments.root.as_deref(), arguments.output)?,
            status::Look::Once,
        );
    };
    match command {
        Command::Init(init) => return init::run(arguments.root.as_deref(), &init),
        Command::Completions { shell } => return completions(&shell),
        Command::Check => return check::run(arguments.root.as_deref(), arguments.output),
        Command::Gate(what) => return gate::run(arguments.root.as_deref(), arguments.output, what),
        Command::Template(arguments::Template::Render(render)) => {
            return template::render(arguments.root.as_deref(), &render);
        }
        Command::Config(what) => {
            return settings::run(arguments.root.as_deref(), arguments.output, what);
        }
        Command::Pause(what) if what.gateway.is_none() => {
            gateway::pause_all(&session::root_of(arguments.root.as_deref())?, &what)?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Resume { gateway: None } => {
            gateway::resume_all(&session::root_of(arguments.root.as_deref())?)?;
            return Ok(ExitCode::SUCCESS);
        }
        _ => {}
    }
    run_in(&mut Session::open(arguments.root.as_deref(), arguments.output)?, command)
}

fn run_in(session: &mut Session, command: Command) -> Result<ExitCode> {
    match command {
        Command::Status { watch } => {
            return status::run(
                session,
                if watch { status::Look::Watch } else { status::Look::Once },
            );
        }
        Command::Func { name, parameters } => session.function(name.as_deref(), &parameters)?,
        Command::Send(what) => send::send(session, &what)?,
        Command::Enqueue(what) => send::enqueue(session, &what)?,
        Command::Queue(what) => queue::list(session, &what)?,
        Command::Show { id } => queue::show(session, id)?,
        Command::Why { what } => why::run(session, &what)?,
        Command::Log(what) => queue::log(session, &what)?,
        Command::Retry(which) => queue::change(session, "task.retry", &which)?,
        Command::Done(which) => queue::change(session, "task.done", &which)?,
        Command::Cancel(which) => queue::change(session, "task.cancel", &which)?,
        Command::Pause(what) => gateway::pause(session, &what)?,
        Command::Resume { gateway } => gateway::resume(session, gateway.as_deref())?,
        Command::Gateway(what) => gateway::run(session, what)?,
        Command::Bench(what) => bench::run(session, &what)?,
        Command::Handler(what) => handler::run(session, what)?,
        Command::Template(what) => template::run(session, what)?,
        Command::Notice(arguments::Notice::List) => listing::notices(session)?,
        Command::User(what) => users::user(session, what)?,
        Command::Project(what) => users::project(session, what)?,
        Command::Plugin(what) => listing::plugins(session, &what)?,
        Command::Product(what) => users::product(session, what)?,
        Command::Service(what) => services::service(session, what)?,
        Command::Processing(what) => services::processing(session, what)?,
        Command::Provisioning(what) => provisioning::run(session, what)?,
        Command::Agent(what) => users::agent(session, what)?,
        Command::Subscription(what) => users::subscription(session, what)?,
        Command::Incoming { gateway } => listing::incoming(session, gateway.as_deref())?,
        Command::Contact(what) => users::contact(session, what)?,
        Command::Token(what) => tokens::run(session, what)?,
        Command::Inbox { user } => listing::inbox(session, &user)?,
        Command::Forget { user, yes } => users::forget(session, &user, yes)?,
        Command::Init(_)
        | Command::Completions { .. }
        | Command::Gate(_)
        | Command::Check
        | Command::Config(_) => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn completions(shell: &str) -> Result<ExitCode> {
    let mut command = Arguments::command();
    let mut text = Vec::new();
    if shell == "man" {
        clap_mangen::Man::new(command).render(&mut text)?;
    } else {
        let shell: clap_complete::Shell = shell.parse().map_err(|_| {
            Failure::usage(format!("`{shell}` is none of bash, zsh, fish, elvish, powershell, man"))
        })?;
        clap_complete::generate(shell, &mut command, "gatepost", &mut text);
    }
    output::exactly(&String::from_utf8_lossy(&text))?;
    Ok(ExitCode::SUCCESS)
}
