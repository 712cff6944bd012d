//! From an order to a message: texts, subject, headers, attachments, segments.

use crate::attachments;
use crate::contact::Refusal;
use crate::module::{Module, Style};
use crate::phone::PhoneFormat;
use crate::pipeline::{Details, Ended, Event, How, Message, Order};
use crate::render::{RenderFailure, Renderer, Rendering};
use crate::segments::{segments_of, transliterate};
use notice::{Fields, chain};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use store::{Claimed, Gateway, Hash};
use wire::notification::Notice;
use wire::params::{read_xmlparams, write_fields};
use wire::rendering::{Bundle, Part, Texts};

/// Bundles that are kept read.
const BUNDLES: usize = 256;
/// An SMS may be so long where its gateway does not say (DESIGN 5).
const MAX_SEGMENTS: u32 = 6;

/// Makes messages of orders; owns the render children of one thread.
pub struct Preparation {
    /// ROOT.
    pub root: PathBuf,
    /// How texts become a message.
    pub style: Style,
    /// Who knows what a raw body is about.
    pub module: Arc<dyn Module>,
    /// Attachments of one message together.
    pub attachments_bytes: u64,
    /// Who renders.
    pub renderer: Box<dyn Renderer>,
    /// Bundles by hash.
    pub bundles: HashMap<Hash, Arc<Bundle>>,
}

/// What an order became.
pub enum Prepared {
    /// A message for its gateway.
    Ready(Box<Message>),
    /// Nothing: the attempt has ended.
    Ended(Event),
}

impl Preparation {
    /// Prepares all of them; one frame of the render child holds many.
    pub fn prepare(&mut self, orders: Vec<Order>) -> Vec<Prepared> {
        let mut prepared = Vec::with_capacity(orders.len());
        let mut jobs = Vec::new();
        let mut waiting = Vec::new();
        for order in orders {
            if self.style == Style::Raw {
                prepared.push(Prepared::Ready(Box::new(self.raw(order))));
                continue;
            }
            match self.job(&order) {
                Ok(job) => {
                    jobs.push(job);
                    waiting.push(order);
                }
                Err(how) => {
                    let details = details(&order.contact.address, None);
                    prepared.push(Prepared::Ended(Ended::before_a_gate(
                        order.claimed.lease,
                        how,
                        details,
                    )));
                }
            }
        }
        let texts = self.renderer.render(&jobs);
        for ((order, job), texts) in waiting.into_iter().zip(jobs).zip(texts) {
            prepared.push(self.message(order, &job, texts));
        }
        prepared
    }

    /// A body that has no template is the message.
    fn raw(&self, order: Order) -> Message {
        let body = order.claimed.body.as_ref().map(|body| Arc::clone(&body.notice.bytes));
        let notice = body.and_then(|body| self.module.subject_of(&body));
        let details = Details { notice, ..Details::default() };
        Message::new(order, (String::new(), details))
    }

    fn job(&mut self, order: &Order) -> Result<Rendering, How> {
        let body = order
            .claimed
            .body
            .as_ref()
            .ok_or_else(|| How::Broken("the task has no body".into()))?;
        let bundle =
            body.bundle.clone().ok_or_else(|| How::Broken("the task has no template".into()))?;
        let parsed = self.bundle(&bundle).map_err(How::Broken)?;
        let user = &order.person.fields;
        let first = |names: [&str; 3]| {
            names.into_iter().find(|name| !name.is_empty()).unwrap_or("en").to_owned()
        };
        let timezone = user.get("timezone").filter(|zone| !zone.is_empty());
        let parts = match self.style {
            Style::Mail => vec![Part::Html, Part::Text, Part::Subject],
            Style::Sms | Style::Plain | Style::Raw => vec![Part::Text, Part::Subject],
        };
        Ok(Rendering {
            parts,
            lang: first([&parsed.lang, user.text("language"), order.project.text("language")]),
            timezone: timezone.unwrap_or(order.project.text("timezone")).to_owned(),
            user_xml: order.person.xml.clone(),
            project_xml: project_xml(&order.project),
            notice: body.notice.clone(),
            bundle,
            parsed,
        })
    }

    fn bundle(&mut self, blob: &store::Blob) -> Result<Arc<Bundle>, String> {
        if let Some(known) = self.bundles.get(&blob.hash) {
            return Ok(known.clone());
        }
        let bundle = Bundle::parse(&blob.bytes)
            .map_err(|error| format!("the stored template: {}", chain(&error)))?;
        if self.bundles.len() >= BUNDLES {
            self.bundles.clear();
        }
        let bundle = Arc::new(bundle);
        self.bundles.insert(blob.hash, bundle.clone());
        Ok(bundle)
    }

    fn message(
        &self,
        order: Order,
        job: &Rendering,
        texts: Result<Texts, RenderFailure>,
    ) -> Prepared {
        let details = details(&order.contact.address, Some(&job.parsed));
        let lease = order.claimed.lease;
        let composed = match texts {
            Ok(texts) => self.compose(order, job, (texts, details.clone())),
            Err(RenderFailure::Template(why)) => Err(How::NotRendered(why)),
            Err(RenderFailure::Unavailable(why)) => Err(How::NotReady(why)),
        };
        match composed {
            Ok(message) => Prepared::Ready(Box::new(message)),
            Err(how) => Prepared::Ended(Ended::before_a_gate(lease, how, details)),
        }
    }

    fn compose(
        &self,
        order: Order,
        job: &Rendering,
        (texts, details): (Texts, Details),
    ) -> Result<Message, How> {
        let subject = one_line(&texts.subject.unwrap_or_default());
        let text = texts.text.filter(|text| !text.trim().is_empty());
        let html = texts.html.filter(|html| !html.trim().is_empty());
        let mut message = Message::new(order, (subject, details));
        match self.style {
            Style::Mail => {
                let text_or_html = html.clone().or(text.clone());
                message.message = text_or_html.ok_or(How::Refused(Refusal::EmptyMessage))?;
                message.text = text;
                message.headers = list_headers(&job.parsed, &message.order.person.fields);
                message.attachments = self.attachments(job)?;
            }
            Style::Sms => {
                let text = text.ok_or(How::Refused(Refusal::EmptyMessage))?;
                count_segments(&mut message, text.trim())?;
            }
            Style::Plain | Style::Raw => {
                message.message = text.ok_or(How::Refused(Refusal::EmptyMessage))?;
            }
        }
        Ok(message)
    }

    fn attachments(&self, job: &Rendering) -> Result<Vec<wire::outgoing::Attachment>, How> {
        let text = String::from_utf8_lossy(&job.notice.bytes);
        if !text.contains("attachment") {
            return Ok(Vec::new());
        }
        let notice = Notice::parse(&text)
            .map_err(|error| How::Broken(format!("the notice: {}", chain(&error))))?;
        attachments::checked(&self.root, notice.attachments(), self.attachments_bytes)
            .map_err(How::Broken)
    }
}

/// What the log keeps of a row that is refused before anybody reads its template.
pub(crate) fn details_of_refused(row: &Claimed, contact: &str) -> Details {
    let bundle = row.body.as_ref().and_then(|body| body.bundle.as_ref());
    let bundle = bundle.and_then(|blob| Bundle::parse(&blob.bytes).ok());
    details(contact, bundle.as_ref())
}

fn details(contact: &str, bundle: Option<&Bundle>) -> Details {
    Details {
        notice: bundle.map(|bundle| bundle.notice.clone()).filter(|name| !name.is_empty()),
        contact: Some(contact.to_owned()).filter(|contact| !contact.is_empty()),
        segments: None,
        on_unknown: bundle.and_then(|bundle| bundle.on_unknown),
    }
}

fn project_xml(project: &Fields) -> String {
    if project.is_empty() {
        return String::new();
    }
    let mut xml = b"<project>".to_vec();
    write_fields(&mut xml, project);
    xml.extend_from_slice(b"</project>");
    String::from_utf8(xml).unwrap_or_default()
}

/// What the gateway wants of an SMS: its fields `phone_format`, `translit`, `max_segments`.
fn count_segments(message: &mut Message, text: &str) -> Result<(), How> {
    let wishes = message.order.gateway.as_deref().map(wishes_of).unwrap_or_default();
    let text = if wishes.text("translit") == "on" { transliterate(text) } else { text.to_owned() };
    let segments = segments_of(&text);
    let most = wishes.text("max_segments").trim().parse().unwrap_or(MAX_SEGMENTS);
    if segments.count > most {
        let why = format!(
            "{} segments of {}, the gateway's max_segments is {most}: shorten the template, or set translit",
            segments.count, segments.encoding
        );
        return Err(How::Refused(Refusal::TooLong(why)));
    }
    let format: PhoneFormat = wishes.text("phone_format").trim().parse().unwrap_or_default();
    message.phone = message.order.contact.phone.as_ref().map(|phone| wire::outgoing::Phone {
        number: phone.written(format).to_owned(),
        country: phone.country.clone(),
        encoding: segments.encoding.to_string(),
        segments: segments.count,
    });
    message.details.segments = Some(segments.count);
    message.message = text;
    Ok(())
}

fn wishes_of(gateway: &Gateway) -> Fields {
    read_xmlparams(&gateway.xmlparams).unwrap_or_default()
}

/// `List-Unsubscribe` where the notice gives one (RFC 2369, RFC 8058).
fn list_headers(bundle: &Bundle, user: &Fields) -> Vec<(String, String)> {
    let Some(address) = &bundle.list_unsubscribe else { return Vec::new() };
    let address = one_line(&with_macros(address, user));
    if address.is_empty() || address.contains(['<', '>', ' ']) {
        return Vec::new();
    }
    let mut headers = vec![("List-Unsubscribe".to_owned(), format!("<{address}>"))];
    if address.starts_with("https://") {
        headers.push(("List-Unsubscribe-Post".to_owned(), "List-Unsubscribe=One-Click".to_owned()));
    }
    headers
}

/// `__name__` of an address by the user's fields, percent-encoded, one pass.
fn with_macros(text: &str, user: &Fields) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("__") {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let name = after[2..].split("__").next().unwrap_or_default();
        let whole = 2 + name.len() + 2;
        let value = user
            .get(&name.to_ascii_lowercase())
            .filter(|_| after.len() >= whole && !name.is_empty());
        let (written, taken) = value.map_or(("__".to_owned(), 2), |value| (percent(value), whole));
        out.push_str(&written);
        rest = &after[taken..];
    }
    out.push_str(rest);
    out
}

fn percent(value: &str) -> String {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'@');
    value
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// A heading is one line: no control character gets into a header.
fn one_line(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unsubscribe_address_is_filled_from_the_user_and_stays_one_line() {
        let user: Fields = [("id", "7"), ("email", "a b@c.d\r\nBcc: x@y.z")].into_iter().collect();
        let bundle =
            |address: &str| Bundle { list_unsubscribe: Some(address.into()), ..Bundle::default() };
        let headers = list_headers(&bundle("https://x/?u=__ID__&e=__email__&k=__nope__"), &user);
        assert_eq!(headers[0].1, "<https://x/?u=7&e=a%20b@c.d%0D%0ABcc%3A%20x@y.z&k=__nope__>");
        assert_eq!(headers[1].0, "List-Unsubscribe-Post");
        assert_eq!(list_headers(&bundle("mailto:u@x"), &user).len(), 1);
        assert!(list_headers(&bundle("https://x/> evil"), &user).is_empty());
        assert!(list_headers(&Bundle::default(), &user).is_empty());
    }

    #[test]
    fn a_subject_can_not_bring_a_header() {
        assert_eq!(one_line("Hi\r\nBcc: x\u{0}\t y"), "Hi Bcc: x y");
    }
}
