//! What can be wrong with a document, and where.

/// A document that can't be read: the place and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct XmlError {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// What is wrong there.
    pub problem: XmlProblem,
}

/// What is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XmlProblem {
    /// Nothing but white space.
    #[error("there is no XML document here")]
    Empty,
    /// More bytes than allowed.
    #[error("the document is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The limit that was passed.
        limit_bytes: usize,
    },
    /// Elements nested too deeply.
    #[error("elements are nested more than {limit} deep")]
    TooDeep {
        /// The limit that was passed.
        limit: usize,
    },
    /// Too many elements, texts and attributes.
    #[error("the document has more than {limit} nodes")]
    TooManyNodes {
        /// The limit that was passed.
        limit: usize,
    },
    /// One element with too many attributes.
    #[error("an element has more than {limit} attributes")]
    TooManyAttributes {
        /// The limit that was passed.
        limit: usize,
    },
    /// A document type declaration: never read, for it can make a small document a huge one.
    #[error("a DOCTYPE is not allowed")]
    Doctype,
    /// An encoding nobody knows.
    #[error("the encoding `{0}` is not known; use UTF-8")]
    UnknownEncoding(String),
    /// Bytes that are no text in the encoding of the document.
    #[error("these bytes are no {0} text")]
    NotInEncoding(&'static str),
    /// `&name;` that is not one of the five of XML.
    #[error("the entity `&{0};` is not known")]
    UnknownEntity(String),
    /// A name with letters no name may have.
    #[error("`{0}` is no XML name")]
    InvalidName(String),
    /// The same attribute twice.
    #[error("the attribute `{0}` stands twice")]
    DuplicateAttribute(String),
    /// An element without its end.
    #[error("the element `{0}` is not closed")]
    NotClosed(String),
    /// A declaration that is not the first thing.
    #[error("an XML declaration inside the document: nested XML must be escaped")]
    MisplacedDeclaration,
    /// Text or a second element beside the root.
    #[error("there is something beside the root element")]
    BesideRoot,
    /// Anything else, in the parser's words.
    #[error("{0}")]
    Malformed(String),
}

impl XmlError {
    /// An error of the document as a whole.
    pub(crate) fn at_start(problem: XmlProblem) -> Self {
        Self { line: 1, column: 1, problem }
    }

    /// An error at a byte offset of the text.
    pub(crate) fn at(text: &str, offset: usize, problem: XmlProblem) -> Self {
        let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
        Self::at_start(problem).after(before)
    }

    /// The same error, for one who sees these bytes before the document.
    pub(crate) fn after(mut self, before: &[u8]) -> Self {
        let lines = before.split(|byte| *byte == b'\n').count() - 1;
        let last_line = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        if self.line == 1 {
            self.column += last_line.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
        }
        self.line += lines;
        self
    }
}
