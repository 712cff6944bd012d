//! Why there is no connection, or no login.

use std::io;

/// What stands in the way to a server. [`ChannelError::unreached`] tells what a new try may change.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// A field of the form is missing or makes no sense.
    #[error("field `{field}`: {problem}")]
    Field {
        /// The field of the gateway's form.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The name has no address, or none of its addresses answers.
    #[error("can't connect to {host}:{port}: {source}")]
    Unreached {
        /// As configured.
        host: String,
        /// As configured.
        port: u16,
        /// The last address's error.
        source: io::Error,
    },
    /// A connection without TLS was asked for, to another machine.
    #[error("{host} is not this machine (loopback): a connection to it must use TLS")]
    PlainToOthers {
        /// As configured.
        host: String,
    },
    /// The server's certificate, or its TLS, is not to be trusted.
    #[error("TLS with {host}: {problem}")]
    Tls {
        /// As configured.
        host: String,
        /// In rustls' words.
        problem: String,
    },
    /// The line broke, or was silent too long, while TLS was being made.
    #[error("TLS with {host} broke off: {source}")]
    TlsBroken {
        /// As configured.
        host: String,
        /// The line's error.
        source: io::Error,
    },
    /// The command that prints the access token failed.
    #[error("token_command: {problem}")]
    Token {
        /// What happened, without the command's output.
        problem: String,
    },
}

impl ChannelError {
    /// True when nothing is wrong with the configuration: the server could not be reached just now.
    pub fn unreached(&self) -> bool {
        match self {
            Self::Unreached { .. } | Self::TlsBroken { .. } => true,
            Self::Field { .. }
            | Self::PlainToOthers { .. }
            | Self::Tls { .. }
            | Self::Token { .. } => false,
        }
    }
}
