//! What `notify/nthandler` needs for a delivery: the handler as it acts now, and its signature.

use super::task::Task;
use super::{payload, sign, task};
use crate::error::PlatformError;
use config::{Config, Place, Root, Vault};
use host::http::{HttpSettings, NetworkError};
use notice::{HandlerId, Mask, Ms, Secret};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use store::{HandlerStatus, Provisioning, Store, StoreError};

/// Reads handlers for deliveries; shared by threads.
pub struct Deliveries {
    root: Root,
    config: Config,
    acting: Mutex<Acting>,
}

/// The rows that act, as they were after a turn.
struct Acting {
    store: Box<dyn Store>,
    /// After so many turns they were read; None: they were not.
    turns: Option<u64>,
    rows: HashMap<HandlerId, Provisioning>,
    /// Handlers made of rows that have not changed since: a key is read and a secret opened once, not for each call.
    made: HashMap<HandlerId, (Provisioning, Arc<Handler>)>,
}

/// A handler to call now.
pub struct Handler {
    /// What is called.
    pub task: Task,
    secrets: Vec<Secret>,
    mask: Mask,
}

/// When a delivery is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// So many turns of the worker are over: rows read after fewer of them are read anew.
    pub turns: u64,
    /// Now.
    pub now: Ms,
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
        let store = store::open(&config.database, &root.path("var"))?;
        let acting = Acting { store, turns: None, rows: HashMap::new(), made: HashMap::new() };
        Ok(Self { root: root.clone(), config: config.clone(), acting: Mutex::new(acting) })
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

    /// The handler of a delivery, as it acts after the last turn (S2-16, S2-17, S2-23): the rows are read once after
    /// each, by whoever asks first.
    pub fn handler(&self, id: HandlerId, at: Moment) -> Result<Arc<Handler>, NotDelivered> {
        let mut acting = self.acting.lock().unwrap_or_else(PoisonError::into_inner);
        acting.read(at.turns).map_err(|error| NotDelivered::Later(error.to_string()))?;
        let never = |why: String| NotDelivered::Never(format!("handler {id} {why}"));
        let Acting { rows, made, .. } = &mut *acting;
        let row = rows
            .get(&id)
            .ok_or_else(|| never("is gone; `gatepost cancel` ends its tasks".to_owned()))?;
        if row.status != HandlerStatus::Enabled {
            let words =
                "enable it, `gatepost provisioning restart`, and `gatepost retry` what waits";
            return Err(never(format!("is {}; {words}", row.status.word())));
        }
        match made.get(&id) {
            Some((known, handler)) if known == row => return Ok(Arc::clone(handler)),
            Some(_) | None => {}
        }
        let task = task::read(row.task_type, &row.task, (&self.root, &self.config))
            .map_err(|refusal| never(format!("can't be called: {refusal}")))?;
        let secrets = self.secrets(row, at.now).map_err(NotDelivered::Later)?;
        let mask = Mask::new(&secrets);
        // a script is looked at before each run, and an old secret signs until its time is over
        let stays = matches!(task, Task::Post(_)) && row.old_secret.is_empty();
        let handler = Arc::new(Handler { task, secrets, mask });
        if stays {
            made.insert(id, (row.clone(), Arc::clone(&handler)));
        }
        Ok(handler)
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

impl Acting {
    fn read(&mut self, turns: u64) -> Result<(), StoreError> {
        if self.turns.is_some_and(|read| read >= turns) {
            return Ok(());
        }
        let rows = store::read(&mut *self.store, |snapshot| snapshot.active_provisionings())?;
        self.rows = rows.into_iter().map(|row| (row.id, row)).collect();
        self.made.retain(|id, _| self.rows.contains_key(id));
        self.turns = Some(turns);
        Ok(())
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
    pub fn mask(&self) -> &Mask {
        &self.mask
    }
}
