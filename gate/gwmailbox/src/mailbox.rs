//! The conversation with the IMAP server (RFC 3501), by the crate `imap` over our own connection.

use std::cell::Cell;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use channel::{Auth, Credentials, Security, Stream, connect};
use gatepost_gate::Failure;
use imap::{Authenticator, Client, Error, Session};

use crate::account::{Account, After, of_channel};
use crate::batch::{Bounds, Found, choose, uids_of};

/// What a server may say in one run: the mail, and as much again for the rest.
const MOST_BYTES: u64 = 32 * 1024 * 1024;
/// The longest run, whatever the server does.
const LONGEST_RUN: Duration = Duration::from_mins(5);
const MOST_LINES_BEFORE_TLS: usize = 20;
const LONGEST_LINE_BYTES: usize = 1_000;
/// Numbers in one command.
const NUMBERS_A_COMMAND: usize = 200;

/// An open folder.
pub(crate) struct Mailbox {
    session: Session<Stream>,
    validity: u32,
    after: After,
    bounds: Bounds,
}

impl Mailbox {
    /// Logs in and opens the folder for reading and writing.
    pub(crate) fn open(account: &Account) -> Result<Self, Failure> {
        let mut session = log_in(account)?;
        let folder = session
            .select(&account.folder)
            .map_err(|error| hold_if_refused(&format!("folder {}", account.folder), &error))?;
        let Some(validity) = folder.uid_validity else {
            return Err(Failure::hold(
                "the server gives no UIDVALIDITY: messages have no lasting name",
            ));
        };
        let bounds = Bounds { messages: account.batch, bytes: account.max_size_bytes };
        Ok(Self { session, validity, after: account.after, bounds })
    }

    /// Proves that the folder can be opened, and changes nothing.
    pub(crate) fn look(account: &Account) -> Result<(), Failure> {
        let mut session = log_in(account)?;
        session
            .examine(&account.folder)
            .map_err(|error| hold_if_refused(&format!("folder {}", account.folder), &error))?;
        let _ = session.logout();
        Ok(())
    }

    /// Deletes or marks what was stored, and nothing else (S3-53).
    pub(crate) fn settle(&mut self, stored: &[String]) -> Result<(), Failure> {
        let uids = uids_of(stored, self.validity);
        for some in uids.chunks(NUMBERS_A_COMMAND) {
            let set = set_of(some);
            let flag = match self.after {
                After::Delete => "+FLAGS.SILENT (\\Deleted)",
                After::Seen => "+FLAGS.SILENT (\\Seen)",
            };
            self.session.uid_store(&set, flag).map_err(|error| broken("STORE", &error))?;
            if self.after == After::Delete {
                self.expunge(some, &set)?;
            }
        }
        Ok(())
    }

    /// Without UIDPLUS all that is marked goes at once: only if that is ours.
    fn expunge(&mut self, uids: &[u32], set: &str) -> Result<(), Failure> {
        let offers = self.session.capabilities().map_err(|error| broken("CAPABILITY", &error))?;
        if offers.has_str("UIDPLUS") {
            return self
                .session
                .uid_expunge(set)
                .map(drop)
                .map_err(|error| broken("EXPUNGE", &error));
        }
        let marked = self.search("DELETED")?;
        if marked.iter().all(|uid| uids.contains(uid)) {
            self.session.expunge().map_err(|error| broken("EXPUNGE", &error))?;
        }
        Ok(())
    }

    /// What is new and is not among `stored`, within the bounds of a run.
    pub(crate) fn find(&mut self, stored: &[String]) -> Result<Found, Failure> {
        let query = match self.after {
            After::Delete => "UNDELETED",
            After::Seen => "UNDELETED UNSEEN",
        };
        let known = uids_of(stored, self.validity);
        let mut uids = self.search(query)?;
        uids.retain(|uid| !known.contains(uid));
        uids.sort_unstable();
        let mut sizes = Vec::new();
        for some in uids.chunks(NUMBERS_A_COMMAND) {
            let answers = self
                .session
                .uid_fetch(set_of(some), "(UID RFC822.SIZE)")
                .map_err(|error| broken("FETCH", &error))?;
            sizes.extend(answers.iter().filter_map(|one| Some((one.uid?, one.size?))));
            if sizes.len() >= self.bounds.messages + NUMBERS_A_COMMAND {
                break;
            }
        }
        Ok(choose(sizes, self.bounds))
    }

    /// The source of a message; None when it is gone meanwhile. It stays unseen.
    pub(crate) fn fetch(&mut self, uid: u32) -> Result<Option<Vec<u8>>, Failure> {
        let answers = self
            .session
            .uid_fetch(uid.to_string(), "(UID BODY.PEEK[])")
            .map_err(|error| broken("FETCH", &error))?;
        let found = answers.iter().find(|one| one.uid == Some(uid));
        Ok(found.and_then(|one| one.body()).map(<[u8]>::to_vec))
    }

    /// The lasting name of a message.
    pub(crate) fn name_of(&self, uid: u32) -> String {
        format!("{}-{uid}", self.validity)
    }

    /// Logs out; what was fetched counts whether the server answers or not.
    pub(crate) fn close(mut self) {
        let _ = self.session.logout();
    }

    fn search(&mut self, query: &str) -> Result<Vec<u32>, Failure> {
        let found = self.session.uid_search(query).map_err(|error| broken("SEARCH", &error))?;
        Ok(found.into_iter().collect())
    }
}

fn set_of(uids: &[u32]) -> String {
    uids.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

fn log_in(account: &Account) -> Result<Session<Stream>, Failure> {
    let settings = &account.channel;
    let credentials = Credentials::ready(&settings.auth).map_err(|error| of_channel(&error))?;
    let mut stream = connect(settings).map_err(|error| of_channel(&error))?;
    stream.allow(MOST_BYTES, Instant::now() + LONGEST_RUN);
    let mut client = if settings.security == Security::StartTls {
        ask_for_tls(&mut stream, account)?;
        Client::new(stream.secure(settings).map_err(|error| of_channel(&error))?)
    } else {
        let mut client = Client::new(stream);
        client.read_greeting().map_err(|error| match error {
            Error::Io(_) | Error::ConnectionLost => {
                Failure::unreached(format!("greeting: {error}"))
            }
            other => Failure::hold(format!("that is no IMAP server: {other}")),
        })?;
        client
    };
    let offers = client.capabilities().map_err(|error| broken("CAPABILITY", &error))?;
    let entered = match (&settings.auth, &credentials) {
        (Auth::Password { login, password }, _) if !offers.has_str("AUTH=PLAIN") => {
            if offers.has_str("LOGINDISABLED") {
                return Err(Failure::hold("the server takes no password on this connection"));
            }
            client.login(login, password.expose())
        }
        (Auth::XOauth2 { .. }, _) if !offers.has_str("AUTH=XOAUTH2") => {
            return Err(Failure::hold("the server offers no AUTH=XOAUTH2"));
        }
        (Auth::XOauth2 { .. }, _) => client.authenticate("XOAUTH2", &Answer::of(&credentials)),
        _ => client.authenticate("PLAIN", &Answer::of(&credentials)),
    };
    entered.map_err(|(error, _)| hold_if_refused("login", &error))
}

/// STARTTLS by hand, as the crate has it only for connections of its own. Read byte by byte: what a
/// third party adds behind the server's OK is left for the TLS handshake to choke on.
fn ask_for_tls(stream: &mut Stream, account: &Account) -> Result<(), Failure> {
    let lost = |error: std::io::Error| Failure::unreached(format!("STARTTLS: {error}"));
    let greeting = read_line(stream).map_err(lost)?;
    if !greeting.starts_with("* OK") {
        return Err(Failure::hold(format!("that is no IMAP server: {greeting}")));
    }
    stream.write_all(b"t1 STARTTLS\r\n").map_err(lost)?;
    for _ in 0..MOST_LINES_BEFORE_TLS {
        let line = read_line(stream).map_err(lost)?;
        if line.starts_with("t1 OK") {
            return Ok(());
        }
        if line.starts_with("t1 ") {
            break;
        }
    }
    Err(Failure::hold(format!(
        "{} offers no STARTTLS, and without TLS no password is said",
        account.channel.host
    )))
}

fn read_line(stream: &mut Stream) -> std::io::Result<String> {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < LONGEST_LINE_BYTES {
        stream.read_exact(&mut byte)?;
        match byte[0] {
            b'\n' => break,
            byte => line.push(byte),
        }
    }
    let text = String::from_utf8_lossy(&line);
    Ok(text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect::<String>()
        .trim()
        .to_owned())
}

/// Says the credentials once; a second question (XOAUTH2's way to tell an error) gets an empty answer.
struct Answer<'a> {
    credentials: &'a Credentials,
    said: Cell<bool>,
}

impl<'a> Answer<'a> {
    fn of(credentials: &'a Credentials) -> Self {
        Self { credentials, said: Cell::new(false) }
    }
}

impl Authenticator for Answer<'_> {
    type Response = String;

    fn process(&self, _challenge: &[u8]) -> String {
        if self.said.replace(true) {
            return String::new();
        }
        self.credentials.initial_response().expose().to_owned()
    }
}

/// The server's own no means that the gateway is unfit; anything else is the line's fault.
fn hold_if_refused(step: &str, error: &Error) -> Failure {
    match error {
        // [UNAVAILABLE] says that a part of the server is down (RFC 5530).
        Error::No(no) if no.to_string().to_ascii_uppercase().contains("UNAVAILABLE") => {
            Failure::later(format!("{step}: {error}"))
        }
        Error::No(_) | Error::Bad(_) | Error::Validate(_) => {
            Failure::hold(format!("{step}: {error}"))
        }
        _ => broken(step, error),
    }
}

fn broken(step: &str, error: &Error) -> Failure {
    Failure::later(format!("{step}: {error}"))
}
