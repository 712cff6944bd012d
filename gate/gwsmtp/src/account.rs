//! The fields of the gateway's form, parsed once.

use channel::{Defaults, Security, Settings};
use gatepost_gate::{Failure, GatewayParams};

use crate::address::{Address, Mailbox, one_line};
use crate::dkim::Signer;
use crate::envelope::Partial;
use crate::session::Session;
use crate::trouble::Trouble;

const SMTP: Defaults = Defaults { port: 587, tls_port: 465, security: Security::StartTls };
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

#[cfg(test)]
mod tests {
    use gatepost_gate::Fields;

    use super::*;

    fn account(more: (&str, &str)) -> Result<Account, Failure> {
        let own = [("host", "127.0.0.1"), ("port", "25"), ("security", "none")];
        let fields = own.into_iter().chain([more]).collect();
        Account::read(&GatewayParams::new(Fields::new(), fields))
    }

    #[test]
    fn an_unfit_field_is_named() {
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
            let failure = account((name, text)).err().expect(name);
            assert!(failure.text.starts_with("field `"), "{name}: {}", failure.text);
        }
    }
}
