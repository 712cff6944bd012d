//! Tests of what only `SQLite` has.

use super::*;
use crate::{Accepted, Blob, Body, Demand, Done, Lease, NewTask, Pool, Settlement, StoredBody};
use notice::{ModuleName, Ms, Priority, Route, TaskId};

fn fresh() -> (tempfile::TempDir, Sqlite) {
    let folder = tempfile::tempdir().unwrap();
    let store =
        create(&folder.path().join("gatepost.db"), Order::Ageing, Options::default()).unwrap();
    (folder, store)
}

fn mail() -> ModuleName {
    ModuleName::new(ModuleName::EMAIL).unwrap()
}

fn task(priority: i64) -> NewTask {
    NewTask {
        module: mail(),
        body: Body::Stored(StoredBody {
            bundle: Some(Blob::new(*b"<bundle/>")),
            notice: Blob::new(*b"<doc/>"),
            user: "<user><id>7</id></user>".to_owned(),
            project: None,
        }),
        priority: Priority::new(priority).unwrap(),
        forced: false,
        route: Route::from_column("p1".to_owned()),
        object: String::new(),
        follows: None,
        not_before: None,
        expires: None,
        key: None,
    }
}

#[test]
fn a_task_goes_in_is_claimed_and_finished() {
    let (_folder, mut store) = fresh();
    let owner = crate::Owner("w1".to_owned());
    let demand = Demand {
        module: mail(),
        pool: Pool::Route(Route::from_column("p1".to_owned())),
        gateway: None,
        count: 10,
        forced_only: false,
        lease_until: Ms(70_000),
    };
    store
        .write(Durability::Power, &mut |tx| {
            let accepted = tx.enqueue(&[task(0), task(5)], Ms(10_000))?;
            assert_eq!(accepted, [Accepted::New(TaskId(1)), Accepted::New(TaskId(2))]);
            Ok(())
        })
        .unwrap();
    let mut claimed = Vec::new();
    store
        .write(Durability::Crash, &mut |tx| {
            claimed = tx.turn(&owner, &[], std::slice::from_ref(&demand), Ms(10_000))?.claimed;
            Ok(())
        })
        .unwrap();
    assert_eq!(claimed.iter().map(|one| one.lease.task.0).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(&*claimed[0].body.as_ref().unwrap().notice.bytes, b"<doc/>");
    let done = Done {
        lease: Lease { task: TaskId(2), seq: 1 },
        settlement: Settlement::Gone,
        reason: String::new(),
        log: None,
        effects: Vec::new(),
    };
    store
        .write(Durability::Crash, &mut |tx| {
            let turn = tx.turn(&owner, std::slice::from_ref(&done), &[], Ms(10_000))?;
            assert_eq!(turn.lost, []);
            assert_eq!(tx.task(TaskId(2))?, None);
            Ok(())
        })
        .unwrap();
}
