//! `--command getmessage`: what came in is stored, once, and the gate is told so at its next run (S3-53).

use crate::arguments::Gates as Choice;
use crate::gates::{Opened, open};
use crate::program::{Exit, Site};
use config::Vault;
use host::{Caller, Folder, Programs};
use notice::{GatewayId, Ms, TaskId, chain};
use sha2::{Digest, Sha256};
use store::{
    ContactState, Direction, Durability, Gateway, Incoming, LogFilter, LogRow, NewEvent, NewLog,
    Snapshot, Store, StoreError, Told, Tx, UserFilter, write,
};
use wire::ingoing::{IncomingMessage, Ingoing, Receipt, ReceiptState, ingoing_input};

/// Fetches from the gateways that were chosen. An error of one does not keep the others from being asked.
pub(crate) fn run(site: &Site, choice: Choice) -> Result<(), Exit> {
    let mut store = site.store()?;
    let gateways = chosen(&mut *store, site, choice)?;
    let caller = Caller::new(&site.root, &site.config);
    let desk = Desk {
        site,
        programs: Programs::new(&caller),
        caller,
        vault: Vault::load(&site.root).ok(),
    };
    let mut failures = Vec::new();
    for gateway in &gateways {
        if let Err(why) = desk.fetch(&mut *store, gateway) {
            site.log.error(&format!("gateway {}: {why}", gateway.id));
            failures.push(format!("gateway {} ({}): {why}", gateway.id, gateway.name));
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(Exit::unavailable(failures.join("; "))) }
}

/// An unknown gateway, one of another module, an inactive or outgoing one: an error, nothing received (S3-35).
fn chosen(store: &mut dyn Store, site: &Site, choice: Choice) -> Result<Vec<Gateway>, Exit> {
    let all = store::read(store, |snapshot| snapshot.gateways())
        .map_err(|error: StoreError| Exit::unavailable(chain(&error)))?;
    let fits = |gateway: &Gateway| {
        gateway.module == site.name && gateway.direction == Direction::Ingoing && gateway.active
    };
    let id = match choice {
        Choice::All => return Ok(all.into_iter().filter(fits).collect()),
        Choice::One(id) => id,
    };
    let Some(gateway) = all.into_iter().find(|gateway| gateway.id == id) else {
        return Err(Exit::no_input(format!(
            "there is no gateway {id}; `gatepost gateway list` shows them"
        )));
    };
    let refuse = |why: String| Err(Exit::no_input(why));
    if gateway.module != site.name {
        return refuse(format!("gateway {id} is one of {}, not of {}", gateway.module, site.name));
    }
    if gateway.direction != Direction::Ingoing {
        return refuse(format!("gateway {id} sends, it does not receive"));
    }
    if !gateway.active {
        return refuse(format!(
            "gateway {id} is not active: `gatepost gateway edit {id} active=on`"
        ));
    }
    Ok(vec![gateway])
}

struct Desk<'a> {
    site: &'a Site,
    caller: Caller,
    programs: Programs,
    vault: Option<Vault>,
}

impl Desk<'_> {
    fn fetch(&self, store: &mut dyn Store, gateway: &Gateway) -> Result<(), String> {
        let listed = self.programs.one(Folder::Gate, &gateway.gate);
        let opened = open(gateway, self.vault.as_ref())?;
        let uids = store::read(store, |snapshot| snapshot.stored_uids(gateway.id))
            .map_err(|error| words(&error))?;
        let input = ingoing_input(&opened.columns, &opened.xmlparams, &uids);
        let received = host::gates::ingoing(&self.caller, &listed, &input, &opened.mask)
            .map_err(|failure| opened.mask.apply(&failure.to_string()))?;
        // half a document does not prove that the gate has read what it was told
        if received.failure.is_none() && !uids.is_empty() {
            write(store, Durability::Power, |tx| tx.mark_told(gateway.id, &uids))
                .map_err(|error| words(&error))?;
        }
        self.take(store, gateway, (&received.reply.ingoing, &opened))?;
        match received.failure {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }

    fn take(
        &self,
        store: &mut dyn Store,
        gateway: &Gateway,
        (ingoing, opened): (&Ingoing, &Opened),
    ) -> Result<(), String> {
        for message in &ingoing.messages {
            let incoming = self.matched(store, gateway, message).map_err(|error| words(&error))?;
            let now = self.site.clock.now();
            // one transaction each, on disk before the gate is told
            let new = write(store, Durability::Power, |tx| accept(tx, &incoming, now))
                .map_err(|error| words(&error))?;
            if new.is_some() {
                store.wake();
            }
        }
        for receipt in &ingoing.receipts {
            self.record(store, gateway, (receipt, opened)).map_err(|error| words(&error))?;
        }
        Ok(())
    }

    /// Whose it is: the sender's contact against the users of the gateway's project.
    fn matched(
        &self,
        store: &mut dyn Store,
        gateway: &Gateway,
        message: &IncomingMessage,
    ) -> Result<Incoming, StoreError> {
        let uid = message.uid.clone().unwrap_or_else(|| hash(&message.source));
        let mut head = Head::read(&message.source);
        if let Some(sender) = &message.sender {
            sender.trim().clone_into(&mut head.sender);
        }
        let field = self.site.module.profile().contact_kind;
        let mut incoming = Incoming {
            gateway: gateway.id,
            uid,
            sender: head.sender.clone(),
            user: None,
            project: gateway.project,
            reason: String::new(),
            subject: head.subject,
            source: message.source.clone(),
        };
        if head.sender.is_empty() {
            incoming.reason = "no_sender".into();
            return Ok(incoming);
        }
        let mut users = Vec::new();
        for sender in spellings(&head.sender) {
            let filter = UserFilter {
                project: gateway.project,
                field: Some((field.to_owned(), sender)),
                ..UserFilter::default()
            };
            users.extend(store::read(store, |snapshot| snapshot.users(&filter, None, 2))?);
        }
        match users.as_slice() {
            [user] => incoming.user = Some(user.id),
            [] => incoming.reason = "unknown_sender".into(),
            _ => incoming.reason = "several_users".into(),
        }
        Ok(incoming)
    }

    /// A receipt is a row of the log; a failed one marks the contact as failing.
    fn record(
        &self,
        store: &mut dyn Store,
        gateway: &Gateway,
        (receipt, opened): (&Receipt, &Opened),
    ) -> Result<(), StoreError> {
        let state = receipt.state.word();
        let now = self.site.clock.now();
        let kind = self.site.module.profile().contact_kind;
        // one transaction: another run may hear the same
        write(store, Durability::Power, |tx| {
            let known = of_reference(tx, gateway, receipt)?;
            if known.iter().any(|row| row.row.outcome == state) {
                return Ok(());
            }
            let first = known.into_iter().map(|row| row.row).find(|row| row.outcome == "sent");
            let row = receipt_row(first, (gateway.id, receipt), (self.site.name.as_str(), now));
            tx.add_log(std::slice::from_ref(&row))?;
            let failing = row.contact.filter(|_| receipt.state == ReceiptState::Failed);
            let Some(contact) = failing else { return Ok(()) };
            tx.set_contact_state(&ContactState {
                kind: kind.to_owned(),
                contact,
                state: "failing".into(),
                reason: opened.mask.apply("a receipt said that a message did not arrive"),
                since: now,
            })
        })
    }
}

/// What the log has of a receipt's reference. Who sends and who hears are two gateways: first those of the same
/// gate are looked through; then, for a Message-ID, which is unique everywhere, the others of the module; at last
/// what this one itself recorded.
fn of_reference(
    snapshot: &mut dyn Snapshot,
    gateway: &Gateway,
    receipt: &Receipt,
) -> Result<Vec<LogRow>, StoreError> {
    const MOST_ROWS: u32 = 20;
    let mut senders = snapshot.gateways()?;
    senders.retain(|other| {
        let is_apart = other.project.is_some()
            && gateway.project.is_some()
            && other.project != gateway.project;
        let is_known_there = other.gate == gateway.gate || receipt.reference.contains('@');
        other.module == gateway.module
            && other.direction == Direction::Outgoing
            && is_known_there
            && !is_apart
    });
    senders.sort_by_key(|other| other.gate != gateway.gate);
    for id in senders.iter().map(|other| other.id).chain([gateway.id]) {
        let reference = Some(receipt.reference.clone());
        let filter = LogFilter { gateway: Some(id), reference, ..LogFilter::default() };
        let rows = snapshot.log(&filter, None, MOST_ROWS)?;
        if !rows.is_empty() {
            return Ok(rows);
        }
    }
    Ok(Vec::new())
}

/// Stores a message once, and the news of it: what follows (a command with a reply token, one more open mail for
/// an agent) is the platform's, when it fans events out.
fn accept(tx: &mut dyn Tx, incoming: &Incoming, now: Ms) -> Result<Option<i64>, StoreError> {
    let Some(id) = tx.accept_incoming(incoming, now)? else { return Ok(None) };
    let number = |id: Option<i64>| id.map_or_else(|| "null".to_owned(), |id| id.to_string());
    let event = NewEvent {
        events_id: "incoming.message".to_owned(),
        object_id: id.to_string(),
        data: format!(
            "{{\"id\":{id},\"gateway\":{},\"user\":{},\"project\":{}}}",
            incoming.gateway,
            number(incoming.user.map(|user| user.0)),
            number(incoming.project.map(|project| project.0)),
        ),
        at: now,
    };
    tx.add_event(&event, Told::NotYet)?;
    Ok(Some(id))
}

fn receipt_row(
    sent: Option<NewLog>,
    (gateway, receipt): (GatewayId, &Receipt),
    (module, now): (&str, Ms),
) -> NewLog {
    let blank = NewLog {
        task: TaskId(0),
        key: None,
        module: module.to_owned(),
        notice: None,
        user: None,
        project: None,
        gateway: Some(gateway),
        contact: None,
        attempt: 0,
        outcome: String::new(),
        reason: String::new(),
        reference: Some(receipt.reference.clone()),
        segments: None,
        queued: now,
        at: now,
        took_ms: None,
        waited_ms: None,
    };
    let known = sent.is_some();
    let reason = match (&receipt.at, known) {
        (Some(at), true) => format!("receipt of {at}"),
        (None, true) => "receipt".to_owned(),
        (_, false) => "receipt for a message that the log does not know".to_owned(),
    };
    NewLog {
        outcome: receipt.state.word().to_owned(),
        reason,
        at: now,
        took_ms: None,
        waited_ms: None,
        ..sent.unwrap_or(blank)
    }
}

/// What the head of a raw message says.
struct Head {
    sender: String,
    subject: String,
}

impl Head {
    /// Reads `From:` and `Subject:` of a mail or of anything with headers; without them there is no sender.
    fn read(source: &[u8]) -> Self {
        const HEAD_BYTES: usize = 65_536;
        let text = String::from_utf8_lossy(&source[..source.len().min(HEAD_BYTES)]);
        let mut head = Self { sender: String::new(), subject: String::new() };
        for line in unfolded(&text) {
            let Some((name, value)) = line.split_once(':') else { break };
            match name.trim().to_ascii_lowercase().as_str() {
                "from" if head.sender.is_empty() => head.sender = address_of(value),
                "subject" if head.subject.is_empty() => {
                    head.subject = one_line(&wire::encoded_words::decoded(value.trim()));
                }
                _ => {}
            }
        }
        head
    }
}

/// What was encoded may hold line ends; a subject is one line.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A number with `+` and without: services and users write both.
fn spellings(sender: &str) -> Vec<String> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let other = match sender.strip_prefix('+') {
        Some(digits) if is_number(digits) => Some(digits.to_owned()),
        None if is_number(sender) => Some(format!("+{sender}")),
        Some(_) | None => None,
    };
    [sender.to_owned()].into_iter().chain(other).collect()
}

/// Header lines with their continuations, up to the first empty line.
fn unfolded(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines().take_while(|line| !line.is_empty()) {
        match lines.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) => {
                last.push(' ');
                last.push_str(line.trim());
            }
            _ => lines.push(line.to_owned()),
        }
    }
    lines
}

/// `Name <a@b>` or `a@b`.
fn address_of(value: &str) -> String {
    let inside =
        value.rsplit_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(inside, _)| inside);
    inside.unwrap_or(value).trim().to_owned()
}

fn hash(source: &[u8]) -> String {
    Sha256::digest(source).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn words(error: &StoreError) -> String {
    chain(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sender_is_found_in_every_spelling() {
        for (source, sender, subject) in [
            ("From: a@b.c\r\nSubject: Hi\r\n\r\nFrom: x@y.z", "a@b.c", "Hi"),
            (
                "Subject: a\r\n long\r\n one\r\nFROM: \"X, <y>\" <a@b.c>\r\n\r\n",
                "a@b.c",
                "a long one",
            ),
            (
                "From: =?UTF-8?B?0JE=?= <a@b.c>\r\nSubject: =?UTF-8?B?0KHRh9GR?=\r\n =?UTF-8?B?0YI=?= 5\r\n\r\n",
                "a@b.c",
                "Счёт 5",
            ),
            ("+79120000000 hello", "", ""),
            ("", "", ""),
        ] {
            let head = Head::read(source.as_bytes());
            assert_eq!(
                (head.sender.as_str(), head.subject.as_str()),
                (sender, subject),
                "{source}"
            );
        }
    }
}
