//! A mail as text: the token in its head, the line that may be a command.

use crate::passwords;
use crate::pipeline::Platform;
use crate::refusal::Refusal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use notice::Fields;
use store::{Hash, ReplyToken};

/// Stands before a token, so that it is found in a subject or an address.
const PREFIX: &str = "gp-";
/// Hexadecimal digits of a token.
const TOKEN_DIGITS: usize = 40;
/// Most of a body that is looked at, bytes.
const BODY_BYTES: usize = 65_536;

/// A new token with its prefix, and what we keep of it.
pub(crate) fn token() -> Result<(String, Hash), Refusal> {
    let (digits, _) = passwords::token()?;
    let token = format!("{PREFIX}{digits}");
    let hash = Hash::of(token.as_bytes());
    Ok((token, hash))
}

/// `gp-` and forty digits, anywhere in the headers that a reply keeps.
pub(super) fn token_in(source: &str) -> Option<String> {
    let head = source.split("\r\n\r\n").next().unwrap_or_default();
    let head = head.split("\n\n").next().unwrap_or_default();
    let mut kept = false;
    for line in head.lines() {
        if !line.starts_with([' ', '\t']) {
            let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
            kept = matches!(name.as_str(), "subject" | "to" | "cc" | "delivered-to");
        }
        for (at, _) in line.match_indices(PREFIX).filter(|_| kept) {
            let digits: String =
                line[at + PREFIX.len()..].chars().take_while(char::is_ascii_hexdigit).collect();
            if digits.len() == TOKEN_DIGITS {
                return Some(format!("{PREFIX}{digits}"));
            }
        }
    }
    None
}

/// The first line of the text that is neither empty nor quoted.
pub(super) fn line_of(source: &str) -> Option<String> {
    let source = source.replace("\r\n", "\n");
    let (head, body) = source.split_once("\n\n")?;
    let (head, body) = text_part(head, body).unwrap_or((head.to_owned(), body.to_owned()));
    let body: String = body.chars().take(BODY_BYTES).collect();
    let encoding = header(&head, "content-transfer-encoding").to_ascii_lowercase();
    let text = match encoding.as_str() {
        "base64" => {
            let packed: String = body.split_whitespace().collect();
            String::from_utf8_lossy(&STANDARD.decode(packed).ok()?).into_owned()
        }
        // A command is ASCII; only the soft line ends matter.
        "quoted-printable" => body.replace("=\n", "").replace("=3D", "="),
        _ => body,
    };
    let mut lines = text.lines().map(str::trim);
    lines.find(|line| !line.is_empty() && !line.starts_with('>')).map(str::to_owned)
}

/// The first `text/plain` part of a multipart body.
fn text_part(head: &str, body: &str) -> Option<(String, String)> {
    let kind = header(head, "content-type");
    let boundary = kind.split_once("boundary=")?.1.split(';').next()?.trim().trim_matches('"');
    body.split(&format!("--{boundary}"))
        .filter_map(|part| part.trim_start_matches('\n').split_once("\n\n"))
        .find(|(head, _)| header(head, "content-type").starts_with("text/plain"))
        .map(|(head, body)| (head.to_owned(), body.to_owned()))
}

fn header(head: &str, name: &str) -> String {
    let mut found = String::new();
    let mut inside = false;
    for line in head.lines() {
        if line.starts_with([' ', '\t']) {
            if inside {
                found.push(' ');
                found.push_str(line.trim());
            }
            continue;
        }
        inside = found.is_empty()
            && line.split_once(':').is_some_and(|(known, _)| known.eq_ignore_ascii_case(name));
        if inside {
            found.push_str(line.split_once(':').map_or("", |(_, value)| value.trim()));
        }
    }
    found
}

/// `stop`, `start`, or `FUNCTION name=value …`.
pub(super) fn parse(line: &str, token: &ReplyToken) -> Option<(String, Fields)> {
    let mut words = line.split_whitespace();
    let first = words.next()?;
    let active = match first.to_ascii_lowercase().as_str() {
        "stop" | "unsubscribe" => Some("off"),
        "start" | "subscribe" => Some("on"),
        _ => None,
    };
    if let Some(active) = active {
        let params = [("notice", token.notice.as_str()), ("active", active)];
        return Some(("subscription.edit".to_owned(), params.into_iter().collect()));
    }
    Platform::function(first)?;
    let params = words.map(|word| word.split_once('=')).collect::<Option<Fields>>()?;
    Some((first.to_owned(), params))
}

#[cfg(test)]
mod tests {
    use super::*;
    use notice::{Ms, TaskId, UserId};

    const TOKEN: &str = "gp-0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn a_token_is_found_where_a_reply_keeps_it_and_nowhere_else() {
        for (source, found) in [
            (format!("Subject: Re: hi [{TOKEN}]\r\n\r\nstop"), true),
            (format!("To: <support+{TOKEN}@x.example>\n\nstop"), true),
            (format!("Subject: a\r\n {TOKEN}\r\n\r\nstop"), true),
            (format!("Subject: a\r\n\r\n{TOKEN}"), false),
            (format!("X-Thing: {TOKEN}\r\n\r\nstop"), false),
            (format!("Subject: {TOKEN}0\r\n\r\n"), false),
            ("Subject: gp-12\r\n\r\n".to_owned(), false),
        ] {
            assert_eq!(token_in(&source).is_some(), found, "{source}");
        }
    }

    #[test]
    fn the_line_of_a_command_is_found_in_every_kind_of_mail() {
        let packed = STANDARD.encode("stop\n");
        for source in [
            "Subject: a\r\n\r\n> quoted\r\n\r\nstop\r\n".to_owned(),
            format!("Content-Transfer-Encoding: base64\n\n{packed}\n"),
            "Content-Type: multipart/alternative; boundary=\"b\"\n\n--b\nContent-Type: text/html\n\n<p>x</p>\n\
             --b\nContent-Type: text/plain; charset=utf-8\n\nstop\n--b--\n"
                .to_owned(),
            "Content-Transfer-Encoding: quoted-printable\n\nst=\nop\n".to_owned(),
        ] {
            assert_eq!(line_of(&source).as_deref(), Some("stop"), "{source}");
        }
        assert_eq!(line_of("no body"), None);
    }

    #[test]
    fn a_command_is_a_word_or_a_function() {
        let token = ReplyToken {
            hash: Hash::of(b""),
            user: UserId(1),
            notice: "news".into(),
            task: TaskId(1),
            made: Ms(0),
            used: None,
        };
        let (function, params) = parse("STOP please", &token).unwrap();
        assert_eq!((function.as_str(), params.text("notice")), ("subscription.edit", "news"));
        let (function, params) = parse("subscription.edit notice=a active=on", &token).unwrap();
        assert_eq!((function.as_str(), params.text("active")), ("subscription.edit", "on"));
        assert!(parse("hello there", &token).is_none());
        assert!(parse("user.edit what", &token).is_none());
    }
}
