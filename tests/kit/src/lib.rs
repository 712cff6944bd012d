//! An installation in a temporary folder, receivers, real servers: what whole-program tests stand on.
//!
//! A test that can't go on ends with a panic that says why. Everything started here is ended here, by pid.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "this is a test's own door: it starts programs, reads the environment and ends a test that can't go on"
)]

pub mod certificates;
pub mod dovecot;
pub mod gate;
pub mod host;
pub mod http_sink;
pub mod ledger;
pub mod page;
pub mod postfix;
pub mod scenario;
pub mod smtp_sink;
pub mod sshd;
pub mod strace;
pub mod terminal;
pub mod tools;
