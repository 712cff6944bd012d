//! The words every part of Gatepost speaks: identifiers, states, outcomes, time, secrets.
//!
//! Pure values. This crate never opens a file, a socket or a database; the one thing it asks of the
//! system is the time, through [`Clock`].

mod chain;
mod clock;
mod fields;
mod ids;
mod outcome;
mod priority;
mod secret;
mod state;
pub mod unasked;

pub use chain::chain;
pub use clock::{Clock, ManualClock, Ms, SystemClock};
pub use fields::Fields;
pub use ids::{
    AccountId, EventId, GatewayId, HandlerId, InvalidName, LogId, ModuleName, ProcessingId,
    ProductId, ProjectId, Route, ServiceId, TaskId, UserId,
};
pub use outcome::{Answer, OnUnknown, Outcome, Reach, UnknownWord};
pub use priority::{InvalidPriority, Priority};
pub use secret::{Mask, Secret};
pub use state::State;
