//! A queue in order of urgency and the threads that work on it.

use crate::pipeline::{Message, Outcomes, Sender};
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A thread that has had nothing to do for so long ends.
const IDLE: Duration = Duration::from_secs(5);

/// Delivers one message at a time; called from several threads.
pub trait Courier: Send + Sync {
    /// Hands the message over and tells its outcome, exactly one event.
    fn deliver(&self, message: &Message, outcomes: &Outcomes);
}

/// A way with one process, or call, for each message; several at once as far as the window is open.
pub struct Lane {
    inside: Arc<Inside>,
}

struct Inside {
    courier: Arc<dyn Courier>,
    outcomes: Outcomes,
    queue: Mutex<Queue>,
    news: Condvar,
}

#[derive(Default)]
struct Queue {
    /// By order key and task: the most urgent first.
    waiting: BTreeMap<(i64, i64), Message>,
    open: u32,
    busy: u32,
    threads: u32,
    /// Threads that wait for news: who wakes nobody asks the system for nothing.
    idle: u32,
    closed: bool,
}

impl Lane {
    /// A sender with a window of one.
    pub fn new(courier: Arc<dyn Courier>, outcomes: Outcomes) -> Self {
        let queue = Mutex::new(Queue { open: 1, ..Queue::default() });
        Self { inside: Arc::new(Inside { courier, outcomes, queue, news: Condvar::new() }) }
    }
}

impl Sender for Lane {
    fn send(&self, messages: Vec<Message>) {
        let mut queue = self.inside.queue();
        queue.waiting.extend(messages.into_iter().map(|message| (message.place(), message)));
        self.inside.staff(&mut queue);
        self.inside.wake_one(&queue);
    }

    fn set_window(&self, open: u32) {
        let mut queue = self.inside.queue();
        let grown = open.max(1).saturating_sub(queue.open);
        queue.open = open.max(1);
        self.inside.staff(&mut queue);
        if grown > 0 && queue.idle > 0 && !queue.waiting.is_empty() {
            self.inside.news.notify_all();
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.inside.queue().closed = true;
        self.inside.news.notify_all();
    }
}

impl Inside {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One thread for each message that may run.
    fn staff(self: &Arc<Self>, queue: &mut Queue) {
        let wanted =
            queue.open.min(queue.busy + u32::try_from(queue.waiting.len()).unwrap_or(u32::MAX));
        while queue.threads < wanted {
            queue.threads += 1;
            let inside = Arc::clone(self);
            std::thread::spawn(move || inside.work());
        }
    }

    fn work(&self) {
        let mut next = self.next(self.queue());
        while let Some(message) = next {
            self.courier.deliver(&message, &self.outcomes);
            let mut queue = self.queue();
            queue.busy -= 1;
            next = self.next(queue);
        }
    }

    fn wake_one(&self, queue: &Queue) {
        if queue.idle > 0 && queue.busy < queue.open && !queue.waiting.is_empty() {
            self.news.notify_one();
        }
    }

    /// The most urgent message, once the window has room. None: this thread is not needed any more.
    fn next(&self, mut queue: MutexGuard<'_, Queue>) -> Option<Message> {
        loop {
            let may_run = queue.busy < queue.open;
            if may_run && let Some((_, message)) = queue.waiting.pop_first() {
                queue.busy += 1;
                // what woke this thread may have been meant for two
                self.wake_one(&queue);
                return Some(message);
            }
            if queue.closed && queue.waiting.is_empty() {
                queue.threads -= 1;
                return None;
            }
            queue.idle += 1;
            let (after, waited) =
                self.news.wait_timeout(queue, IDLE).unwrap_or_else(PoisonError::into_inner);
            queue = after;
            queue.idle -= 1;
            if waited.timed_out() && queue.waiting.is_empty() {
                queue.threads -= 1;
                return None;
            }
        }
    }
}
