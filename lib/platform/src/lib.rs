//! The platform: everything a person or a program does is a call of a function by name.
//!
//! A call goes one way (DESIGN 8): session, before handlers, middleware, plan, apply, after handlers,
//! answer. A plan is a value: what will change and what that rests on; it is made with no transaction
//! open, so this is where gates are asked. Applying it is one transaction. This crate never renders a
//! template, hands a message to a gate for delivery, or prints; it keeps no thread but those of the plugin host,
//! and those only while there are plugins.

mod access;
mod accounts;
mod added_fields;
mod addressee;
mod agents;
mod announce;
#[cfg(test)]
mod announce_tests;
mod answer;
mod attachments;
mod bundles;
mod call;
mod caller;
mod context;
mod csv;
mod descriptions;
mod desktop;
mod errands;
mod error;
mod events;
mod function;
mod gate_calls;
mod gateway_bench;
mod gateway_edit;
mod gateway_form;
mod gateway_test;
#[cfg(test)]
mod gateway_tests;
mod gateways;
mod handlers;
mod inbox;
mod installation;
mod journal;
mod late;
pub mod listening;
mod locks;
mod mass;
mod modules;
mod money;
mod notice_xml;
mod notices;
mod once;
mod passwords;
#[cfg(test)]
mod pipe_tests;
mod pipeline;
#[cfg(test)]
mod pipeline_tests;
mod plan;
mod plugins;
mod programs;
mod projects;
pub mod provisioning;
mod queue_files;
mod ready_files;
mod refusal;
mod registry;
mod replies;
mod sending;
#[cfg(test)]
mod sending_tests;
mod server;
mod services;
mod sessions;
mod shared;
mod status;
mod status_findings;
mod status_secrets;
mod subscriptions;
mod table;
mod tasks;
mod templates;
#[cfg(test)]
mod testing;
mod tokens;
mod user_import;
mod users;
pub mod when;
mod why;
#[cfg(test)]
mod why_tests;
mod why_text;

pub use answer::Answer;
pub use bundles::{BundleWanted, bundle};
pub use caller::{Caller, Level};
pub use descriptions::descriptions;
pub use errands::{Errand, Outlets};
pub use error::PlatformError;
pub use function::{Alias, Extra, Function, Kind, Need, Parameter};
pub use gateway_bench::Bench;
pub use locks::Runner;
pub use notices::{Condition, Notice, Operator, load as load_notice, names as notice_names};
pub use once::Once;
pub use pipeline::Platform;
pub use refusal::Refusal;
pub use services::{ServiceCall, ServiceOperation, ServiceTask, ServiceTurn, service_call};
pub use status::{Finding, GatewayStatus, ModuleStatus, Promptness, Severity, Status, Urgency};
pub use status_findings::FINDING_CODES;
pub use why::{ContactStory, GatewayStory, Pause, TaskStory, Why};
pub use why_text::sentences;
