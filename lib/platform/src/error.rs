//! Why an installation can't be opened.

use config::ConfigError;
use store::StoreError;

/// A failure to open the platform.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// `database` names an engine that this build does not have.
    #[error("`database = \"{0}\"`: this build knows only `sqlite:PATH`")]
    Engine(String),
}
