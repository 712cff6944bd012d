//! Random histories, told to the database and to the reference model at once (queue 4.2). After every step
//! both must answer the same and look the same; what must hold in any history is checked beside that.

use super::{Options, Order, create};
use crate::conformance::{Kit, task};
use crate::memory::Memory;
use crate::sqlite::Sqlite;
use crate::{
    Accepted, Body, Claimed, Demand, Done, Durability, Effect, Event, EventFilter, Finish,
    ItemParam, Lease, LogFilter, NewEvent, NewLog, NewTask, Owner, Pool, Processing, Product,
    Project, Service, ServiceState, Settlement, Snapshot, Store, TaskFilter, TaskRow, Turn, Tx,
    User, Worker,
};
use notice::{
    Fields, GatewayId, Ms, Priority, ProcessingId, ProductId, ProjectId, Route, ServiceId, State,
    TaskId, UserId,
};
use proptest::prelude::*;
use proptest::test_runner::Config;
use std::collections::BTreeMap;

const OWNERS: [&str; 3] = ["w1", "w2", "w3"];
const ROUTES: [&str; 3] = ["", "p1", "h2"];
const OBJECTS: [&str; 3] = ["", "user/1", "user/2"];

/// One step of a history. Numbers choose among what is there, by remainder.
#[derive(Clone, Debug)]
enum Step {
    Enqueue(Vec<Wish>),
    Turn { owner: usize, settle: Vec<(usize, Ending)>, demands: Vec<Ask> },
    Extend { owner: usize, leases: Vec<usize> },
    Release { owner: usize, leases: Vec<usize> },
    GiveBack(usize),
    Split { lease: usize, parts: usize },
    Retry(Vec<usize>),
    End(Vec<usize>, bool),
    Start,
    FanOut(u32),
    Wait(i64),
}

#[derive(Clone, Debug)]
struct Wish {
    route: usize,
    object: usize,
    priority: i64,
    forced: bool,
    follows: Option<usize>,
    not_before: Option<i64>,
    expires: Option<i64>,
    key: Option<u8>,
}

#[derive(Clone, Debug)]
enum Ending {
    Gone,
    Later { after: i64, spent: bool, maybe_sent: bool },
    Back,
    Fail,
    Ask,
}

#[derive(Clone, Debug)]
struct Ask {
    route: Option<usize>,
    gateway: Option<i64>,
    count: u32,
    forced_only: bool,
}

fn wish() -> impl Strategy<Value = Wish> {
    let times =
        (prop::option::weighted(0.2, 1..5_000_i64), prop::option::weighted(0.2, 1..9_000_i64));
    let place = (0..ROUTES.len(), 0..OBJECTS.len(), -2..3_i64, prop::bool::weighted(0.3));
    let rest = (prop::option::weighted(0.3, 0..20_usize), prop::option::weighted(0.2, 0..4_u8));
    (place, times, rest).prop_map(
        |((route, object, priority, forced), (not_before, expires), (follows, key))| Wish {
            route,
            object,
            priority,
            forced,
            follows,
            not_before,
            expires,
            key,
        },
    )
}

fn ending() -> impl Strategy<Value = Ending> {
    prop_oneof![
        3 => Just(Ending::Gone),
        3 => (0..4_000_i64, any::<bool>(), any::<bool>())
            .prop_map(|(after, spent, maybe_sent)| Ending::Later { after, spent, maybe_sent }),
        1 => Just(Ending::Back),
        1 => Just(Ending::Fail),
        1 => Just(Ending::Ask),
    ]
}

fn ask() -> impl Strategy<Value = Ask> {
    let route = prop::option::weighted(0.7, 0..ROUTES.len());
    (route, prop::option::weighted(0.8, 1..3_i64), 0..6_u32, prop::bool::weighted(0.2))
        .prop_map(|(route, gateway, count, forced_only)| Ask { route, gateway, count, forced_only })
}

fn step() -> impl Strategy<Value = Step> {
    let some = || prop::collection::vec(0..40_usize, 0..4);
    let owner = 0..OWNERS.len();
    prop_oneof![
        4 => prop::collection::vec(wish(), 1..4).prop_map(Step::Enqueue),
        8 => (owner.clone(), prop::collection::vec((0..40_usize, ending()), 0..5), prop::collection::vec(ask(), 0..4))
            .prop_map(|(owner, settle, demands)| Step::Turn { owner, settle, demands }),
        1 => (owner.clone(), some()).prop_map(|(owner, leases)| Step::Extend { owner, leases }),
        1 => (owner, some()).prop_map(|(owner, leases)| Step::Release { owner, leases }),
        1 => (0..40_usize).prop_map(Step::GiveBack),
        1 => (0..40_usize, 1..4_usize).prop_map(|(lease, parts)| Step::Split { lease, parts }),
        1 => some().prop_map(Step::Retry),
        1 => (some(), any::<bool>()).prop_map(|(ids, done)| Step::End(ids, done)),
        1 => Just(Step::Start),
        1 => (0..9_u32).prop_map(Step::FanOut),
        3 => (1..6_000_i64).prop_map(Step::Wait),
    ]
}

/// Both stores, and what the history has brought so far.
struct Pair {
    sqlite: Sqlite,
    memory: Memory,
    now: Ms,
    /// Every lease ever given out, with the owner that had it.
    leases: Vec<(Lease, usize)>,
    /// Leases that nobody has ended yet.
    held: BTreeMap<TaskId, usize>,
    /// Tasks that were accepted.
    accepted: Vec<TaskId>,
    _folder: tempfile::TempDir,
}

fn on<T>(store: &mut dyn Store, change: &mut dyn FnMut(&mut dyn Tx) -> crate::Result<T>) -> T {
    crate::write(store, Durability::Crash, change).unwrap()
}

impl Pair {
    fn new(order: Order) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gatepost.db");
        let mut sqlite = create(&path, order, Options::default()).unwrap();
        let memory = Memory::with_order(order);
        // Keys that no producer gave begin with it.
        sqlite.uuid =
            crate::read(&mut memory.clone(), |seen| seen.setting("uuid")).unwrap().unwrap();
        let (leases, held, accepted) = (Vec::new(), BTreeMap::new(), Vec::new());
        let now = Kit::START;
        let mut pair = Self { sqlite, memory, now, leases, held, accepted, _folder: folder };
        pair.both(order_a_service);
        pair
    }

    /// Changes both; both must answer the same.
    fn both<T: PartialEq + std::fmt::Debug>(
        &mut self,
        mut change: impl FnMut(&mut dyn Tx) -> crate::Result<T>,
    ) -> T {
        let expected = on(&mut self.memory, &mut change);
        let found = on(&mut self.sqlite, &mut change);
        assert_eq!(found, expected);
        found
    }

    fn rows(&mut self) -> Vec<TaskRow> {
        let all = TaskFilter::default();
        crate::read(&mut self.memory, |seen| seen.tasks(&all, None, 10_000)).unwrap()
    }

    fn lease(&self, number: usize) -> Option<(Lease, usize)> {
        (!self.leases.is_empty()).then(|| self.leases[number % self.leases.len()])
    }

    fn some_leases(&self, numbers: &[usize]) -> Vec<Lease> {
        numbers.iter().filter_map(|number| self.lease(*number)).map(|(lease, _)| lease).collect()
    }

    fn some_ids(numbers: &[usize]) -> Vec<TaskId> {
        let ids = numbers.iter().map(|number| TaskId(i64::try_from(number % 30).unwrap() + 1));
        ids.collect()
    }

    fn run(&mut self, step: &Step) {
        let now = self.now;
        match step {
            Step::Enqueue(wishes) => self.enqueue(wishes),
            Step::Turn { owner, settle, demands } => self.turn(*owner, settle, demands),
            Step::Extend { owner, leases } => {
                let (owner, leases) = (Owner(OWNERS[*owner].to_owned()), self.some_leases(leases));
                self.both(|tx| tx.extend(&owner, &leases, now.plus(60_000), now));
            }
            Step::Release { owner, leases } => self.release(*owner, leases),
            Step::GiveBack(number) => {
                let leases = self.some_leases(&[*number]);
                self.both(|tx| tx.give_back(&leases, now));
            }
            Step::Split { lease, parts } => self.split(*lease, *parts),
            Step::Retry(numbers) => {
                let ids = Self::some_ids(numbers);
                self.both(|tx| tx.retry(&ids, now));
            }
            Step::End(numbers, done) => {
                let how = if *done { Finish::Done } else { Finish::Cancel };
                let ids = Self::some_ids(numbers);
                self.both(|tx| tx.end(&ids, how, "a person", now));
            }
            Step::Start => {
                let worker = Worker {
                    owner: "w1".to_owned(),
                    host: String::new(),
                    boot_id: String::new(),
                    pid: 1,
                    beat: now,
                };
                self.both(|tx| tx.add_worker(&worker));
            }
            Step::FanOut(count) => {
                self.both(|tx| {
                    let events = tx.untold_events(*count)?;
                    tx.mark_events_told(&events.iter().map(|event| event.id).collect::<Vec<_>>())
                });
            }
            Step::Wait(milliseconds) => self.now = now.plus(*milliseconds),
        }
    }

    fn enqueue(&mut self, wishes: &[Wish]) {
        let now = self.now;
        let follow = |number: usize| match self.accepted.len() {
            0 => None,
            count => Some(self.accepted[count - 1 - number % count]),
        };
        let new = |wish: &Wish| NewTask {
            route: Route::from_column(ROUTES[wish.route].to_owned()),
            body: if wish.route == 0 { Body::File("f".to_owned()) } else { task().body },
            object: OBJECTS[wish.object].to_owned(),
            priority: Priority::new(wish.priority).unwrap(),
            forced: wish.forced,
            follows: wish.follows.and_then(follow),
            not_before: wish.not_before.map(|after| now.plus(after)),
            expires: wish.expires.map(|after| now.plus(after)),
            key: wish.key.map(|key| format!("k{key}/7/ntemail")),
            ..task()
        };
        let tasks: Vec<NewTask> = wishes.iter().map(new).collect();
        for accepted in self.both(|tx| tx.enqueue(&tasks, now)) {
            if let Accepted::New(id) = accepted {
                self.accepted.push(id);
            }
        }
    }

    fn done(&self, number: usize, ending: &Ending) -> Option<Done> {
        let (lease, _) = self.lease(number)?;
        let settlement = match ending {
            Ending::Gone => Settlement::Gone,
            Ending::Later { after, spent, maybe_sent } => Settlement::Wait {
                at: self.now.plus(*after),
                spent: *spent,
                maybe_sent: *maybe_sent,
            },
            Ending::Back => Settlement::Back,
            Ending::Fail => Settlement::Fail,
            Ending::Ask => Settlement::Ask { until: self.now.plus(8_000) },
        };
        let effect =
            Effect::Inbox { user: UserId(1), subject: lease.task.to_string(), text: String::new() };
        let states = ServiceState::ALL;
        let to = states[number % states.len()];
        let service = Effect::ServiceState {
            service: ServiceId(1),
            from: states[number / states.len() % states.len()],
            to,
            externalid: Some(lease.task.to_string()),
        };
        let param =
            ItemParam { name: to.word().to_owned(), value: number.to_string(), secret: Vec::new() };
        let item = Effect::ItemParam { service: ServiceId(1), param };
        let news = Effect::Event(NewEvent {
            events_id: "settled".to_owned(),
            object_id: lease.task.to_string(),
            data: "{}".to_owned(),
            at: self.now,
        });
        Some(Done {
            lease,
            settlement,
            reason: "because".to_owned(),
            log: number.is_multiple_of(2).then(|| log_row(lease.task, self.now)),
            effects: vec![effect, service, item, news],
        })
    }

    fn turn(&mut self, owner: usize, settle: &[(usize, Ending)], demands: &[Ask]) {
        let mut done: Vec<Done> = Vec::new();
        for one in settle.iter().filter_map(|(number, ending)| self.done(*number, ending)) {
            // A second word on one lease would be lost: which of the two, the answer does not say.
            if done.iter().all(|known| known.lease != one.lease) {
                done.push(one);
            }
        }
        let want: Vec<Demand> = demands
            .iter()
            .map(|ask| Demand {
                pool: match ask.route {
                    Some(route) => Pool::Route(Route::from_column(ROUTES[route].to_owned())),
                    None => Pool::Bound,
                },
                gateway: ask.gateway.map(GatewayId),
                forced_only: ask.forced_only,
                lease_until: self.now.plus(60_000),
                ..crate::conformance::demand(ask.count)
            })
            .collect();
        self.take(owner, &done, &want);
    }

    fn take(&mut self, owner: usize, done: &[Done], want: &[Demand]) -> Turn {
        let before = self.rows();
        let (name, now) = (Owner(OWNERS[owner].to_owned()), self.now);
        let turn = self.both(|tx| tx.turn(&name, done, want, now));
        for one in done {
            let lost = turn.lost.contains(&one.lease);
            let is_ours = self.held.get(&one.lease.task) == Some(&owner)
                && self.leases.contains(&(one.lease, owner));
            if !lost {
                assert!(is_ours, "{:?} was settled by {owner}", one.lease);
                self.held.remove(&one.lease.task);
            }
        }
        self.check_claims(owner, &before, want, &turn);
        turn
    }

    /// What holds for every claim, whatever came before.
    fn check_claims(&mut self, owner: usize, before: &[TaskRow], want: &[Demand], turn: &Turn) {
        assert!(turn.claimed.len() <= 100);
        let asked: u32 = want.iter().map(|demand| demand.count).sum();
        assert!(turn.claimed.len() <= asked as usize);
        let rows = self.rows();
        for claimed in &turn.claimed {
            let id = claimed.lease.task;
            assert_eq!(self.held.insert(id, owner), None, "{id} is in two hands");
            self.leases.push((claimed.lease, owner));
            assert!(claimed.expires.is_none_or(|at| at > self.now), "{id} had lapsed");
            let held_back = |row: &&TaskRow| {
                row.id < id
                    && !row.object.is_empty()
                    && (row.object == claimed.object && row.route == claimed.route)
                    && matches!(row.state, State::Ready | State::Sending | State::Waiting)
            };
            assert_eq!(rows.iter().find(held_back), None, "{id} overtook its object");
            let known = before.iter().find(|row| row.id == id);
            if let Some(row) = known.filter(|row| row.maybe_sent) {
                assert_eq!(claimed.gateway, row.last_gateway, "{id} changed its gateway");
            }
            if let Some(row) = known.filter(|row| row.state == State::Ready) {
                assert_eq!(claimed.attempt, row.attempt + 1, "{id} counts its attempts");
            }
        }
        if want.iter().all(|demand| !demand.forced_only) {
            for route in ROUTES {
                check_order(&Route::from_column(route.to_owned()), &turn.claimed, &rows);
            }
        }
    }

    fn release(&mut self, owner: usize, numbers: &[usize]) {
        let (name, now) = (Owner(OWNERS[owner].to_owned()), self.now);
        let mut leases = self.some_leases(numbers);
        leases.dedup();
        self.both(|tx| tx.release(&name, &leases, now));
        let rows = self.rows();
        let is_sending =
            |id: &TaskId| rows.iter().any(|row| row.id == *id && row.state == State::Sending);
        self.held.retain(|id, _| is_sending(id));
    }

    fn split(&mut self, number: usize, parts: usize) {
        let Some((lease, owner)) = self.lease(number) else { return };
        let (name, now) = (Owner(OWNERS[owner].to_owned()), self.now);
        let rows = self.rows();
        let is_file = |row: &TaskRow| row.id == lease.task && !row.filename.is_empty();
        if !rows.iter().any(is_file) {
            return;
        }
        let parts = vec![task(); parts];
        if let Some(ids) = self.both(|tx| tx.split(&name, lease, &parts, now)) {
            self.held.remove(&lease.task);
            self.accepted.extend(ids.into_iter().skip(1));
        }
    }

    /// Everything a reader can see of the queue.
    fn check_both_look_the_same(&mut self) {
        let expected = seen(&mut self.memory);
        assert_eq!(seen(&mut self.sqlite), expected);
    }

    /// Goes on until nothing is left to do: nothing that was accepted may be stuck (queue 3.4).
    fn drain(&mut self) {
        for (owner, name) in OWNERS.iter().enumerate() {
            let name = Owner((*name).to_owned());
            let leases: Vec<Lease> = self
                .leases
                .iter()
                .filter(|(lease, by)| *by == owner && self.held.get(&lease.task) == Some(by))
                .map(|(lease, _)| *lease)
                .collect();
            let now = self.now;
            self.both(|tx| tx.release(&name, &leases, now));
        }
        self.held.clear();
        for _ in 0..400 {
            self.now = self.now.plus(10_000);
            let mut want = Vec::new();
            for gateway in [1, 2] {
                let gateway = Some(GatewayId(gateway));
                want.push(Demand { pool: Pool::Bound, gateway, ..crate::conformance::demand(100) });
            }
            for route in ROUTES {
                let pool = Pool::Route(Route::from_column(route.to_owned()));
                want.push(Demand { pool, ..crate::conformance::demand(100) });
            }
            let turn = self.take(0, &[], &want);
            let done: Vec<Done> = turn
                .claimed
                .iter()
                .map(|one| Done {
                    lease: one.lease,
                    settlement: Settlement::Gone,
                    reason: String::new(),
                    log: None,
                    effects: Vec::new(),
                })
                .collect();
            let turn = self.take(0, &done, &[]);
            assert_eq!(turn.lost, []);
            if done.is_empty() && turn == Turn::default() {
                break;
            }
        }
        let stuck = |row: &&TaskRow| row.state != State::Failed;
        assert_eq!(self.rows().iter().find(stuck), None, "it never ends");
    }
}

/// What was left behind is not more urgent than what was taken.
fn check_order(route: &Route, claimed: &[Claimed], rows: &[TaskRow]) {
    let taken = claimed.iter().filter(|one| one.route == *route && !one.maybe_sent);
    let least_urgent = taken.map(|one| (one.ord, one.lease.task)).max();
    let left = rows
        .iter()
        .filter(|row| row.state == State::Ready && row.route == *route && !row.maybe_sent);
    for row in left {
        let place = (row.ready.0 - Ms::DAY * row.priority.number(), row.id);
        assert!(least_urgent.is_none_or(|taken| taken < place), "{} was left behind", row.id);
    }
}

fn log_row(task: TaskId, at: Ms) -> NewLog {
    NewLog {
        task,
        key: None,
        module: "ntemail".to_owned(),
        notice: None,
        user: None,
        project: None,
        gateway: None,
        contact: None,
        attempt: 1,
        outcome: "later".to_owned(),
        reason: String::new(),
        reference: None,
        segments: None,
        queued: at,
        at,
        took_ms: None,
        waited_ms: None,
    }
}

/// Somebody's service, for the effects.
fn order_a_service(tx: &mut dyn Tx) -> crate::Result<ServiceId> {
    let project = tx.save_project(&Project { id: ProjectId(0), fields: Fields::new() })?;
    let (id, fields) = (UserId(0), Fields::new());
    let user = tx.save_user(&User { id, project, external_id: None, fields })?;
    let processing = tx.save_processing(&Processing {
        id: ProcessingId(0),
        name: String::new(),
        module: "pmshell".to_owned(),
        product_type: String::new(),
        active: true,
        priority: 0,
        department: String::new(),
        concurrency: None,
        xmlparams: "<doc/>".to_owned(),
        secret: Vec::new(),
        version: 1,
    })?;
    let (id, name, kind) = (ProductId(0), String::new(), String::new());
    let product = tx.save_product(&Product { id, name, kind, processing: None })?;
    tx.save_service(&Service {
        id: ServiceId(0),
        user,
        product,
        processing,
        username: String::new(),
        secret: Vec::new(),
        state: ServiceState::Opening,
        externalid: String::new(),
        made: Kit::START,
    })
}

type Sold = (Vec<Event>, Vec<Event>, Option<Service>, Vec<ItemParam>);

type Seen = (
    Vec<TaskRow>,
    Vec<crate::LogRow>,
    Vec<crate::Count>,
    Option<Ms>,
    Vec<(Route, Vec<GatewayId>)>,
    Vec<String>,
    usize,
    Sold,
);

fn seen(store: &mut dyn Store) -> Seen {
    let module = crate::conformance::mail();
    let look = |seen: &mut dyn Snapshot| {
        let tasks = seen.tasks(&TaskFilter::default(), None, 10_000)?;
        let log = seen.log(&LogFilter::default(), None, 10_000)?;
        let mut routes = Vec::new();
        for forced_only in [false, true] {
            let bound = seen.bound_gateways(&module, forced_only)?;
            routes.extend(
                seen.ready_routes(&module, forced_only)?
                    .into_iter()
                    .map(|one| (one, bound.clone())),
            );
        }
        let inbox = seen.inbox(UserId(1), None, 10_000)?.len();
        let sold = (
            seen.events(&EventFilter::default(), None, 10_000)?,
            seen.untold_events(10_000)?,
            seen.service(ServiceId(1))?,
            seen.item_params(ServiceId(1))?,
        );
        let (counts, due, owners) = (seen.counts()?, seen.next_due()?, seen.lease_owners()?);
        Ok((tasks, log, counts, due, routes, owners, inbox, sold))
    };
    crate::read(store, look).map_err(|error: crate::StoreError| error).unwrap()
}

proptest! {
    #![proptest_config(Config { cases: 96, failure_persistence: None, ..Config::default() })]

    #[test]
    fn any_history_is_the_same_in_the_database_and_in_the_model(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut pair = Pair::new(Order::Ageing);
        for step in &steps {
            pair.run(step);
            pair.check_both_look_the_same();
        }
        pair.drain();
        pair.check_both_look_the_same();
    }
}
