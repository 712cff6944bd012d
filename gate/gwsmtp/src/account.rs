//! The fields of the gateway's form, parsed once, and the sessions kept open for them.

use std::sync::{Arc, Mutex, PoisonError};

use channel::{Defaults, Security, Settings};
use gatepost_gate::{Failure, Fields, GatewayParams};

use crate::address::{Address, Mailbox, one_line};
use crate::dkim::Signer;
use crate::envelope::{Partial, Ready, Refused};
use crate::session::Session;
use crate::trouble::Trouble;

const SMTP: Defaults = Defaults { port: 587, tls_port: 465, security: Security::StartTls };
/// Accounts kept in mind: one is the rule, more after an edit.
const MOST_ACCOUNTS: usize = 8;
/// Connections at a time, unless the form says otherwise, and the most it may say.
const USUAL_CONNECTIONS: usize = 10;
const MOST_CONNECTIONS: usize = 64;

/// Where bounces go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReturnPath {
    /// To Sender, else to From.
    Usual,
    /// Nowhere: `<>`.
    Nowhere,
    /// To this mailbox.
    To(Address),
}

/// A gateway: where it sends, as whom, by which rules.
pub(crate) struct Account {
    channel: Settings,
    helo: String,
    /// Where bounces go.
    pub(crate) return_path: ReturnPath,
    /// From, in place of the project's mailbox.
    pub(crate) from: Option<Mailbox>,
    /// The gateway's own mailbox.
    pub(crate) sender: Option<Mailbox>,
    /// Where answers go, unless the notice says.
    pub(crate) reply_to: Vec<Mailbox>,
    /// When some recipients are refused.
    pub(crate) partial: Partial,
    /// Signs, if a key is set.
    pub(crate) signer: Option<Signer>,
    /// Connections at a time.
    pub(crate) most_connections: usize,
    idle: Mutex<Vec<Session>>,
}

impl Account {
    /// Reads the form's fields.
    pub(crate) fn read(gateway: &GatewayParams) -> Result<Self, Failure> {
        let field = |name: &str| gateway.fields().text(name).to_owned();
        let unfit = |name: &str, why: &dyn std::fmt::Display| {
            Failure::hold(format!("field `{name}`: {why}"))
        };
        let mailbox = |name: &str| match field(name).trim() {
            "" => Ok(None),
            text => Mailbox::parse(text).map(Some).map_err(|why| unfit(name, &why)),
        };
        Ok(Self {
            channel: Settings::read(&field, SMTP).map_err(|why| Failure::hold(why.to_string()))?,
            helo: read_helo(&field("helo"))?,
            return_path: match field("return_path").trim() {
                "" => ReturnPath::Usual,
                "<>" => ReturnPath::Nowhere,
                text => ReturnPath::To(
                    Mailbox::parse(text).map_err(|why| unfit("return_path", &why))?.address,
                ),
            },
            from: mailbox("from")?,
            sender: mailbox("sender")?,
            reply_to: Mailbox::parse_list(&field("reply_to"))
                .map_err(|why| unfit("reply_to", &why))?,
            partial: match field("partial").trim() {
                "" | "all" => Partial::AllOrNothing,
                "rest" => Partial::SendToRest,
                other => return Err(unfit("partial", &format!("`{other}` is none of all, rest"))),
            },
            signer: read_signer(&field)?,
            most_connections: read_connections(&field("max_connections"))?,
            idle: Mutex::default(),
        })
    }

    /// A fresh session.
    pub(crate) fn open(&self) -> Result<Session, Trouble> {
        Session::open(&self.channel, &self.helo)
    }

    /// Opens a session and asks whether its sender would be welcome.
    pub(crate) fn probe(&self) -> Result<(), Trouble> {
        let mut session = self.open()?;
        let own = match &self.return_path {
            ReturnPath::To(address) => Some(address),
            ReturnPath::Nowhere => None,
            ReturnPath::Usual => {
                self.sender.as_ref().or(self.from.as_ref()).map(|mailbox| &mailbox.address)
            }
        };
        session.probe(own)
    }

    /// Hands a message over on a kept session or a fresh one, and tells who will not get it. A kept one
    /// that turns out to be closed before the message began is passed over.
    pub(crate) fn deliver(&self, ready: &Ready) -> Result<Vec<Refused>, Trouble> {
        while let Some(mut session) = self.kept_session() {
            let delivered = session.send(ready);
            let is_passed_over = delivered.as_ref().is_err_and(Trouble::leaves_it_unsent);
            self.keep(session);
            if !is_passed_over {
                return delivered;
            }
        }
        let mut session = self.open()?;
        let delivered = session.send(ready);
        self.keep(session);
        delivered
    }

    fn kept_session(&self) -> Option<Session> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn keep(&self, session: Session) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if !session.is_over() && idle.len() < self.most_connections {
            idle.push(session);
        }
    }
}

/// EHLO's argument; empty stays empty.
fn read_helo(text: &str) -> Result<String, Failure> {
    let text = text.trim();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
    if text.len() > 255 || !text.bytes().all(plain) {
        return Err(Failure::hold(format!(
            "field `helo`: `{}` is no host name",
            one_line(text, 80)
        )));
    }
    Ok(text.to_owned())
}

fn read_connections(text: &str) -> Result<usize, Failure> {
    match text.trim() {
        "" => Ok(USUAL_CONNECTIONS),
        text => text
            .parse()
            .ok()
            .filter(|count| (1..=MOST_CONNECTIONS).contains(count))
            .ok_or_else(|| {
                Failure::hold(format!("field `max_connections`: must be 1 to {MOST_CONNECTIONS}"))
            }),
    }
}

fn read_signer(field: &dyn Fn(&str) -> String) -> Result<Option<Signer>, Failure> {
    let (domain, selector, key) = (field("dkim_domain"), field("dkim_selector"), field("dkim_key"));
    if [&domain, &selector, &key].iter().all(|text| text.trim().is_empty()) {
        return Ok(None);
    }
    Signer::new(&domain, &selector, &key).map(Some).map_err(|why| Failure::hold(why.to_string()))
}

/// The accounts in use, found by the fields they were read from.
#[derive(Default)]
pub(crate) struct Accounts(Mutex<Vec<(Fields, Arc<Account>)>>);

impl Accounts {
    /// No account yet.
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// The account of a gateway; an edited gateway is another one.
    pub(crate) fn of(&self, gateway: &GatewayParams) -> Result<Arc<Account>, Failure> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, account)) = known.iter().find(|(fields, _)| fields == gateway.fields()) {
            return Ok(Arc::clone(account));
        }
        let account = Arc::new(Account::read(gateway)?);
        if known.len() >= MOST_ACCOUNTS {
            known.remove(0);
        }
        known.push((gateway.fields().clone(), Arc::clone(&account)));
        Ok(account)
    }
}

#[cfg(test)]
mod tests {
    use gatepost_kit::smtp_sink::{Act, Rule, Sink};

    use super::*;
    use crate::envelope::Envelope;

    fn account(sink: &Sink, more: &[(&str, &str)]) -> Result<Account, Failure> {
        let port = sink.port().to_string();
        let own = [("host", "127.0.0.1"), ("port", &port), ("security", "none")];
        let fields = own.into_iter().chain(more.iter().copied()).collect();
        Account::read(&GatewayParams::new(Fields::new(), fields))
    }

    fn ready(text: &str) -> Ready {
        let envelope = Envelope {
            sender: None,
            recipients: vec![Address::parse("a@example.test").unwrap()],
            partial: Partial::AllOrNothing,
            id: String::new(),
        };
        Ready { envelope, content: format!("{text}\r\n").into_bytes() }
    }

    #[test]
    fn one_connection_serves_many_messages() {
        let refuse = Rule::once("RCPT", Act::Reply("550 no"));
        let sink = Sink::with(&["PIPELINING"], vec![refuse]);
        let account = account(&sink, &[]).unwrap();
        assert!(account.deliver(&ready("x")).is_err(), "a refusal does not end it");
        for _ in 0..5 {
            account.deliver(&ready("x")).unwrap();
        }
        assert_eq!((sink.wait_for(5).len(), sink.connections()), (5, 1));
    }

    #[test]
    fn a_kept_connection_that_was_closed_meanwhile_costs_nothing() {
        for act in [Act::ReplyAndClose("421 idle too long"), Act::Close] {
            let sink = Sink::with(&["PIPELINING"], vec![]);
            let account = account(&sink, &[]).unwrap();
            account.deliver(&ready("1")).unwrap();
            sink.follow(vec![Rule::once("MAIL", act)]);
            account.deliver(&ready("2")).unwrap();
            assert_eq!((sink.wait_for(2).len(), sink.connections()), (2, 2));
        }
    }

    #[test]
    fn a_message_that_may_have_arrived_is_not_handed_over_again() {
        let sink = Sink::with(&["PIPELINING"], vec![]);
        let account = account(&sink, &[]).unwrap();
        account.deliver(&ready("1")).unwrap();
        sink.follow(vec![Rule::once(".", Act::Close)]);
        let trouble = account.deliver(&ready("2")).unwrap_err();
        assert!(matches!(trouble, Trouble::Doubt(_)), "{trouble}");
        assert_eq!((sink.wait_for(2).len(), sink.connections()), (2, 1));
    }

    #[test]
    fn an_unfit_field_is_named() {
        let sink = Sink::start();
        for (name, text) in [
            ("from", "nobody"),
            ("sender", "a b"),
            ("reply_to", "a@b, c"),
            ("return_path", "<a"),
            ("partial", "some"),
            ("helo", "a b"),
            ("max_connections", "0"),
            ("max_connections", "many"),
            ("dkim_domain", "example.test"),
            ("dkim_key", "x"),
        ] {
            let failure = account(&sink, &[(name, text)]).err().expect(name);
            assert!(failure.text.starts_with("field `"), "{name}: {}", failure.text);
        }
    }
}
