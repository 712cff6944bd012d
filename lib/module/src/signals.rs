//! SIGTERM, SIGINT and SIGHUP: counted, and told to a store thread that waits for events. The end of a piped stdin
//! counts as one: whoever started us and held it has died.

use crate::pipeline::{Event, Outcomes};
use rustix::fs::FileType;
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

    /// From here on the end of stdin counts as a signal, if stdin is a pipe: the daemon holds its other end as long
    /// as it lives. A terminal, a file, `/dev/null` count for nothing.
    pub fn watch_input(&self, outcomes: Outcomes) {
        let is_pipe = rustix::fs::fstat(io::stdin())
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo);
        if !is_pipe {
            return;
        }
        let count = Arc::clone(&self.count);
        std::thread::spawn(move || {
            let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
            count.fetch_add(1, Ordering::SeqCst);
            let _ = outcomes.send(Event::News);
        });
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
