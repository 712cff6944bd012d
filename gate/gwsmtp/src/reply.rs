//! An SMTP reply (RFC 5321 section 4.2): read from the lines of a server that may send anything.

use std::fmt;

/// The most lines of one reply.
const MOST_LINES: usize = 128;
/// What is kept of a reply's text, in characters: it ends in logs and in `err_info`.
const LONGEST_TEXT_CHARS: usize = 500;

/// A whole reply: the code of its lines and their texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// 200 to 599.
    pub(crate) code: u16,
    /// One text a line, without code and line end; control characters are replaced by spaces.
    pub(crate) lines: Vec<String>,
}

/// What came of one more line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// The reply goes on.
    More,
    /// That was its last line.
    Last,
}

/// The line is no part of a reply.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server said `{0}`, which is no SMTP reply")]
pub(crate) struct NoReply(pub(crate) String);

impl Reply {
    /// A reply without lines yet.
    pub(crate) fn empty() -> Self {
        Self { code: 0, lines: Vec::new() }
    }

    /// Takes one line in, its line end cut off.
    pub(crate) fn take(&mut self, line: &[u8]) -> Result<Line, NoReply> {
        let odd = || NoReply(printable(line).chars().take(80).collect());
        let code: u16 = match line.get(..3).and_then(|code| std::str::from_utf8(code).ok()) {
            Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                digits.parse().map_err(|_| odd())?
            }
            _ => return Err(odd()),
        };
        let first = self.lines.is_empty();
        if !(200..600).contains(&code) || !first && code != self.code {
            return Err(odd());
        }
        let end = match line.get(3) {
            None | Some(b' ') => Line::Last,
            Some(b'-') => Line::More,
            Some(_) => return Err(odd()),
        };
        if self.lines.len() >= MOST_LINES {
            return Err(NoReply(format!("more than {MOST_LINES} lines of {code}")));
        }
        self.code = code;
        self.lines.push(printable(line.get(4..).unwrap_or_default()));
        Ok(end)
    }

    /// 2xx, and 354 for DATA, 334 for AUTH.
    pub(crate) fn is_good(&self) -> bool {
        self.code < 400
    }

    /// 3xx: the server waits for more.
    pub(crate) fn asks_for_more(&self) -> bool {
        (300..400).contains(&self.code)
    }

    /// 4xx: may go well another time.
    pub(crate) fn is_passing(&self) -> bool {
        (400..500).contains(&self.code)
    }

    /// The texts of all lines, shortened.
    pub(crate) fn text(&self) -> String {
        self.lines.join(" ").trim().chars().take(LONGEST_TEXT_CHARS).collect()
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text())
    }
}

fn printable(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains(char::is_control) => text.to_owned(),
        _ => String::from_utf8_lossy(bytes)
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect(),
    }
}

/// What a server offers in its answer to EHLO (RFC 5321 section 4.1.1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "one for each extension, as EHLO lists them")]
pub(crate) struct Offers {
    /// STARTTLS, RFC 3207.
    pub(crate) starttls: bool,
    /// PIPELINING, RFC 2920.
    pub(crate) pipelining: bool,
    /// 8BITMIME, RFC 6152.
    pub(crate) eight_bit: bool,
    /// SMTPUTF8, RFC 6531.
    pub(crate) utf8: bool,
    /// DSN, RFC 3461.
    pub(crate) dsn: bool,
    /// SIZE, RFC 1870: the largest message in bytes, 0 for "no limit told"; None when not offered.
    pub(crate) size: Option<u64>,
    /// The mechanisms of AUTH, RFC 4954, in upper case.
    pub(crate) auth: Vec<String>,
}

impl Offers {
    /// Reads the lines after the first.
    pub(crate) fn read(reply: &Reply) -> Self {
        let mut offers = Self::default();
        for line in reply.lines.iter().skip(1) {
            let upper = line.to_ascii_uppercase();
            // Some servers still write `AUTH=PLAIN`.
            let mut words = upper.split([' ', '=']).filter(|word| !word.is_empty());
            match words.next().unwrap_or_default() {
                "STARTTLS" => offers.starttls = true,
                "PIPELINING" => offers.pipelining = true,
                "8BITMIME" => offers.eight_bit = true,
                "SMTPUTF8" => offers.utf8 = true,
                "DSN" => offers.dsn = true,
                "SIZE" => {
                    offers.size = Some(words.next().and_then(|n| n.parse().ok()).unwrap_or(0));
                }
                "AUTH" => offers.auth.extend(words.map(str::to_owned)),
                _ => {}
            }
        }
        offers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(lines: &[&str]) -> Result<Reply, NoReply> {
        let mut reply = Reply::empty();
        for (at, line) in lines.iter().enumerate() {
            let end = reply.take(line.as_bytes())?;
            assert_eq!(end == Line::Last, at + 1 == lines.len(), "{line}");
        }
        Ok(reply)
    }

    #[test]
    fn a_reply_of_many_lines_is_one() {
        let reply = reply(&["550-5.1.1 no", "550-such", "550 user"]).unwrap();
        assert_eq!((reply.code, reply.text().as_str()), (550, "5.1.1 no such user"));
        assert!(!reply.is_good() && !reply.is_passing());
    }

    #[test]
    fn what_is_no_reply_is_said_to_be_none() {
        for lines in [
            &["HTTP/1.1 400 Bad"][..],
            &["25"],
            &["999 x"],
            &["2500 x"],
            &["250-a", "550 b"],
            &[""],
        ] {
            let mut reply = Reply::empty();
            let taken: Result<Vec<_>, _> =
                lines.iter().map(|line| reply.take(line.as_bytes())).collect();
            assert!(taken.is_err(), "{lines:?}");
        }
    }

    #[test]
    fn control_characters_of_a_server_do_not_reach_our_logs() {
        assert_eq!(reply(&["550 a\x1b[2Jb"]).unwrap().text(), "a [2Jb");
    }

    #[test]
    fn an_endless_reply_is_cut_off() {
        let mut reply = Reply::empty();
        assert!((0..1000).any(|_| reply.take(b"250-more").is_err()));
    }

    #[test]
    fn offers_are_read_from_ehlo() {
        let reply = reply(&[
            "250-mx.example.org hello",
            "250-PIPELINING",
            "250-size 52428800",
            "250-AUTH=PLAIN LOGIN",
            "250-AUTH XOAUTH2",
            "250-8BITMIME",
            "250 SMTPUTF8",
        ])
        .unwrap();
        let offers = Offers::read(&reply);
        assert!(offers.pipelining && offers.eight_bit && offers.utf8);
        assert!(!offers.starttls && !offers.dsn);
        assert_eq!(offers.size, Some(52_428_800));
        assert_eq!(offers.auth, ["PLAIN", "LOGIN", "XOAUTH2"]);
    }
}
