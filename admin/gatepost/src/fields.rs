//! `k=v` words, and values that stand for something: `@FILE`, `@-`.

use crate::failure::{Failure, Result, code};
use notice::Fields;
use std::io::Read;

/// Reads `k=v` words in order.
pub(crate) fn read(words: &[String]) -> Result<Fields> {
    let mut fields = Fields::new();
    for word in words {
        let Some((name, value)) = word.split_once('=') else {
            return Err(Failure::usage(format!("`{word}` is not of the form NAME=VALUE")));
        };
        fields.set(name, value);
    }
    Ok(fields)
}

/// Reads `k=v&k=v`, percent-encoded: how programs hand parameters over on stdin, where nobody else reads them.
pub(crate) fn from_query(text: &str) -> Fields {
    form_urlencoded::parse(text.trim_end_matches(['\n', '\r']).as_bytes()).collect()
}

/// What a value stands for: `@FILE` the text of a file, `@-` of stdin. `@file:PATH` and `@env:NAME` are kept:
/// they are read each time the secret is used. None: it is a literal.
pub(crate) fn looked_up(name: &str, value: &str) -> Result<Option<String>> {
    let Some(place) = value.strip_prefix('@') else { return Ok(None) };
    if place.starts_with("file:") || place.starts_with("env:") {
        return Ok(Some(value.to_owned()));
    }
    let text = text_of(place).map_err(|error| {
        Failure::new(code::NOT_FOUND, format!("can't read `{place}` for `{name}`: {error}"))
    })?;
    let line = text.strip_suffix('\n').map(|text| text.strip_suffix('\r').unwrap_or(text));
    Ok(Some(line.unwrap_or(&text).to_owned()))
}

/// The text of a file, or of stdin for `-`.
pub(crate) fn text_of(file: &str) -> std::io::Result<String> {
    let mut text = String::new();
    match file {
        "-" => std::io::stdin().read_to_string(&mut text)?,
        path => std::fs::File::open(path)?.read_to_string(&mut text)?,
    };
    Ok(text)
}

/// The same, with the failure in words.
pub(crate) fn file(file: &str) -> Result<String> {
    text_of(file)
        .map_err(|error| Failure::new(code::NOT_FOUND, format!("can't read `{file}`: {error}")))
}

/// The fields after `secret_names` were looked up. A literal secret is refused: it would stand in the shell's
/// history and in the list of processes.
pub(crate) fn with_secrets(fields: &Fields, is_secret: impl Fn(&str) -> bool) -> Result<Fields> {
    let mut read = Fields::new();
    for (name, value) in fields.iter() {
        if !is_secret(name) || value.is_empty() {
            read.set(name, value);
            continue;
        }
        let Some(value) = looked_up(name, value)? else {
            return Err(Failure::usage(format!(
                "`{name}` is secret and can't be given literally: write {name}=@FILE, {name}=@- or {name}=@env:NAME"
            )));
        };
        read.set(name, value);
    }
    Ok(read)
}
