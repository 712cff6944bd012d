//! The address of an HTTP handler, as the form has it: `host:port/path` (S2-14).

use reqwest::Url;
use std::fmt;

/// An `http` or `https` address without a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    url: Url,
    /// Without the brackets of IPv6.
    host: String,
}

/// Why a text is no address (S2-15).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no address: {problem}; write host:port/path")]
pub struct AddressError {
    text: String,
    problem: String,
}

/// The longest address, in bytes.
const MOST_BYTES: usize = 2_048;

impl Address {
    /// Reads `host:port/path` under a scheme, `http` or `https`. An address that brings its scheme must
    /// bring this one. Nothing is looked up.
    pub fn parse(scheme: &str, text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        let error = |problem: &str| AddressError { text: shown(text), problem: problem.to_owned() };
        if text.is_empty() {
            return Err(error("it is empty"));
        }
        if text.len() > MOST_BYTES {
            return Err(error("it is longer than 2048 bytes"));
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(error("it has a space, a backslash or a control character"));
        }
        let rest = match text.split_once("://") {
            Some((named, rest)) if named.eq_ignore_ascii_case(scheme) => rest,
            Some((named, _)) if !named.contains(['/', '?', '#']) => {
                return Err(error(&format!(
                    "it begins with `{named}://`, the task type is `{scheme}://`"
                )));
            }
            _ => text,
        };
        if rest.starts_with(['/', '?', '#', ':']) {
            return Err(error("it names no host"));
        }
        let url =
            Url::parse(&format!("{scheme}://{rest}")).map_err(|why| error(&why.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(error("a login does not belong here: the address is logged"));
        }
        if url.fragment().is_some() {
            return Err(error("`#` is never sent to a server"));
        }
        let host = url.host_str().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() || url.port() == Some(0) {
            return Err(error("it names no host and port that can be called"));
        }
        Ok(Self { url, host })
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// `host`, with the port where one is written: what a reason names, without path and query.
    pub fn place(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.url.scheme() == "https"
    }

    pub(crate) fn url(&self) -> Url {
        self.url.clone()
    }
}

/// The whole address, with its scheme.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // S2-14
    #[test]
    fn an_address_without_a_scheme_gets_it() {
        let read = |scheme, text| Address::parse(scheme, text).unwrap().to_string();
        assert_eq!(read("http", "127.0.0.1:5000/api"), "http://127.0.0.1:5000/api");
        assert_eq!(read("http", "http://127.0.0.1:5000/api"), "http://127.0.0.1:5000/api");
        assert_eq!(read("https", "host.example"), "https://host.example/");
        assert_eq!(read("http", "[::1]:80/a?b=c"), "http://[::1]/a?b=c");
        assert_eq!(read("http", "h/go?to=x://y"), "http://h/go?to=x://y");
        // ways to write an address that browsers know, and that the check sees as what they are
        assert_eq!(Address::parse("http", "0x7f.1:80/").unwrap().host(), "127.0.0.1");
        assert_eq!(Address::parse("http", "2130706433/").unwrap().host(), "127.0.0.1");
    }

    // S2-15
    #[test]
    fn what_is_no_address_is_refused_in_words() {
        for (text, says) in [
            ("", "empty"),
            (" ", "empty"),
            ("/api", "no host"),
            (":5000/api", "no host"),
            ("host:99999/", "port"),
            ("host:0/", "port"),
            ("host:port/", "port"),
            ("ftp://host/", "ftp://"),
            ("https://host/", "https://"),
            ("user:password@host/", "login"),
            ("host/#x", "#"),
            ("ho st/", "space"),
            ("host\r\nX: y", "control"),
            ("host\\@other/", "backslash"),
            (&"x".repeat(3_000), "longer"),
        ] {
            let error = Address::parse("http", text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
            assert!(!error.contains(['\r', '\n']));
        }
    }
}
