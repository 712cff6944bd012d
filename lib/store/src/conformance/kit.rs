//! A store under test, with a clock that the test moves.

use crate::sqlite::Order;
use crate::{
    Accepted, Blob, Body, Claimed, Demand, Done, Durability, Lease, LogFilter, LogRow, NewLog,
    NewTask, Owner, Pool, Result, Settlement, Snapshot, Store, StoredBody, TaskRow, Turn, Tx,
};
use notice::{GatewayId, ModuleName, Ms, Priority, Route, State, TaskId};

/// Makes an empty store of some order.
pub(crate) type Fresh = fn(Order) -> Kit;

pub(crate) struct Kit {
    pub(crate) store: Box<dyn Store>,
    /// Another handle on the same store.
    pub(crate) other: Box<dyn Store>,
    pub(crate) now: Ms,
    delete: Box<dyn Fn(TaskId)>,
    /// Where the database is, if it is a file.
    pub(crate) file: Option<std::path::PathBuf>,
}

pub(crate) fn module(name: &str) -> ModuleName {
    ModuleName::new(name).unwrap()
}

pub(crate) fn mail() -> ModuleName {
    module(ModuleName::EMAIL)
}

/// A task of route `p1` with a body of our own.
pub(crate) fn task() -> NewTask {
    NewTask {
        module: mail(),
        body: Body::Stored(StoredBody {
            bundle: Some(Blob::new(*b"<bundle/>")),
            notice: Blob::new(*b"<doc/>"),
            user: "<user><id>7</id><name>Bob</name></user>".to_owned(),
            project: None,
        }),
        priority: Priority::default(),
        forced: false,
        route: Route::from_column("p1".to_owned()),
        object: String::new(),
        follows: None,
        not_before: None,
        expires: None,
        key: None,
    }
}

/// Tasks of route `p1` for gateway 1, leased for a minute from the epoch of the tests.
pub(crate) fn demand(count: u32) -> Demand {
    Demand {
        module: mail(),
        pool: Pool::Route(Route::from_column("p1".to_owned())),
        gateway: Some(GatewayId(1)),
        count,
        forced_only: false,
        lease_until: Kit::START.plus(60_000),
        ceiling: None,
    }
}

pub(crate) fn owner(name: &str) -> Owner {
    Owner(name.to_owned())
}

impl Kit {
    pub(crate) const START: Ms = Ms(1_800_000_000_000);

    pub(crate) fn new(
        store: Box<dyn Store>,
        other: Box<dyn Store>,
        delete: Box<dyn Fn(TaskId)>,
    ) -> Self {
        Self { store, other, now: Self::START, delete, file: None }
    }

    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.file.clone().unwrap()
    }

    /// As a person with a database shell would.
    pub(crate) fn delete_by_hand(&self, id: TaskId) {
        (self.delete)(id);
    }

    pub(crate) fn change<T>(&mut self, change: impl FnMut(&mut dyn Tx) -> Result<T>) -> T {
        self.try_change(change).unwrap()
    }

    pub(crate) fn try_change<T>(
        &mut self,
        change: impl FnMut(&mut dyn Tx) -> Result<T>,
    ) -> Result<T> {
        crate::write(&mut *self.store, Durability::Crash, change)
    }

    pub(crate) fn look<T>(&mut self, look: impl FnMut(&mut dyn Snapshot) -> Result<T>) -> T {
        crate::read(&mut *self.store, look).unwrap()
    }

    pub(crate) fn wait(&mut self, milliseconds: i64) {
        self.now = self.now.plus(milliseconds);
    }

    pub(crate) fn accept(&mut self, task: &NewTask) -> Accepted {
        let now = self.now;
        self.change(|tx| tx.enqueue(std::slice::from_ref(task), now))[0]
    }

    pub(crate) fn enqueue(&mut self, task: &NewTask) -> TaskId {
        match self.accept(task) {
            Accepted::New(id) => id,
            Accepted::Duplicate(id) => panic!("{id} was there"),
        }
    }

    pub(crate) fn turn(&mut self, name: &str, done: &[Done], want: &[Demand]) -> Turn {
        let (owner, now) = (owner(name), self.now);
        self.change(|tx| tx.turn(&owner, done, want, now))
    }

    /// Claims for worker `w1`.
    pub(crate) fn claim(&mut self, count: u32) -> Vec<Claimed> {
        self.turn("w1", &[], &[demand(count)]).claimed
    }

    pub(crate) fn claim_one(&mut self) -> Claimed {
        let mut claimed = self.claim(1);
        assert_eq!(claimed.len(), 1, "there was nothing to claim");
        claimed.remove(0)
    }

    /// Ids of everything claimable in the order it would be taken.
    pub(crate) fn order(&mut self) -> Vec<i64> {
        let claimed = self.claim(100);
        let leases: Vec<Lease> = claimed.iter().map(|one| one.lease).collect();
        let now = self.now;
        self.change(|tx| tx.release(&owner("w1"), &leases, now));
        claimed.iter().map(|one| one.lease.task.0).collect()
    }

    pub(crate) fn done(&self, lease: Lease, settlement: Settlement) -> Done {
        Done {
            lease,
            settlement,
            reason: "why".to_owned(),
            log: Some(self.log_row(lease.task, "later")),
            effects: Vec::new(),
        }
    }

    pub(crate) fn settle(&mut self, lease: Lease, settlement: Settlement) -> Turn {
        let done = self.done(lease, settlement);
        self.turn("w1", &[done], &[])
    }

    pub(crate) fn log_row(&self, task: TaskId, outcome: &str) -> NewLog {
        NewLog {
            task,
            key: None,
            module: ModuleName::EMAIL.to_owned(),
            notice: Some("welcome".to_owned()),
            user: None,
            project: None,
            gateway: None,
            contact: None,
            attempt: 1,
            outcome: outcome.to_owned(),
            reason: String::new(),
            reference: None,
            segments: None,
            queued: Self::START,
            at: self.now,
            took_ms: Some(5),
            waited_ms: None,
        }
    }

    pub(crate) fn row(&mut self, id: TaskId) -> TaskRow {
        self.look(|seen| seen.task(id)).unwrap()
    }

    pub(crate) fn state(&mut self, id: TaskId) -> Option<State> {
        self.look(|seen| seen.task(id)).map(|row| row.state)
    }

    pub(crate) fn log(&mut self) -> Vec<LogRow> {
        self.look(|seen| seen.log(&LogFilter::default(), None, 1_000))
    }

    pub(crate) fn outcomes(&mut self) -> Vec<String> {
        self.log().into_iter().map(|row| row.row.outcome).collect()
    }

    pub(crate) fn later(&self, milliseconds: i64) -> Settlement {
        Settlement::Wait { at: self.now.plus(milliseconds), spent: true, maybe_sent: false }
    }
}
