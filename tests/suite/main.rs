//! One binary of whole-program tests and tests of the house; a file per area.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that can't go on ends; it starts programs itself"
)]

mod api;
mod bench;
mod cold;
mod conformance;
mod counted;
mod crash;
mod daemon;
mod disk;
mod documents;
mod fairness;
mod faults;
mod foreign;
mod handlers;
mod hostile;
mod hostile_code;
mod hostile_gates;
mod house;
mod incoming;
mod jabber;
mod judge;
mod killed_daemon;
mod killed_ledgers;
mod layout;
mod manual;
mod new_gates;
mod oneshot;
mod pages;
mod power;
mod provisioning;
mod race;
mod rendering;
mod scenario;
mod secrets;
mod sendmail;
mod served;
mod served_mail;
mod service_tasks;
mod services;
mod settings;
mod shim;
mod shipped;
mod shipped_templates;
mod stage;
mod surface;
mod terminal;
mod urgent;
mod words;
