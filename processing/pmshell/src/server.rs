//! The fields of a row: which server, how we are let in, where its scripts are.

use host::ssh::{Address, Login, Server};
use notice::{Mask, Secret};
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;
use wire::error::ErrorDocument;
use wire::params::GatewayParams;
use wire::xml::Element;

const PORT: u16 = 22;
const TIMEOUT_SECS: u64 = 570;
const LONGEST_TIMEOUT_SECS: u64 = 86_400;

/// A row that makes sense.
pub(crate) struct Settings {
    pub(crate) server: Server,
    /// The folder of scripts, without a slash at its end.
    pub(crate) path: String,
    pub(crate) timeout: Duration,
}

impl Settings {
    /// Reads a row, or the form of `check_connection`. An error is about a field.
    pub(crate) fn read(row: &Element) -> Result<Self, ErrorDocument> {
        let fields = GatewayParams::read(row)
            .map_err(|error| unfit("xmlparams", &format!("can't be read: {error}")))?;
        let path = fields.text("path").trim();
        if !Path::new(path).is_absolute() || path.contains(char::is_control) {
            return Err(unfit("path", "is not an absolute path to the folder of scripts"));
        }
        let server = match fields.text("transport").trim() {
            "" | "ssh" => Server::There(address(&fields)?),
            "local" => Server::Here,
            _ => return Err(unfit("transport", "is neither ssh nor local")),
        };
        let timeout = number(&fields, "timeout_secs", TIMEOUT_SECS)?;
        if !(1..=LONGEST_TIMEOUT_SECS).contains(&timeout) {
            return Err(unfit("timeout_secs", "is not between 1 and 86400"));
        }
        let path = path.trim_end_matches('/').to_owned();
        Ok(Self { server, path, timeout: Duration::from_secs(timeout) })
    }

    /// The password of root.
    pub(crate) fn mask(&self) -> Mask {
        match &self.server {
            Server::There(Address { login: Login::Password(password), .. }) => {
                Mask::new([password])
            }
            _ => Mask::default(),
        }
    }

    /// The server in a person's words.
    pub(crate) fn place(&self) -> &str {
        match &self.server {
            Server::There(address) => &address.host,
            Server::Here => "this host",
        }
    }
}

fn address(fields: &GatewayParams) -> Result<Address, ErrorDocument> {
    let host = fields.text("ip").trim();
    if host.is_empty() {
        return Err(unfit("ip", "is empty"));
    }
    if !is_host(host) {
        return Err(unfit("ip", "is neither an IP address nor a host name"));
    }
    let port = number(fields, "port", PORT.into())?;
    let port = u16::try_from(port).ok().filter(|port| *port > 0);
    Ok(Address {
        host: host.trim_matches(['[', ']']).to_owned(),
        port: port.ok_or_else(|| unfit("port", "is not between 1 and 65535"))?,
        login: login(fields)?,
        shared_as: shared_as(fields),
    })
}

/// S1-5, S1-6
fn login(fields: &GatewayParams) -> Result<Login, ErrorDocument> {
    if !fields.is_on("root_password") {
        return Ok(Login::Key);
    }
    match fields.text("password") {
        "" => Err(unfit("password", "is empty, though the server has a password for root")),
        password if password.contains(['\r', '\n']) => Err(unfit("password", "holds a line break")),
        password => Ok(Login::Password(Secret::new(password))),
    }
}

/// Rows that are saved share a connection, until they are saved anew.
fn shared_as(fields: &GatewayParams) -> Option<String> {
    let digits = |name| {
        let text = fields.columns().text(name);
        let is_number = !text.is_empty() && text.len() < 20;
        (is_number && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)
    };
    Some(format!("{}-{}", digits("id")?, digits("version").unwrap_or("0")))
}

/// S1-4: an address, or a name whose last part is no number (`10.0.0` is neither).
fn is_host(text: &str) -> bool {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if bare.parse::<IpAddr>().is_ok() {
        return true;
    }
    let is_part = |part: &str| {
        let is_fit =
            |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
        (1..=63).contains(&part.len()) && !part.starts_with('-') && part.chars().all(is_fit)
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253
        && text.split('.').all(is_part)
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}

fn number(fields: &GatewayParams, name: &str, default: u64) -> Result<u64, ErrorDocument> {
    match fields.text(name).trim() {
        "" => Ok(default),
        text => text.parse().map_err(|_| unfit(name, "is no number")),
    }
}

fn unfit(field: &str, why: &str) -> ErrorDocument {
    ErrorDocument::new("value").about(field).with_text(format!("`{field}` {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use notice::Fields;

    fn read(fields: &[(&str, &str)]) -> Result<Settings, String> {
        let fields: Fields = fields.iter().copied().collect();
        let text = wire::params::xmlparams_text(&fields);
        let form = Element::new("doc")
            .with_child(Element::new("id").with_text("4"))
            .with_child(Element::new("xmlparams").with_text(text));
        Settings::read(&form).map_err(|error| error.plain_text())
    }

    fn address(settings: Settings) -> Address {
        let Server::There(address) = settings.server else { panic!() };
        address
    }

    #[test]
    fn the_key_is_the_default_and_the_password_counts_with_the_flag_alone() {
        // S1-5, S1-6, S1-8
        let base = [("ip", "192.0.2.1"), ("path", "/srv/scripts/"), ("password", "x y")];
        let settings = read(&base).unwrap();
        assert_eq!((settings.path.as_str(), settings.timeout.as_secs()), ("/srv/scripts", 570));
        let key = address(settings);
        assert!(key.login == Login::Key && key.port == 22);
        assert_eq!(key.shared_as.as_deref(), Some("4-0"));
        let with = address(read(&[&base[..], &[("root_password", "on")]].concat()).unwrap());
        assert!(with.login == Login::Password(Secret::new("x y")));
    }

    #[test]
    fn fields_that_make_no_sense_are_named() {
        // S1-4, S1-6, S1-8
        let path = ("path", "/s");
        let ip = ("ip", "2001:db8::1");
        for ip in ["192.0.2.1", "2001:db8::1", "[::1]", "web-1.example.com", "localhost"] {
            assert!(read(&[("ip", ip), path]).is_ok(), "{ip}");
        }
        for (fields, field) in [
            (vec![path], "ip"),
            (vec![("ip", " "), path], "ip"),
            (vec![("ip", "10.0.0"), path], "ip"),
            (vec![("ip", "10.0.0.256"), path], "ip"),
            (vec![("ip", "-oProxyCommand=x"), path], "ip"),
            (vec![("ip", "a b"), path], "ip"),
            (vec![("ip", "root@a.example"), path], "ip"),
            (vec![ip, path, ("root_password", "on")], "password"),
            (vec![ip, path, ("root_password", "on"), ("password", "a\nb")], "password"),
            (vec![ip], "path"),
            (vec![ip, ("path", "scripts")], "path"),
            (vec![ip, path, ("port", "0")], "port"),
            (vec![ip, path, ("port", "65536")], "port"),
            (vec![ip, path, ("timeout_secs", "0")], "timeout_secs"),
            (vec![path, ("transport", "rsh")], "transport"),
        ] {
            let problem = read(&fields).err().unwrap_or_default();
            assert!(problem.starts_with(&format!("`{field}` ")), "{fields:?}: {problem}");
        }
    }
}
