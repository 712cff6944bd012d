//! Posts one form again and again with reqwest's blocking client, a thread for each kept connection.
//!
//! `bench-reqwest PORT MESSAGES CONNECTIONS < FORM`. No queue.

use reqwest::blocking::Client;
use std::io::{self, Error, Read};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

static NEXT: AtomicUsize = AtomicUsize::new(0);

fn main() -> io::Result<()> {
    let numbers: Vec<usize> =
        std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let [port, messages, connections] = numbers[..] else {
        return Err(Error::other("bench-reqwest PORT MESSAGES CONNECTIONS"));
    };
    let mut form = String::new();
    io::stdin().read_to_string(&mut form)?;
    // a second installation is refused and changes nothing
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let client =
        Client::builder().tls_certs_only([]).no_proxy().pool_max_idle_per_host(connections);
    let client = client.build().map_err(Error::other)?;
    std::thread::scope(|scope| {
        let post = || post(&client, &format!("http://127.0.0.1:{port}/send"), messages, &form);
        let senders: Vec<_> = (0..connections).map(|_| scope.spawn(post)).collect();
        senders
            .into_iter()
            .try_for_each(|one| one.join().unwrap_or_else(|_| Err(Error::other("it broke"))))
    })
}

fn post(client: &Client, url: &str, messages: usize, form: &str) -> io::Result<()> {
    while NEXT.fetch_add(1, Relaxed) < messages {
        let request = client
            .post(url)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(form.to_owned());
        let reply = request.send().and_then(reqwest::blocking::Response::error_for_status);
        reply.and_then(reqwest::blocking::Response::bytes).map_err(Error::other)?;
    }
    Ok(())
}
