//! The door to the daemon: a call of a function over its socket.
//!
//! While a daemon lives it holds the registry of handlers and the plugins, so whoever has something to call asks it.

use config::Root;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;
use wire::xml::Document;

const SOCKET: &str = "var/run/api.sock";

/// Headers of an answer, at most.
const HEADERS: usize = 32;

/// A daemon that takes calls.
#[derive(Clone, Debug)]
pub struct Daemon {
    socket: PathBuf,
}

/// A call of a function.
#[derive(Clone, Copy, Debug)]
pub struct DaemonCall<'a> {
    /// Its name.
    pub function: &'a str,
    /// Header lines of ours, name and value.
    pub headers: &'a [(&'a str, &'a str)],
    /// The parameters, as a form is encoded.
    pub form: &'a str,
    /// How long each part of the answer may be waited for.
    pub patience: Duration,
}

/// What the daemon answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    /// True: it was done. False: it was refused, and the document says why.
    pub is_done: bool,
    /// The platform's own document.
    pub document: Document,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The connection failed.
    #[error("can't {operation} the daemon at `{}`: {source}; nobody knows whether the call was done", socket.display())]
    Connection {
        /// What was tried.
        operation: &'static str,
        /// Where.
        socket: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It was no answer.
    #[error("the daemon answered {0}")]
    Strange(String),
}

impl Daemon {
    /// The daemon of this installation; None: there is none.
    pub fn of(root: &Root) -> Option<Self> {
        let socket = root.path(SOCKET);
        UnixStream::connect(&socket).ok().map(|_| Self { socket })
    }

    /// Calls a function. None: the daemon has left in the meantime, before it took the call.
    pub fn call(&self, call: &DaemonCall<'_>) -> Result<Option<Called>, DaemonError> {
        let mut stream = match UnixStream::connect(&self.socket) {
            Ok(stream) => stream,
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(self.failed("reach", error)),
        };
        let mut bytes = Vec::new();
        stream
            .set_read_timeout(Some(call.patience))
            .and_then(|()| stream.write_all(head_of(call).as_bytes()))
            .and_then(|()| stream.write_all(call.form.as_bytes()))
            .and_then(|()| stream.read_to_end(&mut bytes))
            .map_err(|error| self.failed("call", error))?;
        answer_of(&bytes).map(Some)
    }

    fn failed(&self, operation: &'static str, source: std::io::Error) -> DaemonError {
        DaemonError::Connection { operation, socket: self.socket.clone(), source }
    }
}

impl Called {
    /// Why it was refused, in words.
    pub fn reason(&self) -> String {
        self.document.root.child("error").map(|error| error.child_text("msg")).unwrap_or_default()
    }
}

fn head_of(call: &DaemonCall<'_>) -> String {
    let more: String =
        call.headers.iter().map(|(name, value)| [name, ": ", value, "\r\n"].concat()).collect();
    format!(
        "POST /v1/func/{} HTTP/1.1\r\nHost: gatepost\r\nAccept: application/xml\r\n{more}\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        call.function,
        call.form.len()
    )
}

fn answer_of(bytes: &[u8]) -> Result<Called, DaemonError> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let Ok(httparse::Status::Complete(at)) = head.parse(bytes) else {
        let what = "half a document: it was ended; see whether the call was done";
        return Err(DaemonError::Strange(what.to_owned()));
    };
    let is_done = head.code == Some(200);
    match Document::parse(bytes.get(at..).unwrap_or_default()) {
        Ok(document) => Ok(Called { is_done, document }),
        Err(error) => Err(DaemonError::Strange(format!("what is no document: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    /// The answer to one call of a daemon that says these bytes.
    fn answered(bytes: &'static str) -> (String, Result<Option<Called>, DaemonError>) {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("api.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let daemon = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 1024];
            let length = stream.read(&mut asked).unwrap();
            stream.write_all(bytes.as_bytes()).unwrap();
            String::from_utf8_lossy(&asked[..length]).into_owned()
        });
        let call = DaemonCall {
            function: "user",
            headers: &[("Gatepost-Manager", "billmgr")],
            form: "",
            patience: Duration::from_secs(20),
        };
        let result = Daemon { socket: socket.clone() }.call(&call);
        (daemon.join().unwrap(), result)
    }

    #[test]
    fn what_the_daemon_answers_is_done_refused_or_nothing() {
        let (asked, done) = answered("HTTP/1.1 200 OK\r\n\r\n<doc><ok/></doc>");
        assert!(asked.starts_with("POST /v1/func/user HTTP/1.1\r\n"), "{asked}");
        assert!(asked.contains("\r\nGatepost-Manager: billmgr\r\n"), "{asked}");
        assert!(done.unwrap().unwrap().is_done);
        let refusal =
            "HTTP/1.1 404 X\r\n\r\n<doc><error type=\"missed\"><msg>no such</msg></error></doc>";
        let refused = answered(refusal).1.unwrap().unwrap();
        assert_eq!((refused.is_done, refused.reason().as_str()), (false, "no such"));
        for broken in ["", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\n\r\n<doc>"] {
            let error = answered(broken).1.unwrap_err().to_string();
            assert!(error.starts_with("the daemon answered "), "{error}");
        }
    }

    #[test]
    fn a_daemon_that_has_left_took_no_call() {
        let folder = tempfile::tempdir().unwrap();
        let call = DaemonCall { function: "x", headers: &[], form: "", patience: Duration::ZERO };
        let gone = Daemon { socket: folder.path().join("api.sock") }.call(&call);
        assert_eq!(gone.unwrap(), None);
    }
}
