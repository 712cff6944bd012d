//! The fields of a gateway's form that say where the server is and who we are there.

use std::path::PathBuf;
use std::time::Duration;

use notice::Secret;

use crate::ChannelError;

const DEFAULT_TIMEOUT_SECS: u64 = 30;
const LONGEST_TIMEOUT_SECS: u64 = 600;

/// How the connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Security {
    /// Plain at first, TLS before anything that matters. Never without.
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// None; accepted for loopback addresses alone.
    None,
}

/// How we prove who we are.
#[derive(Clone)]
pub enum Auth {
    /// Not at all.
    None,
    /// Login and password.
    Password {
        /// The account.
        login: String,
        /// Its password.
        password: Secret,
    },
    /// An OAuth 2 access token, printed by a command of the owner's (XOAUTH2).
    XOauth2 {
        /// The account.
        login: String,
        /// Program and arguments, split at white space; no shell.
        token_command: String,
    },
}

/// What a server's protocol assumes where the form says nothing.
#[derive(Clone, Copy, Debug)]
pub struct Defaults {
    /// The port for a connection that is plain or becomes TLS by STARTTLS.
    pub port: u16,
    /// The port for TLS from the first byte.
    pub tls_port: u16,
    /// The protection when the field is empty.
    pub security: Security,
}

/// Where the server is, how the line is protected and who we are.
#[derive(Clone)]
pub struct Settings {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Protection of the line.
    pub security: Security,
    /// Who we are.
    pub auth: Auth,
    /// Certificates trusted beside the system's own, a PEM file.
    pub ca_file: Option<PathBuf>,
    /// The longest wait for the server, for each read and write.
    pub timeout: Duration,
}

impl Settings {
    /// Reads the fields `host`, `port`, `security`, `auth`, `login`, `password`, `token_command`,
    /// `ca_file` and `timeout_secs` through `field`, which answers empty for an absent one.
    pub fn read(field: &dyn Fn(&str) -> String, defaults: Defaults) -> Result<Self, ChannelError> {
        let text = |name: &str| field(name).trim().to_owned();
        let host = text("host");
        if host.is_empty() {
            return Err(problem("host", "is empty"));
        }
        if host.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(problem("host", "is no host name"));
        }
        let security = read_security(&text("security"), defaults.security)?;
        let usual = if security == Security::Tls { defaults.tls_port } else { defaults.port };
        Ok(Self {
            host,
            port: number("port", &text("port"), usual)?,
            security,
            auth: read_auth(field)?,
            ca_file: Some(text("ca_file")).filter(|path| !path.is_empty()).map(PathBuf::from),
            timeout: read_timeout(&text("timeout_secs"))?,
        })
    }
}

fn read_security(text: &str, default: Security) -> Result<Security, ChannelError> {
    match text {
        "" => Ok(default),
        "starttls" => Ok(Security::StartTls),
        "tls" => Ok(Security::Tls),
        "none" => Ok(Security::None),
        other => Err(problem("security", format!("`{other}` is none of starttls, tls, none"))),
    }
}

fn read_auth(field: &dyn Fn(&str) -> String) -> Result<Auth, ChannelError> {
    let login = || match field("login").trim() {
        "" => Err(problem("login", "is empty")),
        login if login.contains(char::is_control) => {
            Err(problem("login", "holds a control character"))
        }
        login => Ok(login.to_owned()),
    };
    match field("auth").trim() {
        "" | "none" => Ok(Auth::None),
        "password" => Ok(Auth::Password { login: login()?, password: read_password(field)? }),
        "xoauth2" => match field("token_command").trim() {
            "" => Err(problem("token_command", "is empty")),
            command => Ok(Auth::XOauth2 { login: login()?, token_command: command.to_owned() }),
        },
        other => Err(problem("auth", format!("`{other}` is none of none, password, xoauth2"))),
    }
}

fn read_password(field: &dyn Fn(&str) -> String) -> Result<Secret, ChannelError> {
    let password = field("password");
    if password.is_empty() {
        return Err(problem("password", "is empty"));
    }
    if password.contains(['\0', '\r', '\n']) {
        return Err(problem("password", "holds a line break or a zero"));
    }
    Ok(Secret::new(password))
}

fn read_timeout(text: &str) -> Result<Duration, ChannelError> {
    let secs = number("timeout_secs", text, DEFAULT_TIMEOUT_SECS)?;
    if secs == 0 || secs > LONGEST_TIMEOUT_SECS {
        return Err(problem("timeout_secs", format!("must be 1 to {LONGEST_TIMEOUT_SECS}")));
    }
    Ok(Duration::from_secs(secs))
}

fn number<N: std::str::FromStr>(
    field: &'static str,
    text: &str,
    default: N,
) -> Result<N, ChannelError> {
    if text.is_empty() {
        return Ok(default);
    }
    text.parse().map_err(|_| problem(field, format!("`{text}` is no number that fits")))
}

fn problem(field: &'static str, problem: impl Into<String>) -> ChannelError {
    ChannelError::Field { field, problem: problem.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMTP: Defaults = Defaults { port: 587, tls_port: 465, security: Security::StartTls };

    fn read(fields: &[(&str, &str)]) -> Result<Settings, ChannelError> {
        let fields: notice::Fields = fields.iter().copied().collect();
        Settings::read(&|name| fields.text(name).to_owned(), SMTP)
    }

    #[test]
    fn an_empty_form_asks_for_tls_on_the_usual_port() {
        let settings = read(&[("host", "mx.example.org")]).unwrap();
        assert_eq!((settings.port, settings.security), (587, Security::StartTls));
        let settings = read(&[("host", "mx.example.org"), ("security", "tls")]).unwrap();
        assert_eq!(settings.port, 465);
    }

    #[test]
    fn a_bad_field_is_named() {
        for (fields, named) in [
            (vec![], "`host`"),
            (vec![("host", "a b")], "`host`"),
            (vec![("host", "a"), ("port", "x")], "`port`"),
            (vec![("host", "a"), ("port", "70000")], "`port`"),
            (vec![("host", "a"), ("security", "ssl")], "`security`"),
            (vec![("host", "a"), ("auth", "gssapi")], "`auth`"),
            (vec![("host", "a"), ("auth", "password")], "`login`"),
            (vec![("host", "a"), ("auth", "password"), ("login", "l")], "`password`"),
            (vec![("host", "a"), ("auth", "xoauth2"), ("login", "l")], "`token_command`"),
            (vec![("host", "a"), ("timeout_secs", "0")], "`timeout_secs`"),
        ] {
            let error = read(&fields).err().expect("refused").to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
