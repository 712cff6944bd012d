//! gwexample: posts a message as JSON to `url` with the token `token`.
//!
//! Plain `http://` over the standard library, so that it builds with nothing beside gatepost-gate; for
//! https put a client such as `ureq` or `reqwest` in the place of [`Service::post`].
//! Build: `cargo build --release`, then copy `target/release/gwexample` to `ROOT/gate/`.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::process::ExitCode;
use std::time::Duration;

use gatepost_gate::{Failure, Features, Gate, GatewayParams, OutgoingMessage, Sent};

struct Example;

impl Gate for Example {
    fn source(&self) -> &'static str {
        include_str!("main.rs")
    }

    fn features(&self) -> Features {
        Features {
            notify_module: Some("ntsms".to_owned()),
            // kept running, with as many calls of `outgoing` at once
            window: Some(16),
            ..Features::of(["check_connection", "outgoing", "serve"])
        }
    }

    fn check_connection(&self, gateway: &GatewayParams) -> Result<(), Failure> {
        let service = Service { url: gateway.text("url").to_owned(), token: gateway.text("token").to_owned() };
        service.call("GET", "").map(drop)
    }

    fn outgoing(&self, message: &OutgoingMessage) -> Result<Sent, Failure> {
        let phone = message.phone();
        if phone.is_empty() {
            return Err(Failure::never("no phone"));
        }
        let service = Service { url: message.param("url").to_owned(), token: message.param("token").to_owned() };
        let body = format!(
            "{{\"to\":{},\"from\":{},\"text\":{},\"key\":{}}}",
            json(phone),
            json(message.param("sender")),
            json(&message.message),
            json(&message.task.key),
        );
        Ok(Sent::with_reference(reference_in(&service.call("POST", &body)?)))
    }
}

struct Service {
    url: String,
    token: String,
}

impl Service {
    /// Sends a request and judges the answer's status; the answer's body is returned.
    fn call(&self, method: &str, body: &str) -> Result<String, Failure> {
        let rest = self.url.strip_prefix("http://").ok_or_else(|| Failure::hold("url is no http:// address"))?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let mut stream = connect(host)?;
        let request = format!(
            "{method} /{path} HTTP/1.0\r\nHost: {host}\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.token.replace(['\r', '\n'], ""),
            body.len()
        );
        let unknown = |error| Failure::unknown(format!("no answer after the message was sent: {error}"));
        stream.write_all(request.as_bytes()).map_err(unknown)?;
        let mut reply = Vec::new();
        stream.take(1 << 20).read_to_end(&mut reply).map_err(unknown)?;
        judge(&String::from_utf8_lossy(&reply))
    }
}

fn connect(host: &str) -> Result<TcpStream, Failure> {
    let address = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    let unreached = |error| Failure::unreached(format!("{host} can't be reached: {error}"));
    let found = address.to_socket_addrs().map_err(unreached)?.next();
    let found = found.ok_or_else(|| Failure::unreached(format!("{host} has no address")))?;
    let stream = TcpStream::connect_timeout(&found, Duration::from_secs(5)).map_err(unreached)?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).map_err(unreached)?;
    Ok(stream)
}

fn judge(reply: &str) -> Result<String, Failure> {
    let (head, body) = reply.split_once("\r\n\r\n").unwrap_or((reply, ""));
    let status = head.split(' ').nth(1).unwrap_or_default();
    let words = format!("the service answered {status}");
    match status {
        "" => Err(Failure::unknown("the service broke off")),
        "401" | "403" => Err(Failure::hold(words)),
        _ if status.starts_with('2') => Ok(body.to_owned()),
        _ if status == "429" || status.starts_with('5') => Err(Failure::later(words)
            .retry_after(head.lines().find_map(|line| {
                let (name, seconds) = line.split_once(':')?;
                name.eq_ignore_ascii_case("retry-after").then(|| seconds.trim().parse().ok())?
            }))),
        _ => Err(Failure::never(words)),
    }
}

/// A JSON string.
fn json(text: &str) -> String {
    let escaped: String = text
        .chars()
        .map(|letter| match letter {
            '"' | '\\' => format!("\\{letter}"),
            letter if letter < ' ' => format!("\\u{:04x}", u32::from(letter)),
            letter => letter.to_string(),
        })
        .collect();
    format!("\"{escaped}\"")
}

/// The value of `id` in a flat JSON object.
fn reference_in(body: &str) -> String {
    let value = body.split_once("\"id\"").map_or("", |(_, rest)| rest.trim_start_matches([' ', ':']));
    value.trim_start_matches('"').split(['"', ',', '}']).next().unwrap_or_default().to_owned()
}

fn main() -> ExitCode {
    gatepost_gate::main(&Example)
}
