//! A gateway under measurement: test messages straight through its gate, beside the queue, from many threads.

use crate::context::Context;
use crate::gateway_form::fit_gate;
use crate::gateway_test::{TestMessage, all_fields};
use crate::gateways;
use crate::pipeline::Platform;
use crate::refusal::Refusal;
use host::{Caller, Listed, Ran};
use notice::{Answer, Mask, Ms};
use std::sync::Arc;
use store::{Direction, Gateway};

/// An outgoing gateway that may be measured. Every message and every start is one run of its gate; nothing of it
/// is written to the database.
pub struct Bench {
    gateway: Gateway,
    gate: Arc<Listed>,
    message: TestMessage,
    starter: Caller,
    mask: Mask,
    /// When it was made: no two measurements share a key.
    made_at: Ms,
}

impl Platform {
    /// Makes the gateway of that id or name ready for a measurement with messages to `contact`. Refused like
    /// `gateway.test`, and where the gateway only receives.
    pub fn bench(&mut self, gateway: &str, contact: &str) -> Result<Bench, Refusal> {
        let mut context = self.context(Mask::default());
        let made = Bench::new(&mut context, gateway, contact);
        made.map_err(|refusal| refusal.masked(&context.mask))
    }
}

impl Bench {
    fn new(context: &mut Context<'_>, name: &str, contact: &str) -> Result<Self, Refusal> {
        let gateway = context.read(|snapshot| gateways::find(snapshot, name))?;
        if gateway.direction != Direction::Outgoing {
            return Err(Refusal::Conflict {
                operation: format!("measure gateway {name}"),
                reason: "it only receives".to_owned(),
            });
        }
        let module = gateway.module.to_string();
        let gate = fit_gate(context, &gateway.gate, Some(&module), gateway.direction)?.listed;
        let fields = all_fields(context, &gateway)?;
        let message = TestMessage::new(context, &gateway, &fields, contact)?;
        let (starter, mask) = (context.starter.clone(), context.mask.clone());
        Ok(Self { gateway, gate, message, starter, mask, made_at: context.now() })
    }

    /// The gateway.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// Hands over test message `number`, each number once; the answer is masked.
    pub fn send(&self, number: u32) -> Answer {
        let key = format!("test/{}/{}/{number}", self.gateway.id, self.made_at);
        let message = self.message.to_bytes(&key);
        host::gates::outgoing(&self.starter, &self.gate, &message, &self.mask).answer
    }

    /// Starts the gate for `features`: what a start costs without any service.
    pub fn start(&self) -> Ran {
        self.starter.run(&self.starter.command(&self.gate.path, "features"), b"")
    }
}
