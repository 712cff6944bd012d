//! The limit of SMTP: sends a text again and again over some connections, one round trip a message.
//!
//! `bench-raw-smtp PORT MESSAGES CONNECTIONS < TEXT`. It writes the end of a message together with the next message's
//! MAIL, RCPT and DATA (RFC 2920, 3.1). No queue, no rendering, no outcome is kept.

use std::io::{self, BufRead, BufReader, Error, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

static NEXT: AtomicUsize = AtomicUsize::new(0);

fn main() -> io::Result<()> {
    let numbers: Vec<usize> =
        std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let [port, messages, connections] = numbers[..] else {
        return Err(Error::other("bench-raw-smtp PORT MESSAGES CONNECTIONS"));
    };
    let mut text = Vec::new();
    io::stdin().read_to_end(&mut text)?;
    text.extend_from_slice(b".\r\n");
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..connections)
            .map(|_| scope.spawn(|| send(&format!("127.0.0.1:{port}"), messages, &text)))
            .collect();
        senders
            .into_iter()
            .try_for_each(|one| one.join().unwrap_or_else(|_| Err(Error::other("it broke"))))
    })
}

fn send(address: &str, messages: usize, text: &[u8]) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut replies = BufReader::new(stream.try_clone()?);
    expect(&mut replies, b'2')?;
    stream.write_all(b"EHLO bench\r\n")?;
    expect(&mut replies, b'2')?;
    let (mut out, mut before) = (Vec::new(), false);
    while envelope(&mut out, messages) {
        stream.write_all(&out)?;
        let digits: &[u8] = if before { b"2223" } else { b"223" };
        digits.iter().try_for_each(|digit| expect(&mut replies, *digit))?;
        out.clear();
        out.extend_from_slice(text);
        before = true;
    }
    if before {
        stream.write_all(&out)?;
        expect(&mut replies, b'2')?;
    }
    stream.write_all(b"QUIT\r\n")
}

/// Adds the next message's envelope; false when there is no next one.
fn envelope(out: &mut Vec<u8>, messages: usize) -> bool {
    let number = NEXT.fetch_add(1, Relaxed);
    if number < messages {
        out.extend_from_slice(b"MAIL FROM:<bench@example.com>\r\n");
        out.extend_from_slice(format!("RCPT TO:<u{number}@example.com>\r\nDATA\r\n").as_bytes());
    }
    number < messages
}

/// Reads one reply, all its lines.
fn expect(replies: &mut impl BufRead, digit: u8) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        replies.read_until(b'\n', &mut line)?;
        if line.first() != Some(&digit) {
            return Err(Error::other(String::from_utf8_lossy(&line).into_owned()));
        }
        if line.get(3) != Some(&b'-') {
            return Ok(());
        }
    }
}
