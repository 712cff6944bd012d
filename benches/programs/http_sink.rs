//! An HTTP/1.1 server that answers 200 to everything, keeps nothing and counts POSTs (see `counts.rs`).

mod counts;

use counts::Counts;
use std::io::{self, Read, Write};
use std::net::TcpStream;

const READ_BYTES: usize = 16 << 10;
const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok";

fn main() -> io::Result<()> {
    counts::serve(talk)
}

fn talk(mut stream: &TcpStream, counts: &Counts) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mark = counts.mark();
    let mut buffer = vec![0; READ_BYTES];
    let (mut waiting, mut replies) = (Vec::new(), Vec::new());
    loop {
        let got = stream.read(&mut buffer)?;
        if got == 0 {
            return Ok(());
        }
        counts.read();
        waiting.extend_from_slice(&buffer[..got]);
        while let Some(request) = first_of(&waiting) {
            if waiting.starts_with(b"POST ") {
                let body = &waiting[request.head..request.whole];
                counts.message(body.len() as u64, body, &mark);
            }
            waiting.drain(..request.whole);
            replies.extend_from_slice(REPLY);
        }
        if !replies.is_empty() {
            stream.write_all(&replies)?;
            replies.clear();
            counts.answered();
        }
    }
}

/// Lengths of a whole request.
struct Request {
    head: usize,
    whole: usize,
}

fn first_of(input: &[u8]) -> Option<Request> {
    let head = input.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let body = input[..head].split(|byte| *byte == b'\n').find_map(length_of).unwrap_or(0);
    (input.len() >= head + body).then_some(Request { head, whole: head + body })
}

fn length_of(line: &[u8]) -> Option<usize> {
    let (name, value) = line.split_at_checked(15)?;
    if !name.eq_ignore_ascii_case(b"content-length:") {
        return None;
    }
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}
