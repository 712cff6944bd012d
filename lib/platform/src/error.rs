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
}
