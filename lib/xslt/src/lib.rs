//! XSLT 1.0 and EXSLT (common, math, sets, strings, date, functions) by the system's libxslt.
//!
//! A stylesheet is compiled from a bundle of texts and applied to a document; includes come from the
//! bundle alone. This crate never opens a file or a socket, for itself or for a stylesheet: `document()`,
//! `exsl:document` and their kin are refused, a DOCTYPE is refused, memory and steps are limited.
//! What the limits can't see (time inside one string function) is for the process that uses it to bound.
//! It is the only crate of the workspace that says `unsafe`, in the one module `ffi`.

mod fault;
mod ffi;

pub use fault::Error;
pub use ffi::{Document, Stylesheet};

/// What one call may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes libxml2 and libxslt may allocate in one call, on top of what is alive. 32 MiB.
    pub memory_bytes: usize,
    /// Steps of `XPath` and of instructions in one transformation. 1,000,000.
    pub operations: u64,
    /// Templates called inside templates. 300.
    pub template_depth: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory_bytes: 32 << 20, operations: 1_000_000, template_depth: 300 }
    }
}

/// What a stylesheet finds as `$user`, `$project` (their elements) and `$lang` (text), beside the document.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parameters<'a> {
    /// XML of one element.
    pub user: Option<&'a str>,
    /// XML of one element.
    pub project: Option<&'a str>,
    /// Code of a language.
    pub lang: Option<&'a str>,
}

/// A file of a bundle: its name as an include writes it, and its text.
pub type File<'a> = (&'a str, &'a str);
