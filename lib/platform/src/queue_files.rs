//! Notification files: `var/notify/DATE/ID`, written for modules that know only files, or given ready.

use crate::attachments::write_durably;
use crate::refusal::Refusal;
use config::Root;
use notice::Ms;
use std::sync::atomic::{AtomicU32, Ordering};
use wire::notification::{Notification, notifications_to_bytes};
use wire::rendering::{BodyKind, Bundle};
use wire::xml::Element;

/// Writes a notification file and answers with its name as column `filename` has it, relative to ROOT.
/// It is on the disk when this returns.
pub(crate) fn write(root: &Root, bytes: &[u8], now: Ms) -> Result<String, Refusal> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let date = crate::when::shown(now);
    let date = date.split('T').next().unwrap_or("0000-00-00");
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("var/notify/{date}/{}-{}-{number}", now.0, std::process::id());
    write_durably(&root.path(&name), bytes)?;
    Ok(name)
}

/// The file of one task (ancestor-facts 1.1). The text body is taken where there is one, since such
/// modules know no html; includes stay behind.
pub(crate) fn bytes_of(bundle: &Bundle, notice_xml: &str, user: Element) -> Option<Vec<u8>> {
    let entry = bundle.body(BodyKind::Text).or(bundle.body(BodyKind::Html))?;
    let notification = Notification {
        engine: entry.engine,
        template: bundle.file(&entry.name)?.to_owned(),
        notice_xml: notice_xml.to_owned(),
        user,
        template_subject: bundle.subject.clone().map(|(_, text)| text).unwrap_or_default(),
    };
    Some(notifications_to_bytes([&notification]))
}
