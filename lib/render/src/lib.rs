//! A template and a notice become the text of a message (DESIGN 6).
//!
//! Three engines (XSLT, EJS, Tera), macros, subject, text alternative. Pure: what a template sees is its
//! bundle, its notice, the user, the project and the language. This crate never opens a file or a socket and
//! has no name through which a template could; what a template can still do, use up time and memory, is
//! limited per message here, and for good by the process that calls it (`libexec/gatepost-render`).

mod amounts;
mod ask;
mod ejs;
mod escape;
mod limits;
mod macros;
mod moments;
mod plain;
mod renderer;
mod tera_engine;
mod told;
#[cfg(feature = "xslt")]
mod xslt_engine;

pub use limits::Limits;
pub use renderer::{Renderer, Unavailable};
