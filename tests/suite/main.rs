//! One binary of whole-program tests and tests of the house; a file per area.
#![expect(clippy::unwrap_used, reason = "a test that can't go on ends")]

mod house;
mod layout;
mod shipped;
mod shipped_templates;
mod words;
