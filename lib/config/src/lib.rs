//! The door to `etc/` and to the environment.
//!
//! [`Root`] says where Gatepost stands, [`Config`] what is set there, [`Vault`] opens the secrets at
//! rest, [`Log`] writes `var/gatepost.log`. Nothing else in the house reads the environment or a
//! settings file. This crate never starts a program, opens the database or talks to a network.

mod account;
mod config;
mod environment;
mod error;
mod keys;
mod layers;
mod log;
pub mod names;
mod owner;
mod pause;
mod regular;
mod root;
mod source;
mod vault;

pub use account::{Account, group_id};
pub use config::{Config, DEFAULTS, KeyOrigin, Origin};
pub use environment::{Colours, colours, kill_at, variable};
pub use error::ConfigError;
pub use keys::{
    Daemon, ForeignModule, Gate, Gateway, Handlers, Leftovers, LogSettings, Ntemail, Ntsms, Order,
    Plugins, Queue, Render, Retention, Retry, RetryTable, Settings, Status, WorkerSync,
};
pub use log::{Level, Log, is_obeyed, log_of_gate};
pub use owner::{open_own, refuse_if_writable_by_others, take_owner, who_else_may_write};
pub use pause::{pause, pause_end, pause_files, pause_text, pause_words, paused};
pub use regular::{open_regular, read_regular, read_regular_text};
pub use root::Root;
pub use source::with_key;
pub use vault::{Place, Secrets, Vault};
