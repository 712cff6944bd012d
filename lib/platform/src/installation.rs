//! What every door to one installation shares.

use crate::call::Outside;
use crate::error::PlatformError;
use crate::once::KeyedCalls;
use crate::refusal::Refusal;
use crate::registry::Registry;
use config::{Config, Log, Root};
use notice::Clock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use store::Store;

/// One installation: settings, programs, and the registry of the moment.
pub(crate) struct Installation {
    pub(crate) root: Root,
    pub(crate) config: Config,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) starter: host::Caller,
    pub(crate) programs: host::Programs,
    pub(crate) log: Option<Log>,
    /// None until the first call: who never calls never pays for it.
    registry: RwLock<Option<Arc<Registry>>>,
    /// Held while a registry is made; never while one is used.
    making: Mutex<()>,
    /// `exit` was called.
    leaving: AtomicBool,
    /// Calls under keys that are on their way.
    pub(crate) keyed_calls: KeyedCalls,
    /// Doors that are open, without those of plugins.
    doors: AtomicUsize,
}

impl Installation {
    /// Nothing is read yet.
    pub(crate) fn new(
        (root, config): (Root, Config),
        clock: Arc<dyn Clock>,
        log: Option<Log>,
    ) -> Arc<Self> {
        let starter = host::Caller::new(&root, &config);
        let programs = host::Programs::new(&starter);
        let (registry, making) = (RwLock::new(None), Mutex::new(()));
        Arc::new(Self {
            root,
            config,
            clock,
            starter,
            programs,
            log,
            registry,
            making,
            leaving: AtomicBool::new(false),
            keyed_calls: KeyedCalls::default(),
            doors: AtomicUsize::new(0),
        })
    }

    /// A store connection for another door.
    pub(crate) fn connect(&self) -> Result<Box<dyn Store>, PlatformError> {
        Ok(store::open(&self.config.database, &self.root.path("var"))?)
    }

    /// Counts a door that is opened.
    pub(crate) fn enter(&self) {
        self.doors.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a door that is closed; the last one takes the plugins along, while what they call is still there.
    pub(crate) fn leave(&self) {
        if self.doors.fetch_sub(1, Ordering::AcqRel) == 1
            && let Some(plugins) = self.known().and_then(|registry| registry.plugins.clone())
        {
            plugins.close();
        }
    }

    /// The registry of this moment; made by the first who asks.
    pub(crate) fn registry(self: &Arc<Self>) -> Result<Arc<Registry>, Refusal> {
        if let Some(registry) = self.known() {
            return Ok(registry);
        }
        let _one = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        match self.known() {
            Some(registry) => Ok(registry),
            None => self.make(None),
        }
    }

    /// The registry of this moment; if there is none, one that knows what events send and nothing else: who
    /// only fans events out, beside a daemon, starts no second worker of the plugins.
    pub(crate) fn registry_of_notices(&self) -> Arc<Registry> {
        self.known().unwrap_or_else(|| Arc::new(Registry::of_notices(self)))
    }

    /// A new registry in place of the old one.
    pub(crate) fn reload(self: &Arc<Self>) -> Result<Arc<Registry>, Refusal> {
        let _one = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.known();
        self.make(old.as_deref())
    }

    fn make(self: &Arc<Self>, old: Option<&Registry>) -> Result<Arc<Registry>, Refusal> {
        let registry = Arc::new(Registry::load(self, old)?);
        let new = Some(Arc::clone(&registry));
        *self.registry.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(registry)
    }

    /// The registry of this moment, if there is one.
    pub(crate) fn known(&self) -> Option<Arc<Registry>> {
        self.registry.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whoever runs the platform is to leave and to be started again.
    pub(crate) fn ask_to_leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// True once somebody has asked for it.
    pub(crate) fn is_to_leave(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    /// What outside code is run with.
    pub(crate) fn outside(&self) -> Outside<'_> {
        Outside { starter: &self.starter, log: self.log.as_ref(), journal: Vec::new() }
    }
}
