//! The envelope of a message: from whom, to whom, as the server is told, and what its replies to that
//! come to.

use std::fmt;

use crate::address::Address;
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

/// A message ready to be handed over.
#[derive(Debug)]
pub(crate) struct Ready {
    /// From whom and to whom.
    pub(crate) envelope: Envelope,
    /// The bytes, CRLF lines, signed if the account signs.
    pub(crate) content: Vec<u8>,
}

/// A recipient that was refused, and the server's words.
pub(crate) type Refused = (Address, Reply);

impl Envelope {
    /// True when DATA may leave before the replies to the recipients are here. Where a refused one is
    /// to stop the rest it must wait for them: a begun message can't be taken back.
    pub(crate) fn data_goes_along(&self) -> bool {
        self.recipients.len() == 1 || self.partial == Partial::SendToRest
    }

    fn everybody(&self) -> impl Iterator<Item = &Address> {
        self.sender.iter().chain(&self.recipients)
    }
}

impl Ready {
    /// Whether a server with these offers can be asked at all.
    pub(crate) fn fits(&self, offers: &Offers) -> Result<(), Trouble> {
        let message = self.content.len() as u64;
        match offers.size {
            Some(limit) if limit > 0 && message > limit => {
                return Err(Trouble::TooLarge { message, limit });
            }
            _ => {}
        }
        match self.envelope.everybody().find(|address| address.needs_utf8()) {
            Some(address) if !offers.utf8 => Err(Trouble::NeedsUtf8(address.to_string())),
            _ => Ok(()),
        }
    }

    /// MAIL FROM with the parameters that the server knows.
    pub(crate) fn mail_command<'a>(&'a self, offers: &'a Offers) -> MailCommand<'a> {
        MailCommand { ready: self, offers }
    }
}

/// A MAIL command, written when it is shown.
pub(crate) struct MailCommand<'a> {
    ready: &'a Ready,
    offers: &'a Offers,
}

impl fmt::Display for MailCommand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Ready { envelope, content }, offers) = (self.ready, self.offers);
        write!(f, "MAIL FROM:<{}>", Shown(envelope.sender.as_ref()))?;
        if offers.size.is_some() {
            write!(f, " SIZE={}", content.len())?;
        }
        if offers.eight_bit && !content.is_ascii() {
            f.write_str(" BODY=8BITMIME")?;
        }
        if envelope.everybody().any(Address::needs_utf8) {
            f.write_str(" SMTPUTF8")?;
        }
        if offers.dsn && !envelope.id.is_empty() {
            write!(f, " RET=HDRS ENVID={}", XText(&envelope.id))?;
        }
        Ok(())
    }
}

/// A sender as it stands between the angle brackets.
pub(crate) struct Shown<'a>(pub(crate) Option<&'a Address>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |address| address.fmt(f))
    }
}

/// RFC 3461 section 4.
struct XText<'a>(&'a str);

impl fmt::Display for XText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.bytes().try_for_each(|byte| match byte {
            b'!'..=b'~' if !matches!(byte, b'+' | b'=') => write!(f, "{}", char::from(byte)),
            _ => write!(f, "+{byte:02X}"),
        })
    }
}

/// Decides over the replies to an envelope. With several recipients a passing refusal weighs more than
/// a final one: the message is tried again as a whole.
pub(crate) fn judge(
    sender: Reply,
    replies: Vec<Refused>,
    partial: Partial,
) -> Result<Vec<Refused>, Trouble> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(XText("a+b=c d@e").to_string(), "a+2Bb+3Dc+20d@e");
    }
}
