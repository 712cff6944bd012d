//! The three-line `main` of a module, and what it stands for.

use crate::arguments::{Arguments, Command, Follow, Gates as GateChoice, Insist, ProcessOptions};
use crate::drain::{Drain, DrainParts, Lines};
use crate::gates::{Gates, Openings};
use crate::getmessage;
use crate::handover::Door;
use crate::idle::{Idle, IdleNote};
use crate::kill::Sabotage;
use crate::module::{Module, Patience, Profile};
use crate::notes::Notes;
use crate::oneshot::OneShotTools;
use crate::owner::{Identity, sweep, try_lock};
use crate::pipeline::Outcomes;
use crate::plan::{Pause, Scope, View};
use crate::progress::{Progress, words};
use crate::retry::RetryTable;
use crate::rules::{Rules, Terms};
use crate::run::{Bounds, Left, Run, Telling, listen, pruned};
use crate::signals::Signals;
use crate::standing::Ladders;
use crate::workers::{Workers, WorkersParts};
use config::{Config, Log, Root, Vault, WorkerSync};
use host::{Caller, Programs};
use notice::{Clock, ModuleName, SystemClock};
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::mpsc::channel;
use std::time::Duration;
use store::{Durability, Store, StoreError};

/// What ends a module's program: a sysexits code and the words for stderr.
#[derive(Debug)]
pub struct Exit {
    code: u8,
    words: String,
}

const USAGE: u8 = 64;
const NO_INPUT: u8 = 66;
const UNAVAILABLE: u8 = 69;
const SOFTWARE: u8 = 70;
const TEMPORARY: u8 = 75;
const CONFIGURATION: u8 = 78;

impl Exit {
    pub(crate) fn no_input(words: impl Into<String>) -> Self {
        Self { code: NO_INPUT, words: words.into() }
    }

    pub(crate) fn unavailable(words: impl Into<String>) -> Self {
        Self { code: UNAVAILABLE, words: words.into() }
    }

    fn temporary(words: impl Into<String>) -> Self {
        Self { code: TEMPORARY, words: words.into() }
    }

    fn software(words: impl Into<String>) -> Self {
        Self { code: SOFTWARE, words: words.into() }
    }

    fn configuration(error: &dyn std::error::Error) -> Self {
        Self { code: CONFIGURATION, words: notice::chain(error) }
    }
}

/// Runs a module: reads the command line, does what it asks, answers with a sysexits code. `source` is the
/// program's own `main.rs`, whose head is the manual.
pub fn main(module: impl Module + 'static, source: &str) -> ExitCode {
    let name = module.name();
    let arguments = match Arguments::read(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => return complain(name, &Exit { code: USAGE, words: error.to_string() }),
    };
    let done = match arguments.command {
        Command::Features => say(&module.features().to_bytes()),
        Command::Help => say(manual(source).as_bytes()),
        Command::Version => say(format!("{name} {}\n", env!("CARGO_PKG_VERSION")).as_bytes()),
        Command::Process(options) => Site::open(arguments.root.as_deref(), Arc::new(module))
            .and_then(|site| site.process(&options)),
        Command::GetMessage(_) if !module.profile().receives => {
            Err(Exit::no_input(format!("{name} only sends: it has no messages to fetch")))
        }
        Command::GetMessage(gates) => Site::open(arguments.root.as_deref(), Arc::new(module))
            .and_then(|site| site.get_message(gates)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => complain(name, &exit),
    }
}

/// The head of a program's source without its comment marks.
fn manual(source: &str) -> String {
    let lines = source.lines().take_while(|line| line.starts_with("//!"));
    lines
        .map(|line| line.trim_start_matches("//!").strip_prefix(' ').unwrap_or(""))
        .fold(String::new(), |text, line| text + line + "\n")
}

fn say(bytes: &[u8]) -> Result<(), Exit> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(bytes).and_then(|()| out.flush());
    written.map_err(|error| Exit::software(format!("can't write to stdout: {error}")))
}

fn complain(name: &str, exit: &Exit) -> ExitCode {
    // without stderr there is nobody to tell
    let _ = writeln!(std::io::stderr(), "{name}: {}", exit.words);
    ExitCode::from(exit.code)
}

/// A module at a ROOT.
pub(crate) struct Site {
    pub(crate) module: Arc<dyn Module>,
    pub(crate) name: ModuleName,
    pub(crate) root: Root,
    pub(crate) config: Arc<Config>,
    pub(crate) log: Arc<Log>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Site {
    fn open(root: Option<&Path>, module: Arc<dyn Module>) -> Result<Self, Exit> {
        let root = Root::find(root).map_err(|error| Exit::configuration(&error))?;
        config::take_owner(&root).map_err(|error| Exit::configuration(&error))?;
        config::refuse_if_writable_by_others(&root).map_err(|error| Exit::configuration(&error))?;
        let config = Config::load(&root).map_err(|error| Exit::configuration(&error))?;
        let log = Log::open(&root, &config, module.name())
            .map_err(|error| Exit::configuration(&error))?;
        let name =
            ModuleName::new(module.name()).map_err(|error| Exit::software(error.to_string()))?;
        Ok(Self {
            module,
            name,
            root,
            config: Arc::new(config),
            log: Arc::new(log),
            clock: Arc::new(SystemClock),
        })
    }

    pub(crate) fn store(&self) -> Result<Box<dyn Store>, Exit> {
        store::open(&self.config.database, &self.root.path("var"))
            .map_err(|error| Exit::temporary(notice::chain(&error)))
    }

    fn get_message(&self, gates: GateChoice) -> Result<(), Exit> {
        getmessage::run(self, gates)
    }

    fn process(&self, options: &ProcessOptions) -> Result<(), Exit> {
        self.make_run_folder()?;
        let Some(_locks) = self.take_turn(options)? else { return Ok(()) };
        let looks = std::io::stderr().is_terminal() && options.follow == Follow::No;
        self.sweep();
        if options.follow == Follow::No && !looks && self.is_idle(options) {
            return Ok(());
        }
        let store = self.store()?;
        let mut run = self.run(store, options, looks.then_some(()))?;
        let left = run.go();
        let waiting = if looks { run.drain.ready_now() } else { 0 };
        run.progress.finish(run.drain.tally(), waiting);
        self.leave(run, left)
    }

    /// Whether a run would find nothing to do: looked at before anything is made that only work needs, since most
    /// of what cron starts finds an empty queue. In doubt it is not, and the run says what is wrong.
    fn is_idle(&self, options: &ProcessOptions) -> bool {
        let now = self.clock.now();
        let (scope, pause) = match config::paused(&self.root, now) {
            Some(_) => (Scope::ForcedOnly, Pause::On),
            None => (Scope::All, Pause::Off),
        };
        let soon = now.plus(millis(self.config.queue.poll));
        let lasts = |seen: &Idle| seen.lasts(pause, (now, soon), self.config.daemon.prune);
        let (url, var) = (&self.config.database, self.root.path("var"));
        let Some(stamp) = store::stamp((url, &var), now) else { return false };
        let note = IdleNote::of(&self.run_folder(), &self.name, &*self.clock);
        if note.read(&stamp).is_some_and(|seen| lasts(&seen)) {
            return true;
        }
        let rules = self.rules(options);
        let looked = store::glance((url, &var), now, |snapshot| {
            Ok((View::read(snapshot, &rules, scope)?, pruned(snapshot)?))
        });
        let Some(((view, pruned), stamp)) = looked else { return false };
        let seen = view.lull(&self.name).map(|lull| Idle { lull, pruned }).filter(lasts);
        if let Some(seen) = &seen {
            note.write(&stamp, seen);
        }
        seen.is_some()
    }

    /// The locks of a run; None when somebody else delivers this queue.
    fn take_turn(&self, options: &ProcessOptions) -> Result<Option<Vec<File>>, Exit> {
        let run = self.run_folder();
        let lock = |name: &str| {
            let path = run.join(format!("{name}-{}.lock", self.name));
            try_lock(&path).map_err(|error| {
                Exit::temporary(format!("can't lock `{}`: {error}", path.display()))
            })
        };
        let insists = options.insist == Insist::Yes;
        match (lock("daemon")?, options.follow) {
            (Some(daemon), Follow::Yes) => return Ok(Some(vec![daemon])),
            (None, Follow::Yes) if !insists => {
                return Err(Exit::temporary(
                    "another `process --follow` delivers this queue; --force works beside it",
                ));
            }
            (None, Follow::No) if !insists && self.wakes_daemon()? => {
                self.tell("a daemon (gatepostd or `process --follow`) delivers this queue; it was woken. --force works beside it");
                return Ok(None);
            }
            (Some(_) | None, _) => {}
        }
        match lock("process")? {
            Some(process) => Ok(Some(vec![process])),
            None if insists => Ok(Some(Vec::new())),
            None => {
                self.tell("another run of `process` delivers this queue. --force works beside it");
                Ok(None)
            }
        }
    }

    /// Wakes the daemon if a worker of this module has beaten within two leases, and says whether one has: a daemon
    /// that hangs keeps nobody from delivering (queue 3.7).
    fn wakes_daemon(&self) -> Result<bool, Exit> {
        let mut store = self.store()?;
        let workers = store::read(&mut *store, |snapshot| snapshot.workers()).unwrap_or_default();
        let prefix = format!("{}-", self.name);
        let lease_ms = millis(self.config.queue.lease);
        let now = self.clock.now();
        let beats = workers.iter().any(|worker| {
            worker.owner.starts_with(&prefix) && now.since(worker.beat) < 2 * lease_ms
        });
        if beats {
            store.wake();
        }
        Ok(beats)
    }

    fn run_folder(&self) -> PathBuf {
        self.root.path("var/run")
    }

    fn make_run_folder(&self) -> Result<(), Exit> {
        let run = self.run_folder();
        std::fs::create_dir_all(&run)
            .map_err(|error| Exit::temporary(format!("can't make `{}`: {error}", run.display())))
    }

    /// What dead workers have left in `var/run`, and the database does not know of, goes.
    fn sweep(&self) {
        let owners = |snapshot: &mut dyn store::Snapshot| {
            let workers = snapshot.workers()?.into_iter().map(|worker| worker.owner);
            Ok::<_, StoreError>(workers.chain(snapshot.lease_owners()?).collect())
        };
        sweep(&self.run_folder(), || store::read(&mut *self.store().ok()?, owners).ok());
    }

    /// For a person at a terminal; from cron nothing.
    fn tell(&self, words: &str) {
        if std::io::stderr().is_terminal() {
            let _ = writeln!(std::io::stderr(), "{}: {words}", self.name);
        }
    }

    fn run(
        &self,
        store: Box<dyn Store>,
        options: &ProcessOptions,
        looks: Option<()>,
    ) -> Result<Run, Exit> {
        let run = self.run_folder();
        let mask_off = |error: std::io::Error| {
            Exit::temporary(format!("can't work in `{}`: {error}", run.display()))
        };
        let door = Arc::new(self.door(&run).map_err(mask_off)?);
        let log = Arc::clone(&self.log);
        let (outcomes, events) = channel();
        let stop = Arc::new(host::Stop::new().map_err(mask_off)?);
        let caller = Caller::new(&self.root, &self.config).until(Arc::clone(&stop));
        let programs = Arc::new(Programs::new(&caller));
        let tools = Arc::new(OneShotTools {
            caller,
            programs: Arc::clone(&programs),
            openings: Openings::new(Vault::load(&self.root).ok()),
            door: Arc::clone(&door),
            run: run.clone(),
            log: Box::new(move |line| log.line(config::Level::Info, line)),
        });
        let parts = WorkersParts {
            module: Arc::clone(&self.module),
            root: self.root.clone(),
            config: Arc::clone(&self.config),
            tools,
            outcomes: outcomes.clone(),
        };
        let rules = self.rules(options).with(&parts.own_way());
        let parts = Arc::new(parts);
        let tell = self.tell_events(Arc::clone(&parts));
        if options.follow == Follow::Yes || options.time.is_some() {
            let waker = store.waker().map_err(|error| Exit::temporary(notice::chain(&error)))?;
            listen(waker, outcomes.clone(), self.config.queue.poll);
        }
        let signals = signals(options.follow, outcomes)?;
        let mut drain = Drain::open(DrainParts {
            store,
            pipeline: Box::new(Workers::new(parts)),
            gates: Arc::new(Gates::new(programs, self.config.gateway.window_most)),
            door: Arc::clone(&door),
            rules,
            run,
            log: self.lines(),
        });
        if options.follow == Follow::Yes {
            drain.register().map_err(|error| Exit::temporary(notice::chain(&error)))?;
        }
        let progress = if looks.is_some() { Progress::on_terminal(0) } else { Progress::silent() };
        let bounds = self.bounds(options);
        Ok(Run { tell, drain, events, door, signals, stop, progress, bounds, finishing: None })
    }

    /// What every hand-over of a run passes: a name of its own, and notes.
    fn door(&self, run: &Path) -> std::io::Result<Door> {
        let identity = Identity::take(&self.name, run, &*self.clock)?;
        let notes = Notes::create(&identity.notes_path())?;
        let (root, clock) = (self.root.clone(), Arc::clone(&self.clock));
        let door = Door {
            clock: Arc::clone(&self.clock),
            identity,
            notes,
            pause: Box::new(move || config::paused(&root, clock.now()).is_some()),
            sabotage: Sabotage::read(config::kill_at().as_deref()),
            stopping: AtomicBool::new(false),
            turns: AtomicU64::new(0),
        };
        door.sabotage
            .arm(self.clock.since_boot().0.unsigned_abs() ^ u64::from(std::process::id()) << 7);
        Ok(door)
    }

    /// The way of lines to the log.
    fn lines(&self) -> Lines {
        let log = Arc::clone(&self.log);
        Box::new(move |level, line| log.line(level, line))
    }

    /// Trouble that stays is told once, not each turn.
    fn tell_events(&self, parts: Arc<WorkersParts>) -> Box<dyn FnMut() -> Telling> {
        let log = Arc::clone(&self.log);
        let mut known = String::new();
        Box::new(move || {
            let trouble = parts.tell().err().unwrap_or_default();
            if !trouble.is_empty() && trouble != known {
                log.line(config::Level::Warning, &trouble);
            }
            known = trouble;
            if known.is_empty() { Telling::Done } else { Telling::Failed }
        })
    }

    fn bounds(&self, options: &ProcessOptions) -> Bounds {
        let queue = &self.config.queue;
        Bounds {
            follow: options.follow,
            time: options.time.unwrap_or(queue.process),
            poll: queue.poll,
            grace: queue.grace,
            prune: self.config.daemon.prune,
            keep: self.keep(),
        }
    }

    fn keep(&self) -> store::Retention {
        let days = &self.config.retention;
        store::Retention {
            log_days: days.log_days,
            event_days: days.event_days,
            failed_days: days.failed_days,
            key_days: days.key_days,
            blob_days: days.blob_days,
            journal_days: days.journal_days,
            call_key_days: days.call_key_days,
            reply_token_days: days.reply_token_days,
        }
    }

    /// As if the module's own way were there, if it can have one.
    fn rules(&self, options: &ProcessOptions) -> Rules {
        let profile: Profile = self.module.profile();
        let (queue, gateway) = (&self.config.queue, &self.config.gateway);
        let line = match profile.patience {
            Patience::Mail => &self.config.retry.mail,
            Patience::Sms => &self.config.retry.sms,
            Patience::Internal => &self.config.retry.internal,
            Patience::Provisioning => &self.config.retry.provisioning,
        };
        let retry = retry_table(line);
        let terms = Terms { retry, on_unknown: profile.on_unknown, asked_ms: millis(queue.asked) };
        Rules {
            module: self.name.clone(),
            contact_kind: profile.contact_kind.to_owned(),
            contact_form: profile.contact_form,
            country: self.config.ntsms.country.clone(),
            way: profile.way,
            terms,
            file_retry: retry_table(&self.config.retry.internal),
            processing: (profile.patience == Patience::Provisioning).then(|| self.processing()),
            at_once: self.config.provisioning.at_once,
            ladders: Ladders {
                strikes: gateway.hold_failures,
                holds: gateway.hold_tasks,
                probe_ms: (millis(gateway.hold_first), millis(gateway.hold_most)),
                breaker_ms: (millis(gateway.breaker_first), millis(gateway.breaker_most)),
            },
            window: (gateway.window_first, gateway.window_most),
            claim_ahead_ms: millis(queue.claim_ahead),
            turn_tasks: queue.turn_tasks,
            lease_ms: millis(queue.lease),
            extend_ms: millis(queue.extend),
            poison_crashes: queue.poison_crashes,
            durability: match self.config.worker_sync {
                WorkerSync::Normal => Durability::Crash,
                WorkerSync::Full => Durability::Power,
            },
            limit: options.limit,
        }
    }

    /// What a service task does not say for itself (extensions 3.5): its program never reached, it waits and
    /// pays nothing; three tries; whoever can't tell whether it acted leaves it to a person for good.
    fn processing(&self) -> Terms {
        let line = &self.config.retry.processing;
        let retry = RetryTable {
            base_ms: millis(line.base),
            cap_ms: millis(line.cap),
            max_age_ms: i64::MAX,
            max_tries: Some(line.tries),
        };
        Terms { retry, on_unknown: notice::OnUnknown::Ask, asked_ms: ASKED_FOR_GOOD_MS }
    }

    /// The end of a run: a clean one leaves nothing behind in `var/run`.
    fn leave(&self, mut run: Run, left: Left) -> Result<(), Exit> {
        let tally = run.drain.tally();
        if tally != crate::drain::Tally::default() {
            self.log.line(config::Level::Info, &words(tally, run.drain.ready_now()));
        }
        match left {
            Left::Clean => {
                run.drain.leave().map_err(|error| Exit::temporary(notice::chain(&error)))?;
                let _ = run.door.notes.remove();
                let _ = run.door.identity.remove();
                Ok(())
            }
            Left::InFlight => {
                let count = run.drain.leases().len();
                self.log.line(
                    config::Level::Warning,
                    &format!("left with {count} messages in a gate's hands; they are noted, the next worker settles them"),
                );
                Ok(())
            }
            Left::Store(error) => {
                let words = notice::chain(&error);
                self.log.error(&words);
                Err(Exit { code: code_of(&error), words })
            }
        }
    }
}

/// A hundred years.
const ASKED_FOR_GOOD_MS: i64 = 100 * 365 * 86_400_000;

fn code_of(error: &StoreError) -> u8 {
    match error {
        StoreError::Refused { .. } => SOFTWARE,
        _ => TEMPORARY,
    }
}

fn retry_table(line: &config::Retry) -> RetryTable {
    RetryTable {
        base_ms: millis(line.base),
        cap_ms: millis(line.cap),
        max_age_ms: millis(line.age),
        max_tries: None,
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// What ends a run: signals, and the death of the daemon that started it.
fn signals(follow: Follow, outcomes: Outcomes) -> Result<Signals, Exit> {
    let signals = Signals::watch(outcomes.clone())
        .map_err(|error| Exit::software(format!("can't watch signals: {error}")))?;
    if follow == Follow::Yes {
        signals.watch_input(outcomes);
    }
    Ok(signals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_a_program_is_its_manual() {
        let source =
            "//! ntx - sends\n//!\n//! SYNOPSIS\n//!     ntx --command\n\nuse x;\n//! no\n";
        assert_eq!(manual(source), "ntx - sends\n\nSYNOPSIS\n    ntx --command\n");
    }
}
