//! gwsmtp as a whole program: against a server that misbehaves as told, and against Postfix.
#![expect(clippy::unwrap_used, reason = "a test that can't go on says so")]

mod call;
mod form;
mod hostile;
mod letter;
mod relay;
mod serve;
mod session;
