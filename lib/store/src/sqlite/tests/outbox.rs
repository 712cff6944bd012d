//! An event that a turn wrote becomes its tasks once, wherever whoever makes them is killed.

use super::{Options, Order, Sqlite, create};
use crate::conformance::{fan_out, mail, module};
use crate::{Durability, NewEvent, Store, TaskFilter, Told};
use notice::{ModuleName, Ms};
use std::fs;
use std::path::{Path, PathBuf};

/// What a crash at this moment would leave on the disk.
fn crashed(database: &Path, to: &Path) -> PathBuf {
    fs::create_dir(to).unwrap();
    for end in ["", "-wal"] {
        let name = format!("gatepost.db{end}");
        fs::copy(database.with_file_name(&name), to.join(&name)).unwrap();
    }
    to.join("gatepost.db")
}

fn untold_and_tasks(store: &mut Sqlite) -> (usize, usize) {
    let filter = TaskFilter { module: Some(module(ModuleName::HANDLER)), ..TaskFilter::default() };
    crate::read(store, |seen| {
        assert_eq!(seen.ready_routes(&mail(), false)?, []);
        let untold = seen.untold_events(100)?.len();
        Ok::<_, crate::StoreError>((untold, seen.tasks(&filter, None, 100)?.len()))
    })
    .unwrap()
}

#[test]
fn a_crash_at_any_moment_of_the_fan_out_tells_each_event_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gatepost.db");
    // With no room in memory what is written goes to the file before the commit.
    let options = Options { cache_kib: 1, ..Options::default() };
    let mut store = create(&path, Order::Ageing, options).unwrap();
    store
        .write(Durability::Power, &mut |tx| {
            for number in 0..50 {
                let (events_id, object_id) = ("services.opened".to_owned(), number.to_string());
                let event = NewEvent { events_id, object_id, data: "{}".to_owned(), at: Ms(1) };
                tx.add_event(&event, Told::NotYet)?;
            }
            Ok(())
        })
        .unwrap();
    let at = |name: &str| folder.path().join(name);
    let before = crashed(&path, &at("before"));
    store
        .write(Durability::Power, &mut |tx| {
            assert_eq!(fan_out(tx, Ms(2))?, 50);
            crashed(&path, &at("inside"));
            Ok(())
        })
        .unwrap();
    let after = crashed(&path, &at("after"));
    for (copy, left) in
        [(before, (50, 0)), (at("inside").join("gatepost.db"), (50, 0)), (after, (0, 50))]
    {
        let mut found = Sqlite::open(&copy, Options::default()).unwrap();
        assert_eq!(untold_and_tasks(&mut found), left, "{}", copy.display());
        for _ in 0..2 {
            found.write(Durability::Power, &mut |tx| fan_out(tx, Ms(3)).map(|_| ())).unwrap();
            assert_eq!(untold_and_tasks(&mut found), (0, 50), "{}", copy.display());
        }
    }
}
