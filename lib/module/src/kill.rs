//! Points at which a debug build kills itself, and faults it commits on purpose (queue 4.4).
//!
//! Only for the harness that shows that nothing is lost: a release build has neither. What is asked for
//! comes from config, which reads it from the environment: `POINT`, `POINT:N` (at the N-th passing), a
//! fault's name, or both with a comma between.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A named place in the life of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillPoint {
    /// Before the transaction that claims.
    BeforeClaim,
    /// Inside it, after the claim.
    InClaim,
    /// After its commit.
    AfterClaim,
    /// While the gate has the message.
    MidSend,
    /// After its end was noted.
    AfterSend,
    /// Inside the transaction that finishes.
    InFinish,
    /// After its commit.
    AfterFinish,
    /// At any moment.
    Random,
}

/// What a broken build would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Sends and finishes without asking whether the lease is still its own.
    FenceOff,
    /// Deletes the row before it sends.
    DeleteBeforeSend,
}

/// What this run was asked to do to itself.
#[derive(Debug, Default)]
pub struct Sabotage {
    point: Option<KillPoint>,
    fault: Option<Fault>,
    passings: AtomicU32,
    at_passing: u32,
}

impl Sabotage {
    /// Reads what config found, a point and a fault between commas; nothing in a release build, and nothing
    /// for a word that is none.
    pub fn read(words: Option<&str>) -> Self {
        let mut asked = Self::default();
        for word in words.filter(|_| cfg!(debug_assertions)).unwrap_or_default().split(',') {
            let usual = if word == "random" { "50" } else { "1" };
            let (name, count) = word.split_once(':').unwrap_or((word, usual));
            if let Some(point) = point(name) {
                asked.point = Some(point);
                asked.at_passing = count.parse().unwrap_or(1);
            }
            asked.fault = asked.fault.or(fault(name));
        }
        asked
    }

    /// Dies here by SIGKILL if this is the point, at its passing.
    pub fn kill_point(&self, here: KillPoint) {
        if self.point == Some(here)
            && self.passings.fetch_add(1, Ordering::SeqCst) + 1 >= self.at_passing
        {
            die();
        }
    }

    /// Passes the point that lies inside a send: dies a moment after, while the gate runs.
    pub fn while_sending(&self) {
        const A_MOMENT: Duration = Duration::from_millis(3);
        if self.passes(KillPoint::MidSend) {
            std::thread::spawn(|| {
                std::thread::park_timeout(A_MOMENT);
                die();
            });
        }
    }

    /// For [`KillPoint::Random`]: dies at some time within so many milliseconds (the number behind the
    /// name, else 50). `chance` is a random number.
    pub fn arm(&self, chance: u64) {
        if self.point == Some(KillPoint::Random) {
            let most = u64::from(self.at_passing.max(2));
            std::thread::spawn(move || {
                std::thread::park_timeout(Duration::from_millis(chance % most));
                die();
            });
        }
    }

    fn passes(&self, here: KillPoint) -> bool {
        self.point == Some(here)
            && self.passings.fetch_add(1, Ordering::SeqCst) + 1 >= self.at_passing
    }

    /// True if this fault is to be committed.
    pub fn commits(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }
}

fn die() {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
}

fn point(name: &str) -> Option<KillPoint> {
    Some(match name {
        "before_claim" => KillPoint::BeforeClaim,
        "in_claim" => KillPoint::InClaim,
        "after_claim" => KillPoint::AfterClaim,
        "mid_send" => KillPoint::MidSend,
        "after_send" => KillPoint::AfterSend,
        "in_finish" => KillPoint::InFinish,
        "after_finish" => KillPoint::AfterFinish,
        "random" => KillPoint::Random,
        _ => return None,
    })
}

fn fault(name: &str) -> Option<Fault> {
    match name {
        "fence_off" => Some(Fault::FenceOff),
        "delete_before_send" => Some(Fault::DeleteBeforeSend),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_and_a_fault_may_be_asked_for_together() {
        let asked = Sabotage::read(Some("delete_before_send,after_claim:3,nonsense"));
        assert_eq!((asked.point, asked.at_passing), (Some(KillPoint::AfterClaim), 3));
        assert!(asked.commits(Fault::DeleteBeforeSend) && !asked.commits(Fault::FenceOff));
        let nothing = Sabotage::read(None);
        assert!(nothing.point.is_none() && nothing.fault.is_none());
        assert!(!nothing.passes(KillPoint::MidSend));
        assert!(!asked.passes(KillPoint::AfterClaim) && !asked.passes(KillPoint::AfterClaim));
        assert!(asked.passes(KillPoint::AfterClaim), "at the third passing");
    }
}
