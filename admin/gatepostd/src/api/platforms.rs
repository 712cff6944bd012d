//! Platforms for calls that run side by side: each call has one to itself, with its own connection. They share
//! one registry of handlers and plugins.

use config::Config;
use platform::{Platform, PlatformError};
use rustix::process::{Signal, getpid, kill_process};
use std::sync::{Arc, Mutex, PoisonError};

/// Open platforms over one installation, kept for the next call.
#[derive(Clone)]
pub(crate) struct Platforms {
    first: Arc<Mutex<Platform>>,
    config: Arc<Config>,
    idle: Arc<Mutex<Vec<Platform>>>,
}

impl Platforms {
    /// Doors to the installation of this one.
    pub(crate) fn new(first: Platform) -> Self {
        let config = Arc::new(first.config().clone());
        Self { first: Arc::new(Mutex::new(first)), config, idle: Arc::default() }
    }

    /// The settings.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Lends one. A platform whose call panicked does not come back. After `exit` the daemon begins anew, as by
    /// SIGHUP: modules, settings, registrations, plugins (S0-6).
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Platform) -> T) -> Result<T, PlatformError> {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut platform = match kept {
            Some(platform) => platform,
            None => self.first.lock().unwrap_or_else(PoisonError::into_inner).another()?,
        };
        let was_to_leave = platform.is_to_leave();
        let result = act(&mut platform);
        if platform.is_to_leave() && !was_to_leave {
            // It can only fail for a process that is not there, and this one is.
            let _ = kill_process(getpid(), Signal::HUP);
        }
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(platform);
        Ok(result)
    }
}
