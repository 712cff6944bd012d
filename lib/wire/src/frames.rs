//! Frames: four bytes of length, big-endian, then that many bytes (DESIGN 5, 6).

use std::io::{self, Read, Write};

/// A stream that carries no whole frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// A length over the limit: the other side is broken, or no speaker of frames at all.
    #[error("a frame of {bytes} bytes, over the limit of {limit_bytes}{}", text_in(*bytes))]
    TooLong {
        /// The length that was announced or given.
        bytes: usize,
        /// The limit that was passed.
        limit_bytes: usize,
    },
    /// The stream ended inside a frame.
    #[error("the stream ended inside a frame")]
    Cut,
    /// The stream could not be read or written.
    #[error("can't read or write a frame")]
    Stream(#[from] io::Error),
}

/// Four letters where a length was due are the beginning of something else.
fn text_in(length: usize) -> String {
    let bytes = u32::try_from(length).unwrap_or(0).to_be_bytes();
    if !bytes.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        return String::new();
    }
    let text: String = bytes.map(char::from).iter().collect();
    format!("; or rather no frame but text, which begins with `{text}`")
}

/// Reads one frame of at most `limit_bytes`; None when the stream ended before its first byte.
/// Memory grows with what arrives, not with what is announced.
pub fn read_frame(from: &mut impl Read, limit_bytes: usize) -> Result<Option<Vec<u8>>, FrameError> {
    let mut length = [0; 4];
    let mut have = 0;
    while have < length.len() {
        match from.read(&mut length[have..]) {
            Ok(0) if have == 0 => return Ok(None),
            Ok(0) => return Err(FrameError::Cut),
            Ok(bytes) => have += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    let bytes = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if bytes > limit_bytes {
        return Err(FrameError::TooLong { bytes, limit_bytes });
    }
    let mut body = Vec::with_capacity(bytes.min(64 << 10));
    from.take(bytes as u64).read_to_end(&mut body)?;
    if body.len() < bytes { Err(FrameError::Cut) } else { Ok(Some(body)) }
}

/// Writes one frame in one write, and flushes.
pub fn write_frame(to: &mut impl Write, body: &[u8]) -> Result<(), FrameError> {
    let mut frame = Vec::with_capacity(body.len() + 4);
    append_frame(&mut frame, body)?;
    to.write_all(&frame)?;
    Ok(to.flush()?)
}

/// Appends one frame to a buffer, so that several go out in one write.
pub fn append_frame(out: &mut Vec<u8>, body: &[u8]) -> Result<(), FrameError> {
    append_frame_by(out, |out| out.extend_from_slice(body))
}

/// Appends one frame whose body is written in place. A body that is too long leaves the buffer as it was.
pub fn append_frame_by(
    out: &mut Vec<u8>,
    write_body: impl FnOnce(&mut Vec<u8>),
) -> Result<(), FrameError> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write_body(out);
    let bytes = out.len() - start - 4;
    let Ok(length) = u32::try_from(bytes) else {
        out.truncate(start);
        return Err(FrameError::TooLong { bytes, limit_bytes: u32::MAX as usize });
    };
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time.
    struct Trickle<'a>(&'a [u8]);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let one = buffer.len().min(1);
            self.0.read(&mut buffer[..one])
        }
    }

    #[test]
    fn frames_are_read_as_they_were_written() {
        let mut stream = Vec::new();
        for body in [&b"<doc/>"[..], b"", b"\0\xff"] {
            write_frame(&mut stream, body).unwrap();
        }
        assert_eq!(&stream[..6], b"\0\0\0\x06<d");
        let mut from = Trickle(&stream);
        for body in [&b"<doc/>"[..], b"", b"\0\xff"] {
            assert_eq!(read_frame(&mut from, 6).unwrap().as_deref(), Some(body));
        }
        assert!(read_frame(&mut from, 6).unwrap().is_none());
    }

    #[test]
    fn a_cut_or_too_long_frame_is_an_error() {
        let read = |bytes: &[u8]| read_frame(&mut &bytes[..], 100).unwrap_err().to_string();
        assert_eq!(read(b"\0\0"), "the stream ended inside a frame");
        assert_eq!(read(b"\0\0\0\x05abc"), "the stream ended inside a frame");
        assert_eq!(read(b"\0\0\0\x65abc"), "a frame of 101 bytes, over the limit of 100");
        assert_eq!(
            read(b"HTTP/1.1"),
            "a frame of 1213486160 bytes, over the limit of 100; or rather no frame but text, which begins with `HTTP`"
        );
    }
}
