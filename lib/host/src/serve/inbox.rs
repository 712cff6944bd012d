//! What a gate has printed, cut into frames.

use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use std::process::ChildStdout;
use wire::frames::FrameError;
use wire::serve::{FromGate, ServeError};

const READ_BYTES: usize = 64 << 10;
const HEAD_BYTES: usize = 4;

/// Bytes that were read and not understood yet; never more than one frame of the limit and one read.
#[derive(Debug)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    at: usize,
    limit_bytes: usize,
}

impl Inbox {
    pub(super) fn new(limit_bytes: usize) -> Self {
        Self { bytes: Vec::new(), at: 0, limit_bytes }
    }

    /// Reads once; false at the end of the stream.
    pub(super) fn read(&mut self, stdout: Option<&ChildStdout>) -> bool {
        !matches!(self.read_once(stdout), Ok(0) | Err(None))
    }

    /// Reads once; false when there is nothing more now.
    pub(super) fn read_more(&mut self, stdout: Option<&ChildStdout>) -> bool {
        matches!(self.read_once(stdout), Ok(1..))
    }

    /// `Err(None)`: the stream is broken.
    fn read_once(&mut self, stdout: Option<&ChildStdout>) -> Result<usize, Option<Errno>> {
        let Some(stdout) = stdout else { return Ok(0) };
        self.bytes.drain(..self.at);
        self.at = 0;
        self.bytes.reserve(READ_BYTES);
        match rustix::io::read(stdout, spare_capacity(&mut self.bytes)) {
            Ok(read) => Ok(read),
            Err(error @ (Errno::INTR | Errno::AGAIN)) => Err(Some(error)),
            Err(_) => Err(None),
        }
    }

    /// The next whole frame, read as what it says.
    pub(super) fn next(&mut self) -> Result<Option<FromGate>, ServeError> {
        let rest = &self.bytes[self.at..];
        let Some((head, body)) = rest.split_first_chunk::<HEAD_BYTES>() else { return Ok(None) };
        let bytes = usize::try_from(u32::from_be_bytes(*head)).unwrap_or(usize::MAX);
        if bytes > self.limit_bytes {
            return Err(FrameError::TooLong { bytes, limit_bytes: self.limit_bytes }.into());
        }
        let Some(frame) = body.get(..bytes) else { return Ok(None) };
        let from = FromGate::parse(frame)?;
        self.at += HEAD_BYTES + bytes;
        Ok(Some(from))
    }
}
