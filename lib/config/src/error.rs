//! What can't be done at this door, with the cure in the text.

use std::io;
use std::path::PathBuf;

/// A failure of this crate.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file or folder that can't be read, made or written.
    #[error("can't {act} `{}`", path.display())]
    File {
        /// What was tried: `open`, `make`.
        act: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The folder has no `etc/gatepost.toml`.
    #[error(
        "`{0}` is no ROOT: `etc/gatepost.toml` is missing there; name another with --root or GATEPOST_ROOT, or run `gatepost init --root {0}`"
    )]
    NotARoot(String),
    /// The file is no TOML.
    #[error("{place}: {text}")]
    Syntax {
        /// File and line.
        place: String,
        /// What the parser says.
        text: String,
    },
    /// A key nobody knows.
    #[error("{place}: unknown key `{key}`; {nearest}")]
    UnknownKey {
        /// File and line, the environment name, or `argument`.
        place: String,
        /// The key with its sections.
        key: String,
        /// The known key nearest to it, in words, or where to look.
        nearest: String,
    },
    /// A value of the wrong type, outside its limits, or none of the allowed words.
    #[error("{place}: `{key}` must be {wanted}, found {found}")]
    BadValue {
        /// File and line, the environment name, or `argument`.
        place: String,
        /// The key with its sections.
        key: String,
        /// What may stand there.
        wanted: String,
        /// What stands there.
        found: String,
    },
    /// Others may change what we would run or obey.
    #[error("`{}` can be written by others ({who}): whoever may write there can make Gatepost run anything; {cure}", path.display())]
    WritableByOthers {
        /// The folder.
        path: PathBuf,
        /// Who may write.
        who: String,
        /// The command that cures it.
        cure: String,
    },
    /// A program of another user was to act on this ROOT.
    #[error("can't become the owner of `{}` (uid {uid}); start this program as root or as that user", path.display())]
    NotOwner {
        /// The folder `var`.
        path: PathBuf,
        /// Its owner.
        uid: u32,
        /// Why not.
        source: io::Error,
    },
    /// Neither root nor the owner of `var/` started it.
    #[error("`{}` belongs to {owner}, you are {caller}: use `sudo -u {owner}`, or start it as root", path.display())]
    Stranger {
        /// The folder `var`.
        path: PathBuf,
        /// Its owner's name, or uid.
        owner: String,
        /// The caller's name, or uid.
        caller: String,
    },
    /// `etc/secret.key` is unfit.
    #[error("`{}` {problem}", path.display())]
    Key {
        /// The key file.
        path: PathBuf,
        /// What is wrong, and the cure.
        problem: String,
    },
    /// A sealed value that does not open with this key.
    #[error(
        "a stored secret can't be opened with this ROOT's etc/secret.key: {0}; restore the key from a backup, or give the secret anew"
    )]
    Sealed(&'static str),
    /// A `@file:` or `@env:` reference that leads nowhere.
    #[error("the secret `{name}` is a reference, and {problem}")]
    Reference {
        /// Field name.
        name: String,
        /// What is wrong, without the value.
        problem: String,
    },
}

impl ConfigError {
    pub(crate) fn file(
        act: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { act, path, source }
    }
}
