//! A mail for `sendmail -t`, for who has no gateway yet.

use gatepost_module::{Message, Tools};
use mail_builder::MessageBuilder;
use mail_builder::headers::raw::Raw;
use mail_builder::mime::{BodyPart, MimePart};

/// The letter; the error names what is wrong.
pub(crate) fn bytes_of(message: &Message, tools: &Tools<'_>) -> Result<Vec<u8>, String> {
    let project = &message.order.project;
    let sender = [project.text("notifyemail"), project.text("supportemail")];
    let sender = sender.into_iter().find(is_plain).ok_or(
        "the project has no notifyemail to send from: set it with `gatepost project edit`, or add a gateway",
    )?;
    let mut builder = MessageBuilder::new()
        .from((one_line(project.text("name")), sender.to_owned()))
        .to(message.order.contact.address.clone())
        .subject(message.subject.clone())
        .message_id(message_id(&message.order.claimed.key, sender));
    for (name, value) in &message.headers {
        builder = builder.header(name.clone(), Raw::new(one_line(value)));
    }
    let mut parts = vec![body(message)];
    for file in &message.attachments {
        let bytes = tools.attachment(&file.path)?;
        let part = MimePart::new(one_line(&file.content_type), BodyPart::Binary(bytes.into()));
        let name = one_line(&file.name);
        parts.push(match &file.cid {
            Some(cid) => part.inline().cid(one_line(cid)),
            None => part.attachment(name),
        });
    }
    let whole = match parts.len() {
        1 => parts.remove(0),
        _ => MimePart::new("multipart/mixed", parts),
    };
    let mut bytes = Vec::new();
    builder.body(whole).serialize(&mut bytes);
    Ok(bytes)
}

fn body(message: &Message) -> MimePart<'_> {
    match &message.text {
        Some(text) if *text != message.message => {
            let html = MimePart::new("text/html", message.message.as_str());
            MimePart::new(
                "multipart/alternative",
                vec![MimePart::new("text/plain", text.as_str()), html],
            )
        }
        Some(text) => MimePart::new("text/plain", text.as_str()),
        None => MimePart::new("text/html", message.message.as_str()),
    }
}

/// The same at every attempt, and without our host's name.
fn message_id(key: &str, sender: &str) -> String {
    let domain = sender.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
    let plain =
        |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '.' };
    format!("{}@{domain}", key.chars().map(plain).collect::<String>())
}

fn is_plain(address: &&str) -> bool {
    address.contains('@') && !address.chars().any(|c| c.is_control() || c.is_whitespace())
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
