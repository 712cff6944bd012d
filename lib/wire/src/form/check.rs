//! The checks a control can ask for by name (ancestor-facts 2.2). An empty value is none of theirs.

use std::fmt;
use std::net::IpAddr;

/// What a value must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// A mail address, domain in any letters.
    Email,
    /// A whole number within these bounds.
    Int {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// A sum of money: digits, and at most four after a point or comma.
    Money,
    /// An address with scheme and host.
    Url,
    /// A host name, in any letters.
    Domain,
    /// An IPv4 or IPv6 address.
    Ip,
    /// An address, a network `a/n`, or a range `a-b`.
    IpRange,
    /// A phone number, loosely: 5 to 15 digits with the usual signs between them.
    Phone,
    /// `2026-01-31`, with or without a time of day.
    Datetime,
    /// ASCII letters, digits and punctuation.
    CertificateLatin,
    /// A check we do not know, `check.NAME` of a plugin: here it accepts everything.
    Other(String),
}

impl Check {
    /// The check of that name with its arguments; None for an empty name.
    pub fn parse(name: &str, args: &str) -> Option<Self> {
        Some(match name.trim() {
            "" => return None,
            "email" => Self::Email,
            "int" => {
                let mut numbers = args.split([',', ' ', ';']).filter(|text| !text.is_empty());
                let mut bound =
                    |default| numbers.next().and_then(|n| n.parse().ok()).unwrap_or(default);
                Self::Int { min: bound(i64::MIN), max: bound(i64::MAX) }
            }
            "money" => Self::Money,
            "url" => Self::Url,
            "domain" => Self::Domain,
            "ip" => Self::Ip,
            "iprange" => Self::IpRange,
            "phone" => Self::Phone,
            "datetime" | "date" => Self::Datetime,
            "certificatelatin" => Self::CertificateLatin,
            other => Self::Other(other.to_owned()),
        })
    }

    /// True when the value is one of its kind.
    pub fn accepts(&self, value: &str) -> bool {
        match self {
            Self::Email => value
                .rsplit_once('@')
                .is_some_and(|(user, domain)| is_local(user) && is_domain(domain)),
            Self::Int { min, max } => {
                value.parse().is_ok_and(|number: i64| (min..=max).contains(&&number))
            }
            Self::Money => is_money(value),
            Self::Url => is_url(value),
            Self::Domain => is_domain(value),
            Self::Ip => value.parse::<IpAddr>().is_ok(),
            Self::IpRange => is_ip_range(value),
            Self::Phone => is_phone(value),
            Self::Datetime => is_datetime(value),
            Self::CertificateLatin => value.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
            Self::Other(_) => true,
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Email => "a mail address",
            Self::Int { min: i64::MIN, max: i64::MAX } => "a whole number",
            Self::Int { min, max: i64::MAX } => return write!(f, "a whole number from {min} up"),
            Self::Int { min, max } => return write!(f, "a whole number from {min} to {max}"),
            Self::Money => "a sum of money",
            Self::Url => "an address such as https://example.com/path",
            Self::Domain => "a host name",
            Self::Ip => "an IP address",
            Self::IpRange => "an IP address, a network or a range",
            Self::Phone => "a phone number",
            Self::Datetime => "a date such as 2026-01-31, or 2026-01-31 23:59:59",
            Self::CertificateLatin => "of Latin letters, digits and punctuation",
            Self::Other(name) => return write!(f, "what `check.{name}` accepts"),
        })
    }
}

fn is_local(user: &str) -> bool {
    let plain = |letter: char| {
        !letter.is_whitespace() && !letter.is_control() && !"<>()[],;:\\\"@".contains(letter)
    };
    (1..=64).contains(&user.len())
        && user.chars().all(plain)
        && !user.starts_with('.')
        && !user.ends_with('.')
        && !user.contains("..")
}

fn is_domain(domain: &str) -> bool {
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_'))
    };
    domain.len() <= 253 && domain.split('.').all(is_label)
}

fn is_money(value: &str) -> bool {
    let value = value.strip_prefix(['-', '+']).unwrap_or(value);
    let (whole, part) = value.split_once(['.', ',']).unwrap_or((value, "0"));
    let digits = |text: &str, most| {
        (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
    };
    digits(whole, 15) && digits(part, 4)
}

fn is_url(value: &str) -> bool {
    let Some((scheme, rest)) = value.split_once("://") else {
        return false;
    };
    let scheme_fits = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let no_blanks = !value.chars().any(|letter| letter.is_whitespace() || letter.is_control());
    scheme_fits && no_blanks && is_host_and_port(host)
}

fn is_host_and_port(text: &str) -> bool {
    let is_port = |port: &str| port.parse::<u16>().is_ok();
    if let Some(bracketed) = text.strip_prefix('[') {
        let Some((address, port)) = bracketed.split_once(']') else {
            return false;
        };
        return address.parse::<IpAddr>().is_ok()
            && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port));
    }
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    is_domain(host) && port.is_none_or(is_port)
}

fn is_ip_range(value: &str) -> bool {
    let address = |text: &str| text.trim().parse::<IpAddr>().ok();
    if let Some((network, bits)) = value.split_once('/') {
        let most = |address: IpAddr| if address.is_ipv4() { 32 } else { 128 };
        return address(network)
            .is_some_and(|known| bits.parse().is_ok_and(|bits: u8| bits <= most(known)));
    }
    match value.split_once('-') {
        Some((first, last)) => match (address(first), address(last)) {
            (Some(first), Some(last)) => first.is_ipv4() == last.is_ipv4() && first <= last,
            _ => false,
        },
        None => address(value).is_some(),
    }
}

fn is_phone(value: &str) -> bool {
    let number = value.strip_prefix('+').unwrap_or(value);
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    (5..=15).contains(&digits)
        && number.bytes().all(|byte| byte.is_ascii_digit() || b" ()-.".contains(&byte))
}

fn is_datetime(value: &str) -> bool {
    let (date, time) = value.split_once([' ', 'T']).unwrap_or((value, "00:00:00"));
    let numbers = |text: &str, between: char| -> Option<Vec<u32>> {
        let parts = text.split(between);
        parts
            .map(|part| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok())?)
            .collect()
    };
    let date_fits = match numbers(date, '-').as_deref() {
        Some([year @ 1..=9999, month @ 1..=12, day @ 1..=31]) => *day <= days_of(*year, *month),
        _ => false,
    };
    let time_fits =
        matches!(numbers(time, ':').as_deref(), Some([0..=23, 0..=59] | [0..=23, 0..=59, 0..=59]));
    date_fits && time_fits
}

fn days_of(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name, arguments, what it accepts, what it does not.
    const TABLE: [(&str, &str, &[&str], &[&str]); 11] = [
        (
            "email",
            "",
            &["a@b.c", "root@localhost", "имя@почта.рф", "a.b+c@x-y.z"],
            &[
                "a",
                "@b",
                "a@",
                "a b@c",
                "a@b c",
                "a@-b.c",
                ".a@b",
                "a..b@c",
                "a@b@c",
                "a\r\nBcc: x@y",
            ],
        ),
        (
            "int",
            "1,65535",
            &["1", "65535", "25"],
            &["0", "65536", "x", "1.5", "99999999999999999999"],
        ),
        ("int", "", &["-5", "0"], &["", "1e3"]),
        (
            "money",
            "",
            &["1", "-12.50", "1,5", "+3.0001"],
            &["", ".5", "1.", "1.23456", "1 000", "x"],
        ),
        (
            "url",
            "",
            &["https://a.b/c?d#e", "http://u:p@h:8080", "https://[::1]:443/", "ftp://x"],
            &[
                "a.b",
                "://x",
                "http://",
                "http://a b",
                "http://a:99999",
                "http:///x",
                "1http://a",
                "http://[::1",
            ],
        ),
        (
            "domain",
            "",
            &["a.b", "localhost", "почта.рф", "a.b."],
            &["", "a..b", "-a", "a b", "a/b"],
        ),
        ("ip", "", &["1.2.3.4", "::1"], &["1.2.3", "1.2.3.256", "x"]),
        (
            "iprange",
            "",
            &["1.2.3.4", "1.2.3.0/24", "::/0", "1.1.1.1-1.1.1.9", "1.1.1.1 - 1.1.1.1"],
            &["1.2.3.0/33", "::/129", "1.1.1.9-1.1.1.1", "1.1.1.1-::1", "x/1", "1.1.1.1/"],
        ),
        (
            "phone",
            "",
            &["+7 912 345-67-89", "8(912)3456789"],
            &["+", "12", "12345x", "1234567890123456"],
        ),
        (
            "datetime",
            "",
            &["2026-01-31", "2024-02-29 23:59", "2026-01-31T00:00:00"],
            &[
                "2026-02-29",
                "2026-13-01",
                "31.01.2026",
                "2026-01-31 24:00",
                "2026-01-31 1",
                "x",
                "+2026-01-01",
            ],
        ),
        ("certificatelatin", "", &["ACME Inc. #1"], &["Рога", "a\nb"]),
    ];

    #[test]
    fn every_check_knows_its_values() {
        for (name, args, good, bad) in TABLE {
            let check = Check::parse(name, args).unwrap();
            for value in good {
                assert!(check.accepts(value), "{name}: {value}");
            }
            for value in bad {
                assert!(!check.accepts(value), "{name}: {value}");
            }
        }
        assert!(Check::parse("mine", "").unwrap().accepts("anything"));
        assert_eq!(Check::parse(" ", ""), None);
    }
}
