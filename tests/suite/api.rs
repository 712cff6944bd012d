//! The daemon's door for programs: HTTP and JSON on the socket, tokens over TCP, repeats that do nothing twice.

use crate::stage::LONG;
use gatepost_kit::host::{Host, Running, wait_until};
use gatepost_kit::tools::free_port;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::Command;

/// A daemon that takes calls.
fn daemon(host: &Host) -> Running {
    let running = host.start("bin/gatepostd", &[]);
    let socket = host.path("var/run/api.sock");
    wait_until(LONG, "the socket is open", || UnixStream::connect(&socket).is_ok());
    running
}

fn leave(mut daemon: Running) {
    daemon.signal("TERM");
    assert_eq!(daemon.wait(LONG), Some(0));
}

/// What curl, the tool of the documents, gets: status, content type, body.
fn curl(host: &Host, path: &str, arguments: &[&str]) -> (u16, String, String) {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--max-time", "60"]);
    command.args(["--write-out", "\n%{http_code} %{content_type}"]);
    command.arg("--unix-socket").arg(host.path("var/run/api.sock"));
    let done = command.args(arguments).arg(format!("http://gatepost{path}")).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = String::from_utf8(done.stdout).unwrap();
    let (body, last) = text.rsplit_once('\n').unwrap();
    let (status, kind) = last.split_once(' ').unwrap();
    (status.parse().unwrap(), kind.to_owned(), body.to_owned())
}

fn json(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
}

#[test]
fn curl_calls_functions_with_a_form_and_with_json() {
    let host = Host::new();
    let daemon = daemon(&host);
    let (status, kind, body) = curl(
        &host,
        "/v1/func/project.edit",
        &["-d", "sok=ok", "--data-urlencode", "name=Acme & Söhne"],
    );
    assert_eq!((status, kind.as_str()), (200, "application/json"), "{body}");
    let id = json(&body)["id"].as_str().unwrap().to_owned();
    let form = format!(
        r#"{{"sok": "ok", "project": "{id}", "email": "bob@example.com", "language": "ru"}}"#
    );
    let (status, _, body) = curl(&host, "/v1/func/user.edit", &["--json", &form]);
    assert_eq!(status, 200, "{body}");
    let (_, _, body) = curl(&host, "/v1/func/user", &["-X", "POST"]);
    assert_eq!(json(&body)[0]["email"], "bob@example.com");
    let (_, kind, body) =
        curl(&host, "/v1/func/project", &["-X", "POST", "-H", "Accept: application/xml"]);
    assert_eq!(kind, "application/xml");
    assert!(body.contains("<name>Acme &amp; Söhne</name>"), "{body}");
    leave(daemon);
}

#[test]
fn a_refusal_is_a_problem_document_with_the_remedy() {
    let host = Host::new();
    let daemon = daemon(&host);
    for (path, data, expected, kind, words) in [
        ("/v1/func/usr.edit", "a=b", 404, "missed", "did you mean `user.edit`"),
        ("/v1/func/project.edit", "sok=ok&langauge=ru", 422, "value", "did you mean `language`"),
        ("/v1/func/user.edit", "{\"sok\": ", 400, "value", "line 1"),
        ("/v1/nothing", "a=b", 404, "missed", "POST /v1/func/NAME"),
    ] {
        let (status, content, body) = curl(&host, path, &["-d", data]);
        assert_eq!((status, content.as_str()), (expected, "application/problem+json"), "{body}");
        let problem = json(&body);
        assert_eq!(problem["status"], expected);
        assert_eq!(problem["kind"], kind, "{body}");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{body}");
    }
    let (status, _, _) = curl(&host, "/v1/func/user.edit", &[]);
    assert_eq!(status, 405);
    let (status, _, _) =
        curl(&host, "/v1/func/user.edit", &["-H", "Content-Type: text/csv", "-d", "a"]);
    assert_eq!(status, 415);
    leave(daemon);
}

/// Stands around functions and raises, for each another error.
const RAISES: &str = r"
from error import InvalidDataInput, PermissionDenied, ProcessingError

UCS_PLUGIN = 'Raises'
ERRORS = {'project.delete': PermissionDenied, 'product.delete': InvalidDataInput,
          'account.delete': ProcessingError, 'user.delete': KeyError}


class Raises:
    def __init__(self, ucs):
        self.ucs = ucs
        self.around = {name: self.raising(error) for name, error in ERRORS.items()}
        for name, function in self.around.items():
            ucs.api.addMiddleware(name, function)

    def stop(self):
        for name, function in self.around.items():
            self.ucs.api.removeMiddleware(name, function)

    def raising(self, error):
        def around(handler, *args, **kwargs):
            raise error('as it was asked to')
        return around
";

// S4-49: an expected error is the caller's to mend, any other is the server's
#[test]
fn what_a_plugin_or_a_handler_raises_decides_the_status() {
    let host = Host::new();
    host.write("plugins/raises.py", RAISES);
    host.program("addon/breaks", "#!/bin/sh\nexit 3\n");
    host.write(
        "etc/xml/gatepost_mod_breaks.xml",
        "<mgrdata><handler name='breaks' type='cgi'><event name='gateway.delete' before='yes'/></handler></mgrdata>",
    );
    let daemon = daemon(&host);
    for (function, expected, kind) in [
        ("project.delete", 403, "PermissionDenied"),
        ("product.delete", 422, "InvalidDataInput"),
        ("account.delete", 422, "ProcessingError"),
        ("user.delete", 500, "plugin_failed"),
        ("gateway.delete", 500, "handler_failed"),
    ] {
        let (status, _, body) = curl(&host, &format!("/v1/func/{function}"), &["-d", "elid=1"]);
        assert_eq!((status, json(&body)["kind"].as_str()), (expected, Some(kind)), "{body}");
    }
    leave(daemon);
}

#[test]
fn the_openapi_document_names_every_function() {
    let host = Host::new();
    let daemon = daemon(&host);
    let (_, _, body) = curl(&host, "/v1/openapi.json", &[]);
    let document = json(&body);
    let (_, _, body) = curl(&host, "/v1/func", &[]);
    let functions = json(&body);
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.len(), functions.as_array().unwrap().len());
    assert!(paths.len() > 30, "{}", paths.len());
    for function in functions.as_array().unwrap() {
        let operation = &paths[&format!("/v1/func/{}", function["name"].as_str().unwrap())]["post"];
        assert_eq!(operation["summary"], function["help"]);
    }
    leave(daemon);
}

#[test]
fn a_repeated_call_under_one_key_is_done_once() {
    let host = Host::new();
    let daemon = daemon(&host);
    let call = |name: &str| {
        let data = format!("sok=ok&name={name}");
        curl(&host, "/v1/func/project.edit", &["-H", "Idempotency-Key: order-17", "-d", &data])
    };
    let (first, second) = (call("one"), call("one"));
    assert_eq!(first.0, 200, "{}", first.2);
    assert_eq!(first, second);
    assert_eq!(host.sql("SELECT count(*) FROM project").trim(), "1");
    let (status, _, body) = call("two");
    assert_eq!((status, json(&body)["kind"].as_str()), (409, Some("conflict")), "{body}");
    leave(daemon);
}

#[test]
fn over_tcp_only_a_token_opens() {
    let host = Host::new();
    let port = free_port();
    let settings = host.read("etc/gatepost.toml");
    host.write("etc/gatepost.toml", format!("{settings}\n[api]\nlisten = \"127.0.0.1:{port}\"\n"));
    let daemon = daemon(&host);
    let made = host.gatepost(&["token", "add", "shop", "--level", "admin"]).ended(0);
    let token = made.stdout.lines().last().unwrap().trim().to_owned();
    let ask = |token: Option<&str>, function: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let head = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        write!(
            stream,
            "POST /v1/func/{function} HTTP/1.1\r\nHost: x\r\n{}Content-Length: 0\r\nConnection: close\r\n\r\n",
            head.unwrap_or_default()
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text[9..12].parse::<u16>().unwrap()
    };
    assert_eq!(ask(None, "project"), 401);
    assert_eq!(ask(Some("gp_wrong"), "project"), 401);
    assert_eq!(ask(Some(&token), "project"), 200);
    assert_eq!(ask(Some(&token), "token"), 403);
    assert!(!host.sql(".dump").contains(&token), "the token stands in the database");
    host.gatepost(&["token", "delete", "shop"]).ended(0);
    assert_eq!(ask(Some(&token), "project"), 401);
    leave(daemon);
}

#[test]
fn what_breaks_off_or_is_too_long_harms_nobody() {
    let host = Host::new();
    let daemon = daemon(&host);
    let socket = host.path("var/run/api.sock");
    let idle: Vec<UnixStream> = (0..100).map(|_| UnixStream::connect(&socket).unwrap()).collect();
    for garbage in
        ["GET", "\0\0\0\0\r\n\r\n", "POST /v1/func/user HTTP/1.1\r\nContent-Length: 99\r\n\r\n{"]
    {
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.write_all(garbage.as_bytes()).unwrap();
    }
    let mut long = UnixStream::connect(&socket).unwrap();
    let head = "POST /v1/func/user HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 99999999\r\n\r\n";
    long.write_all(head.as_bytes()).unwrap();
    let chunk = vec![b'a'; 1024 * 1024];
    while long.write_all(&chunk).is_ok() {}
    let (status, _, body) = curl(&host, "/v1/func/project", &["-X", "POST"]);
    assert_eq!((status, body.as_str()), (200, "[]"));
    drop(idle);
    leave(daemon);
    assert!(!socket.exists(), "a daemon that has left takes its socket along");
}

#[test]
fn an_address_that_is_taken_or_none_costs_the_socket_nothing() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap().to_string();
    for (address, reason) in [(taken.as_str(), "in use"), ("nowhere", "address")] {
        let host = Host::new();
        // by hand: `config set` takes only what may be an address
        host.write("etc/gatepost.toml", format!("[api]\nlisten = \"{address}\"\n"));
        let daemon = daemon(&host);
        let (status, _, body) = curl(&host, "/v1/func/project", &["-X", "POST"]);
        assert_eq!((status, body.as_str()), (200, "[]"));
        let found = host.gatepost(&["status"]).stdout;
        let words = format!("can't listen at `{address}`");
        assert!(found.contains(&words) && found.contains(reason), "{found}");
        assert!(host.read("var/gatepost.log").contains(&words));
        host.gatepost(&["config", "set", "api.listen", ""]).ended(0);
        assert!(!host.gatepost(&["status"]).stdout.contains("can't listen"));
        leave(daemon);
    }
}

#[test]
fn the_control_tool_calls_through_the_daemon_and_without_it() {
    let host = Host::new();
    let daemon = daemon(&host);
    host.gatepost(&["func", "project.edit", "sok=ok", "name=Acme"]).ended(0);
    let refused = host.gatepost(&["func", "project.edit", "sok=ok", "nmae=Acme"]).ended(64);
    assert!(refused.stderr.contains("did you mean `name`"), "{}", refused.stderr);
    let through = host.run("sbin/mgrctl", &["-m", "billmgr", "project"]).ended(0).stdout;
    leave(daemon);
    let alone = host.run("sbin/mgrctl", &["-m", "billmgr", "project"]).ended(0).stdout;
    assert_eq!(through, alone);
    assert!(alone.starts_with("id=1 name=Acme"), "{alone}");
}
