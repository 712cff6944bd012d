//! What every door to one installation shares.

use crate::call::Outside;
use crate::error::PlatformError;
use crate::once::KeyedCalls;
use crate::refusal::Refusal;
use crate::registry::{Notices, Registry};
use crate::replies::Followers;
use config::{Config, Log, Root};
use notice::{Clock, Ms};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use store::Store;

/// Files of notices are looked at that often, at most.
const LOOK_MS: i64 = 1_000;

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
    /// The notices of events, and when their files were last looked at.
    notices: Mutex<Option<(Arc<Notices>, Ms)>>,
    /// Held while a registry is made; never while one is used.
    making: Mutex<()>,
    /// `exit` was called.
    leaving: AtomicBool,
    /// Calls under keys that are on their way.
    pub(crate) keyed_calls: KeyedCalls,
    /// Messages that came in and are being followed.
    pub(crate) followers: Followers,
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
            notices: Mutex::new(None),
            making,
            leaving: AtomicBool::new(false),
            keyed_calls: KeyedCalls::default(),
            followers: Followers::default(),
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

    /// The registry of this moment; made by the first who asks. A changed `notice.toml` counts from the next call on;
    /// all else waits for a reload.
    pub(crate) fn registry(self: &Arc<Self>) -> Result<Arc<Registry>, Refusal> {
        if let Some(registry) = self.known() {
            return Ok(self.with_current_notices(registry));
        }
        let _one = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        match self.known() {
            Some(registry) => Ok(registry),
            None => self.make(None),
        }
    }

    fn with_current_notices(&self, registry: Arc<Registry>) -> Arc<Registry> {
        let notices = self.notices();
        if Arc::ptr_eq(&notices, &registry.notices) {
            return registry;
        }
        // one that is being made, by whoever it may be that waits for us, reads them itself
        let Ok(_one) = self.making.try_lock() else { return registry };
        let latest = self.known().unwrap_or(registry);
        self.put(latest.with_notices(notices))
    }

    /// The registry of this moment; if there is none, one that knows what events send and nothing else: who
    /// only fans events out, beside a daemon, starts no second worker of the plugins.
    pub(crate) fn registry_of_notices(&self) -> Arc<Registry> {
        match self.known() {
            Some(registry) => self.with_current_notices(registry),
            None => Arc::new(Registry::of_notices(self.notices())),
        }
    }

    /// The notices that events send: read again when a file has changed since.
    pub(crate) fn notices(&self) -> Arc<Notices> {
        let now = self.clock.now();
        let mut kept = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((notices, looked)) = kept.as_mut() {
            // a clock that was set back is no reason to wait
            if (0..LOOK_MS).contains(&now.since(*looked)) {
                return Arc::clone(notices);
            }
            *looked = now;
            if notices.are_current(&self.root) {
                return Arc::clone(notices);
            }
        }
        let notices = Arc::new(Notices::read(self));
        *kept = Some((Arc::clone(&notices), now));
        notices
    }

    /// A new registry in place of the old one.
    pub(crate) fn reload(self: &Arc<Self>) -> Result<Arc<Registry>, Refusal> {
        let _one = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        *self.notices.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let old = self.known();
        self.make(old.as_deref())
    }

    fn make(self: &Arc<Self>, old: Option<&Registry>) -> Result<Arc<Registry>, Refusal> {
        Ok(self.put(Registry::load(self, old)?))
    }

    fn put(&self, registry: Registry) -> Arc<Registry> {
        let registry = Arc::new(registry);
        let new = Some(Arc::clone(&registry));
        *self.registry.write().unwrap_or_else(PoisonError::into_inner) = new;
        registry
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
