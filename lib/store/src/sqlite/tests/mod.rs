//! Tests of what only `SQLite` has.

mod cost;
mod failures;
mod foreign;
mod machine;
mod outbox;
mod plans;
mod waking;

use super::*;
use crate::conformance::{Kit, conformance};
use notice::TaskId;

fn fresh(order: Order) -> Kit {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gatepost.db");
    let store = create(&path, order, Options::default()).unwrap();
    let other = Sqlite::open(&path, Options::default()).unwrap();
    let delete = move |id: TaskId| {
        let foreign = Connection::open(folder.path().join("gatepost.db")).unwrap();
        foreign.execute("DELETE FROM notifytask WHERE id=?1", [id.0]).unwrap();
    };
    let mut kit = Kit::new(Box::new(store), Box::new(other), Box::new(delete));
    kit.file = Some(path);
    kit
}

conformance!(fresh);
