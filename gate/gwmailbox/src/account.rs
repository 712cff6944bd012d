//! The fields of the gateway's form.

use channel::{Auth, ChannelError, Defaults, Security, Settings};
use gatepost_gate::{Failure, GatewayParams};

const IMAP: Defaults = Defaults { port: 143, tls_port: 993, security: Security::Tls };
const DEFAULT_BATCH: u64 = 50;
const MOST_BATCH: u64 = 500;
/// In base64 this and its document stay under the 8 MiB that a gate may print.
const MOST_SIZE_KB: u64 = 5_120;

/// What becomes of a message once it is stored on our side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// Deleted.
    Delete,
    /// Marked as seen; what is seen is not fetched.
    Seen,
}

/// A mailbox and how to read it.
pub(crate) struct Account {
    /// Where and who.
    pub(crate) channel: Settings,
    /// The folder, as the server names it.
    pub(crate) folder: String,
    /// What becomes of stored messages.
    pub(crate) after: After,
    /// Messages a run.
    pub(crate) batch: usize,
    /// The largest message fetched, and of all of one run together.
    pub(crate) max_size_bytes: u32,
}

impl Account {
    /// Reads the form's fields.
    pub(crate) fn read(gateway: &GatewayParams) -> Result<Self, Failure> {
        let field = |name: &str| gateway.fields().text(name).trim().to_owned();
        let raw = |name: &str| gateway.fields().text(name).to_owned();
        let channel = Settings::read(&raw, IMAP).map_err(|error| of_channel(&error))?;
        if matches!(channel.auth, Auth::None) {
            return Err(Failure::hold(
                "field `auth`: a mailbox needs a login: password or xoauth2",
            ));
        }
        let folder = field("folder");
        if folder.contains(char::is_control) {
            return Err(Failure::hold("field `folder`: holds a control character"));
        }
        let number = |name: &str, default: u64, most: u64| match field(name).as_str() {
            "" => Ok(default),
            text => match text.parse() {
                Ok(number) if (1..=most).contains(&number) => Ok(number),
                _ => Err(Failure::hold(format!("field `{name}`: must be 1 to {most}"))),
            },
        };
        let max_size_kb = number("max_size_kb", MOST_SIZE_KB, MOST_SIZE_KB)?;
        Ok(Self {
            channel,
            folder: if folder.is_empty() { "INBOX".to_owned() } else { folder },
            after: match field("after").as_str() {
                "" | "delete" => After::Delete,
                "seen" => After::Seen,
                other => {
                    return Err(Failure::hold(format!(
                        "field `after`: `{other}` is none of delete, seen"
                    )));
                }
            },
            batch: usize::try_from(number("batch", DEFAULT_BATCH, MOST_BATCH)?).unwrap_or(1),
            max_size_bytes: u32::try_from(max_size_kb * 1024).unwrap_or(u32::MAX),
        })
    }
}

/// No connection is unreached; everything else needs a person.
pub(crate) fn of_channel(error: &ChannelError) -> Failure {
    if error.unreached() {
        Failure::unreached(error.to_string())
    } else {
        Failure::hold(error.to_string())
    }
}
