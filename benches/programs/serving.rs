//! bench-serving - the least a gate of `gatepost-gate` can do: says it is sent
//!
//! SYNOPSIS
//!     bench-serving --command features|outgoing|serve
//!
//! Under a name that ends in `once` it does not list `serve`.

use gatepost_gate::{Failure, Features, Gate, OutgoingMessage, Sent};
use std::process::ExitCode;

struct Serving;

impl Gate for Serving {
    fn source(&self) -> &'static str {
        include_str!("serving.rs")
    }

    fn features(&self) -> Features {
        let is_once = std::env::args().next().is_some_and(|name| name.ends_with("once"));
        let names: &[&str] =
            if is_once { &["outgoing", "parallel"] } else { &["outgoing", "parallel", "serve"] };
        Features {
            notify_module: Some("ntemail".to_owned()),
            window: Some(64),
            ..Features::of(names.iter().copied())
        }
    }

    fn outgoing(&self, _message: &OutgoingMessage) -> Result<Sent, Failure> {
        Ok(Sent::plain())
    }
}

fn main() -> ExitCode {
    gatepost_gate::main(&Serving)
}
