//! The skeleton of a module, a program in `notify/` that drains the queue.
//!
//! Decisions are pure and stand apart ([`retry`], [`settle`], [`standing`], [`choose`], [`window`],
//! [`segments`], [`phone`]); doing them is the drain's work. This crate never opens a template, never
//! talks to a service itself and never reads the environment.

pub mod choose;
pub mod phone;
pub mod retry;
pub mod segments;
pub mod settle;
pub mod standing;
pub mod window;
