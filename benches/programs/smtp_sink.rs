//! An SMTP server that takes everything, keeps nothing and counts (see `counts.rs`).
//!
//! It offers PIPELINING and answers all that came in with one read by one write, so an answer is a round trip.

mod counts;

use counts::Counts;
use std::io::{self, BufRead, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

const READ_BYTES: usize = 128 << 10;
const OFFER: &[u8] =
    b"250-sink.test\r\n250-PIPELINING\r\n250-SIZE 33554432\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n";

fn main() -> io::Result<()> {
    counts::serve(talk)
}

fn talk(mut stream: &TcpStream, counts: &Counts) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.write_all(b"220 sink.test ESMTP\r\n")?;
    let mut session = Session::new(counts.mark());
    let mut buffer = vec![0; READ_BYTES];
    while session.part != Part::Over {
        let got = stream.read(&mut buffer)?;
        if got == 0 {
            break;
        }
        counts.read();
        session.take(&buffer[..got], counts);
        if !session.replies.is_empty() {
            stream.write_all(&session.replies)?;
            session.replies.clear();
            counts.answered();
        }
    }
    Ok(())
}

#[derive(PartialEq, Eq)]
enum Part {
    Commands,
    Content,
    Over,
}

/// Where one conversation stands.
struct Session {
    part: Part,
    mark: Arc<[u8]>,
    /// The beginning of a line whose end has not come.
    begun: Vec<u8>,
    /// The last line of the message so far that is neither empty nor a boundary.
    last_line: Vec<u8>,
    bytes: u64,
    replies: Vec<u8>,
}

impl Session {
    fn new(mark: Arc<[u8]>) -> Self {
        Self {
            part: Part::Commands,
            mark,
            begun: Vec::new(),
            last_line: Vec::new(),
            bytes: 0,
            replies: Vec::new(),
        }
    }

    fn take(&mut self, mut input: &[u8], counts: &Counts) {
        while !input.is_empty() {
            let from = input;
            // a slice never fails; this is memchr
            let length = input.skip_until(b'\n').unwrap_or(0);
            let line = &from[..length];
            if !line.ends_with(b"\n") {
                self.begun.extend_from_slice(line);
            } else if self.begun.is_empty() {
                self.line(line, counts);
            } else {
                let mut whole = std::mem::take(&mut self.begun);
                whole.extend_from_slice(line);
                self.line(&whole, counts);
                whole.clear();
                self.begun = whole;
            }
        }
    }

    fn line(&mut self, line: &[u8], counts: &Counts) {
        if self.part != Part::Content {
            let reply = self.command(line);
            self.replies.extend_from_slice(reply);
        } else if line == b".\r\n" {
            counts.message(self.bytes, &self.last_line, &self.mark);
            self.replies.extend_from_slice(b"250 2.0.0 taken\r\n");
            self.part = Part::Commands;
        } else {
            self.bytes += line.len() as u64;
            if line != b"\r\n" && !line.starts_with(b"--") {
                self.last_line.clear();
                self.last_line.extend_from_slice(line);
            }
        }
    }

    fn command(&mut self, line: &[u8]) -> &'static [u8] {
        let mut verb = [b' '; 4];
        for (to, from) in verb.iter_mut().zip(line) {
            *to = from.to_ascii_uppercase();
        }
        match &verb {
            b"EHLO" => OFFER,
            b"HELO" | b"MAIL" | b"RCPT" | b"RSET" | b"NOOP" => b"250 ok\r\n",
            b"DATA" => {
                self.part = Part::Content;
                self.bytes = 0;
                self.last_line.clear();
                b"354 go on\r\n"
            }
            b"QUIT" => {
                self.part = Part::Over;
                b"221 bye\r\n"
            }
            _ => b"500 what?\r\n",
        }
    }
}
