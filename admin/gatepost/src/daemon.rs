//! Calls through the daemon's socket while one runs: it holds the plugins and the registry of handlers.
//! Without a daemon the tool is the platform itself (DESIGN 8).

use crate::failure::{Failure, Result, code};
use config::Root;
use notice::Fields;
use platform::{Answer, Caller};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use wire::xml::Document;

const SOCKET: &str = "var/run/api.sock";

/// Longer than any handler, gate or plugin may take together.
const PATIENCE: Duration = Duration::from_mins(5);

/// Parameters that name files of the person who calls: the daemon stands in another folder.
const FILES: [&str; 2] = ["attach", "file"];

/// A daemon that takes calls.
pub(crate) struct Daemon {
    socket: PathBuf,
}

impl Daemon {
    /// The daemon of this installation; None: there is none.
    pub(crate) fn of(root: &Root) -> Option<Self> {
        let socket = root.path(SOCKET);
        UnixStream::connect(&socket).ok().map(|_| Self { socket })
    }

    /// Calls a function. None: the daemon has left in the meantime, before it took the call.
    pub(crate) fn call(
        &self,
        function: &str,
        fields: &Fields,
        caller: &Caller,
    ) -> Result<Option<Answer>> {
        let mut stream = match UnixStream::connect(&self.socket) {
            Ok(stream) => stream,
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(self.failed("reach", &error)),
        };
        let body = form_of(fields);
        let head = format!(
            "POST /v1/func/{function} HTTP/1.1\r\nHost: gatepost\r\nAccept: application/xml\r\n\
             Gatepost-Manager: {}\r\nGatepost-Within: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            caller.manager,
            caller.within.join(","),
            body.len()
        );
        let mut bytes = Vec::new();
        stream
            .set_read_timeout(Some(PATIENCE))
            .and_then(|()| stream.write_all(head.as_bytes()))
            .and_then(|()| stream.write_all(body.as_bytes()))
            .and_then(|()| stream.read_to_end(&mut bytes))
            .map_err(|error| self.failed("call", &error))?;
        answer_of(&bytes).map(Some)
    }

    fn failed(&self, what: &str, error: &std::io::Error) -> Failure {
        let socket = self.socket.display();
        Failure::new(
            code::TRY_AGAIN,
            format!(
                "can't {what} the daemon at `{socket}`: {error}; nobody knows whether the call was done"
            ),
        )
    }
}

fn form_of(fields: &Fields) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in fields.iter() {
        if FILES.contains(&name) {
            form.append_pair(name, &absolute(value));
        } else {
            form.append_pair(name, value);
        }
    }
    form.finish()
}

/// `a, b` with every path from the root on.
fn absolute(paths: &str) -> String {
    let one = |path: &str| {
        let path = path.trim();
        std::path::absolute(Path::new(path))
            .map_or_else(|_| path.to_owned(), |path| path.display().to_string())
    };
    paths.split(',').map(one).collect::<Vec<_>>().join(", ")
}

fn answer_of(bytes: &[u8]) -> Result<Answer> {
    let strange =
        |what: &str| Failure::new(code::UNAVAILABLE, format!("the daemon answered {what}"));
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    let Ok(httparse::Status::Complete(at)) = head.parse(bytes) else {
        return Err(strange("half a document: it was ended; see whether the call was done"));
    };
    let document = Document::parse(bytes.get(at..).unwrap_or_default())
        .map_err(|error| strange(&format!("what is no document: {error}")))?;
    if head.code == Some(200) {
        return Ok(Answer::of(document.root));
    }
    let exit = document.root.attribute("exit_code").and_then(|text| text.parse().ok());
    let message = document.root.child("error").map(|error| error.child_text("msg"));
    Err(Failure::Refused {
        code: exit.unwrap_or(code::UNAVAILABLE),
        text: message.unwrap_or_default(),
        document: Box::new(Answer::of(document.root)),
    })
}
