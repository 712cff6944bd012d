//! The loop: start what is due, wait for a signal or the next due time.

use crate::keep::{Keep, words_of};
use crate::orphans;
use crate::rest::Rest;
use crate::signals::Wish;
use config::{Config, Log, Root};
use host::{Caller, Child, Folder, Program, Programs, Signal, Stream, Streams};
use notice::{Clock, ModuleName, SystemClock};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use store::{Direction, Durability, Store};

/// Why the loop ended.
pub(crate) enum Ended {
    /// For good.
    Leave,
    /// To begin anew with these settings, beside what has not left yet.
    Reload(Box<Config>, Leavers),
}

/// What was told to leave, or is about to end by itself.
#[derive(Default)]
pub(crate) struct Leavers {
    keeps: Vec<Keep>,
    errands: Vec<Errand>,
}

/// A feature of modules that take their rows through our queue.
const QUEUE: &str = "queue";

/// Longest time without a look, and so without a sign of life to systemd.
const LOOK: Duration = Duration::from_secs(10);

/// A command that is run again and again: `process` of a foreign module, `getmessage`.
struct Errand {
    /// Its name, for the log.
    name: String,
    program: Program,
    every: Duration,
    next: Instant,
    running: Option<Child>,
}

/// Everything that is kept running.
pub(crate) struct Supervisor {
    config: Config,
    log: Arc<Log>,
    keeps: Vec<Keep>,
    errands: Vec<Errand>,
    /// Those of before that are no more wanted.
    leavers: Leavers,
    caller: Caller,
    root: Root,
    store: Option<Box<dyn Store>>,
    next_prune: Instant,
}

impl Supervisor {
    /// Finds the modules. Each starts as soon as the one before it has left: none waits for another's gates.
    pub(crate) fn new(root: &Root, (config, log): (Config, Arc<Log>), leavers: Leavers) -> Self {
        let caller = Caller::new(root, &config);
        let now = Instant::now();
        let mut all = Self {
            config,
            log,
            keeps: Vec::new(),
            errands: Vec::new(),
            leavers,
            caller,
            root: root.clone(),
            store: None,
            next_prune: now,
        };
        all.find_modules();
        all
    }

    fn find_modules(&mut self) {
        let wanted = self.config.daemon.modules.clone();
        for found in Programs::new(&self.caller).list(Folder::Notify) {
            if !wanted.is_empty() && !wanted.contains(&found.name) {
                continue;
            }
            match &found.features {
                Err(why) => self.log.error(&format!("notify/{} is not used: {why}", found.name)),
                Ok(features) if features.has(QUEUE) => self.keep(&found.name, &found.path),
                Ok(_) => self.run_foreign(&found.name, &found.path),
            }
        }
    }

    fn keep(&mut self, name: &str, path: &std::path::Path) {
        let mut program = self.caller.command(path, "process");
        program.args.push("--follow".into());
        let daemon = &self.config.daemon;
        let before = self.leavers.keeps.extract_if(.., |keep| keep.name == name).next();
        let rest = Rest::new(daemon.restart_first, daemon.restart_most);
        self.keeps.push(Keep::new((name, program), rest, before));
        let mut fetch = self.caller.command(path, "getmessage");
        fetch.args.extend(["--gate".into(), "all".into()]);
        self.errand(format!("{name} getmessage"), fetch, daemon_every(daemon.getmessage));
    }

    fn run_foreign(&mut self, name: &str, path: &std::path::Path) {
        let mut program = self.caller.command(path, "process");
        program.limits.deadline = self.config.module.foreign_process;
        self.errand(
            format!("{name} process"),
            program,
            daemon_every(self.config.module.foreign_every),
        );
    }

    fn errand(&mut self, name: String, program: Program, every: Duration) {
        let before = self.leavers.errands.extract_if(.., |errand| errand.name == name).next();
        let running = before.and_then(|errand| errand.running);
        self.errands.push(Errand { name, program, every, next: Instant::now(), running });
    }

    /// Runs until a signal ends it.
    pub(crate) fn run(mut self, wishes: &Receiver<Wish>) -> Ended {
        self.log.note(&format!("keeps {} modules running", self.keeps.len()));
        let mut told_ready = false;
        loop {
            self.look();
            if !told_ready {
                let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
                told_ready = true;
            }
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
            match wishes.recv_timeout(self.next_look()) {
                Ok(Wish::Look) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Wish::Reload) => match Config::load(&self.root) {
                    Ok(config) => return self.begin_anew(config),
                    Err(error) => self.log.error(&format!(
                        "{}; the settings stay as they were, nothing is restarted",
                        notice::chain(&error)
                    )),
                },
                Ok(Wish::Leave) | Err(RecvTimeoutError::Disconnected) => {
                    self.end(wishes);
                    return Ended::Leave;
                }
            }
        }
    }

    fn next_look(&self) -> Duration {
        let now = Instant::now();
        let keeps = self.keeps.iter().chain(&self.leavers.keeps).filter_map(Keep::due);
        let errands =
            self.errands.iter().filter(|errand| errand.running.is_none()).map(|errand| errand.next);
        let next = keeps.chain(errands).chain([self.next_prune]).min();
        next.map_or(LOOK, |due| due.saturating_duration_since(now)).min(LOOK)
    }

    fn look(&mut self) {
        let now = Instant::now();
        for keep in &mut self.keeps {
            keep.look(now, &self.log);
        }
        self.leavers.keeps.retain_mut(|keep| !keep.has_left(now, &self.log));
        self.leavers.errands.retain_mut(Errand::is_running);
        self.run_errands(now);
        if now >= self.next_prune {
            self.next_prune = now + self.config.daemon.prune;
            self.prune();
        }
        let errands = self.errands.iter().chain(&self.leavers.errands);
        let running = errands.filter_map(|errand| errand.running.as_ref().map(Child::pid));
        let keeps = self.keeps.iter().chain(&self.leavers.keeps);
        let own: Vec<u32> = keeps.filter_map(Keep::pid).chain(running).collect();
        orphans::bury(&own);
    }

    fn run_errands(&mut self, now: Instant) {
        let receiving = self.receiving();
        for errand in &mut self.errands {
            if let Some(child) = &mut errand.running {
                let Some(end) = child.ended() else { continue };
                if end != host::End::Exited(0) {
                    self.log.warning(&format!("{} ended: {}", errand.name, words_of(&end)));
                }
                errand.running = None;
            }
            let is_fetch = errand.name.ends_with(" getmessage");
            let wanted = !is_fetch
                || receiving.iter().any(|module| errand.name.starts_with(&format!("{module} ")));
            if now < errand.next {
                continue;
            }
            errand.next = now + errand.every;
            if !wanted {
                continue;
            }
            let streams = Streams {
                stdin: Stream::Nothing,
                stdout: Stream::Inherited,
                stderr: Stream::Inherited,
            };
            match host::spawn(&errand.program, streams) {
                Ok(child) => errand.running = Some(child),
                Err(why) => self.log.error(&format!("{}: {why}", errand.name)),
            }
        }
    }

    /// Modules that have an active gateway for incoming messages.
    fn receiving(&mut self) -> BTreeSet<ModuleName> {
        let found = self.with_store(|store| {
            store::read(store, |snapshot| {
                let gateways = snapshot.gateways()?;
                let ingoing = gateways
                    .into_iter()
                    .filter(|one| one.active && one.direction == Direction::Ingoing);
                Ok(ingoing.map(|one| one.module).collect())
            })
        });
        found.unwrap_or_default()
    }

    fn prune(&mut self) {
        let now = SystemClock.now();
        let days = &self.config.retention;
        let keep = store::Retention {
            log_days: days.log_days,
            event_days: days.event_days,
            failed_days: days.failed_days,
            key_days: days.key_days,
            blob_days: days.blob_days,
            journal_days: days.journal_days,
            call_key_days: days.call_key_days,
            reply_token_days: days.reply_token_days,
        };
        self.with_store(|store| {
            while store::write(store, Durability::Crash, |tx| tx.prune(now, &keep))? {}
            Ok(())
        });
    }

    /// Opens the database when it is needed; a failure is logged, and tried again next time.
    fn with_store<T>(&mut self, act: impl FnOnce(&mut dyn Store) -> store::Result<T>) -> Option<T> {
        if self.store.is_none() {
            match store::open(&self.config.database, &self.root.path("var")) {
                Ok(store) => self.store = Some(store),
                Err(error) => self.log.error(&error.to_string()),
            }
        }
        match act(self.store.as_deref_mut()?) {
            Ok(value) => Some(value),
            Err(error) => {
                self.log.error(&error.to_string());
                self.store = None;
                None
            }
        }
    }

    /// When a module that was asked to leave is killed: later than it needs to finish what is in a gate's hands.
    fn leave_until(&self) -> Instant {
        Instant::now() + self.config.queue.grace + Duration::from_secs(10)
    }

    /// Asks every module to leave, and waits for none.
    fn begin_anew(mut self, config: Config) -> Ended {
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Status("has read the settings again")]);
        let until = self.leave_until();
        self.keeps.iter_mut().for_each(|keep| keep.ask_to_leave(until));
        self.leavers.keeps.append(&mut self.keeps);
        self.leavers.errands.append(&mut self.errands);
        self.log.note("begins anew");
        Ended::Reload(Box::new(config), self.leavers)
    }

    /// Lets every module finish what is in a gate's hands. A second wish to leave is passed on.
    fn end(mut self, wishes: &Receiver<Wish>) {
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        let until = self.leave_until();
        self.leavers.keeps.append(&mut self.keeps);
        self.leavers.keeps.iter_mut().for_each(|keep| keep.ask_to_leave(until));
        self.leavers.errands.append(&mut self.errands);
        self.leavers.errands.iter_mut().for_each(Errand::ask_to_leave);
        loop {
            let now = Instant::now();
            self.leavers.keeps.retain_mut(|keep| !keep.has_left(now, &self.log));
            self.leavers.errands.retain_mut(|errand| errand.is_running() && now < until);
            if self.leavers.keeps.is_empty() && self.leavers.errands.is_empty() {
                break;
            }
            if wishes.recv_timeout(Duration::from_millis(200)) == Ok(Wish::Leave) {
                self.leavers.keeps.iter_mut().for_each(|keep| keep.ask_to_leave(until));
            }
        }
        self.log.note("leaves");
    }
}

impl Errand {
    fn is_running(&mut self) -> bool {
        self.running.as_mut().is_some_and(|child| child.ended().is_none())
    }

    fn ask_to_leave(&mut self) {
        if let Some(child) = &mut self.running {
            child.tell(Signal::Terminate);
        }
    }
}

/// A timer never runs wild, whatever the settings say.
fn daemon_every(every: Duration) -> Duration {
    every.max(Duration::from_millis(100))
}
