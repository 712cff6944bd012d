//! `gatepost config get|set|list`.

use crate::arguments::{Config as What, Format};
use crate::failure::{Failure, Result, code};
use crate::output::{self, Table};
use crate::session::root_of;
use config::{Config, KeyOrigin, Origin, Root};
use std::fs;
use std::path::Path;
use std::process::ExitCode;

/// Runs it.
pub(crate) fn run(root: Option<&Path>, format: Option<Format>, what: What) -> Result<ExitCode> {
    let root = root_of(root)?;
    match what {
        What::Get { key } => {
            let config = Config::load(&root)?;
            output::print(&format!("{}\n", plain(&found(&config, &key)?.value)))?;
        }
        What::Set { key, value } => set(&root, &key, &value)?,
        What::List { show_origin } => list(&Config::load(&root)?, format, show_origin)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list(config: &Config, format: Option<Format>, show_origin: bool) -> Result<()> {
    let mut table = Table::new(&["key", "value", "origin"], if show_origin { 3 } else { 2 });
    for key in config.keys() {
        table.rows.push(vec![key.key.clone(), key.value.clone(), words_of(&key.origin)]);
    }
    Ok(output::table(&table, format)?)
}

fn words_of(origin: &Origin) -> String {
    match origin {
        Origin::Default => "default".to_owned(),
        Origin::File(place) => place.clone(),
        Origin::Environment(name) => format!("environment {name}"),
        Origin::Argument => "argument".to_owned(),
    }
}

/// A text without its quotes.
fn plain(value: &str) -> &str {
    value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value)
}

fn found<'a>(config: &'a Config, key: &str) -> Result<&'a KeyOrigin> {
    let known = config.keys().iter().find(|known| known.key == key);
    known.ok_or_else(|| {
        Failure::new(
            code::NOT_FOUND,
            format!("there is no key `{key}`; `gatepost config list` shows every one"),
        )
    })
}

/// Tries the value on the settings as they are, then writes it; comments and order stay.
fn set(root: &Root, key: &str, value: &str) -> Result<()> {
    let tried = Config::load_with(root, &[(key.to_owned(), value.to_owned())])?;
    let literal = &found(&tried, key)?.value;
    let path = root.path("etc/gatepost.toml");
    let text = config::with_key(&config::read_regular_text(&path)?, key, literal)?;
    let beside = root.path("etc/gatepost.toml.new");
    fs::write(&beside, text)?;
    fs::rename(&beside, &path)?;
    output::tell(
        "running programs read it when they start; `systemctl reload gatepostd` has the daemon read it now",
    );
    Ok(())
}
