//! The command line of a module (DESIGN 4). Read by hand: `features` answers in a millisecond.

use notice::GatewayId;
use std::path::PathBuf;
use std::time::Duration;

/// What a module is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// What it can do (S3-36).
    Features,
    /// Drain the queue (S3-24).
    Process(ProcessOptions),
    /// Fetch what came in (S3-33, S3-34).
    GetMessage(Gates),
    /// The manual.
    Help,
    /// Name and version.
    Version,
}

/// How long and how much.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessOptions {
    /// Stay and wait for more.
    pub follow: Follow,
    /// At most so many tasks.
    pub limit: Option<u64>,
    /// At most so long; None: as configured.
    pub time: Option<Duration>,
    /// Also while a daemon or another run delivers this queue.
    pub insist: Insist,
}

/// Whether `--follow` was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Follow {
    /// End when nothing is left.
    #[default]
    No,
    /// Stay.
    Yes,
}

/// Whether `--force` was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Insist {
    /// Leave the queue to who has it.
    #[default]
    No,
    /// Work beside it.
    Yes,
}

/// Which gateways are asked for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gates {
    /// Every ingoing gateway of the module.
    All,
    /// This one.
    One(GatewayId),
}

/// A command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    /// `--root`.
    pub root: Option<PathBuf>,
    /// What is asked.
    pub command: Command,
}

/// A command line that says nothing we know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentError {
    /// No command.
    #[error("say what to do: --command features, process or getmessage")]
    NoCommand,
    /// An unknown command (S3-21: nothing is done).
    #[error("there is no command `{0}`: use features, process or getmessage")]
    UnknownCommand(String),
    /// An unknown argument.
    #[error("there is no argument `{0}`; --help shows what there is")]
    UnknownArgument(String),
    /// An argument without its value, or with one that can't be.
    #[error("`--{name}` wants {wants}")]
    Value {
        /// Which.
        name: &'static str,
        /// What it wants.
        wants: &'static str,
    },
}

impl Arguments {
    /// Reads the arguments after the program's name; `--name value` and `--name=value`, one dash or two.
    pub fn read(arguments: impl IntoIterator<Item = String>) -> Result<Self, ArgumentError> {
        let mut given = Given::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let bare = argument.trim_start_matches('-');
            if bare.len() == argument.len() || bare.is_empty() {
                return Err(ArgumentError::UnknownArgument(argument));
            }
            let (name, value) = match bare.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (bare, None),
            };
            given.take(name, value, &mut arguments)?;
        }
        given.command()
    }
}

#[derive(Default)]
struct Given {
    root: Option<PathBuf>,
    command: Option<String>,
    gate: Option<String>,
    options: ProcessOptions,
    page: Option<Command>,
}

impl Given {
    fn take(
        &mut self,
        name: &str,
        value: Option<&str>,
        rest: &mut impl Iterator<Item = String>,
    ) -> Result<(), ArgumentError> {
        let wants = |name, wants| ArgumentError::Value { name, wants };
        let mut value =
            |name, what| value.map(str::to_owned).or_else(|| rest.next()).ok_or(wants(name, what));
        match name {
            "command" => self.command = Some(value("command", "features, process or getmessage")?),
            "gate" => self.gate = Some(value("gate", "a gateway's id, or all")?),
            "root" => self.root = Some(value("root", "a folder")?.into()),
            "limit" => {
                let number = value("limit", "a number of tasks")?;
                let number = number.parse().map_err(|_| wants("limit", "a number of tasks"))?;
                self.options.limit = Some(number);
            }
            "for" => {
                let secs: f64 =
                    value("for", "seconds")?.parse().map_err(|_| wants("for", "seconds"))?;
                let time =
                    Duration::try_from_secs_f64(secs).map_err(|_| wants("for", "seconds"))?;
                self.options.time = Some(time);
            }
            "follow" => self.options.follow = Follow::Yes,
            "force" => self.options.insist = Insist::Yes,
            "help" | "h" => self.page = Some(Command::Help),
            "version" | "V" => self.page = Some(Command::Version),
            other => return Err(ArgumentError::UnknownArgument(format!("--{other}"))),
        }
        Ok(())
    }

    fn command(self) -> Result<Arguments, ArgumentError> {
        let command = match (self.page, self.command.as_deref()) {
            (Some(page), _) => page,
            (None, None) => return Err(ArgumentError::NoCommand),
            (None, Some("features")) => Command::Features,
            (None, Some("process")) => Command::Process(self.options),
            (None, Some("getmessage")) => Command::GetMessage(gates(self.gate.as_deref())?),
            (None, Some(other)) => return Err(ArgumentError::UnknownCommand(other.to_owned())),
        };
        Ok(Arguments { root: self.root, command })
    }
}

fn gates(text: Option<&str>) -> Result<Gates, ArgumentError> {
    let wants = ArgumentError::Value { name: "gate", wants: "a gateway's id, or all" };
    match text {
        Some("all") => Ok(Gates::All),
        Some(id) => id.parse().map(Gates::One).map_err(|_| wants),
        None => Err(wants),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Command, ArgumentError> {
        Arguments::read(line.split_whitespace().map(str::to_owned))
            .map(|arguments| arguments.command)
    }

    // S3-23
    #[test]
    fn the_three_commands_are_understood_in_every_spelling() {
        for line in
            ["--command features", "--command=features", "-command=features", "-command features"]
        {
            assert_eq!(read(line), Ok(Command::Features), "{line}");
        }
        assert_eq!(read("--command process"), Ok(Command::Process(ProcessOptions::default())));
        assert_eq!(read("--command getmessage --gate all"), Ok(Command::GetMessage(Gates::All)));
        assert_eq!(
            read("--gate 7 --command getmessage"),
            Ok(Command::GetMessage(Gates::One(GatewayId(7))))
        );
        let Ok(Command::Process(options)) =
            read("--command process --follow --limit 5 --for 1.5 --force")
        else {
            panic!("no process");
        };
        assert_eq!((options.follow, options.insist), (Follow::Yes, Insist::Yes));
        assert_eq!((options.limit, options.time), (Some(5), Some(Duration::from_millis(1_500))));
    }

    // S3-21, S3-35: what is not understood does nothing
    #[test]
    fn what_is_not_understood_is_refused() {
        for line in [
            "",
            "process",
            "--command",
            "--command send",
            "--command getmessage",
            "--command getmessage --gate x",
            "--command process --limit x",
            "--command process --for -1",
            "--nope",
            "-",
            "--",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
