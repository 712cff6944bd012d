//! What follows from messages that came in is a call like any other. While a daemon lives it is made there: its registry
//! and plugins are those of the moment. Else by a platform that is opened for it and gone afterwards, plugins and all.

use gatepost_module::Tools;
use host::{Daemon, DaemonCall};
use platform::{Caller, Platform};
use std::time::{Duration, Instant};

/// Messages looked at between two turns, at most.
pub(crate) const MESSAGES: u32 = 100;

/// The deliveries of a turn wait so long for messages; those that are left are followed after it.
const A_WHILE: Duration = Duration::from_secs(5);

/// Longer than a usual command takes. One that takes longer goes on in the daemon, which refuses to
/// begin it a second time; how it ended is seen when it is asked for again.
const PATIENCE: Duration = Duration::from_secs(20);

const FUNCTION: &str = "incoming.follow";

/// Has these messages followed. What fails is tried again after the next turn.
pub(crate) fn follow(messages: &[i64], tools: &Tools<'_>) -> Result<(), String> {
    if messages.is_empty() {
        return Ok(());
    }
    let started = Instant::now();
    let mut door = Door::open(tools)?;
    let mut failed = Ok(());
    for message in messages {
        let followed = match door.follow(*message) {
            Ok(false) => {
                // the daemon has left since
                door = Door::own(tools)?;
                door.follow(*message).map(drop)
            }
            followed => followed.map(drop),
        };
        // One that fails keeps no other from being followed.
        failed = failed.and(followed);
        if started.elapsed() >= A_WHILE {
            break;
        }
    }
    failed
}

enum Door {
    Daemon(Daemon),
    Own(Box<Platform>),
}

impl Door {
    fn open(tools: &Tools<'_>) -> Result<Self, String> {
        match Daemon::of(tools.site()) {
            Some(daemon) => Ok(Self::Daemon(daemon)),
            None => Self::own(tools),
        }
    }

    fn own(tools: &Tools<'_>) -> Result<Self, String> {
        let opened = Platform::open(tools.site().clone());
        let opened = opened.map_err(|error| failed(&notice::chain(&error)))?;
        Ok(Self::Own(Box::new(opened)))
    }

    /// False: there is nobody behind the door any more.
    fn follow(&mut self, message: i64) -> Result<bool, String> {
        let id = message.to_string();
        match self {
            Self::Daemon(daemon) => {
                let form = format!("elid={id}");
                let (function, patience) = (FUNCTION, PATIENCE);
                let call = DaemonCall { function, headers: &[], form: &form, patience };
                match daemon.call(&call).map_err(|error| failed(&error.to_string()))? {
                    Some(called) if called.is_done => Ok(true),
                    Some(called) => Err(failed(&called.reason())),
                    None => Ok(false),
                }
            }
            Self::Own(platform) => {
                let params = [("elid", id)].into_iter().collect();
                let done = platform.call(FUNCTION, &params, &Caller::operator());
                done.map(|_| true).map_err(|refusal| failed(&refusal.to_string()))
            }
        }
    }
}

fn failed(reason: &str) -> String {
    format!("can't follow a message that came in: {reason}")
}
