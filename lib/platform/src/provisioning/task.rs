//! What a handler is: a script, or an address that is called by POST (S2-6, S2-13, S2-14).

use crate::refusal::Refusal;
use config::{Config, Root};
use host::http::Address;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use store::TaskType;

/// A task as it is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// A script under one of `provisioning.script_folders`.
    Script(PathBuf),
    /// An address, `http` or `https`.
    Post(Address),
}

/// The words of the form's drop-down, and of the column; with `://` they are taken too.
pub(crate) const TYPES: [&str; 5] = ["script", "http", "https", "http://", "https://"];

/// The columns for what was given: `type` and `task`, or a task that brings its type (S2-15).
pub(crate) fn columns(
    kind: Option<&str>,
    task: &str,
    site: (&Root, &Config),
) -> Result<(TaskType, String), Refusal> {
    let task = task.trim();
    if task.is_empty() {
        return Err(Refusal::Missing {
            field: "task".to_owned(),
            remedy: "what is called: host:port/path, or the path of a script".to_owned(),
        });
    }
    let named = kind.and_then(|kind| TaskType::from_word(kind.trim_end_matches("://")));
    let brought = task.split_once("://").and_then(|(word, _)| TaskType::from_word(word));
    let Some(kind) = named.or(brought) else {
        return Err(Refusal::Missing {
            field: "type".to_owned(),
            remedy: "say what the task is: type=http, type=https or type=script".to_owned(),
        });
    };
    let read = read(kind, task, site)?;
    let column = match &read {
        // the scheme is the type's, S2-14
        Task::Post(address) => address.to_string().split_off(kind.word().len() + 3),
        Task::Script(_) => task.to_owned(),
    };
    Ok((kind, column))
}

/// A task that can be run, from its columns. Asked again before each run: a link may have moved.
pub(crate) fn read(kind: TaskType, task: &str, site: (&Root, &Config)) -> Result<Task, Refusal> {
    match kind {
        TaskType::Script => script(task, site).map(Task::Script),
        TaskType::Http | TaskType::Https => address(kind.word(), task).map(Task::Post),
    }
}

/// As people see it: `http://host:port/path`, `script:PATH`.
pub(crate) fn shown(kind: TaskType, task: &str) -> String {
    match kind {
        TaskType::Script => format!("script:{task}"),
        TaskType::Http | TaskType::Https => format!("{}://{task}", kind.word()),
    }
}

fn address(scheme: &str, text: &str) -> Result<Address, Refusal> {
    Address::parse(scheme, text).map_err(|error| invalid(text, error.to_string()))
}

fn script(path: &str, (root, config): (&Root, &Config)) -> Result<PathBuf, Refusal> {
    let folders = &config.provisioning.script_folders;
    let real = root
        .path(path)
        .canonicalize()
        .map_err(|error| invalid(path, format!("`{path}` can't be found under ROOT: {error}")))?;
    let inside = folders.iter().any(|folder| {
        root.path(folder).canonicalize().is_ok_and(|folder| real.starts_with(folder))
    });
    if !inside {
        return Err(invalid(
            path,
            format!(
                "`{path}` is outside of {}; put it there, or add its folder to `provisioning.script_folders`",
                folders.join(", ")
            ),
        ));
    }
    let found = real.metadata().map_err(|error| invalid(path, format!("`{path}`: {error}")))?;
    let mode = found.permissions().mode();
    if !found.is_file() {
        return Err(invalid(path, format!("`{path}` is no file")));
    }
    if mode & 0o111 == 0 {
        return Err(invalid(path, format!("`{path}` is not executable: `chmod +x {path}`")));
    }
    // Whoever may change the folder may put another script there.
    let within = root.path(".").canonicalize().unwrap_or_default();
    let folders = real.ancestors().skip(1).take_while(|folder| folder.starts_with(&within));
    for place in std::iter::once(real.as_path()).chain(folders) {
        if let Some(who) = config::who_else_may_write(root, place) {
            return Err(invalid(path, format!("{}: {who}", place.display())));
        }
    }
    Ok(real)
}

fn invalid(value: &str, reason: String) -> Refusal {
    Refusal::Value { field: "task".to_owned(), value: value.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bench;

    // S2-13, S2-14, S2-15
    #[test]
    fn a_task_is_an_address_or_a_script_in_its_folder() {
        let bench = Bench::empty();
        let (root, config) = (bench.platform.root(), bench.platform.config());
        let take = |kind, task| columns(kind, task, (root, config)).map_err(|no| no.to_string());
        let http = |task: &str| (TaskType::Http, task.to_owned());
        assert_eq!(take(Some("http"), "127.0.0.1:5000/api").unwrap(), http("127.0.0.1:5000/api"));
        assert_eq!(take(Some("http://"), "h:1/a").unwrap(), http("h:1/a"));
        assert_eq!(take(None, "https://h/a").unwrap(), (TaskType::Https, "h/a".to_owned()));
        bench.program("addon/vcs/script.py", "#!/bin/sh\n");
        let script = take(Some("script"), "addon/vcs/script.py").unwrap();
        assert_eq!(script, (TaskType::Script, "addon/vcs/script.py".to_owned()));
        bench.write("addon/plain", "x");
        bench.program("gate/gwx", "#!/bin/sh\n");
        for (kind, task, says) in [
            (Some("http"), "", "task"),
            (None, "h/a", "type=http"),
            (Some("https"), "http://h/a", "https"),
            (Some("http"), "u:p@h/a", "login"),
            (None, "gopher://h/", "type=http"),
            (Some("script"), "addon/none", "can't be found"),
            (Some("script"), "addon/plain", "chmod +x"),
            (Some("script"), "gate/gwx", "script_folders"),
            (Some("script"), "addon/../gate/gwx", "script_folders"),
            (Some("script"), "/bin/sh", "script_folders"),
            (Some("script"), "addon", "no file"),
        ] {
            let refused = take(kind, task).unwrap_err();
            assert!(refused.contains(says), "{task}: {refused}");
        }
    }

    #[test]
    fn a_script_that_others_may_change_is_refused_with_the_folder_that_allows_it() {
        let bench = Bench::empty();
        let (root, config) = (bench.platform.root(), bench.platform.config());
        bench.program("addon/vcs/script.py", "#!/bin/sh\n");
        for place in ["addon/vcs/script.py", "addon/vcs", "addon"] {
            let path = root.path(place);
            let old = path.metadata().unwrap().permissions();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o777)).unwrap();
            let given = columns(Some("script"), "addon/vcs/script.py", (root, config));
            let refused = given.unwrap_err().to_string();
            std::fs::set_permissions(&path, old).unwrap();
            assert!(refused.contains(&format!("{place}: ")), "{place}: {refused}");
        }
        assert!(columns(Some("script"), "addon/vcs/script.py", (root, config)).is_ok());
    }
}
