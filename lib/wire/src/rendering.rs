//! What is said to and by `libexec/gatepost-render`, the child that turns templates into text (DESIGN 6).
//!
//! Frames both ways. A [`Bundle`] and a notice are told once each, by hash, without a reply; then come
//! render requests of up to [`MESSAGES_A_FRAME`] messages, each answered by one reply. A reply may answer
//! fewer messages than were asked: the rest is asked again. After a reply that says `last` the child leaves.
//! A session keeps that book for the parent.

mod bundle;
mod includes;
mod reply;
mod request;

use std::fmt;
use std::str::FromStr;

use notice::UnknownWord;

pub use bundle::{BodyTemplate, Bundle, BundleError};
pub use includes::included;
pub use reply::{Rendered, Reply, TemplateError, Texts};
pub use request::{
    NoticeForm, RenderMessage, RenderRequest, Request, RequestError, write_bundle, write_notice,
    write_render,
};

/// Messages in one render request.
pub const MESSAGES_A_FRAME: usize = 32;

/// A template engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Engine {
    /// XSLT 1.0 and EXSLT.
    Xslt,
    /// JavaScript between `<%` and `%>`.
    Ejs,
    /// Tera 2.
    Tera,
}

impl Engine {
    /// Every engine.
    pub const ALL: [Self; 3] = [Self::Xslt, Self::Ejs, Self::Tera];

    /// Its name: the argument of the child, and the extension of a template's file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Xslt => "xslt",
            Self::Ejs => "ejs",
            Self::Tera => "tera",
        }
    }

    /// The engine of a template's file, by its extension: `ru.ntemail.html.xslt`.
    pub fn of_file_name(name: &str) -> Option<Self> {
        name.rsplit_once('.').and_then(|(_, extension)| extension.parse().ok())
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl FromStr for Engine {
    type Err = UnknownWord;
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|engine| engine.word() == word)
            .ok_or_else(|| unknown(word, "xslt, ejs, tera"))
    }
}

/// What a body is written for, and with it how values are escaped in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BodyKind {
    /// HTML: values are escaped by default.
    Html,
    /// Plain text: nothing is escaped.
    Text,
}

impl BodyKind {
    /// The word in file names and on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Text => "text",
        }
    }
}

impl FromStr for BodyKind {
    type Err = UnknownWord;
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "html" => Ok(Self::Html),
            "text" => Ok(Self::Text),
            _ => Err(unknown(word, "html, text")),
        }
    }
}

/// A part of a message that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The HTML body.
    Html,
    /// The text body: of the text template, else made from the HTML body.
    Text,
    /// The subject, one line.
    Subject,
}

impl Part {
    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Text => "text",
            Self::Subject => "subject",
        }
    }
}

impl FromStr for Part {
    type Err = UnknownWord;
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "html" => Ok(Self::Html),
            "text" => Ok(Self::Text),
            "subject" => Ok(Self::Subject),
            _ => Err(unknown(word, "html, text, subject")),
        }
    }
}

fn unknown(word: &str, allowed: &'static str) -> UnknownWord {
    UnknownWord { found: word.to_owned(), allowed }
}
