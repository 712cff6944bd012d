//! The conversation of serve mode, as the gate has it (`wire::serve`).

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::fd::AsFd;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread::{self, Builder};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use wire::frames::FrameError;
use wire::serve::{Configured, ServeError, ToGate};
use wire::xml::Element;

use crate::reply::Serving;
use crate::workers::work;
use crate::{Failure, Gate};

/// Threads that call `outgoing`; a larger window is for gates that take messages themselves.
const THREADS_MOST: usize = 64;

const READ_BYTES: usize = 64 << 10;

/// Why a conversation ended before the end of its input.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Parting {
    /// The host said what has no place here.
    #[error("the host {0}")]
    Protocol(String),
    /// Nobody reads the answers.
    #[error("nobody reads the answers")]
    Deaf,
    /// Stdin can't be read.
    #[error("stdin can't be read: {0}")]
    Input(#[source] io::Error),
    /// There is no thread for what it does.
    #[error("no thread can be started: {0}")]
    Thread(#[source] io::Error),
}

/// The gateway, or why it can't be used.
type Known = Result<Configured, Failure>;

/// Serves until stdin ends; then, and after an error too, what was taken is answered before this returns.
pub(crate) fn serve(
    gate: &impl Gate,
    window: usize,
    (input, output): (File, &File),
) -> Result<(), Parting> {
    let serving = Arc::<Serving>::default();
    thread::scope(|scope| {
        let writer = Builder::new().spawn_scoped(scope, || serving.line.write_out(output));
        let writer = writer.map_err(Parting::Thread)?;
        // The first thread is needed; with fewer than wanted after it the messages wait a little longer.
        let staff = || {
            if serving.workers.wants_thread(window.min(THREADS_MOST)) {
                match Builder::new().spawn_scoped(scope, || work(gate, &serving)) {
                    Ok(_) => {}
                    Err(error) => {
                        serving.workers.do_without().map_err(|()| Parting::Thread(error))?;
                    }
                }
            }
            Ok(())
        };
        let mut conversation = Conversation { gate, serving: &serving, window, known: None };
        let input = BufReader::with_capacity(READ_BYTES, Input { from: input, to: output });
        let ended = conversation.converse(input, staff);
        match ended {
            Err(Parting::Deaf) => serving.line.go_deaf(),
            Err(Parting::Thread(_)) => serving.workers.drop_waiting(),
            _ => {}
        }
        serving.line.wait_until_settled();
        serving.workers.close();
        serving.line.close();
        if writer.join().is_err() {
            serving.line.go_deaf();
        }
        if ended.is_ok() && serving.line.is_deaf() { Err(Parting::Deaf) } else { ended }
    })
}

struct Conversation<'a, G> {
    gate: &'a G,
    serving: &'a Arc<Serving>,
    window: usize,
    known: Option<Known>,
}

impl<G: Gate> Conversation<'_, G> {
    /// `staff` is called after each message: it sees to it that there are threads enough.
    fn converse(
        &mut self,
        mut from: impl Read,
        staff: impl Fn() -> Result<(), Parting>,
    ) -> Result<(), Parting> {
        while let Some(told) = ToGate::read(&mut from)? {
            match told {
                ToGate::Configure(root) => self.configure(&root)?,
                ToGate::Outgoing(id, root) => {
                    self.take(id, &root)?;
                    staff()?;
                }
                ToGate::Ping => self.serving.line.ping(),
            }
        }
        Ok(())
    }

    fn configure(&mut self, root: &Element) -> Result<(), Parting> {
        if self.known.is_some() {
            return Err(Parting::Protocol("configures a second time".to_owned()));
        }
        let unfit = |error| Failure::hold(format!("xmlparams can't be read: {error}"));
        self.known = Some(Configured::read(root).map_err(unfit));
        Ok(())
    }

    fn take(&self, id: u64, root: &Element) -> Result<(), Parting> {
        let Some(known) = &self.known else {
            return Err(Parting::Protocol("sends a message before it configures".to_owned()));
        };
        if self.serving.line.owed() >= self.window {
            let words = format!("sends more than the window of {}", self.window);
            return Err(Parting::Protocol(words));
        }
        let reply = self.serving.owe(id);
        match known {
            Err(unfit) => reply.give(Err(unfit.clone())),
            Ok(configured) => {
                let message = configured.message(root);
                // A gate that panics drops the reply, which says unknown; the others are not to suffer.
                let _ = panic::catch_unwind(AssertUnwindSafe(|| self.gate.take(message, reply)));
            }
        }
        Ok(())
    }
}

impl From<ServeError> for Parting {
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Frame(FrameError::Stream(error))
                if error.kind() == io::ErrorKind::BrokenPipe =>
            {
                Self::Deaf
            }
            ServeError::Frame(FrameError::Stream(error)) => Self::Input(error),
            other => Self::Protocol(format!("sends nonsense: {other}")),
        }
    }
}

/// Stdin, as long as somebody holds the other end of stdout: else reading it is an error, a broken pipe.
struct Input<'a> {
    from: File,
    to: &'a File,
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut watched = [
            PollFd::from_borrowed_fd(self.from.as_fd(), PollFlags::IN),
            // Asked for nothing: what is told all the same is that the reader has gone.
            PollFd::from_borrowed_fd(self.to.as_fd(), PollFlags::empty()),
        ];
        loop {
            match poll(&mut watched, None) {
                Ok(_) => break,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if watched[1].revents().intersects(PollFlags::ERR | PollFlags::HUP) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.from.read(buffer)
    }
}

#[cfg(test)]
mod tests;
