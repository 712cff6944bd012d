//! Tests of what only `SQLite` has.

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
    Kit::new(Box::new(store), Box::new(other), Box::new(delete))
}

conformance!(fresh);
