//! How a message is written down.

use std::fmt::Write as _;

use gatepost_gate::{Failure, OutgoingMessage};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Headers and the message, an empty line after it.
    Text,
    /// An object on one line.
    Json,
}

impl Format {
    pub(crate) const KEYS: [&str; 2] = ["text", "json"];

    pub(crate) fn read(key: &str) -> Result<Self, Failure> {
        match key.trim() {
            "" | "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(Failure::hold(format!("`format` is `{other}`: use text or json"))),
        }
    }

    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Text => "txt",
            Self::Json => "json",
        }
    }

    pub(crate) fn write(self, message: &OutgoingMessage) -> Vec<u8> {
        let written = match self {
            Self::Text => text(message),
            Self::Json => json(message),
        };
        written.into_bytes()
    }
}

/// Name and value of what is known besides the text; empty ones are left out.
fn heads(message: &OutgoingMessage) -> Vec<(&str, String)> {
    let task = &message.task;
    let fixed = [
        ("task", task.id.map(|id| id.to_string()).unwrap_or_default()),
        ("key", task.key.clone()),
        ("attempt", task.attempt.to_string()),
        ("maybe_sent", if task.maybe_sent { "on" } else { "" }.to_owned()),
        ("phone", message.phone().to_owned()),
        ("email", message.user.text("email").to_owned()),
        ("project", message.project.text("name").to_owned()),
        ("subject", message.subject.clone()),
    ];
    fixed.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

fn text(message: &OutgoingMessage) -> String {
    let mut written = String::new();
    for (name, value) in heads(message) {
        let value = value.replace(['\r', '\n'], " ");
        let _ = writeln!(written, "{name}: {value}");
    }
    for attachment in &message.attachments {
        let _ = writeln!(written, "attachment: {} ({})", attachment.name, attachment.path);
    }
    let body = message.text.as_ref().unwrap_or(&message.message);
    let _ = writeln!(written, "\n{}\n", body.trim_end());
    written
}

fn json(message: &OutgoingMessage) -> String {
    let mut parts = heads(message);
    parts.push(("message", message.message.clone()));
    parts.extend(message.text.clone().map(|text| ("text", text)));
    let fields: Vec<_> =
        parts.iter().map(|(name, value)| format!("\"{name}\":{}", quoted(value))).collect();
    let files: Vec<_> = message.attachments.iter().map(|it| quoted(&it.path)).collect();
    format!("{{{},\"attachments\":[{}]}}\n", fields.join(","), files.join(","))
}

fn quoted(text: &str) -> String {
    let mut written = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => written.extend(['\\', letter]),
            '\n' => written.push_str("\\n"),
            letter if letter < ' ' => {
                let _ = write!(written, "\\u{:04x}", u32::from(letter));
            }
            letter => written.push(letter),
        }
    }
    written.push('"');
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> OutgoingMessage {
        let mut message =
            OutgoingMessage { message: text.to_owned(), ..OutgoingMessage::default() };
        message.user.set("phone", "+79");
        message.subject = "a\nb".to_owned();
        message
    }

    #[test]
    fn json_stays_on_one_line_whatever_the_text_is() {
        let line = String::from_utf8(Format::Json.write(&message("a\"b\\\n\u{1}я"))).unwrap();
        assert_eq!(line.matches('\n').count(), 1);
        assert!(line.contains(r#""message":"a\"b\\\n\u0001я""#), "{line}");
    }

    #[test]
    fn a_value_can_not_add_a_line_to_the_head() {
        let written = String::from_utf8(Format::Text.write(&message("body"))).unwrap();
        assert_eq!(written, "attempt: 0\nphone: +79\nsubject: a b\n\nbody\n\n");
    }
}
