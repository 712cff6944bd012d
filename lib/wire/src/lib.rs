//! The documents that cross a process boundary, as typed values over one ordered XML tree.
//!
//! Pure text: bytes in, values out, and back. This crate never opens a file, starts a process or
//! asks for the time, and it never resolves an entity: a document with a DOCTYPE is refused.

pub mod answer;
pub mod encoded_words;
pub mod error;
pub mod features;
pub mod form;
pub mod frames;
pub mod ingoing;
pub mod json;
pub mod notification;
pub mod outgoing;
pub mod params;
mod placeholders;
pub mod rendering;
pub mod serve;
pub mod xml;
