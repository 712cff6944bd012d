//! An SMTP session: opened once, then any number of messages over the same connection (RFC 5321).
//!
//! With PIPELINING the content of a message, its final dot and the envelope of the next leave in one
//! write (RFC 2920 section 3.1): a row of messages costs one round trip each, a single one two. Without
//! it each command waits for its reply.
//!
//! For each message it is known what became of it. As long as its dot has not left, it is surely not at
//! the server; once it has left, only the server's reply tells.

use std::fmt::Display;
use std::io;

use channel::Settings;

use crate::address::Address;
use crate::conversation::{Conversation, Left, spoke_early};
use crate::envelope::{Envelope, Ready, Refused, Shown, judge};
use crate::greeting::greet;
use crate::reply::{Offers, Reply};
use crate::trouble::{Step, Trouble};

/// An open session, logged in. It says QUIT when dropped.
pub(crate) struct Session {
    talk: Conversation,
    offers: Offers,
    /// A refused envelope is open at the server: RSET before the next.
    is_unclean: bool,
    is_over: bool,
}

/// What was said in one go, for which replies are due.
#[must_use]
pub(crate) struct Said {
    left: Left,
    /// The byte of the write behind the content's dot; None when nothing at all was written.
    dot_end_bytes: Option<usize>,
    with_reset: bool,
    with_envelope: bool,
}

impl Said {
    fn nothing(why: io::Error) -> Self {
        let left = Left { bytes: 0, broken: Some(why) };
        Self { left, dot_end_bytes: None, with_reset: false, with_envelope: false }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.is_over {
            self.talk.part();
        }
    }
}

impl Session {
    /// Connects, greets (`helo` empty: our address in brackets), makes TLS, logs in.
    pub(crate) fn open(settings: &Settings, helo: &str) -> Result<Self, Trouble> {
        let (talk, offers) = greet(settings, helo)?;
        Ok(Self { talk, offers, is_unclean: false, is_over: false })
    }

    /// Hands one message over and waits for the reply: the recipients that were refused all the same.
    /// After any error the session can take the next message unless [`Session::is_over`].
    pub(crate) fn send(&mut self, ready: &Ready) -> Result<Vec<Refused>, Trouble> {
        ready.fits(&self.offers)?;
        let said = self.say(None, Some(ready));
        let refused = self.hear_envelope(&said, ready)?;
        let said = self.say(Some(ready), None);
        self.hear_verdict(&said)?;
        Ok(refused)
    }

    /// Whether a sender is welcome, without a message: MAIL FROM, then RSET.
    pub(crate) fn probe(&mut self, sender: Option<&Address>) -> Result<(), Trouble> {
        self.talk.say(format_args!("MAIL FROM:<{}>", Shown(sender)));
        self.talk.hear_good(Step::Sender)?;
        self.talk.say("RSET");
        self.talk.hear_good(Step::Between).map(drop)
    }

    /// What the server can do.
    pub(crate) fn offers(&self) -> &Offers {
        &self.offers
    }

    /// True when the connection can't be used any more.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Writes, as far as the server takes it in one go: the content of a message whose envelope was
    /// taken, and the envelope of the next, which must fit the server's offers. Hear what becomes of
    /// them by [`Session::hear_verdict`], then [`Session::hear_envelope`].
    pub(crate) fn say(&mut self, body: Option<&Ready>, next: Option<&Ready>) -> Said {
        if self.talk.is_ahead() {
            self.is_over = true;
            return Said::nothing(spoke_early());
        }
        let dot_end_bytes = body.map_or(0, |ready| self.talk.say_content(&ready.content));
        let next = next.filter(|_| self.offers.pipelining);
        let with_reset = next.is_some() && std::mem::take(&mut self.is_unclean);
        if with_reset {
            self.talk.say("RSET");
        }
        if let Some(ready) = next {
            self.talk.say(ready.mail_command(&self.offers));
            for recipient in &ready.envelope.recipients {
                self.talk.say(format_args!("RCPT TO:<{recipient}>"));
            }
            if ready.envelope.data_goes_along() {
                self.talk.say("DATA");
            }
        }
        let left = self.talk.flush();
        let dot_end_bytes = Some(dot_end_bytes);
        Said { left, dot_end_bytes, with_reset, with_envelope: next.is_some() }
    }

    /// What became of the message whose content was said.
    pub(crate) fn hear_verdict(&mut self, said: &Said) -> Result<(), Trouble> {
        let step = Step::Content;
        let heard = match (&said.left.broken, said.dot_end_bytes) {
            (None, _) => self.talk.listen(step),
            (Some(cause), Some(_)) => self.talk.last_words(step).map_err(|_| gone(step, cause)),
            // refused before a byte of it was said; anything else that came early is no answer
            (Some(cause), None) => match self.talk.last_words(step) {
                Ok(reply) if reply.code >= 400 => Ok(reply),
                Ok(_) | Err(_) => Err(gone(step, cause)),
            },
        };
        let dot_may_have_left = said.dot_end_bytes.is_some_and(|end| said.left.bytes >= end);
        let verdict = match heard {
            Ok(reply) if reply.code >= 400 => Err(Trouble::Refused { step, whom: None, reply }),
            Ok(reply) if reply.asks_for_more() => Err(Trouble::OutOfTurn { step, reply }),
            Ok(_) if dot_may_have_left => Ok(()),
            Ok(reply) => Err(Trouble::OutOfTurn { step, reply }),
            Err(trouble) => Err(trouble),
        };
        let verdict = verdict.map_err(|trouble| match trouble {
            Trouble::Refused { .. } => trouble,
            other if dot_may_have_left => Trouble::Doubt(other.to_string()),
            other => other,
        });
        self.is_over |= said.left.broken.is_some();
        self.end_if_over(verdict)
    }

    /// Whether the server waits for the content of the message whose envelope was said (without
    /// PIPELINING it is said here), and which of the recipients it refused. Hear the verdict first.
    pub(crate) fn hear_envelope(
        &mut self,
        said: &Said,
        ready: &Ready,
    ) -> Result<Vec<Refused>, Trouble> {
        let begun = match (&said.left.broken, said.with_envelope) {
            _ if self.is_over => Err(gone(Step::Sender, "the server has left")),
            (Some(cause), _) => Err(gone(Step::Sender, cause)),
            (None, true) => self.hear_what_was_said(said, &ready.envelope),
            (None, false) => self.say_by_steps(ready),
        };
        self.end_if_over(begun)
    }

    fn end_if_over<T>(&mut self, ended: Result<T, Trouble>) -> Result<T, Trouble> {
        self.is_over |= ended.as_ref().is_err_and(Trouble::ends_session);
        ended
    }

    fn hear_what_was_said(
        &mut self,
        said: &Said,
        envelope: &Envelope,
    ) -> Result<Vec<Refused>, Trouble> {
        if said.with_reset {
            self.hear_reset()?;
        }
        let sender = self.listen_on(Step::Sender)?;
        let is_welcome = sender.is_good();
        let mut replies = Vec::new();
        for recipient in &envelope.recipients {
            replies.push((recipient.clone(), self.listen_on(Step::Recipient)?));
        }
        let judged = judge(sender, replies, envelope.partial);
        if !envelope.data_goes_along() {
            return self.go_on(judged);
        }
        let data = self.talk.listen(Step::Data)?;
        match judged {
            Ok(refused) => self.data_answered(data).map(|()| refused),
            Err(trouble) => {
                self.is_unclean = true;
                match data.code {
                    354 => self.take_back(is_welcome),
                    421 => self.is_over = true,
                    ..400 => return Err(Trouble::OutOfTurn { step: Step::Data, reply: data }),
                    _ => {}
                }
                Err(trouble)
            }
        }
    }

    /// A server that wants a message for nobody gets the lone dot of RFC 2920 section 3.1. One that
    /// refused the sender and wants a message all the same may do anything with it: it gets none.
    fn take_back(&mut self, is_welcome: bool) {
        self.talk.say(".");
        self.is_over |= !is_welcome || self.talk.hear(Step::Between).is_err();
    }

    fn say_by_steps(&mut self, ready: &Ready) -> Result<Vec<Refused>, Trouble> {
        if std::mem::take(&mut self.is_unclean) {
            self.talk.say("RSET");
            self.hear_reset()?;
        }
        self.talk.say(ready.mail_command(&self.offers));
        let sender = self.hear_on(Step::Sender)?;
        let mut replies = Vec::new();
        if sender.is_good() {
            for recipient in &ready.envelope.recipients {
                self.talk.say(format_args!("RCPT TO:<{recipient}>"));
                replies.push((recipient.clone(), self.hear_on(Step::Recipient)?));
            }
        }
        let judged = judge(sender, replies, ready.envelope.partial);
        self.go_on(judged)
    }

    /// DATA if enough of the envelope was taken.
    fn go_on(&mut self, judged: Result<Vec<Refused>, Trouble>) -> Result<Vec<Refused>, Trouble> {
        self.is_unclean |= judged.is_err();
        let refused = judged?;
        self.talk.say("DATA");
        let data = self.talk.hear(Step::Data)?;
        self.data_answered(data).map(|()| refused)
    }

    fn data_answered(&mut self, reply: Reply) -> Result<(), Trouble> {
        let step = Step::Data;
        if reply.code == 354 {
            return Ok(());
        }
        self.is_unclean = true;
        if reply.is_good() {
            return Err(Trouble::OutOfTurn { step, reply });
        }
        Err(Trouble::Refused { step, whom: None, reply })
    }

    /// RSET has one answer (RFC 5321 section 4.1.1.5): any other belongs elsewhere, or the server is not
    /// to be relied on.
    fn hear_reset(&mut self) -> Result<(), Trouble> {
        let step = Step::Between;
        let reply = self.hear_on(step)?;
        if reply.is_good() { Ok(()) } else { Err(Trouble::OutOfTurn { step, reply }) }
    }

    fn hear_on(&mut self, step: Step) -> Result<Reply, Trouble> {
        match self.talk.flush().broken {
            Some(cause) => Err(Trouble::Lost { step, cause }),
            None => self.listen_on(step),
        }
    }

    /// The next of several replies. After 421 the server hangs up: no other comes. One that asks for
    /// more belongs to another command: a reply before it is missing.
    fn listen_on(&mut self, step: Step) -> Result<Reply, Trouble> {
        let reply = self.talk.listen(step)?;
        match reply.code {
            421 => Err(Trouble::Refused { step, whom: None, reply }),
            300..400 => Err(Trouble::OutOfTurn { step, reply }),
            _ => Ok(reply),
        }
    }
}

fn gone(step: Step, why: impl Display) -> Trouble {
    Trouble::Lost { step, cause: io::Error::other(why.to_string()) }
}
