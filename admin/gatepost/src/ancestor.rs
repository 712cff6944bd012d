//! The ancestor's form: `gatepost -m NAME FUNC k=v …` and `sbin/mgrctl -m NAME FUNC …` (S0-6).
//! Prints `id=1 name=…` lines unless `-o` says otherwise. Takes literal secrets, and warns. `-R` alone restarts the
//! manager (it is `exit`); `auth=SESSION` calls as who has signed in.

use crate::arguments::Format;
use crate::failure::{Failure, Result};
use crate::session::Session;
use crate::{fields, output};
use clap::ValueEnum;
use platform::Platform;
use std::process::ExitCode;

/// A call in the ancestor's form.
pub(crate) struct Form {
    manager: String,
    format: Option<String>,
    function: String,
    parameters: Vec<String>,
    /// `-`: more parameters come on stdin, as `k=v&k=v`, percent-encoded: programs keep values out of the list of
    /// processes so.
    more_on_stdin: bool,
}

/// Reads the form; None: it is not this form.
pub(crate) fn form_of(words: &[String]) -> Option<Form> {
    let is_mgrctl = words.first().is_some_and(|program| program.ends_with("mgrctl"));
    let names_manager = words.get(1).is_some_and(|word| word == "-m");
    if !is_mgrctl && !names_manager {
        return None;
    }
    let mut form = Form {
        manager: String::new(),
        format: None,
        function: String::new(),
        parameters: Vec::new(),
        more_on_stdin: false,
    };
    let mut restart = false;
    let mut rest = words.iter().skip(1);
    while let Some(word) = rest.next() {
        match word.as_str() {
            "-m" => form.manager = rest.next().cloned().unwrap_or_default(),
            "-o" => form.format = Some(rest.next().cloned().unwrap_or_default()),
            "-R" => restart = true,
            _ if form.function.is_empty() => form.function.clone_from(word),
            "-" => form.more_on_stdin = true,
            "out=xml" => form.format = Some("xml".to_owned()),
            "out=json" | "out=bjson" => form.format = Some("json".to_owned()),
            _ => form.parameters.push(word.clone()),
        }
    }
    if restart && form.function.is_empty() {
        "exit".clone_into(&mut form.function);
    }
    Some(form)
}

/// Calls it.
pub(crate) fn run(form: &Form) -> Result<ExitCode> {
    if form.manager.is_empty() || form.function.is_empty() {
        return Err(Failure::usage(
            "usage: mgrctl -m NAME FUNCTION [NAME=VALUE …]; `gatepost func` lists the functions",
        ));
    }
    let format = form.format.as_deref().map(format_of).transpose()?;
    let mut session = Session::open(None, format)?;
    let names = &session.platform.config().manager_names;
    if !names.contains(&form.manager) {
        return Err(Failure::usage(format!(
            "`{}` is none of the manager_names of etc/gatepost.toml: {}",
            form.manager,
            names.join(", ")
        )));
    }
    session.caller = session.caller.clone().of_manager(&form.manager);
    let mut given = fields::read(&form.parameters)?;
    let function = Platform::function(&form.function);
    for (name, _) in given.iter().filter(|(name, value)| {
        !value.starts_with('@') && function.is_some_and(|function| function.is_secret(name))
    }) {
        output::tell(&format!(
            "warning: the value of `{name}` stands in the list of processes and in the shell's history"
        ));
    }
    if form.more_on_stdin {
        let more = fields::from_query(&fields::file("-")?);
        for (name, value) in more.iter() {
            given.set(name, value);
        }
    }
    match session.call(&form.function, &given) {
        Ok(answer) => {
            session.print(&answer)?;
            Ok(ExitCode::SUCCESS)
        }
        // Programs read the error document where they read an answer.
        Err(Failure::Refused { code, document, .. }) if form.format.is_some() => {
            session.print(&document)?;
            Ok(ExitCode::from(code))
        }
        Err(failure) => Err(failure),
    }
}

fn format_of(name: &str) -> Result<Format> {
    Format::from_str(name, true).map_err(|_| {
        let names = Format::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let names: Vec<String> = names.map(|known| known.get_name().to_owned()).collect();
        Failure::usage(format!("-o `{name}` is none of {}", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(words: &[&str]) -> Option<Form> {
        form_of(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn the_form_is_known_by_its_program_or_by_m() {
        // S0-6
        assert!(form(&["gatepost", "queue"]).is_none());
        let call =
            form(&["sbin/mgrctl", "-m", "billmgr", "user.edit", "sok=ok", "auth=x"]).unwrap();
        assert_eq!((call.manager.as_str(), call.function.as_str()), ("billmgr", "user.edit"));
        assert_eq!(call.parameters, ["sok=ok", "auth=x"]);
        let restart = form(&["gatepost", "-m", "billmgr", "-R"]).unwrap();
        assert_eq!(restart.function, "exit");
        let call = form(&["mgrctl", "-m", "billmgr", "-R", "user", "-o", "json"]).unwrap();
        assert_eq!((call.function.as_str(), call.format.as_deref()), ("user", Some("json")));
    }
}
