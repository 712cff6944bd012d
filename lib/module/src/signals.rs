//! SIGTERM, SIGINT and SIGHUP: counted, and told to a store thread that waits for events.

use crate::pipeline::{Event, Outcomes};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The signals that end a worker.
pub struct Signals {
    count: Arc<AtomicU32>,
    /// Until somebody waits: a thread that listens would double the time of a run that finds nothing to do on a
    /// busy machine.
    unheard: Option<(signal_hook::iterator::Signals, Outcomes)>,
}

impl Signals {
    /// From here on signals are counted and end nothing by themselves.
    pub fn watch(outcomes: Outcomes) -> io::Result<Self> {
        let signals = signal_hook::iterator::Signals::new([SIGTERM, SIGINT, SIGHUP])?;
        Ok(Self { count: Arc::default(), unheard: Some((signals, outcomes)) })
    }

    /// How many have come: the first one finishes a run, the second leaves it.
    pub fn count(&mut self) -> u32 {
        if let Some((signals, _)) = &mut self.unheard {
            let came = u32::try_from(signals.pending().count()).unwrap_or(u32::MAX);
            self.count.fetch_add(came, Ordering::SeqCst);
        }
        self.count.load(Ordering::SeqCst)
    }

    /// From here on a signal brings an event too; called before each wait.
    pub fn hear(&mut self) {
        let Some((mut signals, outcomes)) = self.unheard.take() else { return };
        let count = Arc::clone(&self.count);
        std::thread::spawn(move || {
            for _ in signals.forever() {
                count.fetch_add(1, Ordering::SeqCst);
                let _ = outcomes.send(Event::News);
            }
        });
    }
}
