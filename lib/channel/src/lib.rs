//! The way to a mail server: a TCP connection, TLS on it, and who we say we are.
//!
//! Used by the gates that keep a conversation open with a mail server (gwsmtp, gwmailbox): the fields
//! of their forms mean the same and fail with the same words. It speaks no mail protocol, and it never
//! sends a byte in the clear to an address that is not this machine's own.

mod credentials;
mod error;
mod settings;
mod stream;
mod trust;

pub use credentials::{Credentials, base64};
pub use error::ChannelError;
pub use settings::{Auth, Defaults, Security, Settings};
pub use stream::{Stream, connect};
