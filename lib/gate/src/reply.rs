//! The way back to the host: answers that are owed, and the frames that are ready to go.

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use notice::{Answer, Outcome};
use wire::frames::FrameError;
use wire::outgoing::OutgoingMessage;
use wire::serve::{append_answer, append_ping};

use crate::answer::answer_of;
use crate::workers::Workers;
use crate::{Failure, Sent};

/// The answer that a message of serve mode is owed. It may go to any thread. Dropped, it says that nobody
/// knows whether the message was sent: the queue then tries again or asks, as the gateway says.
pub struct Reply {
    id: u64,
    serving: Option<Arc<Serving>>,
}

/// What one conversation shares between its threads.
#[derive(Default)]
pub(crate) struct Serving {
    pub(crate) line: Line,
    pub(crate) workers: Workers,
}

impl Reply {
    /// Answers the message.
    pub fn give(mut self, ended: Result<Sent, Failure>) {
        self.answer(&answer_of(ended));
    }

    /// False once nobody hears the answer. The queue counts the message as unknown then, sent or not: what
    /// is not begun yet is best dropped, so that it goes out once.
    pub fn is_wanted(&self) -> bool {
        self.serving.as_ref().is_some_and(|serving| !serving.line.is_deaf())
    }

    /// Has [`crate::Gate::outgoing`] called for it on one of the worker threads.
    pub(crate) fn leave_to_workers(self, message: OutgoingMessage) {
        if let Some(serving) = self.serving.clone() {
            serving.workers.push(message, self);
        }
    }

    fn answer(&mut self, answer: &Answer) {
        if let Some(serving) = self.serving.take() {
            serving.line.answer(self.id, answer);
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.answer(&Answer::not_sent(Outcome::Unknown, "the gate dropped the message"));
    }
}

impl Serving {
    /// One answer more is owed.
    pub(crate) fn owe(self: &Arc<Self>, id: u64) -> Reply {
        self.line.ends().owed += 1;
        Reply { id, serving: Some(Arc::clone(self)) }
    }
}

/// An answer waits so long for others while so many more are owed: one write, and one waking of the host, for all.
const GATHER: Duration = Duration::from_millis(2);
/// So many answers wait for no other.
const GATHER_MOST: usize = 16;

/// Frames on their way to stdout. Those that are ready at about the same time go out in one write.
#[derive(Default)]
pub(crate) struct Line {
    ends: Mutex<Ends>,
    /// There is something to write, or no more will come.
    ready: Condvar,
    /// There is enough to write.
    enough: Condvar,
    /// Nothing is owed any more.
    settled: Condvar,
}

#[derive(Default)]
struct Ends {
    frames: Vec<u8>,
    /// Answers among the frames.
    answers: usize,
    /// The writer waits for more of them.
    is_gathering: bool,
    owed: usize,
    closed: bool,
    deaf: bool,
}

impl Ends {
    /// True while more answers are on their way than are worth a write of their own.
    fn may_gather(&self) -> bool {
        self.answers > 0 && self.answers < GATHER_MOST.min(self.owed) && !self.closed
    }
}

impl Line {
    /// How many answers are owed.
    pub(crate) fn owed(&self) -> usize {
        self.ends().owed
    }

    /// True once nobody reads the answers.
    pub(crate) fn is_deaf(&self) -> bool {
        self.ends().deaf
    }

    /// Nobody reads the answers any more.
    pub(crate) fn go_deaf(&self) {
        let mut ends = self.ends();
        ends.deaf = true;
        ends.frames = Vec::new();
    }

    /// Answers a ping.
    pub(crate) fn ping(&self) {
        self.append(&mut self.ends(), append_ping);
    }

    /// Waits until every answer that is owed was given.
    pub(crate) fn wait_until_settled(&self) {
        let owes = |ends: &mut Ends| ends.owed > 0;
        drop(self.settled.wait_while(self.ends(), owes).unwrap_or_else(PoisonError::into_inner));
    }

    /// Nothing will be appended any more.
    pub(crate) fn close(&self) {
        self.ends().closed = true;
        self.ready.notify_one();
    }

    /// Writes frames as they come, until the line is closed or nobody reads.
    pub(crate) fn write_out(&self, mut to: impl Write) {
        let mut batch = Vec::new();
        loop {
            let idle = |ends: &mut Ends| ends.frames.is_empty() && !ends.closed;
            let mut ends =
                self.ready.wait_while(self.ends(), idle).unwrap_or_else(PoisonError::into_inner);
            if ends.frames.is_empty() {
                return;
            }
            if ends.may_gather() {
                ends.is_gathering = true;
                let gathers = |ends: &mut Ends| ends.may_gather();
                let waited = self.enough.wait_timeout_while(ends, GATHER, gathers);
                ends = waited.unwrap_or_else(PoisonError::into_inner).0;
                ends.is_gathering = false;
            }
            ends.answers = 0;
            std::mem::swap(&mut ends.frames, &mut batch);
            drop(ends);
            if to.write_all(&batch).and_then(|()| to.flush()).is_err() {
                return self.go_deaf();
            }
            batch.clear();
        }
    }

    fn answer(&self, id: u64, answer: &Answer) {
        let mut ends = self.ends();
        ends.owed -= 1;
        if ends.owed == 0 {
            self.settled.notify_one();
        }
        ends.answers += 1;
        self.append(&mut ends, |frames| append_answer(frames, id, answer));
        if ends.is_gathering && !ends.may_gather() {
            self.enough.notify_one();
        }
    }

    fn append(&self, ends: &mut Ends, frame: impl FnOnce(&mut Vec<u8>) -> Result<(), FrameError>) {
        if ends.deaf {
            return;
        }
        let was_empty = ends.frames.is_empty();
        // An answer is far below the limit of a frame.
        let _ = frame(&mut ends.frames);
        if was_empty {
            self.ready.notify_one();
        }
    }

    fn ends(&self) -> MutexGuard<'_, Ends> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use wire::serve::FromGate;

    use super::*;

    #[derive(Default)]
    struct Counting {
        bytes: Vec<u8>,
        writes: usize,
    }

    impl Write for &mut Counting {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.bytes.extend_from_slice(bytes);
            self.writes += 1;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn answers_that_are_ready_together_go_out_in_one_write() {
        let serving = Arc::<Serving>::default();
        let replies: Vec<_> = (0..100).map(|id| serving.owe(id)).collect();
        for reply in replies.into_iter().rev() {
            reply.give(Ok(Sent::plain()));
        }
        assert_eq!(serving.line.owed(), 0);
        serving.line.wait_until_settled();
        serving.line.close();
        let mut out = Counting::default();
        serving.line.write_out(&mut out);
        assert_eq!(out.writes, 1);
        let mut stream = &out.bytes[..];
        for id in (0..100).rev() {
            let read = FromGate::read(&mut stream).unwrap();
            assert_eq!(read, Some(FromGate::Answer(id, Answer::sent(None))));
        }
        assert!(stream.is_empty());
    }

    #[test]
    fn a_reply_that_is_dropped_says_unknown_once() {
        let serving = Arc::<Serving>::default();
        drop(serving.owe(7));
        serving.owe(8).give(Err(Failure::never("no")));
        serving.line.close();
        let mut out = Counting::default();
        serving.line.write_out(&mut out);
        let mut stream = &out.bytes[..];
        let mut outcome = || match FromGate::read(&mut stream).unwrap() {
            Some(FromGate::Answer(id, answer)) => Some((id, answer.outcome)),
            _ => None,
        };
        assert_eq!(outcome(), Some((7, Outcome::Unknown)));
        assert_eq!(outcome(), Some((8, Outcome::Never)));
        assert_eq!(outcome(), None);
    }

    #[test]
    fn a_reply_that_nobody_hears_is_not_wanted() {
        let serving = Arc::<Serving>::default();
        let reply = serving.owe(7);
        assert!(reply.is_wanted());
        serving.line.go_deaf();
        assert!(!reply.is_wanted());
    }
}
