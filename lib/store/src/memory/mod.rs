//! The reference: the same rules in plain collections, for tests. It says what the queue means; the databases
//! are measured against it. It forgets everything when the last handle goes.

#![expect(clippy::too_many_arguments, reason = "the receiver and four parameters")]

mod calls;
mod platform;
mod queue;
mod reading;
mod services;
mod traits;

#[cfg(test)]
mod tests;

use crate::sqlite::Order;
use crate::{
    ContactState, Durability, Gateway, GatewayState, InboxRow, IncomingRow, NewLog, Project,
    Result, Snapshot, Store, StoredBody, Subscription, TaskRow, Tx, User, Wake, Woken, Worker,
};
use notice::{Ms, TaskId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A store in memory. A clone is another handle on the same rows.
#[derive(Clone)]
pub struct Memory(Arc<Shared>);

struct Shared {
    tables: Mutex<Tables>,
    wakes: Mutex<u64>,
    woken: Condvar,
}

/// A row of the queue.
#[derive(Clone, Debug)]
struct Task {
    row: TaskRow,
    follows: Option<TaskId>,
    /// The fence.
    seq: i64,
    body: Option<StoredBody>,
}

/// A time in which a gateway was down; 0 is the whole queue.
#[derive(Clone, Debug)]
struct Down {
    gateway: i64,
    from: Ms,
    to: Option<Ms>,
}

#[derive(Clone, Default)]
struct Tables {
    strict: bool,
    tasks: BTreeMap<i64, Task>,
    last_task: i64,
    keys: BTreeMap<String, (i64, Ms)>,
    blobs: BTreeMap<crate::Hash, (Arc<[u8]>, Ms)>,
    log: BTreeMap<i64, NewLog>,
    last_log: i64,
    workers: BTreeMap<String, Worker>,
    projects: BTreeMap<i64, Project>,
    last_project: i64,
    project_columns: Vec<String>,
    users: BTreeMap<i64, User>,
    last_user: i64,
    user_columns: Vec<String>,
    gateways: BTreeMap<i64, Gateway>,
    last_gateway: i64,
    states: BTreeMap<i64, GatewayState>,
    downs: Vec<Down>,
    subscriptions: BTreeMap<(i64, String, String), Subscription>,
    inbox: BTreeMap<i64, InboxRow>,
    last_inbox: i64,
    incoming: BTreeMap<i64, IncomingRow>,
    last_incoming: i64,
    untold: BTreeSet<i64>,
    contacts: BTreeMap<(String, String), ContactState>,
    settings: BTreeMap<String, String>,
    calls: calls::Calls,
    sold: services::Sold,
}

impl Memory {
    /// An empty store with the order *ageing*.
    pub fn new() -> Self {
        Self::with_order(Order::Ageing)
    }

    /// An empty store.
    pub fn with_order(order: Order) -> Self {
        let mut tables = Tables { strict: order == Order::Strict, ..Tables::default() };
        tables.settings.insert("uuid".to_owned(), "0123456789abcdef0123456789abcdef".to_owned());
        let shared =
            Shared { tables: Mutex::new(tables), wakes: Mutex::new(0), woken: Condvar::new() };
        Self(Arc::new(shared))
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // What a panicking closure left is put back by `write` before anyone sees it.
        self.0.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
impl Memory {
    /// As a person with a database shell would.
    pub(crate) fn delete_by_hand(&self, id: TaskId) {
        self.tables().tasks.remove(&id.0);
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Store for Memory {
    fn write(
        &mut self,
        _durability: Durability,
        change: &mut dyn FnMut(&mut dyn Tx) -> Result<()>,
    ) -> Result<()> {
        let mut tables = self.tables();
        let mut changed = tables.clone();
        change(&mut changed)?;
        *tables = changed;
        Ok(())
    }

    fn read(&mut self, look: &mut dyn FnMut(&mut dyn Snapshot) -> Result<()>) -> Result<()> {
        let mut seen = self.tables().clone();
        look(&mut seen)
    }

    fn waker(&self) -> Result<Box<dyn Wake>> {
        let seen = *self.0.wakes.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Box::new(Waker { shared: Arc::clone(&self.0), seen }))
    }

    fn wake(&self) {
        *self.0.wakes.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.woken.notify_all();
    }

    fn has_news(&mut self) -> Result<bool> {
        Ok(true)
    }

    fn tidy(&mut self) -> Result<()> {
        Ok(())
    }
}

struct Waker {
    shared: Arc<Shared>,
    seen: u64,
}

impl Wake for Waker {
    fn wait(&mut self, at_most: Duration) -> Woken {
        let wakes = self.shared.wakes.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.shared.woken.wait_timeout_while(wakes, at_most, |now| *now == self.seen);
        let (wakes, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let news = *wakes != self.seen;
        self.seen = *wakes;
        if news { Woken::News } else { Woken::Timeout }
    }
}
