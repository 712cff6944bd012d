//! What is wrong with a value.

use std::fmt;

use crate::error::ErrorDocument;
use crate::form::check::Check;
use crate::form::fields::{Control, Mark};

/// A value that can't be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The control's name.
    pub name: String,
    /// What is wrong.
    pub kind: ProblemKind,
    /// The value; None when it is a secret or empty.
    pub value: Option<String>,
}

/// What is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// It is required and empty (S3-64).
    Missed,
    /// It is not what the check asks.
    NotValid(Check),
    /// It is too long.
    TooLong {
        /// The longest it may be.
        max_chars: usize,
    },
    /// It is none of the list.
    NotAChoice {
        /// The first of those that may stand here.
        choices: Vec<String>,
    },
}

pub(super) fn problem_of(control: &Control, value: &str) -> Option<Problem> {
    let kind = if value.trim().is_empty() {
        control.is(Mark::Required).then_some(ProblemKind::Missed)?
    } else {
        kind_of(control, value)?
    };
    Some(Problem::new(control, kind, value))
}

fn kind_of(control: &Control, value: &str) -> Option<ProblemKind> {
    if let Some(max_chars) = control.max_chars.filter(|max| value.chars().count() > *max) {
        return Some(ProblemKind::TooLong { max_chars });
    }
    let check = control.check.as_ref()?;
    let is_valid = if control.is(Mark::Zoom) {
        value.lines().map(str::trim).filter(|line| !line.is_empty()).all(|line| check.accepts(line))
    } else {
        check.accepts(value.trim())
    };
    (!is_valid).then(|| ProblemKind::NotValid(check.clone()))
}

impl Problem {
    pub(super) fn new(control: &Control, kind: ProblemKind, value: &str) -> Self {
        let shown = !control.is_secret() && !value.is_empty();
        Self { name: control.name.clone(), kind, value: shown.then(|| value.to_owned()) }
    }

    /// The error document a form is refused with: `missed` or `value` (ancestor-facts 1.6).
    pub fn to_error(&self) -> ErrorDocument {
        let kind = if self.kind == ProblemKind::Missed { "missed" } else { "value" };
        let error = ErrorDocument::new(kind).about(&self.name).with_text(self.to_string());
        match &self.value {
            Some(value) => error.with_param("value", value),
            None => error,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ", self.name)?;
        match &self.kind {
            ProblemKind::Missed => write!(f, "is required"),
            ProblemKind::NotValid(check) => write!(f, "must be {check}"),
            ProblemKind::TooLong { max_chars } => {
                write!(f, "is longer than {max_chars} characters")
            }
            ProblemKind::NotAChoice { choices } => {
                write!(f, "must be one of {}", choices.join(", "))
            }
        }?;
        match &self.value {
            Some(value) if value.len() <= 100 => write!(f, ", not `{}`", value.escape_debug()),
            _ => Ok(()),
        }
    }
}
