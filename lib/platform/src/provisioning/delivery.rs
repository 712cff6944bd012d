//! What `notify/nthandler` needs for a delivery: the handler as it acts now, and its signature.

use super::task::Task;
use super::{payload, sign, task};
use crate::error::PlatformError;
use config::{Config, Place, Root, Vault};
use host::http::{HttpSettings, NetworkError};
use notice::{HandlerId, Mask, Ms, Secret};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use store::{HandlerStatus, Provisioning, Store, StoreError};

/// Reads handlers for deliveries; shared by threads.
pub struct Deliveries {
    root: Root,
    config: Config,
    store: Mutex<Box<dyn Store>>,
    /// Rows as they last were, with their secrets open: a key is read and a secret opened once, not for each call.
    opened: Mutex<HashMap<HandlerId, (Provisioning, Vec<Secret>)>>,
}

/// A handler to call now.
pub struct Handler {
    /// What is called.
    pub task: Task,
    secrets: Vec<Secret>,
}

/// Why there is nobody to call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotDelivered {
    /// It does not act any more, or can't be called as it is: a person's matter.
    Never(String),
    /// It can't be read now.
    Later(String),
}

/// What a raw body of ours is about: its `events_id`.
pub fn subject_of(body: &[u8]) -> Option<String> {
    payload::events_id(body)
}

impl Deliveries {
    /// Opens a connection of its own.
    pub fn open(root: &Root, config: &Config) -> Result<Self, PlatformError> {
        let store = Mutex::new(store::open(&config.database, &root.path("var"))?);
        let opened = Mutex::default();
        Ok(Self { root: root.clone(), config: config.clone(), store, opened })
    }

    /// How POSTs are made.
    pub fn http_settings(&self) -> Result<HttpSettings, NetworkError> {
        let settings = &self.config.provisioning;
        let allowed: Result<_, _> =
            settings.allow_private.iter().map(|network| network.parse()).collect();
        Ok(HttpSettings {
            connect: settings.connect,
            total: settings.call,
            kept_bytes: settings.answer_bytes,
            allowed: allowed?,
        })
    }

    /// The handler of a delivery, as it acts now (S2-16, S2-17, S2-23).
    pub fn handler(&self, id: HandlerId, now: Ms) -> Result<Handler, NotDelivered> {
        let row = self.read(id).map_err(|error| NotDelivered::Later(error.to_string()))?;
        let never = |why: String| NotDelivered::Never(format!("handler {id} {why}"));
        let row =
            row.ok_or_else(|| never("is gone; `gatepost cancel` ends its tasks".to_owned()))?;
        if row.status != HandlerStatus::Enabled {
            let words =
                "enable it, `gatepost provisioning restart`, and `gatepost retry` what waits";
            return Err(never(format!("is {}; {words}", row.status.word())));
        }
        let task = task::read(row.task_type, &row.task, (&self.root, &self.config))
            .map_err(|refusal| never(format!("can't be called: {refusal}")))?;
        let secrets = self.secrets_of(row, now).map_err(NotDelivered::Later)?;
        Ok(Handler { task, secrets })
    }

    fn secrets_of(&self, row: Provisioning, now: Ms) -> Result<Vec<Secret>, String> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        match opened.get(&row.id) {
            Some((known, secrets)) if *known == row => return Ok(secrets.clone()),
            _ => {}
        }
        let secrets = self.secrets(&row, now)?;
        // an old secret signs until its time is over
        if row.old_secret.is_empty() {
            opened.insert(row.id, (row, secrets.clone()));
        }
        Ok(secrets)
    }

    fn read(&self, id: HandlerId) -> Result<Option<Provisioning>, StoreError> {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        store::read(&mut **store, |snapshot| snapshot.active_provisioning(id))
    }

    fn secrets(&self, row: &Provisioning, now: Ms) -> Result<Vec<Secret>, String> {
        if row.secret.is_empty() {
            return Ok(Vec::new());
        }
        let words = |error: config::ConfigError| {
            format!("can't open its secret: {}", notice::chain(&error))
        };
        let vault = Vault::load(&self.root).map_err(words)?;
        let open = |sealed: &[u8]| match sealed {
            [] => Ok(config::Secrets::default()),
            sealed => vault.open(Place::of_handler(row.id.0), sealed).map_err(words),
        };
        Ok(sign::valid(&open(&row.secret)?, &open(&row.old_secret)?, now))
    }
}

impl Handler {
    /// Header lines of a call with this key, at this time: identity and signatures (Standard Webhooks), and
    /// `Idempotency-Key`.
    pub fn headers(&self, key: &str, at: Ms, body: &[u8]) -> Vec<(&'static str, String)> {
        let mut headers = sign::headers((key, at), body, &self.secrets);
        headers.push(("idempotency-key", key.to_owned()));
        headers
    }

    /// Hides its secrets.
    pub fn mask(&self) -> Mask {
        Mask::new(&self.secrets)
    }
}
