//! Signals become values on a channel, so that the main loop waits for one thing only.

use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::sync::mpsc::{Receiver, channel};

/// What somebody wants of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// A child has ended: look.
    Look,
    /// Read the settings again.
    Reload,
    /// Leave.
    Leave,
}

/// Listens from now on.
pub(crate) fn listen() -> std::io::Result<Receiver<Wish>> {
    let mut signals = Signals::new([SIGCHLD, SIGHUP, SIGINT, SIGTERM])?;
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for signal in signals.forever() {
            let wish = match signal {
                SIGCHLD => Wish::Look,
                SIGHUP => Wish::Reload,
                _ => Wish::Leave,
            };
            if sender.send(wish).is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}
