//! The door to processes: starts other people's programs, and survives them.
//!
//! [`run`] gives a program its input and brings back what became of it as a fact, [`Ran`]; what that
//! means is decided in [`outcome`], purely. [`spawn`] starts a child that stays. [`Programs`] knows what
//! stands in `notify/`, `gate/` and `processing/` and what each says it can do; [`gates`] speaks the
//! gate contract one-shot, [`serve`] with a gate that stays, [`http`] makes one POST to an address that others wrote,
//! [`Daemon`] calls a function over the daemon's socket, a [`Shell`] is a conversation with
//! `sh -s`, here or behind [`ssh`]. The rules of extensions.md 1.6 live here and nowhere else.
//!
//! This crate uses a shell in that one place, where every word is quoted. It never starts a program in a way
//! that makes the system fork (no pre-exec step, no uid, gid or groups: 135 times slower in a large
//! process), never decides about a task, and writes no log: what is worth a line is handed back.

mod caller;
mod child;
mod daemon;
mod exchange;
pub mod gates;
pub mod http;
pub mod outcome;
mod program;
pub mod programs;
pub mod proof;
mod quote;
pub mod serve;
mod shell;
pub mod ssh;
pub mod ssh_key;
mod start;

pub use caller::{Caller, ServeTimes};
pub use child::{Child, Signal, Stream, Streams, spawn};
pub use daemon::{API_SOCKET, Called, Daemon, DaemonCall, DaemonError};
pub use exchange::{Stop, run, run_until};
pub use program::{End, Environment, Limits, Program, Ran};
pub use programs::{Folder, Listed, Programs};
pub use shell::{Lost, Replied, Reply, Shell};
