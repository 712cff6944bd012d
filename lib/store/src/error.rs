//! What can go wrong with the database.

use std::path::PathBuf;

/// A failure of the store. Whether to try again is asked of [`StoreError::is_passing`], never of the text.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file can't be opened: missing, no right, read-only folder.
    #[error(
        "can't open the database `{path}`: {reason}; check owner and mode, or run `gatepost init`"
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Another process has kept the write lock for 10 s.
    #[error(
        "the database is locked by another process for over {waited_secs} s while trying to {operation}"
    )]
    Locked {
        /// What was tried.
        operation: &'static str,
        /// How long, seconds.
        waited_secs: u64,
    },
    /// The disk is full, or a write or fsync failed.
    #[error("can't {operation}: {reason}; free some space or mend the disk, nothing was changed")]
    Disk {
        /// What was tried.
        operation: &'static str,
        /// What the system said.
        reason: String,
    },
    /// The schema is newer than this program knows: stop and upgrade it.
    #[error(
        "the database `{path}` has schema {found}, this program knows up to {known}: upgrade the program"
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// In the file.
        found: i64,
        /// Known here.
        known: i64,
    },
    /// The schema is older than this program needs; `gatepost init` brings it up to date.
    #[error(
        "the database `{path}` has schema {found}, this program needs {known}: run `gatepost init`"
    )]
    OlderSchema {
        /// The file.
        path: PathBuf,
        /// In the file.
        found: i64,
        /// Needed here.
        known: i64,
    },
    /// The file lies on a filesystem without shared memory.
    #[error("`{path}` is on a network filesystem; SQLite's WAL needs a local disk")]
    NetworkFilesystem {
        /// The file.
        path: PathBuf,
    },
    /// A row that can't be written as asked.
    #[error("can't {operation}: {reason}")]
    Refused {
        /// What was tried.
        operation: &'static str,
        /// Which rule it breaks.
        reason: String,
    },
    /// Anything else the engine says.
    #[error("can't {operation}: {reason}")]
    Engine {
        /// What was tried.
        operation: &'static str,
        /// The engine's words.
        reason: String,
    },
    /// The closure gave an error; the transaction was rolled back.
    #[error("the transaction was rolled back")]
    RolledBack,
}

impl StoreError {
    /// True if the same call may succeed later.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Locked { .. } | Self::Disk { .. } => true,
            Self::Open { .. }
            | Self::NewerSchema { .. }
            | Self::OlderSchema { .. }
            | Self::NetworkFilesystem { .. }
            | Self::Refused { .. }
            | Self::Engine { .. }
            | Self::RolledBack => false,
        }
    }
}
