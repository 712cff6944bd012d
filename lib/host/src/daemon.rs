//! The door to the daemon: a call of a function over its socket.
//!
//! While a daemon lives it holds the registry of handlers and the plugins, so whoever has something to call asks it.

use config::Root;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;
use wire::xml::Document;

/// Where the daemon takes calls, under ROOT.
pub const API_SOCKET: &str = "var/run/api.sock";

/// Headers of an answer, at most.
const HEADERS: usize = 32;

/// Bytes of an answer, at most: what a document may have (`wire::xml::Limits`), and its headers.
const ANSWER_BYTES: u64 = 33 << 20;

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
    /// How long each part of the call may take, and each part of the answer.
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
    /// There is a daemon, and no way to it: nothing was done.
    #[error("can't reach the daemon at `{}`: {source}; nothing was done", socket.display())]
    Unreached {
        /// Where.
        socket: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The connection failed amid the call.
    #[error("the call to the daemon at `{}` broke off: {source}; nobody knows whether it was done", socket.display())]
    BrokenOff {
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
        let socket = root.path(API_SOCKET);
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
            Err(source) => {
                return Err(DaemonError::Unreached { socket: self.socket.clone(), source });
            }
        };
        let mut bytes = Vec::new();
        stream
            .set_read_timeout(Some(call.patience))
            .and_then(|()| stream.set_write_timeout(Some(call.patience)))
            .and_then(|()| stream.write_all(head_of(call).as_bytes()))
            .and_then(|()| stream.write_all(call.form.as_bytes()))
            .and_then(|()| stream.take(ANSWER_BYTES).read_to_end(&mut bytes))
            .map_err(|source| DaemonError::BrokenOff { socket: self.socket.clone(), source })?;
        if bytes.len() as u64 == ANSWER_BYTES {
            let what = format!("{ANSWER_BYTES} bytes or more; see whether the call was done");
            return Err(DaemonError::Strange(what));
        }
        answer_of(&bytes).map(Some)
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
    fn a_call_that_was_not_taken_and_one_that_broke_off_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let nobody = Duration::from_millis(1);
        let call = DaemonCall { function: "x", headers: &[], form: "", patience: nobody };
        let silent = folder.path().join("silent.sock");
        let _listener = UnixListener::bind(&silent).unwrap();
        let error = Daemon { socket: silent }.call(&call).unwrap_err().to_string();
        assert!(error.ends_with("; nobody knows whether it was done"), "{error}");
        // a path that no address of a socket can hold
        let far = folder.path().join("x".repeat(200));
        let error = Daemon { socket: far }.call(&call).unwrap_err().to_string();
        assert!(error.ends_with("; nothing was done"), "{error}");
    }

    #[test]
    fn a_daemon_that_has_left_took_no_call() {
        let folder = tempfile::tempdir().unwrap();
        let call = DaemonCall { function: "x", headers: &[], form: "", patience: Duration::ZERO };
        let gone = Daemon { socket: folder.path().join("api.sock") }.call(&call);
        assert_eq!(gone.unwrap(), None);
    }
}
