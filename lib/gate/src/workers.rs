//! The threads that call `outgoing` for a gate that takes no messages itself.

use std::collections::VecDeque;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use wire::outgoing::OutgoingMessage;

use crate::reply::{Reply, Serving};
use crate::{Failure, Gate};

/// Messages that wait for a thread.
#[derive(Default)]
pub(crate) struct Workers {
    queue: Mutex<Queue>,
    news: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<(OutgoingMessage, Reply)>,
    idle: usize,
    threads: usize,
    closed: bool,
}

impl Workers {
    /// A message for the next thread that is free.
    pub(crate) fn push(&self, message: OutgoingMessage, reply: Reply) {
        self.queue().waiting.push_back((message, reply));
        self.news.notify_one();
    }

    /// True when one thread more is needed, and counts it: a message waits that no idle thread will take.
    pub(crate) fn wants_thread(&self, most: usize) -> bool {
        let mut queue = self.queue();
        let wants = queue.waiting.len() > queue.idle && queue.threads < most;
        queue.threads += usize::from(wants);
        wants
    }

    /// The thread that was wanted can't be had; an error where there is none at all.
    pub(crate) fn do_without(&self) -> Result<(), ()> {
        let mut queue = self.queue();
        queue.threads -= 1;
        if queue.threads == 0 { Err(()) } else { Ok(()) }
    }

    /// What waits is left, which answers it *unknown*.
    pub(crate) fn drop_waiting(&self) {
        let waiting = std::mem::take(&mut self.queue().waiting);
        drop(waiting);
    }

    /// Nothing more will come.
    pub(crate) fn close(&self) {
        self.queue().closed = true;
        self.news.notify_all();
    }

    fn next(&self) -> Option<(OutgoingMessage, Reply)> {
        let mut queue = self.queue();
        loop {
            if let Some(next) = queue.waiting.pop_front() {
                return Some(next);
            }
            if queue.closed {
                return None;
            }
            queue.idle += 1;
            queue = self.news.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.idle -= 1;
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread's whole life. What nobody would hear of is not sent: the host counts it as unknown either way,
/// and so it goes out once.
pub(crate) fn work(gate: &impl Gate, serving: &Serving) {
    while let Some((message, reply)) = serving.workers.next() {
        if serving.line.is_deaf() {
            continue;
        }
        let ended = panic::catch_unwind(AssertUnwindSafe(|| gate.outgoing(&message)));
        let panicked = |_| Err(Failure::unknown("the gate panicked, see its stderr"));
        reply.give(ended.unwrap_or_else(panicked));
    }
}
