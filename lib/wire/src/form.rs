//! Forms: the description files of modules and gates (`mgrdata`), their metadata merged, their
//! messages, and the form document that goes to a gate and comes back (ancestor-facts 2).
//!
//! [`Descriptions`] holds what the files in `etc/xml` say. [`FormDocument`] is one form on the wire;
//! what a gate adds to it survives. [`Form`] is what can be asked of a form: its fields, what is
//! hidden at these values, what is wrong with them.

mod catalogue;
mod check;
mod conditions;
mod description;
mod document;
mod fields;
mod merge;
mod problem;

pub use catalogue::Catalogue;
pub use check::Check;
pub use conditions::{Condition, Effect, When};
pub use description::{Description, DescriptionError, Descriptions, Plugin};
pub use document::{Choice, FormDocument, FormRequest};
pub use fields::{Control, ControlKind, Field, Form, InputKind, Mark, Occasion, SelectKind};
pub use merge::merge;
pub use problem::{Problem, ProblemKind};

#[cfg(test)]
mod tests;
