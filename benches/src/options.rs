//! What the harness is asked for.

use std::path::PathBuf;

/// The words of the command line.
pub(crate) struct Options {
    /// These benches; none: all.
    pub(crate) names: Vec<String>,
    /// `--tasks=N`: messages of a drain of `mail` and `sms`, of the mailing of `urgent`.
    pub(crate) tasks: usize,
    /// `--rounds=N`: of `mail` and `sms`.
    pub(crate) rounds: usize,
    /// `--json=FILE`: everything, for programs.
    pub(crate) json: Option<PathBuf>,
    /// `--write`: the tables go into the page.
    pub(crate) writes_page: bool,
}

impl Options {
    /// Reads them; a word that is none ends the bench with its name.
    pub(crate) fn read(words: impl Iterator<Item = String>) -> Self {
        let mut options =
            Self { names: Vec::new(), tasks: 10_000, rounds: 5, json: None, writes_page: false };
        for word in words {
            let (name, value) = word.split_once('=').unwrap_or((&word, ""));
            match name {
                "--tasks" => options.tasks = value.parse().unwrap(),
                "--rounds" => options.rounds = value.parse().unwrap(),
                "--json" => options.json = Some(value.into()),
                "--write" => options.writes_page = true,
                _ if word.starts_with('-') => panic!("there is no option {name}"),
                _ => options.names.push(word),
            }
        }
        assert!(options.tasks > 0 && options.rounds > 0, "--tasks and --rounds begin at 1");
        options
    }
}
