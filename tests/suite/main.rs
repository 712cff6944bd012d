//! One binary of whole-program tests and tests of the house; a file per area.
#![expect(
    clippy::disallowed_methods,
    reason = "tests start programs and read the environment themselves"
)]

mod house;
mod layout;
mod words;
