use super::*;
use gatepost_kit::http_sink::{HttpSink, Reply};
use std::io::Write;
use std::net::{TcpListener, TcpStream};

fn settings() -> HttpSettings {
    HttpSettings {
        connect: Duration::from_secs(1),
        total: Duration::from_secs(2),
        kept_bytes: 1_000,
        allowed: vec!["127.0.0.0/8".parse().unwrap()],
    }
}

fn post_to(settings: HttpSettings, address: &str) -> Posted {
    let post = Post {
        address: Address::parse("http", address).unwrap(),
        headers: vec![("webhook-id", "k1".to_owned())],
        body: b"{\"a\":1}".to_vec(),
    };
    Http::new(settings).post(&post)
}

fn answered(posted: Posted) -> Answered {
    match posted {
        Posted::Answered(answered) => answered,
        other => panic!("{other:?}"),
    }
}

/// A server that does what it likes with each connection, the request read.
fn wild(serve: impl Fn(&mut TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut buffer = [0; 4_096];
            let _ = stream.read(&mut buffer);
            serve(&mut stream);
        }
    });
    address
}

// S2-25, S2-33a
#[test]
fn a_post_carries_json_and_says_so() {
    let sink = HttpSink::start(|_| Reply::ok("{\"b\":2}").with_header("Content-Type", "text/html"));
    let got = answered(post_to(settings(), &format!("{}/api", sink.address())));
    assert_eq!(
        (got.status, got.body.as_slice(), got.extent),
        (200, &b"{\"b\":2}"[..], Extent::Whole)
    );
    let seen = &sink.requests()[0];
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/api"));
    assert_eq!(seen.header("content-type"), "application/json");
    assert_eq!(seen.header("webhook-id"), "k1");
    assert_eq!(seen.body, "{\"a\":1}");
}

#[test]
fn a_redirect_is_an_answer_and_is_not_followed() {
    let aim = HttpSink::start(|_| Reply::ok(""));
    let to = format!("http://{}/", aim.address());
    let sink = HttpSink::start(move |_| Reply::status(302, "").with_header("Location", &to));
    assert_eq!(answered(post_to(settings(), &sink.address().to_string())).status, 302);
    assert!(aim.requests().is_empty());
}

#[test]
fn an_address_inside_is_never_connected_to() {
    let sink = HttpSink::start(|_| Reply::ok(""));
    let port = sink.address().port();
    let closed = HttpSettings { allowed: Vec::new(), ..settings() };
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f000001", "127.1"] {
        match post_to(closed.clone(), &format!("{host}:{port}/")) {
            Posted::Forbidden(why) => assert!(why.contains("provisioning.allow_private"), "{why}"),
            other => panic!("{host}: {other:?}"),
        }
    }
    assert!(sink.requests().is_empty());
}

/// A name that has changed its address since it was checked is not asked again: the client knows only
/// what passed the check.
#[test]
fn the_client_connects_only_to_what_was_checked() {
    let http = Http::new(settings());
    let looked: Vec<_> = {
        let resolving = http.book.resolve("localhost".parse().unwrap());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let mut resolving = resolving;
        match resolving.as_mut().poll(&mut context) {
            std::task::Poll::Ready(Ok(found)) => found.collect(),
            _ => panic!("it must be known at once"),
        }
    };
    assert!(looked.is_empty(), "nothing was checked, so nothing may be connected to");
}

#[test]
fn nobody_there_is_unreached() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(matches!(post_to(settings(), &gone.to_string()), Posted::Unreached(_)));
    assert!(matches!(post_to(settings(), "no-such-host.invalid/"), Posted::Unreached(_)));
}

#[test]
fn a_server_that_says_nothing_is_given_up_in_time() {
    let silent = wild(|stream| {
        let mut buffer = [0; 1];
        let _ = stream.read(&mut buffer);
    });
    let started = Instant::now();
    assert!(matches!(post_to(settings(), &silent), Posted::Broken(_)));
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn of_a_long_or_slow_answer_the_begin_is_kept() {
    let long = wild(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n");
        let _ = stream.write_all(&vec![b'x'; 10_000_000]);
    });
    let got = answered(post_to(settings(), &long));
    assert_eq!((got.status, got.body.len(), got.extent), (200, 1_000, Extent::Cut));
    let drip = wild(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 500 Oh\r\nContent-Length: 1000\r\n\r\nwhy");
        let mut buffer = [0; 1];
        let _ = stream.read(&mut buffer);
    });
    let started = Instant::now();
    let got = answered(post_to(settings(), &drip));
    assert_eq!((got.status, got.body.as_slice(), got.extent), (500, &b"why"[..], Extent::Cut));
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    // a letter now and then is no way to hold us longer
    let letters = wild(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        let _ = stream.set_read_timeout(Some(Duration::from_millis(100)));
        while stream.write_all(b"x").is_ok() && stream.read(&mut [0; 1]).is_err() {}
    });
    let started = Instant::now();
    let got = answered(post_to(settings(), &letters));
    assert_eq!((got.status, got.extent), (200, Extent::Cut));
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

#[test]
fn junk_and_a_dying_server_are_told_from_an_answer() {
    let junk = wild(|stream| drop(stream.write_all(b"220 mail.example ESMTP\r\n")));
    assert!(matches!(post_to(settings(), &junk), Posted::Broken(_)));
    let dying = wild(|_| {});
    assert!(matches!(post_to(settings(), &dying), Posted::Broken(_)));
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    assert_eq!(retry_after("120"), Some(120));
    assert_eq!(retry_after(" 99999999999 "), Some(86_400));
    assert_eq!(retry_after("Fri, 31 Dec 1999 23:59:59 GMT"), Some(0));
    assert_eq!(retry_after("Fri, 31 Dec 2100 23:59:59 GMT"), Some(86_400));
    assert_eq!(retry_after("soon"), None);
}
