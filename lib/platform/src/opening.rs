//! Opens the database that the configuration names.

use crate::error::PlatformError;
use config::{Config, Root};
use store::Store;

/// The store behind `database`.
pub(crate) fn store(root: &Root, config: &Config) -> Result<Box<dyn Store>, PlatformError> {
    let database = &config.database;
    let Some(path) = database.strip_prefix("sqlite:") else {
        return Err(PlatformError::Engine(database.clone()));
    };
    let _ = root.path(path);
    Err(PlatformError::Engine(database.clone()))
}
