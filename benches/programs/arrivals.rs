//! bench-arrivals - takes every message, and tells at once of those for `urgent…`
//!
//! SYNOPSIS
//!     bench-arrivals --command features|outgoing|serve
//!
//! It tells by a datagram to `var/arrivals`: the contact.

use gatepost_gate::{Failure, Features, Gate, OutgoingMessage, Sent};
use std::os::unix::net::UnixDatagram;
use std::process::ExitCode;

struct Arrivals;

impl Gate for Arrivals {
    fn source(&self) -> &'static str {
        include_str!("arrivals.rs")
    }

    fn features(&self) -> Features {
        Features {
            notify_module: Some("ntemail".to_owned()),
            window: Some(64),
            ..Features::of(["outgoing", "serve"])
        }
    }

    fn outgoing(&self, message: &OutgoingMessage) -> Result<Sent, Failure> {
        let contact = message.user.text("email");
        if contact.starts_with("urgent") {
            let told = UnixDatagram::unbound()
                .and_then(|socket| socket.send_to(contact.as_bytes(), "var/arrivals"));
            told.map_err(|error| Failure::later(error.to_string()))?;
        }
        Ok(Sent::plain())
    }
}

fn main() -> ExitCode {
    gatepost_gate::main(&Arrivals)
}
