//! The second thread: it stops a template that the engine itself can't stop.
//!
//! EJS watches its own time; an XSLT string function or a Tera loop that prints nothing does not. When a message
//! has used up its processor time, the watch answers for the whole frame (what is done, and an error for the one
//! that ran) and ends the process. Should it fail too, the soft CPU limit does the same without an answer.

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, Signal, getpid, getrlimit, kill_process, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use wire::frames::write_frame;
use wire::rendering::{Rendered, Reply, TemplateError};

/// Processor time of one message, all its parts; an engine's own limit is reached earlier.
const MESSAGE_CPU: Duration = Duration::from_millis(2_500);
/// How often a running message is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// What the kernel allows beyond what was used at the last look, seconds.
const KERNEL_CPU_SECS: u64 = 5;
/// A reply of more bytes than this is sent; the messages behind it are asked again.
const REPLY_BYTES: usize = 16 << 20;

/// What both threads see.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    seen: Mutex<Seen>,
    begun: Condvar,
}

#[derive(Debug, Default)]
struct Seen {
    /// The frame that is worked on.
    frame: Option<Frame>,
    /// The watching thread sleeps until it is told of a frame; while frames follow each other it looks by itself.
    asleep: bool,
    /// How many messages were begun since the process was.
    begun: u64,
}

#[derive(Debug, Default)]
struct Frame {
    done: Vec<Rendered>,
    bytes: usize,
    /// The id of the message that is rendered now.
    running: Option<String>,
}

/// A message that was running when the watch looked, by its number, and the processor time used by then.
type LookedAt = Option<(u64, Duration)>;

impl Watch {
    /// Starts the watching thread.
    pub(crate) fn start() -> std::io::Result<Arc<Self>> {
        let watch = Arc::new(Self::default());
        let own = Arc::clone(&watch);
        std::thread::Builder::new()
            .name("watch".to_owned())
            .stack_size(256 << 10)
            .spawn(move || own.stand())?;
        Ok(watch)
    }

    /// A frame has come.
    pub(crate) fn begin_frame(&self) {
        let mut seen = self.lock();
        seen.frame = Some(Frame::default());
        if seen.asleep {
            self.begun.notify_one();
        }
    }

    /// A message is about to be rendered: its time counts from the next look.
    pub(crate) fn begin_message(&self, id: &str) {
        let mut seen = self.lock();
        seen.begun += 1;
        if let Some(frame) = seen.frame.as_mut() {
            frame.running = Some(id.to_owned());
        }
    }

    /// It is rendered. False when the reply is large enough.
    pub(crate) fn end_message(&self, rendered: Rendered) -> bool {
        let mut seen = self.lock();
        let Some(frame) = seen.frame.as_mut() else { return false };
        frame.running = None;
        frame.bytes += bytes_of(&rendered);
        frame.done.push(rendered);
        frame.bytes < REPLY_BYTES
    }

    /// Takes what is done; from here on the frame is no longer watched.
    pub(crate) fn end_frame(&self) -> Vec<Rendered> {
        self.lock().frame.take().map(|frame| frame.done).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stand(&self) {
        let mut seen = self.lock();
        let mut looked_at: LookedAt = None;
        loop {
            if seen.frame.is_none() {
                seen.asleep = true;
                seen = self.begun.wait(seen).unwrap_or_else(PoisonError::into_inner);
                seen.asleep = false;
            }
            looked_at = seen.look(looked_at, cpu_used());
            let waited =
                self.begun.wait_timeout(seen, LOOK_EVERY).unwrap_or_else(PoisonError::into_inner);
            seen = waited.0;
        }
    }
}

impl Seen {
    /// Ends the process when the message it saw running the last time has used up its time since.
    fn look(&mut self, before: LookedAt, used: Duration) -> LookedAt {
        raise_soft_limit(used.as_secs() + KERNEL_CPU_SECS);
        self.frame.as_ref()?.running.as_ref()?;
        let Some((_, from)) = before.filter(|(number, _)| *number == self.begun) else {
            return Some((self.begun, used));
        };
        if used > from + MESSAGE_CPU
            && let Some(frame) = self.frame.take()
        {
            give_up(frame);
        }
        before
    }
}

/// The kernel counts whole seconds: most looks find the limit where they want it.
fn raise_soft_limit(secs: u64) {
    let limit = getrlimit(Resource::Cpu);
    if limit.current != Some(secs) {
        let _ = setrlimit(Resource::Cpu, Rlimit { current: Some(secs), ..limit });
    }
}

/// stdout without the standard library's buffer, which would cut a frame in two at its last line end.
pub(crate) struct Answers;

impl Write for Answers {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(rustix::io::write(std::io::stdout(), bytes)?)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Answers for the frame, and ends the process: the rendering thread can't be stopped in any other way.
fn give_up(frame: Frame) {
    let mut messages = frame.done;
    if let Some(id) = frame.running {
        let message = format!(
            "the template ran longer than {} ms of processor time",
            MESSAGE_CPU.as_millis()
        );
        messages.push(Rendered {
            id,
            result: Err(TemplateError { message, ..TemplateError::default() }),
        });
    }
    let reply = Reply { messages, last: true };
    drop(write_frame(&mut Answers, &reply.to_bytes()));
    let _ = kill_process(getpid(), Signal::KILL);
}

fn bytes_of(rendered: &Rendered) -> usize {
    let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    match &rendered.result {
        Ok(texts) => length(&texts.html) + length(&texts.text) + length(&texts.subject),
        Err(error) => error.message.len(),
    }
}

/// Processor time of the whole process.
fn cpu_used() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
