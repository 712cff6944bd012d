//! An SMTP session: opened once, then any number of messages over the same connection (RFC 5321).
//!
//! With PIPELINING a message costs two round trips: the envelope and DATA in one write, the message and
//! its dot in another. Without it each command waits for its reply.

use channel::{Credentials, Security, Settings, connect};

use crate::address::Address;
use crate::conversation::Conversation;
use crate::reply::{Offers, Reply};
use crate::trouble::{Step, Trouble};

/// What to do when a server takes some of a message's recipients and refuses others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Partial {
    /// Nobody gets it unless all do.
    AllOrNothing,
    /// Those who can get it do.
    SendToRest,
}

/// From whom and to whom, as the server is told.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    /// The return path; None for `<>`.
    pub(crate) sender: Option<Address>,
    /// At least one.
    pub(crate) recipients: Vec<Address>,
    /// What to do when some are refused.
    pub(crate) partial: Partial,
    /// The message's own number, given to servers that report by it (DSN).
    pub(crate) id: String,
}

/// The server has taken the message.
#[derive(Debug)]
pub(crate) struct Delivery {
    /// Recipients it refused; only with [`Partial::SendToRest`].
    pub(crate) refused: Vec<(Address, Reply)>,
}

/// An open session, logged in. It says QUIT when dropped.
pub(crate) struct Session {
    talk: Conversation,
    offers: Offers,
    over: bool,
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.over {
            self.talk.part();
        }
    }
}

impl Session {
    /// Connects, greets (`helo` empty: our address in brackets), makes TLS, logs in.
    pub(crate) fn open(settings: &Settings, helo: &str) -> Result<Self, Trouble> {
        let credentials = Credentials::ready(&settings.auth)?;
        let mut talk = Conversation::over(connect(settings)?, settings.timeout);
        talk.hear_good(Step::Greeting)?;
        let mut offers = hello(&mut talk, helo)?;
        if settings.security == Security::StartTls {
            ask_for_tls(&mut talk, &offers, &settings.host)?;
            talk = talk.secured(settings)?;
            offers = hello(&mut talk, helo)?;
        }
        log_in(&mut talk, &offers, &credentials)?;
        Ok(Self { talk, offers, over: false })
    }

    /// Hands one message over: `content` as bytes of CRLF lines. After any error the session can take
    /// the next message unless [`Session::is_over`].
    pub(crate) fn send(
        &mut self,
        envelope: &Envelope,
        content: &[u8],
    ) -> Result<Delivery, Trouble> {
        let delivery = self.try_send(envelope, content);
        if let Err(trouble) = &delivery {
            self.over |= trouble.ends_session();
        }
        delivery
    }

    /// Whether a sender is welcome, without a message: MAIL FROM, then RSET.
    pub(crate) fn probe(&mut self, sender: Option<&Address>) -> Result<(), Trouble> {
        self.talk.say(&format!("MAIL FROM:<{}>", shown(sender)));
        self.talk.hear_good(Step::Sender)?;
        self.reset()
    }

    /// True when the connection can't be used any more.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    fn try_send(&mut self, envelope: &Envelope, content: &[u8]) -> Result<Delivery, Trouble> {
        self.fits(envelope, content)?;
        let mail = self.mail_command(envelope, content);
        let (refused, data) = if self.offers.pipelining {
            self.envelope_at_once(&mail, envelope)?
        } else {
            self.envelope_by_steps(&mail, envelope)?
        };
        if data.code != 354 {
            let trouble = Trouble::Refused { step: Step::Data, whom: None, reply: data };
            return Err(self.after_refusal(trouble));
        }
        let reply = self.talk.hand_over(&stuffed(content))?;
        if reply.is_good() {
            Ok(Delivery { refused })
        } else {
            Err(Trouble::Refused { step: Step::Content, whom: None, reply })
        }
    }

    fn fits(&self, envelope: &Envelope, content: &[u8]) -> Result<(), Trouble> {
        let message = content.len() as u64;
        match self.offers.size {
            Some(limit) if limit > 0 && message > limit => {
                return Err(Trouble::TooLarge { message, limit });
            }
            _ => {}
        }
        match everybody(envelope).find(|address| address.needs_utf8()) {
            Some(address) if !self.offers.utf8 => Err(Trouble::NeedsUtf8(address.to_string())),
            _ => Ok(()),
        }
    }

    fn mail_command(&self, envelope: &Envelope, content: &[u8]) -> String {
        let mut command = format!("MAIL FROM:<{}>", shown(envelope.sender.as_ref()));
        if self.offers.size.is_some() {
            command.extend([format!(" SIZE={}", content.len())]);
        }
        if self.offers.eight_bit && !content.is_ascii() {
            command.push_str(" BODY=8BITMIME");
        }
        if everybody(envelope).any(Address::needs_utf8) {
            command.push_str(" SMTPUTF8");
        }
        if self.offers.dsn && !envelope.id.is_empty() {
            command.extend([format!(" RET=HDRS ENVID={}", xtext(&envelope.id))]);
        }
        command
    }

    /// PIPELINING. DATA goes along unless a refused recipient is to stop the rest: then it must wait
    /// for their replies, as a begun message can't be taken back.
    fn envelope_at_once(&mut self, mail: &str, envelope: &Envelope) -> Result<Told, Trouble> {
        let alone = envelope.recipients.len() == 1;
        let data_along = alone || envelope.partial == Partial::SendToRest;
        self.talk.say(mail);
        for recipient in &envelope.recipients {
            self.talk.say(&format!("RCPT TO:<{recipient}>"));
        }
        if data_along {
            self.talk.say("DATA");
        }
        let sender = self.hear_on(Step::Sender)?;
        let mut replies = Vec::new();
        for recipient in &envelope.recipients {
            replies.push((recipient.clone(), self.hear_on(Step::Recipient)?));
        }
        let data = if data_along { Some(self.talk.hear(Step::Data)?) } else { None };
        let judged = judge(sender, replies, envelope.partial);
        match (judged, data) {
            (Ok(refused), Some(data)) => Ok((refused, data)),
            (Ok(refused), None) => {
                self.talk.say("DATA");
                Ok((refused, self.talk.hear(Step::Data)?))
            }
            (Err(trouble), data) => {
                // A server that wants a message for nobody would take an empty one: hang up instead.
                self.over |= data.is_some_and(|data| data.code == 354);
                Err(self.after_refusal(trouble))
            }
        }
    }

    /// The next of several replies. After 421 the server hangs up: no other comes.
    fn hear_on(&mut self, step: Step) -> Result<Reply, Trouble> {
        let reply = self.talk.hear(step)?;
        if reply.code == 421 {
            return Err(Trouble::Refused { step, whom: None, reply });
        }
        Ok(reply)
    }

    fn envelope_by_steps(&mut self, mail: &str, envelope: &Envelope) -> Result<Told, Trouble> {
        self.talk.say(mail);
        let sender = self.talk.hear(Step::Sender)?;
        let mut replies = Vec::new();
        if sender.is_good() {
            for recipient in &envelope.recipients {
                self.talk.say(&format!("RCPT TO:<{recipient}>"));
                replies.push((recipient.clone(), self.talk.hear(Step::Recipient)?));
            }
        }
        let refused = match judge(sender, replies, envelope.partial) {
            Ok(refused) => refused,
            Err(trouble) => return Err(self.after_refusal(trouble)),
        };
        self.talk.say("DATA");
        Ok((refused, self.talk.hear(Step::Data)?))
    }

    /// Ends the transaction that a refusal left open, so that the session can go on.
    fn after_refusal(&mut self, trouble: Trouble) -> Trouble {
        if !self.over && !trouble.ends_session() && self.reset().is_err() {
            self.over = true;
        }
        trouble
    }

    fn reset(&mut self) -> Result<(), Trouble> {
        self.talk.say("RSET");
        self.talk.hear_good(Step::Between).map(drop)
    }
}

/// The refused recipients, and the reply to DATA.
type Told = (Vec<(Address, Reply)>, Reply);

/// Decides over the replies to an envelope. With several recipients a passing refusal weighs more than
/// a final one: the message is tried again as a whole.
fn judge(
    sender: Reply,
    replies: Vec<(Address, Reply)>,
    partial: Partial,
) -> Result<Vec<(Address, Reply)>, Trouble> {
    if !sender.is_good() {
        return Err(Trouble::Refused { step: Step::Sender, whom: None, reply: sender });
    }
    let all = replies.len();
    let mut refused: Vec<_> = replies.into_iter().filter(|(_, reply)| !reply.is_good()).collect();
    let enough = match partial {
        Partial::AllOrNothing => refused.is_empty(),
        Partial::SendToRest => refused.len() < all,
    };
    if enough {
        return Ok(refused);
    }
    let first_final = refused.iter().position(|(_, reply)| !reply.is_passing());
    let first_passing = refused.iter().position(|(_, reply)| reply.is_passing());
    // All or nothing: one who can never get it settles it. Else somebody may still get it later.
    let told = match partial {
        Partial::AllOrNothing => first_final.or(first_passing),
        Partial::SendToRest => first_passing.or(first_final),
    };
    let (whom, reply) = refused.swap_remove(told.unwrap_or(0));
    Err(Trouble::Refused { step: Step::Recipient, whom: Some(whom.to_string()), reply })
}

fn hello(talk: &mut Conversation, helo: &str) -> Result<Offers, Trouble> {
    let name = match (helo, talk.local_ip()) {
        ("", Some(std::net::IpAddr::V6(ip))) => format!("[IPv6:{ip}]"),
        ("", Some(ip)) => format!("[{ip}]"),
        ("", None) => "[127.0.0.1]".to_owned(),
        (name, _) => name.to_owned(),
    };
    talk.say(&format!("EHLO {name}"));
    let reply = talk.hear(Step::Hello)?;
    if reply.is_good() {
        return Ok(Offers::read(&reply));
    }
    if reply.is_passing() {
        return Err(Trouble::Refused { step: Step::Hello, whom: None, reply });
    }
    talk.say(&format!("HELO {name}"));
    talk.hear_good(Step::Hello)?;
    Ok(Offers::default())
}

fn ask_for_tls(talk: &mut Conversation, offers: &Offers, host: &str) -> Result<(), Trouble> {
    if !offers.starttls {
        return Err(Trouble::Lacks(format!(
            "{host} offers no STARTTLS, and without TLS nothing is sent; if the port speaks TLS from \
             the first byte, set security to tls"
        )));
    }
    talk.say("STARTTLS");
    talk.hear_good(Step::StartTls).map(drop)
}

fn log_in(
    talk: &mut Conversation,
    offers: &Offers,
    credentials: &Credentials,
) -> Result<(), Trouble> {
    let offered = |name: &str| offers.auth.iter().any(|one| one == name);
    let needed = match credentials {
        Credentials::None => return Ok(()),
        Credentials::Token { .. } => "XOAUTH2",
        Credentials::Password { .. } if offered("PLAIN") => "PLAIN",
        Credentials::Password { .. } => "LOGIN",
    };
    if !offered(needed) {
        let list = if offers.auth.is_empty() { "none".into() } else { offers.auth.join(", ") };
        return Err(Trouble::Lacks(format!(
            "the server offers no AUTH {needed} (offered: {list}); check port and auth"
        )));
    }
    if !talk.is_private() {
        return Err(Trouble::Lacks("no password is said on an open line".into()));
    }
    match credentials {
        Credentials::Password { login, password } if needed == "LOGIN" => {
            talk.say("AUTH LOGIN");
            talk.hear_good(Step::Auth)?;
            talk.say(&channel::base64(login.as_bytes()));
            talk.hear_good(Step::Auth)?;
            talk.say(&channel::base64(password.expose().as_bytes()));
        }
        _ => talk.say(&format!("AUTH {needed} {}", credentials.initial_response_base64().expose())),
    }
    let reply = talk.hear(Step::Auth)?;
    if reply.code == 334 {
        // XOAUTH2 tells its error in a challenge that wants an empty answer before the real reply.
        talk.say("");
        talk.hear_good(Step::Auth)?;
        return Err(Trouble::Lacks("the server asked for more than AUTH can answer".into()));
    }
    if reply.is_good() {
        Ok(())
    } else {
        Err(Trouble::Refused { step: Step::Auth, whom: None, reply })
    }
}

fn everybody(envelope: &Envelope) -> impl Iterator<Item = &Address> {
    envelope.sender.iter().chain(&envelope.recipients)
}

fn shown(sender: Option<&Address>) -> String {
    sender.map(ToString::to_string).unwrap_or_default()
}

/// RFC 3461 section 4.
fn xtext(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'+' | b'=' => format!("+{byte:02X}"),
            b'!'..=b'~' => char::from(byte).to_string(),
            _ => format!("+{byte:02X}"),
        })
        .collect()
}

/// The message as it goes over the line: every line ends in CRLF whatever it ended in, a dot before a
/// leading dot, the final dot behind (RFC 5321 section 4.5.2). No bare CR or LF leaves, so that no
/// server can be led to see an end where there is none.
fn stuffed(content: &[u8]) -> Vec<u8> {
    let mut stuffed = Vec::with_capacity(content.len() + content.len() / 64 + 8);
    let mut line_begins = true;
    let mut at = 0;
    while at < content.len() {
        if line_begins && content[at] == b'.' {
            stuffed.push(b'.');
        }
        let length = content[at..].iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        let end = length.map_or(content.len(), |length| at + length);
        stuffed.extend_from_slice(&content[at..end]);
        if end == content.len() {
            line_begins = false;
            break;
        }
        stuffed.extend_from_slice(b"\r\n");
        line_begins = true;
        at = if content[end..].starts_with(b"\r\n") { end + 2 } else { end + 1 };
    }
    if !line_begins {
        stuffed.extend_from_slice(b"\r\n");
    }
    stuffed.extend_from_slice(b".\r\n");
    stuffed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_a_message_can_end_it() {
        for (content, over_the_line) in [
            ("", ".\r\n"),
            ("a", "a\r\n.\r\n"),
            (".\r\n", "..\r\n.\r\n"),
            ("a\r\n.\r\nMAIL FROM:<x@y>\r\n", "a\r\n..\r\nMAIL FROM:<x@y>\r\n.\r\n"),
            ("a\n.\nb", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\r.\rb", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\n.\r\nb", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\r\r\n.\r\n", "a\r\n\r\n..\r\n.\r\n"),
        ] {
            let stuffed = String::from_utf8(stuffed(content.as_bytes())).unwrap();
            assert_eq!(stuffed, over_the_line, "{content:?}");
        }
    }

    fn reply(code: u16) -> Reply {
        Reply { code, lines: vec![String::new()] }
    }

    fn judged(codes: &[u16], partial: Partial) -> Result<usize, u16> {
        let replies = codes
            .iter()
            .enumerate()
            .map(|(at, code)| (Address::parse(&format!("u{at}@x")).unwrap(), reply(*code)))
            .collect();
        match judge(reply(250), replies, partial) {
            Ok(refused) => Ok(refused.len()),
            Err(Trouble::Refused { reply, .. }) => Err(reply.code),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn the_policy_decides_over_several_recipients() {
        for (codes, all, rest) in [
            (&[250, 250][..], Ok(0), Ok(0)),
            (&[250, 550], Err(550), Ok(1)),
            (&[250, 450], Err(450), Ok(1)),
            (&[450, 550], Err(550), Err(450)),
            (&[550, 551], Err(550), Err(550)),
            (&[450], Err(450), Err(450)),
        ] {
            assert_eq!(judged(codes, Partial::AllOrNothing), all, "{codes:?}");
            assert_eq!(judged(codes, Partial::SendToRest), rest, "{codes:?}");
        }
    }

    #[test]
    fn xtext_keeps_to_what_rfc_3461_allows() {
        assert_eq!(xtext("a+b=c d@e"), "a+2Bb+3Dc+20d@e");
    }
}
