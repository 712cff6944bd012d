//! What can go wrong in a session, and at which step: the ground on which the outcome is decided.

use std::io;

use channel::ChannelError;

use crate::reply::{NoReply, Reply};

/// A step of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The first words of the server.
    Greeting,
    /// EHLO or HELO.
    Hello,
    /// STARTTLS.
    StartTls,
    /// AUTH.
    Auth,
    /// MAIL FROM.
    Sender,
    /// RCPT TO.
    Recipient,
    /// DATA, up to the go-ahead.
    Data,
    /// The message itself, up to the final dot's reply.
    Content,
    /// RSET, or the lone dot that takes DATA back.
    Between,
}

impl Step {
    /// The command's name, for people.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Greeting => "greeting",
            Self::Hello => "EHLO",
            Self::StartTls => "STARTTLS",
            Self::Auth => "AUTH",
            Self::Sender => "MAIL FROM",
            Self::Recipient => "RCPT TO",
            Self::Data => "DATA",
            Self::Content => "the message",
            Self::Between => "RSET",
        }
    }
}

/// Why a message was not accepted, or is not known to be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// No connection, no TLS, no token.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The server said no.
    #[error("{}{}: {reply}", step.word(), whom.as_ref().map(|one| format!(" {one}")).unwrap_or_default())]
    Refused {
        /// Where.
        step: Step,
        /// The recipient it speaks of.
        whom: Option<String>,
        /// Its words.
        reply: Reply,
    },
    /// The connection broke before the message was whole at the server.
    #[error("the connection broke at {}: {cause}", step.word())]
    Lost {
        /// Where.
        step: Step,
        /// The line's error.
        cause: io::Error,
    },
    /// The final dot was written; no reply came.
    #[error("the message was handed over, but the server's answer never came: {0}")]
    Doubt(String),
    /// The other end speaks no SMTP.
    #[error("at {}: {what}", step.word())]
    Nonsense {
        /// Where.
        step: Step,
        /// What it said.
        what: NoReply,
    },
    /// A reply that can't be one to what was asked: another is missing.
    #[error("at {}: the server said `{reply}`, which is no answer to that", step.word())]
    OutOfTurn {
        /// Where.
        step: Step,
        /// Its words.
        reply: Reply,
    },
    /// This machine has no room for one more connection.
    #[error("can't start a thread: {0}")]
    NoThread(io::Error),
    /// The server does not offer what the gateway's settings demand.
    #[error("{0}")]
    Lacks(String),
    /// The server's SIZE is under the message's.
    #[error("the message has {message} bytes, the server takes {limit}")]
    TooLarge {
        /// The message's size in bytes.
        message: u64,
        /// The server's limit in bytes.
        limit: u64,
    },
    /// An address needs SMTPUTF8 and the server has it not.
    #[error("the address `{0}` needs a server with SMTPUTF8, and this one has it not")]
    NeedsUtf8(String),
}

impl Trouble {
    /// The server told so, or the line is gone: this session is over.
    pub(crate) fn ends_session(&self) -> bool {
        match self {
            Self::Refused { reply, .. } => matches!(reply.code, 421 | 503),
            Self::TooLarge { .. } | Self::NeedsUtf8(_) => false,
            _ => true,
        }
    }

    /// A reply among several is missing: it came as another's, or never.
    pub(crate) fn lacks_a_reply(&self) -> bool {
        match self {
            Self::OutOfTurn { .. } => true,
            Self::Lost { cause, .. } => cause.kind() == io::ErrorKind::TimedOut,
            _ => false,
        }
    }

    /// The line is at fault, not the message, and the message is surely not at the server: another
    /// connection may do.
    pub(crate) fn leaves_it_unsent(&self) -> bool {
        match self {
            Self::Lost { step, .. }
            | Self::Nonsense { step, .. }
            | Self::OutOfTurn { step, .. } => *step != Step::Content,
            Self::Refused { step, reply, .. } => *step != Step::Content && reply.code == 421,
            Self::Channel(_)
            | Self::Doubt(_)
            | Self::Lacks(_)
            | Self::TooLarge { .. }
            | Self::NeedsUtf8(_)
            | Self::NoThread(_) => false,
        }
    }

    /// The server ends this connection; a fresh one, because it wants fewer.
    pub(crate) fn wants_less(&self) -> bool {
        matches!(self, Self::Refused { reply, .. } if reply.code == 421)
    }
}
