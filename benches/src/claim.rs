//! Whether a claim stays as quick with a million rows waiting as with ten thousand.

use crate::report::Report;
use crate::rounds::Case;
use notice::{Clock, ModuleName, Ms, Priority, ProjectId, Route, SystemClock};
use std::time::Instant;
use store::{Blob, Body, Demand, Durability, NewTask, Order, Owner, Pool, StoredBody};

const ROUNDS: usize = 41;

/// Runs it.
pub(crate) fn run(report: &mut Report) {
    let mut cases = Vec::new();
    for rows in [10_000, 100_000, 1_000_000] {
        let folder = tempfile::tempdir().unwrap();
        let path = format!("sqlite:{}", folder.path().join("queue.db").display());
        store::create(&path, &folder.path().join("var"), Order::Ageing).unwrap();
        let mut store = store::open(&path, &folder.path().join("var")).unwrap();
        fill(store.as_mut(), rows);
        let mut case = Case::new(&format!("{rows} rows, claim of 100"));
        case.figures.extend((0..ROUNDS).map(|_| claim_ms(store.as_mut())));
        cases.push(case);
    }
    report.cases(&cases, "ms");
}

fn fill(store: &mut dyn store::Store, rows: usize) {
    let task = NewTask {
        module: ModuleName::new("ntemail").unwrap(),
        body: Body::Stored(StoredBody {
            bundle: None,
            notice: Blob::new(b"<doc/>".to_vec()),
            user: "<user/>".to_owned(),
            project: Some(ProjectId(1)),
        }),
        priority: Priority::default(),
        forced: false,
        route: Route::project(ProjectId(1)),
        object: String::new(),
        follows: None,
        not_before: None,
        expires: None,
        key: None,
    };
    let chunk = vec![task; 1_000];
    for _ in 0..rows / chunk.len() {
        store::write(store, Durability::Crash, |tx| {
            tx.enqueue(&chunk, SystemClock.now()).map(drop)
        })
        .unwrap();
    }
}

/// One turn that claims 100 rows, then gives them back outside the measured time.
fn claim_ms(store: &mut dyn store::Store) -> f64 {
    let now = SystemClock.now();
    let demand = Demand {
        module: ModuleName::new("ntemail").unwrap(),
        pool: Pool::Route(Route::project(ProjectId(1))),
        gateway: None,
        count: 100,
        forced_only: false,
        lease_until: Ms(now.0 + 60_000),
        ceiling: None,
    };
    let owner = Owner("bench".to_owned());
    let start = Instant::now();
    let turn = store::write(store, Durability::Crash, |tx| {
        tx.turn(&owner, &[], std::slice::from_ref(&demand), now)
    })
    .unwrap();
    let took = start.elapsed().as_secs_f64() * 1_000.0;
    let leases: Vec<_> = turn.claimed.iter().map(|task| task.lease).collect();
    assert_eq!(leases.len(), 100);
    store::write(store, Durability::Crash, |tx| tx.release(&owner, &leases, now)).unwrap();
    took
}
