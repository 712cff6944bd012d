//! Why a call was refused: what is wrong, where, and what to do.

use crate::error::PlatformError;
use config::ConfigError;
use notice::Mask;
use std::path::PathBuf;
use store::StoreError;
use wire::xml::{Document, Element};

/// A refused call. Nothing was changed. Texts hold no secret: [`crate::Platform::call`] masks them.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// No function of that name.
    #[error("there is no function `{name}`{nearest}; `gatepost func` lists them")]
    NoFunction {
        /// What was asked for.
        name: String,
        /// The nearest name, in words, or empty.
        nearest: String,
    },
    /// A parameter that the function doesn't know.
    #[error("`{function}` takes no parameter `{name}`{nearest}")]
    NoParameter {
        /// The function.
        function: String,
        /// The parameter.
        name: String,
        /// The nearest name, in words, or empty.
        nearest: String,
    },
    /// A parameter that must be there.
    #[error("`{field}` is missing: {remedy}")]
    Missing {
        /// The parameter.
        field: String,
        /// What to give.
        remedy: String,
    },
    /// A value that can't be taken. `value` is empty for a secret.
    #[error("`{field}` can't be `{value}`: {reason}")]
    Value {
        /// The parameter.
        field: String,
        /// What was given.
        value: String,
        /// The rule it breaks, and what would do.
        reason: String,
    },
    /// Another object has it already.
    #[error("{noun} {id} has {field} `{value}` already; edit that one or choose another")]
    Exists {
        /// What kind of object.
        noun: &'static str,
        /// Which one.
        id: i64,
        /// The column.
        field: &'static str,
        /// The value.
        value: String,
    },
    /// Nothing of that name.
    #[error("there is no {noun} `{value}`; {remedy}")]
    NotFound {
        /// What kind of object.
        noun: &'static str,
        /// What was asked for.
        value: String,
        /// Where to look.
        remedy: String,
    },
    /// Several are meant.
    #[error("`{value}` may be any of several {noun}s: {}; name one by its id", candidates.join(", "))]
    Ambiguous {
        /// What kind of object.
        noun: &'static str,
        /// What was asked for.
        value: String,
        /// The first ten, `id name`.
        candidates: Vec<String>,
    },
    /// Not allowed for this caller.
    #[error("`{function}` is for {needed} and above, the caller is {level}")]
    Denied {
        /// The function.
        function: String,
        /// The level it needs.
        needed: &'static str,
        /// The level of the caller.
        level: &'static str,
    },
    /// Nobody has signed in with that name and password, or the session has ended.
    #[error("not signed in: {reason}; `session.open` signs in")]
    NotSignedIn {
        /// What is wrong.
        reason: String,
    },
    /// A gate said no while the call was planned (S3-47).
    #[error("gate `{gate}` refuses: {reason}; nothing was saved")]
    Gate {
        /// The gate.
        gate: String,
        /// In its words, masked.
        reason: String,
    },
    /// The test of a gateway failed. Nothing but the test was to be done.
    #[error("the test of gateway `{gateway}` failed: {reason}")]
    Test {
        /// The gateway's name.
        gateway: String,
        /// What was asked of its gate, and what came of it; masked.
        reason: String,
    },
    /// Something stands against it.
    #[error("can't {operation}: {reason}")]
    Conflict {
        /// What was tried.
        operation: String,
        /// What stands against it, and the way out.
        reason: String,
    },
    /// Outside code refuses: a before handler's error document, or what a plugin raised (S0-50, S4-49).
    #[error("{text}")]
    Said {
        /// Who: `addon/x.pl`, `plugin Middleware`.
        by: String,
        /// The `type` of its error: `value`, `access`, `PermissionDenied` …
        kind: String,
        /// In its words.
        text: String,
        /// The whole error document, root `doc`: the answer as it is.
        document: Box<Element>,
    },
    /// Outside code that must be asked could not be, or answered nonsense; the call is refused for it.
    #[error("{what} `{name}` failed: {reason}")]
    Failed {
        /// `handler`, `plugin` …
        what: &'static str,
        /// Which.
        name: String,
        /// What happened, and what to do.
        reason: String,
    },
    /// What the call was planned on moved twice.
    #[error("{what} was changed by somebody else at the same moment; call again")]
    Changed {
        /// What moved.
        what: String,
    },
    /// A file in ROOT, or one that was named.
    #[error("can't {operation} `{path}`: {reason}")]
    File {
        /// What was tried.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said, or what is wrong with it.
        reason: String,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl From<PlatformError> for Refusal {
    fn from(error: PlatformError) -> Self {
        match error {
            PlatformError::Config(error) => error.into(),
            PlatformError::Store(error) => error.into(),
        }
    }
}

impl Refusal {
    /// The `type` of the error document (ancestor-facts 1.6).
    pub fn kind(&self) -> &str {
        match self {
            Self::NoFunction { .. } | Self::NotFound { .. } => "missed",
            Self::NoParameter { .. } | Self::Value { .. } | Self::Ambiguous { .. } => "value",
            Self::Missing { .. } => "empty",
            Self::Exists { .. } => "exists",
            Self::Denied { .. } => "access",
            Self::NotSignedIn { .. } => "auth",
            Self::Gate { .. } | Self::Test { .. } => "gate",
            Self::Said { kind, .. } => kind,
            Self::Failed { what: "handler", .. } => "handler_failed",
            Self::Failed { .. } => "plugin_failed",
            Self::Conflict { .. } => "conflict",
            Self::Changed { .. } => "changed",
            Self::File { .. } => "file",
            Self::Store(_) => "store",
            Self::Config(_) => "config",
        }
    }

    /// The exit code of a program that ends with this refusal (sysexits).
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NoFunction { .. }
            | Self::NoParameter { .. }
            | Self::Missing { .. }
            | Self::Ambiguous { .. } => 64,
            Self::NotFound { .. } | Self::File { .. } => 66,
            Self::Gate { .. } | Self::Test { .. } | Self::Failed { .. } => 69,
            Self::Said { kind, .. } if kind == "access" || kind == "PermissionDenied" => 77,
            Self::Value { .. }
            | Self::Exists { .. }
            | Self::Conflict { .. }
            | Self::Said { .. } => 65,
            Self::Denied { .. } | Self::NotSignedIn { .. } => 77,
            Self::Config(_) => 78,
            Self::Store(error)
                if !error.is_passing() && !matches!(error, StoreError::NewerSchema { .. }) =>
            {
                74
            }
            Self::Changed { .. } | Self::Store(_) => 75,
        }
    }

    /// The error document: `<doc><error type= object=><msg>…`.
    pub fn to_document(&self) -> Element {
        if let Self::Said { document, .. } = self {
            return document.as_ref().clone();
        }
        let mut error = Element::new("error").with_attribute("type", self.kind());
        if !self.object().is_empty() {
            error.set_attribute("object", self.object());
        }
        error.push(Element::new("msg").with_text(self.to_string()));
        Element::new("doc").with_child(error)
    }

    fn object(&self) -> &str {
        match self {
            Self::NoFunction { name, .. }
            | Self::NoParameter { name, .. }
            | Self::Failed { name, .. } => name,
            Self::Missing { field, .. } | Self::Value { field, .. } => field,
            Self::Exists { noun, .. }
            | Self::NotFound { noun, .. }
            | Self::Ambiguous { noun, .. } => noun,
            Self::Denied { function, .. } => function,
            Self::Gate { gate, .. } => gate,
            Self::Test { gateway, .. } => gateway,
            Self::Said { by, .. } => by,
            Self::NotSignedIn { .. }
            | Self::Conflict { .. }
            | Self::Changed { .. }
            | Self::File { .. }
            | Self::Store(_)
            | Self::Config(_) => "",
        }
    }

    /// The same with every secret of the call replaced.
    pub(crate) fn masked(self, mask: &Mask) -> Self {
        match self {
            Self::Value { field, value, reason } => {
                Self::Value { field, value: mask.apply(&value), reason: mask.apply(&reason) }
            }
            Self::Gate { gate, reason } => Self::Gate { gate, reason: mask.apply(&reason) },
            Self::Test { gateway, reason } => Self::Test { gateway, reason: mask.apply(&reason) },
            Self::Conflict { operation, reason } => {
                Self::Conflict { operation, reason: mask.apply(&reason) }
            }
            Self::Failed { what, name, reason } => {
                Self::Failed { what, name, reason: mask.apply(&reason) }
            }
            Self::Said { by, kind, text, document } => {
                let shown = mask.apply(&document.to_xml());
                let document = Document::parse(shown.as_bytes()).map(|found| found.root);
                let document = Box::new(document.unwrap_or_else(|_| Element::new("doc")));
                Self::Said { by, kind, text: mask.apply(&text), document }
            }
            Self::NoParameter { function, name, nearest } => {
                Self::NoParameter { function, name: mask.apply(&name), nearest }
            }
            Self::NotFound { noun, value, remedy } => {
                Self::NotFound { noun, value: mask.apply(&value), remedy }
            }
            other => other,
        }
    }
}

/// ` (did you mean `x`?)` when one of the names is near, else all of them.
pub(crate) fn nearest_or_all(given: &str, known: &[&str]) -> String {
    let near = nearest(given, known.iter().copied());
    if near.is_empty() && !known.is_empty() {
        return format!("; it takes {}", known.join(", "));
    }
    near
}

/// ` (did you mean `x`?)` when one of the names is near, else nothing.
pub(crate) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    known
        .into_iter()
        .map(|name| (edits(given, name), name))
        .min()
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4)
        .map(|(_, name)| format!(" (did you mean `{name}`?)"))
        .unwrap_or_default()
}

/// Levenshtein distance over bytes: names of ours are ASCII and short.
fn edits(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.bytes().take(64).enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, b) in right.bytes().enumerate() {
            let replaced = corner + usize::from(a != b);
            corner = row[j + 1];
            row[j + 1] = replaced.min(corner + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered_only_when_it_is_near() {
        assert_eq!(nearest("langauge", ["language", "level"]), " (did you mean `language`?)");
        assert_eq!(nearest("zzz", ["language", "level"]), "");
    }

    #[test]
    fn a_refusal_says_where_and_shows_no_secret() {
        let mask = Mask::new([&notice::Secret::new("hunter2")]);
        let said = Element::new("doc").with_child(Element::new("msg").with_text("not hunter2"));
        let refusal = Refusal::Said {
            by: "addon/x".into(),
            kind: "value".into(),
            text: "not hunter2".into(),
            document: Box::new(said),
        };
        assert_eq!(refusal.masked(&mask).to_document().to_xml(), "<doc><msg>not ***</msg></doc>");
        let refusal = Refusal::Gate { gate: "gwx".into(), reason: "bad login hunter2".into() };
        let document = refusal.masked(&mask).to_document().to_xml();
        assert!(document.contains("type=\"gate\"") && document.contains("***"), "{document}");
        assert!(!document.contains("hunter2"));
    }
}
