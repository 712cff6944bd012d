//! Why a stylesheet was not compiled or not applied.

/// What went wrong, where, in libxslt's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// The file of the bundle; empty when unknown, `notice` for the document.
    pub file: String,
    /// The line in it, from 1; 0 when unknown.
    pub line: u32,
    /// The message, without line breaks.
    pub message: String,
}

/// What the C side wrote down.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    pub(crate) refused_memory: bool,
    pub(crate) file: String,
    pub(crate) line: u32,
    /// The first error of the parser or of `XPath`.
    pub(crate) first: String,
    /// What libxslt printed.
    pub(crate) text: String,
}

impl Error {
    pub(crate) fn of(said: &Said) -> Self {
        let (file, line) = place_in(&said.text).unwrap_or((said.file.as_str(), said.line));
        Self {
            file: file.trim_start_matches("tmpl:").trim_start_matches('/').to_owned(),
            line,
            message: message_of(said),
        }
    }

    pub(crate) fn without_place(message: &str) -> Self {
        Self { file: String::new(), line: 0, message: message.to_owned() }
    }
}

fn message_of(said: &Said) -> String {
    if said.refused_memory {
        return "the template needs more memory than it may have".to_owned();
    }
    let printed = said.text.lines().filter(|line| place_in(line).is_none());
    let all: Vec<&str> =
        said.first.lines().chain(printed).map(str::trim).filter(|line| !line.is_empty()).collect();
    match all.as_slice() {
        [] => "libxslt gave no reason".to_owned(),
        [first] => (*first).to_owned(),
        [first, second, ..] => format!("{first}; {second}"),
    }
}

/// libxslt heads its messages with `runtime error: file F line N element E`.
fn place_in(text: &str) -> Option<(&str, u32)> {
    let from = text.split_once("error: file ")?.1;
    let (file, rest) = from.split_once(" line ")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    Some((file, digits.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_read_from_what_libxslt_prints() {
        let text =
            "runtime error: file tmpl:/a.xslt line 7 element value-of\nno such thing\n".to_owned();
        let error = Error::of(&Said { text, ..Said::default() });
        assert_eq!(
            error,
            Error { file: "a.xslt".into(), line: 7, message: "no such thing".into() }
        );
    }
}
