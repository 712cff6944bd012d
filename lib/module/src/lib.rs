//! The skeleton of a module, a program in `notify/` that drains the queue.
//!
//! A module is a manual, a small type, an [`Module`] and a three-line `main` that calls [`main()`]. The
//! skeleton owns the loop. Its decisions are pure and stand apart ([`retry`], [`settle`], [`standing`],
//! [`choose`], [`window`], [`segments`], [`phone`]); one store thread carries them out ([`drain`]), behind
//! it a [`pipeline`] reads files, renders and hands messages to senders.
//!
//! This crate never opens a template, never talks to a service itself, never reads the environment, and
//! never keeps a transaction open while anything else than the database is waited for.

pub mod arguments;
pub mod attachments;
mod books;
pub mod choose;
pub mod contact;
mod desk;
pub mod drain;
pub mod files;
pub mod foreign;
pub mod gates;
mod getmessage;
pub mod handover;
mod idle;
pub mod kill;
pub mod lane;
pub mod module;
pub mod notes;
pub mod oneshot;
pub mod owner;
pub mod phone;
pub mod pipeline;
pub mod plan;
pub mod prepare;
pub mod program;
pub mod progress;
mod reaper;
pub mod render;
pub mod render_child;
pub mod retry;
pub mod rules;
pub mod run;
pub mod segments;
pub mod serve;
pub mod settle;
pub mod signals;
pub mod standing;
pub mod window;
pub mod workers;

pub use contact::{ContactForm, Refusal};
pub use handover::Heard;
pub use module::{Module, OwnWay, Patience, Profile, Style, Tools};
pub use notice::OnUnknown;
pub use pipeline::{How, Message};
pub use program::main;
pub use rules::Way;
pub use store::{Delivery, Effect, HandlerStatus};
pub use wire::features::Features;
