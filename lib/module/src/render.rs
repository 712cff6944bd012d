//! Turning a body into texts: the seam to the render program, and the order of its questions.

use std::sync::Arc;
use store::Blob;
use wire::rendering::{Bundle, Part, Texts};

/// One body to render.
#[derive(Clone, Debug)]
pub struct Rendering {
    /// The bundle's bytes and hash.
    pub bundle: Blob,
    /// The same, read.
    pub parsed: Arc<Bundle>,
    /// The notice's bytes and hash.
    pub notice: Blob,
    /// What is wanted.
    pub parts: Vec<Part>,
    /// The user's language; templates see it as `lang`.
    pub lang: String,
    /// The user's time zone.
    pub timezone: String,
    /// `<user>…</user>`.
    pub user_xml: String,
    /// `<project>…</project>`, or empty for the notice's own.
    pub project_xml: String,
}

/// Why there are no texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RenderFailure {
    /// The template or the notice is to blame: with file, line, message.
    Template(String),
    /// The render program is: it is missing, or does not start.
    Unavailable(String),
}

/// Makes texts of bodies; as many answers as jobs, in their order.
pub trait Renderer: Send {
    /// Renders them all.
    fn render(&mut self, jobs: &[Rendering]) -> Vec<Result<Texts, RenderFailure>>;
}
