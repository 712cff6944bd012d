//! A delivery report in a message's source (RFC 3464): what became of the mail it speaks of.

use gatepost_gate::{Receipt, ReceiptState};

/// Parts of a report that are looked at.
const MOST_PARTS: usize = 10;

/// The receipt a message gives; None when it is no report, or reports a mere delay, or does not name
/// the mail.
pub(crate) fn receipt_of(source: &[u8]) -> Option<Receipt> {
    let text = String::from_utf8_lossy(source);
    let (head, body) = split(&text)?;
    let kind = header(head, "content-type")?;
    let lower = kind.to_ascii_lowercase();
    if !lower.starts_with("multipart/report") || !lower.contains("delivery-status") {
        return None;
    }
    let boundary = parameter(&kind, "boundary")?;
    let mut state = None;
    let mut reference = None;
    for part in parts(body, &boundary).into_iter().take(MOST_PARTS) {
        let Some((head, body)) = split(part) else { continue };
        let kind = header(head, "content-type").unwrap_or_default().to_ascii_lowercase();
        match kind.split(';').next().unwrap_or_default().trim() {
            "message/delivery-status" => {
                state = state_of(body);
                reference = header(body, "original-envelope-id").map(|id| plain(&id)).or(reference);
            }
            "message/rfc822" | "text/rfc822-headers" => {
                reference = reference.or_else(|| header(body.trim_start(), "message-id"));
            }
            _ => {}
        }
    }
    let reference = reference?.trim().trim_start_matches('<').trim_end_matches('>').to_owned();
    let named = reference.contains('@') && !reference.contains(char::is_whitespace);
    named.then_some(Receipt { reference, state: state?, at: None })
}

/// One failed recipient makes it failed. A delay is no end.
fn state_of(status: &str) -> Option<ReceiptState> {
    let actions: Vec<String> = status
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("action"))
        .map(|(_, action)| action.trim().to_ascii_lowercase())
        .collect();
    let says = |word: &str| actions.iter().any(|action| action.starts_with(word));
    if says("failed") {
        Some(ReceiptState::Failed)
    } else if says("delivered") {
        Some(ReceiptState::Delivered)
    } else if says("relayed") || says("expanded") {
        Some(ReceiptState::Unknown)
    } else {
        None
    }
}

fn split(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start_matches(['\r', '\n']);
    let crlf = text.find("\r\n\r\n").map(|at| (at, 4));
    let lf = text.find("\n\n").map(|at| (at, 2));
    let (at, length) = [crlf, lf].into_iter().flatten().min()?;
    Some((&text[..at], &text[at + length..]))
}

/// The first header of that name up to the first empty line, unfolded.
fn header(head: &str, name: &str) -> Option<String> {
    let mut found: Option<String> = None;
    for line in head.lines() {
        match (&mut found, line.split_once(':')) {
            (Some(text), _) if line.starts_with([' ', '\t']) => {
                text.push(' ');
                text.push_str(line.trim());
            }
            (Some(_), _) => break,
            (None, Some((known, text))) if known.trim().eq_ignore_ascii_case(name) => {
                found = Some(text.trim().to_owned());
            }
            _ => {}
        }
    }
    found
}

fn parameter(header: &str, name: &str) -> Option<String> {
    let found = header.split(';').skip(1).find_map(|one| {
        let (known, text) = one.split_once('=')?;
        known.trim().eq_ignore_ascii_case(name).then(|| text.trim().trim_matches('"').to_owned())
    })?;
    (!found.is_empty()).then_some(found)
}

fn parts<'a>(body: &'a str, boundary: &str) -> Vec<&'a str> {
    let mark = format!("--{boundary}");
    let mut parts = Vec::new();
    let mut start = None;
    let mut at = 0;
    for line in body.split_inclusive('\n') {
        if let Some(rest) = line.strip_prefix(&mark) {
            parts.extend(start.map(|start| &body[start..at]));
            if rest.starts_with("--") {
                return parts;
            }
            start = Some(at + line.len());
        }
        at += line.len();
    }
    parts.extend(start.map(|start| &body[start..]));
    parts
}

/// xtext (RFC 3461 section 4) as text; odd bytes stay as they are.
fn plain(xtext: &str) -> String {
    let mut text = String::new();
    let mut rest = xtext;
    while let Some((before, after)) = rest.split_once('+') {
        text.push_str(before);
        let code = after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        if let Some(byte) = code.filter(u8::is_ascii) {
            text.push(char::from(byte));
            rest = &after[2..];
        } else {
            text.push('+');
            rest = after;
        }
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounce(action: &str, envelope_id: &str) -> String {
        format!(
            "From: MAILER-DAEMON@mx\r\nContent-Type: multipart/report; report-type=delivery-status;\r\n\
             \tboundary=\"B/1\"\r\n\r\n--B/1\r\nContent-Type: text/plain\r\n\r\nSorry\r\n--B/1\r\n\
             Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx\r\n{envelope_id}\r\n\
             Final-Recipient: rfc822; a@b\r\nAction: {action}\r\nStatus: 5.1.1\r\n\r\n--B/1\r\n\
             Content-Type: text/rfc822-headers\r\n\r\nSubject: x\r\nMessage-ID: <abc@example.test>\r\n\r\n--B/1--\r\n"
        )
    }

    #[test]
    fn a_report_names_the_mail_and_its_fate() {
        for (action, id, expected) in [
            ("failed", "", Some(("abc@example.test", ReceiptState::Failed))),
            ("delivered", "", Some(("abc@example.test", ReceiptState::Delivered))),
            ("relayed", "", Some(("abc@example.test", ReceiptState::Unknown))),
            ("delayed", "", None),
            ("failed", "Original-Envelope-Id: x+2By@z\r\n", Some(("x+y@z", ReceiptState::Failed))),
        ] {
            let receipt = receipt_of(bounce(action, id).as_bytes());
            let said = receipt.as_ref().map(|receipt| (&*receipt.reference, receipt.state));
            assert_eq!(said, expected, "{action}");
        }
    }

    #[test]
    fn what_is_no_report_gives_no_receipt() {
        for text in [
            "",
            "Subject: x\r\n\r\nAction: failed\r\n",
            "Content-Type: multipart/report; report-type=delivery-status\r\n\r\nx",
            "Content-Type: multipart/report; report-type=delivery-status; boundary=\r\n\r\n--\r\n",
            "Content-Type: multipart/report; report-type=disposition-notification; boundary=x\r\n\r\n--x\r\n",
        ] {
            assert_eq!(receipt_of(text.as_bytes()), None, "{text}");
        }
        let half = bounce("failed", "");
        for cut in 0..half.len() {
            let _ = receipt_of(&half.as_bytes()[..cut]);
        }
    }
}
