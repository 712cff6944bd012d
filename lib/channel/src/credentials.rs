//! What is said to a server to log in (RFC 4616 PLAIN, the older LOGIN, Google's and Microsoft's XOAUTH2).

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use notice::Secret;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::{Auth, ChannelError};

const TOKEN_DEADLINE: Duration = Duration::from_secs(30);
const LONGEST_TOKEN_BYTES: usize = 65_536;

/// Credentials ready to be said: a token has been fetched.
pub enum Credentials {
    /// Say nothing.
    None,
    /// Login and password.
    Password {
        /// The account.
        login: String,
        /// Its password.
        password: Secret,
    },
    /// Login and access token.
    Token {
        /// The account.
        login: String,
        /// The access token.
        token: Secret,
    },
}

impl Credentials {
    /// Readies what the settings name; runs `token_command` for xoauth2 (30 s, one line of at most
    /// 64 KiB, no shell; its stderr goes where ours goes).
    pub fn ready(auth: &Auth) -> Result<Self, ChannelError> {
        Ok(match auth {
            Auth::None => Self::None,
            Auth::Password { login, password } => {
                Self::Password { login: login.clone(), password: password.clone() }
            }
            Auth::XOauth2 { login, token_command } => {
                Self::Token { login: login.clone(), token: fetch_token(token_command)? }
            }
        })
    }

    /// The first response of PLAIN or XOAUTH2 before base64; empty for [`Credentials::None`].
    pub fn initial_response(&self) -> Secret {
        Secret::new(match self {
            Self::None => String::new(),
            Self::Password { login, password } => format!("\0{login}\0{}", password.expose()),
            Self::Token { login, token } => {
                format!("user={login}\x01auth=Bearer {}\x01\x01", token.expose())
            }
        })
    }

    /// The same in base64, as SMTP wants it.
    pub fn initial_response_base64(&self) -> Secret {
        Secret::new(base64(self.initial_response().expose().as_bytes()))
    }
}

/// Base64 with padding, as SASL wants it.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn fetch_token(command_line: &str) -> Result<Secret, ChannelError> {
    let failed = |problem: String| ChannelError::Token { problem };
    let mut words = command_line.split_whitespace();
    let program = words.next().unwrap_or_default();
    #[expect(
        clippy::disallowed_methods,
        reason = "a gate may not link host; one small child, one limit"
    )]
    let mut child = Command::new(program)
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("can't start `{program}`: {error}")))?;
    let printed = match child.stdout.take() {
        Some(output) => read_until(output, Instant::now() + TOKEN_DEADLINE),
        None => Err("has no output".to_owned()),
    };
    if printed.is_err() {
        // It may have ended by itself; either way it is gone after this.
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| failed(error.to_string()))?;
    let printed = printed.map_err(|problem| failed(format!("`{program}` {problem}")))?;
    if !status.success() {
        return Err(failed(format!("`{program}` ended with {status}")));
    }
    token_of(&printed).ok_or_else(|| failed(format!("`{program}` printed no token")))
}

fn read_until(mut output: std::process::ChildStdout, deadline: Instant) -> Result<Vec<u8>, String> {
    let mut printed = Vec::new();
    let mut part = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let wait =
            Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        let ready = poll(&mut [PollFd::new(&output, PollFlags::IN)], Some(&wait));
        if ready.map_err(|error| error.to_string())? == 0 {
            return Err(format!("said nothing for {} s", TOKEN_DEADLINE.as_secs()));
        }
        match output.read(&mut part).map_err(|error| error.to_string())? {
            0 => return Ok(printed),
            got => printed.extend_from_slice(&part[..got]),
        }
        if printed.len() > LONGEST_TOKEN_BYTES {
            return Err(format!("printed more than {LONGEST_TOKEN_BYTES} bytes"));
        }
    }
}

/// The first line; a token is printable ASCII without spaces (RFC 6750 section 2.1).
fn token_of(printed: &[u8]) -> Option<Secret> {
    let line = std::str::from_utf8(printed).ok()?.trim().lines().next()?.trim();
    let printable = line.bytes().all(|byte| byte.is_ascii_graphic());
    (printable && !line.is_empty()).then(|| Secret::new(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth(command: &str) -> Auth {
        Auth::XOauth2 { login: "me@example.org".into(), token_command: command.into() }
    }

    #[test]
    fn a_token_command_gives_the_bearer() {
        let credentials = Credentials::ready(&auth("/bin/echo abc.def")).unwrap();
        let said = credentials.initial_response();
        assert_eq!(said.expose(), "user=me@example.org\x01auth=Bearer abc.def\x01\x01");
    }

    #[test]
    fn a_failing_token_command_says_how_it_failed() {
        for (command, words) in [
            ("/bin/false", "ended with exit status: 1"),
            ("/bin/true", "printed no token"),
            ("/nonexistent/token", "can't start `/nonexistent/token`"),
            ("/usr/bin/yes", "printed more than"),
            ("/bin/echo two words", "printed no token"),
        ] {
            let error = Credentials::ready(&auth(command)).err().expect("refused").to_string();
            assert!(error.contains(words), "{command}: {error}");
        }
    }

    #[test]
    fn plain_is_as_rfc_4616_says() {
        let credentials =
            Credentials::Password { login: "tim".into(), password: Secret::new("tanstaaf") };
        assert_eq!(credentials.initial_response_base64().expose(), "AHRpbQB0YW5zdGFhZg==");
    }
}
