//! An open installation and how the person wants things printed.

use crate::arguments::Format;
use crate::daemon::Daemon;
use crate::failure::Result;
use crate::{fields, output};
use config::Root;
use notice::Fields;
use platform::{Answer, Caller, Platform};
use std::path::Path;

/// An open installation.
pub(crate) struct Session {
    /// The platform on it.
    pub(crate) platform: Platform,
    /// How to print.
    pub(crate) format: Option<Format>,
    /// In whose name it calls.
    pub(crate) caller: Caller,
    /// Takes the calls while it runs.
    daemon: Option<Daemon>,
}

/// Finds the installation and becomes its owner.
pub(crate) fn root_of(argument: Option<&Path>) -> Result<Root> {
    let root = Root::find(argument)?;
    config::take_owner(&root)?;
    config::refuse_if_writable_by_others(&root)?;
    Ok(root)
}

impl Session {
    /// Opens the installation.
    pub(crate) fn open(root: Option<&Path>, format: Option<Format>) -> Result<Self> {
        let root = root_of(root)?;
        let daemon = Daemon::of(&root);
        let caller = Caller::operator();
        Ok(Self { platform: Platform::open(root)?, format, caller, daemon })
    }

    /// Calls a function as the operator: through the daemon if one runs, else by ourselves.
    pub(crate) fn call(&mut self, function: &str, fields: &Fields) -> Result<Answer> {
        if let Some(daemon) = &self.daemon {
            if let Some(answer) = daemon.call(function, fields, &self.caller)? {
                return Ok(answer);
            }
            self.daemon = None;
        }
        Ok(self.platform.call(function, fields, &self.caller)?)
    }

    /// Calls a function with named values.
    pub(crate) fn ask(&mut self, function: &str, values: &[(&str, &str)]) -> Result<Answer> {
        let given = values.iter().filter(|(_, value)| !value.is_empty());
        self.call(function, &given.map(|(name, value)| (*name, *value)).collect())
    }

    /// `gatepost func`: calls what was typed, or lists what there is.
    pub(crate) fn function(&mut self, name: Option<&str>, words: &[String]) -> Result<()> {
        let Some(name) = name else { return self.functions() };
        let given = fields::read(words)?;
        let declared = Platform::function(name);
        let is_secret = |field: &str| declared.is_some_and(|function| function.is_secret(field));
        let given = fields::with_secrets(&given, is_secret)?;
        let answer = self.call(name, &given)?;
        self.print(&answer)
    }

    fn functions(&self) -> Result<()> {
        let mut table = output::Table::new(&["name", "help", "parameters"], 2);
        for function in Platform::functions() {
            let names: Vec<&str> =
                function.parameters.iter().map(|parameter| parameter.name).collect();
            table.rows.push(vec![function.name.into(), function.help.into(), names.join(" ")]);
        }
        Ok(output::table(&table, self.format)?)
    }

    /// Prints an answer as it is: lines without `-o`, else the format.
    pub(crate) fn print(&self, answer: &Answer) -> Result<()> {
        match self.format {
            None | Some(Format::Table | Format::Wide | Format::Prometheus) => {
                output::print(&answer.to_lines())?;
            }
            Some(Format::Json) => {
                let text = serde_json::to_string_pretty(&answer.to_json()).unwrap_or_default();
                output::print_json(&format!("{text}\n"))?;
            }
            Some(Format::Jsonl) => output::print_json(&match answer.to_json() {
                serde_json::Value::Array(rows) => output::lines(rows),
                value => format!("{value}\n"),
            })?,
            Some(Format::Xml) => {
                output::print_xml(&format!("{}\n", answer.document.to_xml()))?;
            }
            Some(Format::Name) => {
                output::print(&output::lines(answer.rows().map(|row| row.child_text("id"))))?;
            }
        }
        Ok(())
    }

    /// Prints a list: these columns of each row, the first `narrow` of them in a narrow table.
    pub(crate) fn list(
        &self,
        answer: &Answer,
        columns: &[&'static str],
        narrow: usize,
    ) -> Result<()> {
        let mut table = output::Table::new(columns, narrow);
        for row in answer.rows() {
            table.rows.push(columns.iter().map(|name| row.child_text(name)).collect());
        }
        Ok(output::table(&table, self.format)?)
    }

    /// Says what was done, to a person; prints the answer when a format was asked for.
    pub(crate) fn report(&self, answer: &Answer, words: &str) -> Result<()> {
        if self.format.is_some() {
            return self.print(answer);
        }
        Ok(output::print(&format!("{words}\n"))?)
    }
}
