//! Registration files: `etc/xml/NAME_mod_*.xml`, what they say about handlers, and what is wrong with it.

use super::Line;
use crate::function::Alias;
use crate::pipeline::Platform;
use crate::refusal::nearest;
use config::{Level, Root};
use notice::chain;
use rustix::fs::{Access, access};
use std::path::PathBuf;
use std::sync::Arc;
use wire::xml::{Document, Element};

/// How a script gets its call (S0-13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transfer {
    /// As a CGI program; what it prints is merged.
    Cgi,
    /// A document in, a document out, which replaces.
    Xml,
}

/// When a script runs (S0-15, S0-16, S0-21).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Before,
    After,
    /// After the late modifiers too.
    Late,
    /// Beside the call: it changes nothing.
    Final,
}

/// What a failed before handler does to the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnFailure {
    Refuse,
    Ignore,
}

/// A script in `addon/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Script {
    /// The file's name.
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) transfer: Transfer,
    /// The registration file.
    pub(super) from: String,
}

/// Which calls of a function are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Calls {
    All,
    /// Those by this name, which says what for: `register.activationsend`.
    By(&'static str),
    /// Those that create: `user.add` (S0-28).
    Creations,
}

/// A script registered for a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) script: Arc<Script>,
    /// The function's own name.
    pub(super) function: String,
    /// The name it was registered for: what the script sees as `func`.
    pub(super) shown_as: String,
    pub(super) calls: Calls,
    pub(super) when: When,
    /// Whether parameters come on stdin too (S0-17).
    pub(super) postdata: bool,
    pub(super) on_failure: OnFailure,
}

/// What the files say, in the order of their names, then of the elements (S0-55).
#[derive(Debug, Default)]
pub(super) struct Registrations {
    pub(super) events: Vec<Event>,
    /// Handlers that are not run, by name, with the reason.
    pub(super) unusable: Vec<(String, String)>,
    pub(super) lines: Vec<Line>,
}

impl Registrations {
    /// Reads every file; one that can't be read is named, the others load (S0-26).
    pub(super) fn read(root: &Root, files: &[PathBuf]) -> Self {
        let mut all = Self::default();
        for path in files {
            let shown = path.strip_prefix(root.folder()).unwrap_or(path).display().to_string();
            let text = config::read_regular(path).map_err(|error| error.to_string());
            let parsed = text.and_then(|text| Document::parse(&text).map_err(|e| chain(&e)));
            match parsed {
                // Another root is named by whoever reads descriptions.
                Ok(document) if document.root.name == "mgrdata" => {
                    for handler in document.root.children_named("handler") {
                        all.add(root, &shown, handler);
                    }
                }
                Ok(document) => {
                    let name = &document.root.name;
                    all.warn(format!("`{shown}` is not read: its root is `{name}`, not `mgrdata`"));
                }
                Err(reason) => all.warn(format!("`{shown}` is not read: {reason}")),
            }
        }
        all
    }

    fn warn(&mut self, text: String) {
        self.lines.push(Line { component: "external", level: Level::Warning, text });
    }

    fn refuse(&mut self, name: &str, line: String, reason: String) {
        self.warn(line);
        self.unusable.push((name.to_owned(), reason));
    }

    fn add(&mut self, root: &Root, file: &str, handler: &Element) {
        let name = handler.attribute("name").unwrap_or_default().to_owned();
        self.check_attributes(file, handler, &["name", "type", "ignore_errors", "onfailure"]);
        let transfer = match handler.attribute("type") {
            Some("cgi") => Transfer::Cgi,
            Some("xml") => Transfer::Xml,
            other => {
                let given = other.unwrap_or_default();
                let reason = format!("its type is `{given}`; write `cgi` or `xml`");
                return self.refuse(&name, format!("{file}: handler `{name}`: {reason}"), reason);
            }
        };
        let path = match script_in(root, &name) {
            Ok(path) => path,
            Err(Unusable::NotExecutable(reason)) => {
                let line = format!("Addon 'addon/{name}' is not executable: {reason}");
                return self.refuse(&name, line, reason);
            }
            Err(Unusable::Refused(reason)) => {
                let line = format!("{file}: Addon 'addon/{name}' is refused: {reason}");
                return self.refuse(&name, line, reason);
            }
        };
        let script = Arc::new(Script { name, path, transfer, from: file.to_owned() });
        for element in handler.elements() {
            match element.name.as_str() {
                "event" => self.add_event(&script, handler, element),
                "func" => self.warn(format!(
                    "{file}: handler `{}`: functions of its own (`func`) are not served here",
                    script.name
                )),
                other => self
                    .warn(format!("{file}: handler `{}`: unknown element `{other}`", script.name)),
            }
        }
    }

    fn add_event(&mut self, script: &Arc<Script>, handler: &Element, event: &Element) {
        const KNOWN: &[&str] = &[
            "name",
            "before",
            "after",
            "final",
            "postdata",
            "proirity",
            "base",
            "onfailure",
            "sessiondata",
            "minlevel",
        ];
        let file = &script.from;
        self.check_attributes(file, event, KNOWN);
        let text = event.text();
        let name = event.attribute("name").unwrap_or(&text).trim().to_owned();
        let place = format!("{file}: handler `{}`, event `{name}`", script.name);
        let wants = |word| event.has(word, "yes");
        let after = match event.attribute("proirity") {
            Some("after") => When::Late,
            Some(other) => {
                self.warn(format!("{place}: proirity `{other}` means nothing; write `after`"));
                When::After
            }
            None => When::After,
        };
        let whens = [("before", When::Before), ("after", after), ("final", When::Final)];
        let chosen: Vec<When> =
            whens.into_iter().filter(|(word, _)| wants(word)).map(|(_, when)| when).collect();
        if name.is_empty() || chosen.is_empty() {
            let reason = if name.is_empty() {
                "an event has no name".to_owned()
            } else {
                format!("event `{name}` says neither before=\"yes\" nor after=\"yes\"")
            };
            return self.refuse(&script.name, format!("{place}: not registered: {reason}"), reason);
        }
        let (function, calls) = self.function_of(&place, &name);
        let on_failure = self.on_failure(&place, handler, event);
        for when in chosen {
            let event = Event {
                script: Arc::clone(script),
                function: function.clone(),
                shown_as: name.clone(),
                calls,
                when,
                postdata: wants("postdata"),
                on_failure,
            };
            self.register(event);
        }
    }

    fn register(&mut self, event: Event) {
        let is_same = |known: &&Event| {
            known.script.path == event.script.path
                && known.shown_as == event.shown_as
                && known.when == event.when
        };
        if let Some(known) = self.events.iter().find(is_same) {
            let (name, first) = (&event.script.name, &known.script.from);
            let text = format!(
                "{}: handler `{name}` is registered for `{}` already, by {first}",
                event.script.from, event.shown_as
            );
            return self.warn(text);
        }
        let text =
            format!("Register event '{}' for action '{}'", event.script.name, event.function);
        self.lines.push(Line { component: "action", level: Level::ExtInfo, text });
        self.events.push(event);
    }

    /// The function's own name, and which of its calls are meant.
    fn function_of(&mut self, place: &str, name: &str) -> (String, Calls) {
        let Some(function) = Platform::function(name) else {
            let near = nearest(name, Platform::functions().map(|known| known.name));
            self.warn(format!("{place}: there is no such function, it is never called{near}"));
            return (name.to_owned(), Calls::All);
        };
        let calls = match function.aliases.iter().find(|alias| alias.name() == name) {
            Some(Alias::Creates(_)) => Calls::Creations,
            Some(Alias::Purpose(purpose)) => Calls::By(purpose),
            Some(Alias::Same(_)) | None => Calls::All,
        };
        (function.name.to_owned(), calls)
    }

    fn on_failure(&mut self, place: &str, handler: &Element, event: &Element) -> OnFailure {
        let given = event.attribute("onfailure").or(handler.attribute("onfailure"));
        match given {
            Some("ignore") => OnFailure::Ignore,
            Some("refuse") => OnFailure::Refuse,
            Some(other) => {
                self.warn(format!("{place}: onfailure `{other}`: write `refuse` or `ignore`"));
                OnFailure::Refuse
            }
            None if handler.has("ignore_errors", "yes") => OnFailure::Ignore,
            None => OnFailure::Refuse,
        }
    }

    /// Names what nobody reads: `priority` must not silently act (S0-20).
    fn check_attributes(&mut self, file: &str, element: &Element, known: &[&str]) {
        let whose = element.attribute("name").map_or_else(|| element.text(), str::to_owned);
        for (name, _) in &element.attributes {
            if !known.contains(&name.as_str()) {
                let near = nearest(name, known.iter().copied());
                let near = near.replace("(did you mean ", "(did you mean the attribute ");
                let kind = &element.name;
                self.warn(format!(
                    "{file}: unknown attribute `{name}` of {kind} `{}`{near}",
                    whose.trim()
                ));
            }
        }
    }
}

/// Why a script is not run.
pub(super) enum Unusable {
    /// It is missing, or has no executable bit for us (S0-25).
    NotExecutable(String),
    /// It is somewhere else, or others may write it (S0-7, S0-9).
    Refused(String),
}

/// The script of that name, if it may be run.
pub(super) fn script_in(root: &Root, name: &str) -> Result<PathBuf, Unusable> {
    let refused = |reason: String| Err(Unusable::Refused(reason));
    if name.is_empty() || name.contains(['/', '\0']) || name == "." || name == ".." {
        return refused(format!("`{name}` is no plain file name; scripts stand in addon/"));
    }
    let folder = root.path("addon");
    let path = folder.join(name);
    let Ok(real) = path.canonicalize() else {
        return Err(Unusable::NotExecutable("there is no such file".to_owned()));
    };
    if !real.starts_with(folder.canonicalize().unwrap_or(folder.clone())) {
        return refused(format!("it leads out of addon/, to `{}`", real.display()));
    }
    if !real.is_file() || access(&real, Access::EXEC_OK).is_err() {
        let why = if real.is_file() { "try `chmod 750`" } else { "it is no file" };
        return Err(Unusable::NotExecutable(format!("{why} {}", path.display())));
    }
    for guarded in [folder.as_path(), real.as_path()] {
        if let Some(reason) = config::who_else_may_write(root, guarded) {
            return refused(reason);
        }
    }
    Ok(path)
}
