//! From the queue's message to what goes over the line: the letter and its envelope.

use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path};

use gatepost_gate::{Attachment, Failure, OutgoingMessage};
use notice::{Clock, SystemClock};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::account::{Account, ReturnPath};
use crate::address::Mailbox;
use crate::envelope::{Envelope, Ready};
use crate::letter::{File, Letter, check_header};

/// All attachments of one message together (DESIGN 5).
const MOST_ATTACHED_BYTES: u64 = 25 * 1024 * 1024;
/// Folders under ROOT, our working directory, that an attachment may lie in.
const ATTACHMENT_FOLDERS: &[&str] = &["var/attach", "var/notify"];

/// Builds the letter, dated now.
pub(crate) fn ready_now(account: &Account, message: &OutgoingMessage) -> Result<Ready, Failure> {
    ready(account, message, SystemClock.now().0.div_euclid(1000))
}

/// Builds the letter. `now_secs` is its date: seconds since 1970, UTC.
fn ready(account: &Account, message: &OutgoingMessage, now_secs: i64) -> Result<Ready, Failure> {
    let to = recipients(message)?;
    let from = from(account, message)?;
    let sender = account.sender.clone().filter(|sender| sender.address != from.address);
    let message_id = message_id(message, from.address.domain());
    let (html, text) = bodies(message);
    let (reply_to, headers) = headers(account, message, &from)?;
    let envelope = Envelope {
        sender: match &account.return_path {
            ReturnPath::Usual => Some(sender.as_ref().unwrap_or(&from).address.clone()),
            ReturnPath::Nowhere => None,
            ReturnPath::To(address) => Some(address.clone()),
        },
        recipients: to.iter().map(|mailbox| mailbox.address.clone()).collect(),
        partial: account.partial,
        id: message_id.clone(),
    };
    let letter = Letter {
        from,
        sender,
        reply_to,
        to,
        subject: &message.subject,
        message_id: &message_id,
        date_secs: now_secs,
        html,
        text,
        headers,
        files: read_files(&message.attachments)?,
    };
    let mut content = letter.to_bytes().map_err(|why| Failure::never(why.to_string()))?;
    if let Some(signer) = &account.signer {
        let signature =
            signer.header(&content, now_secs).map_err(|why| Failure::hold(why.to_string()))?;
        content.splice(0..0, signature.into_bytes());
    }
    Ok(Ready { envelope, content })
}

fn recipients(message: &OutgoingMessage) -> Result<Vec<Mailbox>, Failure> {
    let contact = message.user.text("email");
    let mut to = Mailbox::parse_list(contact)
        .map_err(|why| Failure::never(format!("bad_contact: {why}")))?;
    if let [only] = &mut to[..]
        && only.name.is_empty()
    {
        *only = Mailbox::new(message.user.text("realname"), only.address.clone());
    }
    if to.is_empty() {
        return Err(Failure::never("no_contact: the user has no email"));
    }
    Ok(to)
}

fn from(account: &Account, message: &OutgoingMessage) -> Result<Mailbox, Failure> {
    if let Some(from) = &account.from {
        let name = if from.name.is_empty() { message.project.text("name") } else { &from.name };
        return Ok(Mailbox::new(name, from.address.clone()));
    }
    let stored = message.project.text("notifyemail");
    let first = Mailbox::parse_list(stored)
        .map_err(|why| Failure::hold(format!("the project's notifyemail: {why}")))?
        .into_iter()
        .next();
    let Some(mailbox) = first else {
        return Err(Failure::hold(
            "there is no address to send from: set the project's notifyemail or the gateway's from",
        ));
    };
    let name = if mailbox.name.is_empty() { message.project.text("name") } else { &mailbox.name };
    Ok(Mailbox::new(name, mailbox.address))
}

/// HTML and text. A message without a text of its own is HTML if it looks so (a foreign module does
/// not say), else text.
fn bodies(message: &OutgoingMessage) -> (Option<&str>, Option<&str>) {
    let body = Some(message.message.as_str()).filter(|body| !body.trim().is_empty());
    let text = message.text.as_deref().filter(|text| !text.trim().is_empty());
    match (body, text) {
        (Some(body), Some(text)) if body == text => (None, Some(text)),
        (Some(body), None) if !looks_like_html(body) => (None, Some(body)),
        both => both,
    }
}

fn looks_like_html(body: &str) -> bool {
    const TAGS: &[&str] = &[
        "!doctype html",
        "html",
        "head",
        "body",
        "p",
        "br",
        "div",
        "span",
        "table",
        "a",
        "b",
        "i",
        "ul",
        "ol",
        "h1",
        "h2",
        "h3",
        "img",
        "strong",
        "em",
        "pre",
        "center",
        "font",
        "style",
    ];
    body.split('<').skip(1).any(|rest| {
        let rest: String = rest.trim_start_matches('/').chars().take(24).collect();
        let lower = rest.to_ascii_lowercase();
        TAGS.iter().any(|tag| {
            lower
                .strip_prefix(tag)
                .is_some_and(|after| after.starts_with(['>', ' ', '/', '\n', '\r', '\t']))
        })
    })
}

/// Reply-To, and the others by name.
type Headers = (Vec<Mailbox>, Vec<(String, String)>);

/// Reply-To and the notice's other headers; `Auto-Submitted` unless the notice says otherwise
/// (RFC 3834: no out-of-office answer is wanted).
fn headers(
    account: &Account,
    message: &OutgoingMessage,
    from: &Mailbox,
) -> Result<Headers, Failure> {
    let mut reply_to = account.reply_to.clone();
    let mut headers = Vec::new();
    for (name, text) in &message.headers {
        check_header(name).map_err(|why| Failure::never(why.to_string()))?;
        if name.eq_ignore_ascii_case("reply-to") {
            reply_to = Mailbox::parse_list(text)
                .map_err(|why| Failure::never(format!("the notice's Reply-To: {why}")))?;
        } else if !text.trim().is_empty() {
            headers.push((name.clone(), text.clone()));
        }
    }
    if reply_to.is_empty() {
        // A support address that is none is no reason not to send.
        reply_to = Mailbox::parse_list(message.project.text("supportemail")).unwrap_or_default();
    }
    if reply_to.iter().all(|mailbox| mailbox.address == from.address) {
        reply_to.clear();
    }
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("auto-submitted")) {
        headers.push(("Auto-Submitted".to_owned(), "auto-generated".to_owned()));
    }
    Ok((reply_to, headers))
}

/// The same at every attempt of a task, so that a receiver can tell a double. Without a key the task's
/// number and contact must do; without these, nothing is known to be the same.
fn message_id(message: &OutgoingMessage, domain: &str) -> String {
    let task = &message.task;
    let seed = match (task.key.as_str(), task.id) {
        ("", None) => {
            let mut random = [0; 16];
            // Without random bytes the text alone tells messages apart.
            let _ = SystemRandom::new().fill(&mut random);
            [&random[..], message.message.as_bytes()].concat()
        }
        ("", Some(id)) => {
            format!("{id}\n{}\n{}", message.user.text("email"), message.subject).into_bytes()
        }
        (key, _) => key.as_bytes().to_vec(),
    };
    let hash = digest(&SHA256, &seed);
    let number =
        hash.as_ref()[..16].iter().fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    format!("{number:032x}@{domain}")
}

fn read_files(attachments: &[Attachment]) -> Result<Vec<File>, Failure> {
    let mut left = MOST_ATTACHED_BYTES;
    let mut files = Vec::new();
    for attachment in attachments {
        let content = read_file(&attachment.path, left)?;
        left = left.saturating_sub(content.len() as u64);
        files.push(File {
            name: attachment.name.clone(),
            content_type: attachment.content_type.clone(),
            cid: attachment.cid.clone().unwrap_or_default(),
            content,
        });
    }
    Ok(files)
}

/// Reads a file that lies in one of the folders of attachments. The worker has looked at the name before;
/// what is handed to strangers is worth a second look, and what was looked at is what is read.
fn read_file(path: &str, left_bytes: u64) -> Result<Vec<u8>, Failure> {
    let gone = |error: io::Error| Failure::later(format!("attachment `{path}`: {error}"));
    let outside = || {
        let folders = ATTACHMENT_FOLDERS.join(" or ");
        Failure::never(format!("attachment `{path}` does not lie in {folders}, without links"))
    };
    let below = below_var(Path::new(path)).ok_or_else(outside)?;
    let file = open_below_var(below).map_err(|error| match error {
        Errno::LOOP | Errno::XDEV => outside(),
        error => gone(error.into()),
    })?;
    if !file.metadata().map_err(gone)?.is_file() {
        return Err(Failure::never(format!("attachment `{path}` is no regular file")));
    }
    let mut content = Vec::new();
    file.take(left_bytes + 1).read_to_end(&mut content).map_err(gone)?;
    if content.len() as u64 > left_bytes {
        return Err(Failure::never(format!(
            "the attachments have more than {} MiB",
            MOST_ATTACHED_BYTES / 1024 / 1024
        )));
    }
    Ok(content)
}

/// The path from `var` on, if it is a plain one into a folder of attachments.
fn below_var(path: &Path) -> Option<&Path> {
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    let inside = ATTACHMENT_FOLDERS.iter().any(|folder| path.starts_with(folder));
    (plain && inside).then(|| path.strip_prefix("var").ok()).flatten()
}

/// Opens for reading without following a link: others may write in `var`. `NONBLOCK`: a pipe does not stop us.
fn open_below_var(below: &Path) -> Result<fs::File, Errno> {
    let folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let var = rustix::fs::openat(CWD, "var", folder, Mode::empty())?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    rustix::fs::openat2(var, below, flags, Mode::empty(), resolve).map(fs::File::from)
}
