//! The limit of HTTP: posts one form again and again over some kept connections, one request at a time on each.
//!
//! `bench-raw-http PORT MESSAGES CONNECTIONS < FORM`. No library, no queue.

use std::io::{self, Error, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

static NEXT: AtomicUsize = AtomicUsize::new(0);

fn main() -> io::Result<()> {
    let numbers: Vec<usize> =
        std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let [port, messages, connections] = numbers[..] else {
        return Err(Error::other("bench-raw-http PORT MESSAGES CONNECTIONS"));
    };
    let mut form = String::new();
    io::stdin().read_to_string(&mut form)?;
    let request = format!(
        "POST /send HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{form}",
        form.len()
    );
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..connections)
            .map(|_| scope.spawn(|| send(&format!("127.0.0.1:{port}"), messages, &request)))
            .collect();
        senders
            .into_iter()
            .try_for_each(|one| one.join().unwrap_or_else(|_| Err(Error::other("it broke"))))
    })
}

fn send(address: &str, messages: usize, request: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let (mut reply, mut length) = ([0; 1024], 0);
    while NEXT.fetch_add(1, Relaxed) < messages {
        stream.write_all(request.as_bytes())?;
        while !reply[..length].ends_with(b"\r\n\r\nok") {
            let got = stream.read(&mut reply[length..])?;
            if got == 0 {
                return Err(Error::other("the server's answer is not one"));
            }
            length += got;
        }
        length = 0;
    }
    Ok(())
}
