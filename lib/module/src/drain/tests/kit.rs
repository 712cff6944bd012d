//! A drain whose gates are a script and whose time is set.

use super::stage::{Book, Frail, ScriptedPipeline, Stage};
use crate::contact::ContactForm;
use crate::drain::{Appetite, Drain, DrainParts, Tally, Turned};
use crate::files::blob;
use crate::handover::Door;
use crate::kill::Sabotage;
use crate::notes::Notes;
use crate::owner::{Identity, lock_path};
use crate::pipeline::Event;
use crate::plan::{Pause, Scope, View};
use crate::retry::RetryTable;
use crate::rules::{Rules, Terms, Way};
use crate::standing::{Ladders, Probe};
use notice::{
    Answer, Clock, GatewayId, HandlerId, ManualClock, ModuleName, Ms, OnUnknown, Priority,
    ProjectId, Route, TaskId, UserId,
};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use store::{
    Accepted, Body, Condition, ContactState, Demand, Direction, Durability, Gateway, LogFilter,
    NewEvent, NewLog, NewTask, Owner, Pool, Project, Store, StoreError, StoredBody, TaskFilter,
    TaskRow, Told, User, Worker,
};

pub(super) use super::stage::{Grave, HandOver, Opener, Reply};

/// When every bench begins.
const START: Ms = Ms(1_000_000);

/// A drain on a store, and a second connection to look at it.
pub(super) struct Bench {
    drain: Drain,
    events: Receiver<Event>,
    stage: Arc<Stage>,
    clock: Arc<ManualClock>,
    folder: Arc<tempfile::TempDir>,
    looking: Mutex<Box<dyn Store>>,
}

/// Runs a fact over both stores.
pub(super) fn on_both(fact: impl Fn(&mut Bench)) {
    fact(&mut Bench::memory());
    fact(&mut Bench::sqlite());
}

impl Bench {
    pub(super) fn memory() -> Self {
        let memory = store::memory::Memory::new();
        Self::over(
            Arc::new(move || Box::new(memory.clone())),
            Arc::new(tempfile::tempdir().unwrap()),
        )
    }

    pub(super) fn sqlite() -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let path = folder.path().join("gatepost.db");
        store::sqlite::create(
            &path,
            store::sqlite::Order::Ageing,
            store::sqlite::Options::default(),
        )
        .unwrap();
        let open = move || -> Box<dyn Store> {
            Box::new(store::sqlite::Sqlite::open(&path, store::sqlite::Options::default()).unwrap())
        };
        Self::over(Arc::new(open), folder)
    }

    fn over(opener: Opener, folder: Arc<tempfile::TempDir>) -> Self {
        for name in ["var/run", "var/notify"] {
            std::fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let clock = Arc::new(ManualClock::at(START));
        Self::staged(Arc::new(Stage::new(opener)), folder, clock, rules(None))
    }

    fn staged(
        stage: Arc<Stage>,
        folder: Arc<tempfile::TempDir>,
        clock: Arc<ManualClock>,
        rules: Rules,
    ) -> Self {
        let run = folder.path().join("var/run");
        let identity = Identity::take(&module(), &run, &*clock).unwrap();
        let paused = Arc::clone(&stage);
        let door = Arc::new(Door {
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            notes: Notes::create(&identity.notes_path()).unwrap(),
            identity,
            pause: Box::new(move || paused.paused.load(Ordering::SeqCst)),
            sabotage: Sabotage::default(),
            stopping: AtomicBool::new(false),
            turns: AtomicU64::new(0),
        });
        let (outcomes, events) = channel();
        let pipeline = ScriptedPipeline {
            stage: Arc::clone(&stage),
            door: Arc::clone(&door),
            outcomes,
            root: folder.path().to_owned(),
        };
        let looking = Mutex::new((stage.opener)());
        let lines = Arc::clone(&stage.lines);
        let drain = Drain::open(DrainParts {
            store: Box::new(Frail {
                store: (stage.opener)(),
                failing_read: Arc::clone(&stage.failing_read),
            }),
            pipeline: Box::new(pipeline),
            gates: Arc::new(Book(Arc::clone(&stage))),
            door,
            rules,
            run,
            log: Box::new(move |level, line| {
                lines.lock().unwrap().push(format!("{} {line}", level.word()));
            }),
        });
        Self { drain, events, stage, clock, folder, looking }
    }

    /// One more worker on the same queue.
    pub(super) fn another(&self) -> Self {
        let stage = Arc::new(Stage::new(Arc::clone(&self.stage.opener)));
        Self::staged(stage, Arc::clone(&self.folder), Arc::clone(&self.clock), rules(None))
    }

    // what is in the database

    fn write<T>(&self, change: impl FnMut(&mut dyn store::Tx) -> Result<T, StoreError>) -> T {
        store::write(&mut **self.looking.lock().unwrap(), Durability::Crash, change).unwrap()
    }

    fn read<T>(&self, look: impl FnMut(&mut dyn store::Snapshot) -> Result<T, StoreError>) -> T {
        store::read(&mut **self.looking.lock().unwrap(), look).unwrap()
    }

    pub(super) fn add_gateway(&mut self, project: Option<i64>) -> GatewayId {
        self.add_gateway_with(|gateway| gateway.project = project.map(ProjectId))
    }

    pub(super) fn add_gateway_with(&mut self, change: impl Fn(&mut Gateway)) -> GatewayId {
        self.projects();
        let mut gateway = Gateway {
            id: GatewayId(0),
            name: "g".into(),
            project: None,
            module: module(),
            gate: "gwx".into(),
            direction: Direction::Outgoing,
            active: true,
            priority: 0,
            concurrency: None,
            rate_per_sec: None,
            on_unknown: None,
            xmlparams: String::new(),
            secret: Vec::new(),
            version: 0,
        };
        change(&mut gateway);
        self.write(|tx| tx.save_gateway(&gateway))
    }

    fn projects(&self) {
        if !self.read(|snapshot| snapshot.projects()).is_empty() {
            return;
        }
        for name in ["one", "two"] {
            let project =
                Project { id: ProjectId(0), fields: [("name", name)].into_iter().collect() };
            self.write(|tx| tx.save_project(&project));
        }
    }

    pub(super) fn set_on_unknown(&self, id: GatewayId, on_unknown: OnUnknown) {
        let mut gateway = self.read(|snapshot| snapshot.gateway(id)).unwrap();
        gateway.on_unknown = Some(on_unknown);
        self.write(|tx| tx.save_gateway(&gateway));
    }

    pub(super) fn hold_by_person(&self, id: GatewayId, for_ms: i64) {
        let now = self.clock.now();
        let mut state = crate::standing::unblemished(id, now);
        state.condition = Condition::Held { reason: "move".into(), by_person: true };
        state.next_probe = Some(now.plus(for_ms));
        self.write(|tx| tx.set_gateway_state(&state, now));
    }

    pub(super) fn block(&self, contact: &str, reason: &str) {
        let state = ContactState {
            kind: "email".into(),
            contact: contact.into(),
            state: "blocked".into(),
            reason: reason.into(),
            since: Ms(0),
        };
        self.write(|tx| tx.set_contact_state(&state));
    }

    /// User 1 of project 1 comes and goes.
    pub(super) fn make_and_delete_user(&self) {
        let project = self.read(|snapshot| snapshot.projects()).remove(0).id;
        let fields = [("name", "bob")].into_iter().collect();
        let user = User { id: UserId(0), project, external_id: None, fields };
        let id = self.write(|tx| tx.save_user(&user));
        self.write(|tx| tx.delete_user(id));
    }

    fn add(&self, task: &NewTask) -> TaskId {
        let now = self.clock.now();
        match self.write(|tx| tx.enqueue(std::slice::from_ref(task), now))[0] {
            Accepted::New(id) | Accepted::Duplicate(id) => id,
        }
    }

    pub(super) fn enqueue(&mut self, project: i64, count: usize) -> Vec<TaskId> {
        self.projects();
        let user = |number| format!("<user><id>{number}</id><email>u{number}@x.y</email></user>");
        (1..=count).map(|number| self.add(&new_task(project, &user(number)))).collect()
    }

    pub(super) fn enqueue_for(&mut self, project: i64, user: &str) -> TaskId {
        self.add(&new_task(project, user))
    }

    pub(super) fn enqueue_urgent(&mut self, project: i64) -> TaskId {
        let task = new_task(project, "<user><email>urgent@x.y</email></user>");
        self.add(&NewTask { priority: Priority::new(5).unwrap(), ..task })
    }

    /// A delivery to that handler about that object.
    pub(super) fn enqueue_delivery(&mut self, handler: i64, object: usize) -> TaskId {
        let route = Route::handler(HandlerId(handler));
        self.add(&NewTask { route, object: object.to_string(), ..new_task(1, "") })
    }

    /// An event as a settling turn writes it.
    pub(super) fn raise(&self) {
        let event = NewEvent {
            events_id: "clients.create".into(),
            object_id: "1".into(),
            data: "{}".into(),
            at: self.clock.now(),
        };
        self.write(|tx| tx.add_event(&event, Told::NotYet));
    }

    pub(super) fn enqueue_forced(&mut self, project: i64) -> TaskId {
        let task = new_task(project, "<user><email>forced@x.y</email></user>");
        self.add(&NewTask { forced: true, ..task })
    }

    pub(super) fn enqueue_until(&mut self, project: i64, ms: i64) -> TaskId {
        let task = new_task(project, "<user><email>late@x.y</email></user>");
        self.add(&NewTask { expires: Some(self.clock.now().plus(ms)), ..task })
    }

    pub(super) fn file_path(&self, name: &str) -> PathBuf {
        self.folder.path().join("var/notify").join(name)
    }

    pub(super) fn write_file(&self, name: &str, contacts: &[&str]) -> PathBuf {
        let entry = |contact: &&str| {
            format!(
                "<notify><tmpl>hi</tmpl><notice_xml>&lt;doc&gt;&lt;project&gt;&lt;id&gt;1&lt;/id&gt;&lt;/project&gt;\
                 &lt;/doc&gt;</notice_xml><user><email>{contact}</email></user></notify>"
            )
        };
        let entries: String = contacts.iter().map(entry).collect();
        let path = self.file_path(name);
        std::fs::write(&path, format!("<doc>{entries}</doc>")).unwrap();
        path
    }

    pub(super) fn enqueue_file(&mut self, name: &str) -> TaskId {
        let task = new_task(1, "");
        self.add(&NewTask { body: Body::File(name.into()), route: Route::unread(), ..task })
    }

    pub(super) fn tasks(&self) -> Vec<TaskRow> {
        let mut tasks = self.read(|snapshot| snapshot.tasks(&TaskFilter::default(), None, 1_000));
        tasks.sort_by_key(|task| task.id);
        tasks
    }

    pub(super) fn log_of(&self, task: TaskId) -> Vec<String> {
        self.attempts(task).into_iter().map(|row| row.outcome).collect()
    }

    pub(super) fn log_waits(&self, task: TaskId) -> Vec<Option<i64>> {
        self.attempts(task).into_iter().map(|row| row.waited_ms).collect()
    }

    fn attempts(&self, task: TaskId) -> Vec<NewLog> {
        let filter = LogFilter { task: Some(task), ..LogFilter::default() };
        let mut rows = self.read(|snapshot| snapshot.log(&filter, None, 100));
        rows.sort_by_key(|row| row.id);
        rows.into_iter().map(|row| row.row).collect()
    }

    pub(super) fn log_reason(&self, task: TaskId) -> String {
        self.last_log(task).reason
    }

    /// Notice and contact of the last attempt.
    pub(super) fn log_subject(&self, task: TaskId) -> (String, String) {
        let log = self.last_log(task);
        (log.notice.unwrap_or_default(), log.contact.unwrap_or_default())
    }

    fn last_log(&self, task: TaskId) -> NewLog {
        let filter = LogFilter { task: Some(task), ..LogFilter::default() };
        self.read(|snapshot| snapshot.log(&filter, None, 1)).remove(0).row
    }

    pub(super) fn gateway_condition(&self, id: GatewayId) -> Condition {
        let states = self.read(|snapshot| snapshot.gateway_states());
        states
            .into_iter()
            .find(|state| state.gateway == id)
            .map_or(Condition::Open, |state| state.condition)
    }

    // what the gate does and saw; its time begins at 0

    pub(super) fn script(&self, script: impl FnMut(&HandOver) -> Reply + Send + 'static) {
        let mut script = script;
        *self.stage.script.lock().unwrap() = Box::new(move |hand_over| {
            script(&HandOver { now: hand_over.now.plus(-START.0), ..hand_over.clone() })
        });
    }

    pub(super) fn check(&self, mut check: impl FnMut(Ms) -> Result<(), String> + Send + 'static) {
        *self.stage.check.lock().unwrap() = Some(Box::new(move |now| check(now.plus(-START.0))));
    }

    pub(super) fn probe_by(&self, probe: Probe) {
        *self.stage.probe.lock().unwrap() = probe;
    }

    /// That gate does not say what it can do.
    pub(super) fn silence(&self, gate: &str) {
        gate.clone_into(&mut self.stage.silent.lock().unwrap());
    }

    pub(super) fn sent(&self) -> Vec<HandOver> {
        self.stage.ledger.lock().unwrap().clone()
    }

    pub(super) fn accepted(&self) -> usize {
        self.sent().iter().filter(|one| one.accepted).count()
    }

    pub(super) fn accepted_by(&self, gateway: GatewayId) -> usize {
        self.sent().iter().filter(|one| one.accepted && one.gateway == Some(gateway)).count()
    }

    // disturbances

    pub(super) fn pause(&self) {
        self.stage.paused.store(true, Ordering::SeqCst);
    }

    pub(super) fn resume(&self) {
        self.stage.paused.store(false, Ordering::SeqCst);
    }

    pub(super) fn pause_at_hand_over(&self, number: i64) {
        self.stage.pause_after.store(number, Ordering::SeqCst);
    }

    pub(super) fn stop_at_hand_over(&self, number: i64) {
        self.stage.stop_after.store(number, Ordering::SeqCst);
    }

    pub(super) fn steal_at_hand_over(&self) {
        self.stage.steal.store(1, Ordering::SeqCst);
    }

    pub(super) fn steal_after_hand_over(&self) {
        self.stage.steal.store(2, Ordering::SeqCst);
    }

    /// A worker of this module claims everything, notes what it does, and dies.
    pub(super) fn die_with(&mut self, fate: impl Fn(TaskId) -> Grave) {
        self.die_as(|_| (), fate);
    }

    /// The same, with another row in `notifyworker`; its owner name.
    pub(super) fn die_as(
        &mut self,
        row: impl Fn(&mut Worker),
        fate: impl Fn(TaskId) -> Grave,
    ) -> String {
        let now = self.clock.now();
        let mut identity =
            Identity::take(&module(), &self.folder.path().join("var/run"), &*self.clock).unwrap();
        row(&mut identity.worker);
        let notes = Notes::create(&identity.notes_path()).unwrap();
        let gateway = self.read(|snapshot| snapshot.gateways())[0].id;
        let demand = |pool| Demand {
            module: module(),
            pool,
            gateway: Some(gateway),
            count: 100,
            forced_only: false,
            lease_until: now.plus(60_000),
            ceiling: None,
        };
        let want = [Pool::Bound, Pool::Route(Route::project(ProjectId(1)))].map(demand);
        let owner = Owner(identity.worker.owner.clone());
        let turn = self.write(|tx| {
            tx.add_worker(&identity.worker)?;
            tx.turn(&owner, &[], &want, now)
        });
        for claimed in turn.claimed {
            let fate = fate(claimed.lease.task);
            if fate != Grave::Untouched {
                notes.start(&[(claimed.lease, Some(gateway))]).unwrap();
            }
            if fate == Grave::Ended {
                notes.end([(claimed.lease, &Answer::sent(None))]).unwrap();
            }
        }
        owner.0
    }

    /// The next turn fails at that read; 1 is the first.
    pub(super) fn fail_at_read(&mut self, number: usize) -> StoreError {
        self.stage.failing_read.store(number, Ordering::SeqCst);
        let events = self.events.try_iter().collect();
        self.drain.turn(events, Appetite::Claim).unwrap_err()
    }

    /// Somebody tidied `var/run`.
    pub(super) fn lose_lock(&self, owner: &str) {
        let run = self.folder.path().join("var/run");
        std::fs::remove_file(lock_path(&run, owner)).unwrap();
    }

    pub(super) fn lose_row(&self, owner: &str) {
        self.write(|tx| tx.remove_worker(owner));
    }

    /// The lines for people.
    pub(super) fn lines(&self) -> Vec<String> {
        self.stage.lines.lock().unwrap().clone()
    }

    /// Until when a gateway rests, as anybody sees it.
    pub(super) fn rests_until(&self, gateway: GatewayId) -> Option<Ms> {
        self.read(|snapshot| store::rests_until(snapshot, gateway, self.clock.now()))
    }

    /// What the worker's notes say now.
    pub(super) fn notes(&self) -> String {
        std::fs::read_to_string(self.drain.door.identity.notes_path()).unwrap()
    }

    // time

    pub(super) fn limit(&mut self, limit: u64) {
        self.begin_anew(rules(Some(limit)));
    }

    /// The worker of deliveries, from here on.
    pub(super) fn serve_handlers(&mut self) {
        self.begin_anew(rules_of_handlers());
    }

    fn begin_anew(&mut self, rules: Rules) {
        let (stage, folder) = (Arc::clone(&self.stage), Arc::clone(&self.folder));
        *self = Self::staged(stage, folder, Arc::clone(&self.clock), rules);
    }

    pub(super) fn tally(&self) -> Tally {
        self.drain.tally()
    }

    pub(super) fn advance(&self, ms: i64) {
        self.clock.advance(ms);
    }

    pub(super) fn turn(&mut self) -> Turned {
        let events = self.events.try_iter().collect();
        let looked_idle = self.looks_idle();
        let turned = self.drain.turn(events, Appetite::Claim).unwrap();
        let did =
            turned.claimed + turned.in_hand + u32::from(turned.again || turned.soon.is_some());
        assert!(!looked_idle || did == 0, "a run without a turn would have left this: {turned:?}");
        turned
    }

    /// What a `process` would find that is started now: whether it leaves without a turn.
    pub(super) fn looks_idle(&self) -> bool {
        let is_paused = self.stage.paused.load(Ordering::SeqCst);
        let (scope, pause) =
            if is_paused { (Scope::ForcedOnly, Pause::On) } else { (Scope::All, Pause::Off) };
        let rules = &self.drain.rules;
        let mut view = self.read(|snapshot| View::read(snapshot, rules, scope));
        let me = &self.drain.door.identity.owner.0;
        view.workers.retain(|worker| worker.owner != *me);
        let lull = view.lull(&rules.module);
        lull.is_some_and(|lull| lull.lasts(pause, self.clock.now()))
    }

    pub(super) fn turns(&mut self, count: usize) {
        for _ in 0..count {
            self.turn();
        }
    }

    /// Turns until nothing is left to do at this moment.
    pub(super) fn drain(&mut self) {
        for _ in 0..20_000 {
            let turned = self.turn();
            if !turned.again
                && turned.in_hand == 0
                && turned.claimed == 0
                && !self.drain.has_pending()
            {
                return;
            }
        }
        panic!("the drain never comes to rest");
    }

    /// The end of a clean stop.
    pub(super) fn drain_to_the_end(&mut self) {
        for _ in 0..10 {
            self.finish();
        }
    }

    fn finish(&mut self) {
        let events = self.events.try_iter().collect();
        self.drain.turn(events, Appetite::Finish).unwrap();
    }

    /// Takes over what the dead left, and claims nothing.
    pub(super) fn only_reap(&mut self) {
        self.advance(1_001);
        self.finish();
    }

    /// Lets time pass as the loop would: to the next moment that matters, at most a minute at once.
    pub(super) fn run_for(&mut self, ms: i64) {
        let end = self.clock.now().plus(ms);
        loop {
            self.drain();
            let turned = self.turn();
            let now = self.clock.now();
            if now >= end {
                return;
            }
            let next =
                [turned.soon, turned.next_due].into_iter().flatten().filter(|at| *at > now).min();
            let next = next.unwrap_or(end).min(now.plus(60_000)).min(end);
            self.advance(next.since(now).max(1));
        }
    }
}

fn new_task(project: i64, user: &str) -> NewTask {
    let body = StoredBody {
        bundle: Some(blob(b"<bundle notice=\"welcome\"/>")),
        notice: blob(b"<doc/>"),
        user: user.to_owned(),
        project: Some(ProjectId(project)),
    };
    NewTask {
        module: module(),
        body: Body::Stored(body),
        priority: Priority::default(),
        forced: false,
        route: Route::project(ProjectId(project)),
        object: String::new(),
        follows: None,
        not_before: None,
        expires: None,
        key: None,
    }
}

fn module() -> ModuleName {
    ModuleName::new("ntemail").unwrap()
}

/// Those of `notify/nthandler`.
pub(super) fn rules_of_handlers() -> Rules {
    let rules = rules(None);
    Rules {
        contact_form: ContactForm::Nobody,
        way: Way::Routes,
        processing: Some(rules.terms),
        ..rules
    }
}

fn rules(limit: Option<u64>) -> Rules {
    Rules {
        module: module(),
        contact_kind: "email".into(),
        contact_form: ContactForm::Email,
        country: String::new(),
        way: Way::Gateways,
        terms: Terms {
            retry: RetryTable::MAIL,
            on_unknown: OnUnknown::Retry,
            asked_ms: 86_400_000,
        },
        file_retry: RetryTable::INTERNAL,
        processing: None,
        ladders: Ladders::SHIPPED,
        window: (5, 64),
        at_once: 8,
        claim_ahead_ms: 100,
        turn_tasks: 100,
        lease_ms: 60_000,
        extend_ms: 20_000,
        poison_crashes: 3,
        durability: Durability::Crash,
        limit,
    }
}
