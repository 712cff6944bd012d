//! The one-shot way: one process per message (DESIGN 5).

use crate::gates::{Openings, check};
use crate::handover::{Door, Heard};
use crate::lane::Courier;
use crate::owner::try_lock;
use crate::pipeline::{Message, Outcomes};
use crate::standing::{Check, Spoke};
use host::{Caller, Folder, Listed, Programs};
use notice::{Answer, GatewayId, Outcome};
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How often a gateway that another process uses is tried.
const LOOK: Duration = Duration::from_millis(2);

/// What every one-shot sender of a worker shares.
pub struct OneShotTools {
    /// How gates are started.
    pub caller: Caller,
    /// Which gates there are.
    pub programs: Arc<Programs>,
    /// The gateways in use, and what opens their secrets.
    pub openings: Openings,
    /// Every hand-over passes it.
    pub door: Arc<Door>,
    /// The folder `var/run`.
    pub run: PathBuf,
    /// Lines for the log, masked.
    pub log: Box<dyn Fn(&str) + Send + Sync>,
}

/// Two locks that make one gate run at a time, in turn, between the processes of this machine: who waits
/// for `lock` holds `turn`, so that who has just released it can't take it again before.
struct Turnstile {
    turn: PathBuf,
    lock: PathBuf,
}

impl Courier for OneShotTools {
    fn deliver(&self, message: &Message, outcomes: &Outcomes) {
        let gate = message.order.gateway.as_ref();
        let listed = self.programs.one(Folder::Gate, gate.map_or("", |gateway| &gateway.gate));
        let alone =
            gate.filter(|gateway| gateway.concurrency.is_none() && !listed.offers("parallel"));
        let _held = alone.map(|gateway| Turnstile::of(&self.run, gateway.id).pass(&self.door));
        self.door.hand_over(message, outcomes, |message| Ok(self.send(message, &listed)));
    }
}

impl OneShotTools {
    fn send(&self, message: &Message, listed: &Listed) -> Heard {
        let order = &message.order;
        let Some(gateway) = &order.gateway else { return unreached("there is no gateway".into()) };
        let opened = match self.openings.open(gateway) {
            Ok(opened) => opened,
            Err(why) => return unreached(why),
        };
        let outgoing = message.outgoing((&opened.columns, &opened.xmlparams));
        let judged =
            host::gates::outgoing(&self.caller, listed, &outgoing.to_bytes(), &opened.mask);
        for note in &judged.notes {
            (self.log)(&format!("{} of task {}: {note}", gateway.gate, order.claimed.lease.task));
        }
        let checked = if judged.answer.outcome == Outcome::Hold {
            self.check_of(listed, &opened)
        } else {
            Check::Absent
        };
        let spoke = if judged.had_document || judged.answer.outcome == Outcome::Sent {
            Spoke::Document
        } else {
            Spoke::Nothing
        };
        Heard { answer: judged.answer, spoke, check: checked, effects: Vec::new() }
    }

    pub(crate) fn check_of(&self, listed: &Listed, opened: &crate::gates::Opened) -> Check {
        if !listed.offers("check_connection") {
            return Check::Absent;
        }
        match check(&self.caller, listed, opened) {
            Ok(()) => Check::Passed,
            Err(why) => Check::Failed(why),
        }
    }

    /// The probe of a held gateway.
    pub fn probe(&self, gateway: &store::Gateway) -> Result<(), String> {
        let listed = self.programs.one(Folder::Gate, &gateway.gate);
        let opened = self.openings.open(gateway)?;
        check(&self.caller, &listed, &opened)
    }
}

impl Turnstile {
    fn of(run: &std::path::Path, gateway: GatewayId) -> Self {
        let place = |ending: &str| run.join(format!("gateway-{gateway}.{ending}"));
        Self { turn: place("turn"), lock: place("lock") }
    }

    /// Waits for its turn; without locks when the worker is stopping or the files can't be made.
    fn pass(&self, door: &Door) -> Option<File> {
        let _turn = wait_for(&self.turn, door)?;
        wait_for(&self.lock, door)
    }
}

fn wait_for(path: &std::path::Path, door: &Door) -> Option<File> {
    loop {
        match try_lock(path) {
            Ok(Some(lock)) => return Some(lock),
            Ok(None) if door.is_stopping() => return None,
            Ok(None) => std::thread::park_timeout(LOOK),
            Err(_) => return None,
        }
    }
}

/// No gate was reached.
pub(crate) fn unreached(why: String) -> Heard {
    Heard {
        answer: Answer::unreached(why),
        spoke: Spoke::Nothing,
        check: Check::Absent,
        effects: Vec::new(),
    }
}
