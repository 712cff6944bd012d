//! What can be wrong with the file, the disk and the schema: each is an error of its own, and nothing is changed.

use super::{Options, Order, Sqlite, create, schema};
use crate::conformance::task;
use crate::{Durability, Result, Store, StoreError};
use notice::{Ms, TaskId};
use rusqlite::Connection;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn make() -> (tempfile::TempDir, PathBuf, Sqlite) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gatepost.db");
    let store = create(&path, Order::Ageing, Options::default()).unwrap();
    (folder, path, store)
}

fn impatient() -> Options {
    Options { patience: Duration::from_millis(30), ..Options::default() }
}

fn enqueue(store: &mut Sqlite) -> Result<()> {
    store.write(Durability::Power, &mut |tx| tx.enqueue(&[task()], Ms(1)).map(|_| ()))
}

fn tasks(store: &mut Sqlite) -> usize {
    let all = crate::TaskFilter::default();
    crate::read(store, |seen| seen.tasks(&all, None, 1_000)).unwrap().len()
}

fn refused(path: &Path) -> StoreError {
    Sqlite::open(path, impatient()).err().unwrap()
}

#[test]
fn the_files_are_for_the_owner_and_the_group() {
    // The worst umask there is: what we start runs under it.
    let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let (folder, path, mut store) = make();
    enqueue(&mut store).unwrap();
    rustix::process::umask(before);
    for name in ["gatepost.db", "gatepost.db-wal", "gatepost.db-shm"] {
        let mode = fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o660, "{name}");
    }
    // Run again, `init` gives the file its mode back: it is the cure of a database nobody can write.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    create(&path, Order::Ageing, Options::default()).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
}

#[test]
fn a_locked_database_is_waited_for_and_then_named() {
    let (_folder, path, mut store) = make();
    let holder = Connection::open(&path).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut other = Sqlite::open(&path, impatient()).unwrap();
    let error = enqueue(&mut other).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    assert!(error.is_passing());
    // Readers are not held up.
    assert_eq!(tasks(&mut other), 0);
    let patient = std::thread::spawn(move || enqueue(&mut store).map(|()| store));
    holder.execute_batch("COMMIT").unwrap();
    let mut store = patient.join().unwrap().unwrap();
    enqueue(&mut other).unwrap();
    assert_eq!(tasks(&mut store), 2);
}

#[test]
fn a_read_only_database_is_named() {
    let (_folder, path, mut store) = make();
    store.connection.pragma_update(None, "query_only", true).unwrap();
    let error = enqueue(&mut store).unwrap_err();
    assert!(matches!(error, StoreError::Open { .. }), "{error:?}");
    let said = error.to_string();
    assert!(said.contains("readonly") && said.contains(path.to_str().unwrap()), "{said}");
    assert!(!error.is_passing());
}

#[test]
fn a_full_disk_changes_nothing_and_passes() {
    let (_folder, _path, mut store) = make();
    enqueue(&mut store).unwrap();
    let pages: i64 = store.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    store.connection.pragma_update(None, "max_page_count", pages).unwrap();
    let many = vec![task(); 2_000];
    let error =
        store.write(Durability::Power, &mut |tx| tx.enqueue(&many, Ms(1)).map(|_| ())).unwrap_err();
    assert!(matches!(error, StoreError::Disk { .. }), "{error:?}");
    assert!(error.is_passing());
    assert_eq!(tasks(&mut store), 1);
    store.connection.pragma_update(None, "max_page_count", 1_000_000).unwrap();
    enqueue(&mut store).unwrap();
    assert_eq!(tasks(&mut store), 2);
}

/// A small filesystem of its own; None, said aloud, where we may not mount.
struct Mount(tempfile::TempDir);

impl Mount {
    fn of(bytes: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={bytes}");
        let path = folder.path().to_str().unwrap();
        let mounted = run("mount", &["-t", "tmpfs", "-o", &size, "tmpfs", path]);
        if !mounted {
            gatepost_kit::tools::missing("the right to mount a tmpfs");
        }
        mounted.then_some(Self(folder))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        run("umount", &["-l", self.0.path().to_str().unwrap()]);
    }
}

#[expect(clippy::disallowed_methods, reason = "a test of a real disk")]
fn run(program: &str, arguments: &[&str]) -> bool {
    let ran = std::process::Command::new(program).args(arguments).output();
    ran.is_ok_and(|ran| ran.status.success())
}

#[test]
fn a_disk_that_really_is_full_or_read_only_is_named() {
    let Some(mount) = Mount::of("2m") else { return };
    let path = mount.0.path().join("gatepost.db");
    let mut store = create(&path, Order::Ageing, Options::default()).unwrap();
    let mut accepted = 0;
    let error = loop {
        let hundred = vec![task(); 100];
        let written =
            store.write(Durability::Power, &mut |tx| tx.enqueue(&hundred, Ms(1)).map(|_| ()));
        match written {
            Ok(()) => accepted += 100,
            Err(error) => break error,
        }
        assert!(accepted < 1_000_000, "the disk never fills");
    };
    assert!(matches!(error, StoreError::Disk { .. }), "{error:?}");
    let all = crate::TaskFilter::default();
    let kept = crate::read(&mut store, |seen| seen.tasks(&all, None, 1_000_000)).unwrap();
    assert_eq!(kept.len(), accepted);
    drop(store);
    assert!(run("mount", &["-o", "remount,ro", mount.0.path().to_str().unwrap()]));
    // It can still be looked at.
    let mut store = Sqlite::open(&path, impatient()).unwrap();
    assert!(crate::read(&mut store, |seen| seen.task(TaskId(1))).unwrap().is_some());
    let error = enqueue(&mut store).unwrap_err();
    assert!(matches!(error, StoreError::Open { .. }), "{error:?}");
}

#[test]
fn what_is_no_database_of_ours_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("junk"), b"this is no database, it is only a text of some length\n".repeat(50))
        .unwrap();
    fs::write(at("empty"), b"").unwrap();
    let other = Connection::open(at("other")).unwrap();
    other.execute_batch("CREATE TABLE notes(text)").unwrap();
    for name in ["missing", "junk", "empty", "other", "no/folder"] {
        let error = refused(&at(name));
        assert!(matches!(error, StoreError::Open { .. }), "{name}: {error:?}");
        assert!(error.to_string().contains("gatepost init"), "{error}");
    }
    assert!(!at("missing").exists());
    for name in ["junk", "other", "no/folder"] {
        let error = create(&at(name), Order::Ageing, Options::default()).err().unwrap();
        assert!(matches!(error, StoreError::Open { .. }), "{name}: {error:?}");
    }
    let tables: i64 =
        other.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
    assert_eq!(tables, 1);
    create(&at("empty"), Order::Ageing, Options::default()).unwrap();
}

#[test]
fn a_newer_schema_stops_an_old_program() {
    let (_folder, path, mut store) = make();
    let newer = Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", schema::KNOWN + 1).unwrap();
    let expected = |error: &StoreError| matches!(error, StoreError::NewerSchema { found, known, .. } if *found == known + 1);
    let error = refused(&path);
    assert!(expected(&error) && error.to_string().contains("upgrade the program"), "{error}");
    // One that was running already stops at its next turn.
    let error = enqueue(&mut store).unwrap_err();
    assert!(expected(&error) && !error.is_passing(), "{error}");
    assert!(expected(&create(&path, Order::Ageing, Options::default()).err().unwrap()));
}

#[test]
fn an_older_schema_is_brought_up_to_date_by_init_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gatepost.db");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(&schema::migrations(1, Order::Strict)).unwrap();
    old.pragma_update(None, "application_id", schema::APPLICATION_ID).unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    old.execute("INSERT INTO notifytask(modulename,filename) VALUES('ntemail','f')", []).unwrap();
    drop(old);
    let error = refused(&path);
    assert!(matches!(error, StoreError::OlderSchema { found: 1, .. }), "{error:?}");
    assert!(error.to_string().contains("gatepost init"), "{error}");
    let mut store = create(&path, Order::Ageing, Options::default()).unwrap();
    assert!(crate::read(&mut store, |seen| seen.task(TaskId(1))).unwrap().is_some());
    // The order that it was made with stays.
    assert_eq!(store.order().unwrap(), Order::Strict);
    let mut opened = Sqlite::open(&path, Options::default()).unwrap();
    assert_eq!(tasks(&mut opened), 1);
}

#[test]
fn a_database_of_version_2_keeps_every_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gatepost.db");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(&schema::migrations(2, Order::Ageing)).unwrap();
    old.pragma_update(None, "application_id", schema::APPLICATION_ID).unwrap();
    old.pragma_update(None, "user_version", 2).unwrap();
    old.execute_batch(VERSION_2).unwrap();
    let tables = ["notifytask", "notifylog", "event", "project", "user", "gateway", "setting"];
    let count = |connection: &Connection, table: &str| -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        connection.query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    let before = tables.map(|table| count(&old, table));
    let uuid: String = old.query_row("SELECT value FROM setting", [], |row| row.get(0)).unwrap();
    drop(old);
    assert!(matches!(refused(&path), StoreError::OlderSchema { found: 2, .. }));
    let mut store = create(&path, Order::Strict, Options::default()).unwrap();
    assert_eq!(tables.map(|table| count(&store.connection, table)), before);
    assert_eq!((store.uuid.clone(), store.order().unwrap()), (uuid, Order::Ageing));
    crate::read(&mut store, |seen| {
        // What happened before anybody could be told is no news now.
        assert_eq!(seen.untold_events(10)?, []);
        assert_eq!(seen.events(&crate::EventFilter::default(), None, 10)?.len(), 1);
        assert_eq!(seen.user(notice::UserId(1))?.unwrap().fields.text("jabber"), "bob@j");
        assert_eq!(seen.task(TaskId(2))?.unwrap().state, notice::State::Waiting);
        Ok::<_, StoreError>(())
    })
    .unwrap();
    // A task that followed another before the change is let go as ever.
    let owner = crate::Owner("w1".to_owned());
    crate::write(&mut store, Durability::Crash, |tx| {
        let want = [crate::conformance::demand(5)];
        let claimed = tx.turn(&owner, &[], &want, Ms(5))?.claimed;
        let lease = claimed.iter().find(|one| one.object == "user/1").unwrap().lease;
        let settlement = crate::Settlement::Wait { at: Ms(9), spent: true, maybe_sent: false };
        let (reason, effects) = ("503".to_owned(), Vec::new());
        tx.turn(
            &owner,
            &[crate::Done { lease, settlement, reason, log: None, effects }],
            &[],
            Ms(6),
        )?;
        assert_eq!(tx.task(TaskId(4))?.unwrap().state, notice::State::Ready);
        Ok::<_, StoreError>(())
    })
    .unwrap();
}

/// Task 3 stands behind task 1, task 4 follows task 3.
const VERSION_2: &str = "
    ALTER TABLE user ADD COLUMN \"jabber\" TEXT NOT NULL DEFAULT '';
    INSERT INTO project(name) VALUES('p');
    INSERT INTO user(project,name,jabber) VALUES(1,'bob','bob@j');
    INSERT INTO gateway(notify_module,gateway_module,gateway_type) VALUES('ntemail','gwsmtp',1);
    INSERT INTO notifytask(modulename,lane,object,state) VALUES('ntemail','p1','user/1',0);
    INSERT INTO notifytask(modulename,lane,state,run_at) VALUES('ntemail','p1',2,99999);
    INSERT INTO notifytask(modulename,lane,object,state) VALUES('ntemail','p1','user/1',2);
    INSERT INTO notifytask(modulename,lane,follows,state) VALUES('ntemail','p2',3,2);
    INSERT INTO notifylog(task,module,attempt,outcome,queued,at) VALUES(9,'ntemail',1,'sent',1,2);
    INSERT INTO event(at_ms,events_id,object_id,data) VALUES(1,'clients.create','1','{}');";

#[test]
fn init_may_run_again_and_twice_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gatepost.db");
    let started: Vec<_> = (0..4)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || {
                let mut store = create(&path, Order::Ageing, Options::default()).unwrap();
                enqueue(&mut store).unwrap();
                store.uuid
            })
        })
        .collect();
    let uuids: std::collections::BTreeSet<String> =
        started.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(uuids.len(), 1);
    assert_eq!(tasks(&mut Sqlite::open(&path, Options::default()).unwrap()), 4);
}

#[test]
fn a_panic_inside_a_transaction_rolls_it_back() {
    let (_folder, _path, mut store) = make();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = store.write(Durability::Crash, &mut |tx| {
            tx.enqueue(&[task()], Ms(1))?;
            panic!("in the middle");
        });
    }));
    assert!(panicked.is_err());
    assert_eq!(tasks(&mut store), 0);
    enqueue(&mut store).unwrap();
    assert_eq!(tasks(&mut store), 1);
}

#[test]
fn the_order_is_rebuilt_with_what_is_queued() {
    let (_folder, _path, mut store) = make();
    let urgent = crate::NewTask { priority: notice::Priority::new(1).unwrap(), ..task() };
    let demand = crate::conformance::demand(10);
    store.write(Durability::Power, &mut |tx| tx.enqueue(&[task()], Ms(1)).map(|_| ())).unwrap();
    store
        .write(Durability::Power, &mut |tx| {
            tx.enqueue(std::slice::from_ref(&urgent), Ms(2 * Ms::DAY)).map(|_| ())
        })
        .unwrap();
    let owner = crate::Owner("w1".to_owned());
    for (order, expected) in [(Order::Strict, [2, 1]), (Order::Ageing, [1, 2])] {
        store.rebuild_order(order).unwrap();
        assert_eq!(store.order().unwrap(), order);
        let ids = crate::write(&mut store, Durability::Crash, |tx| {
            let claimed = tx.turn(&owner, &[], std::slice::from_ref(&demand), Ms(1))?.claimed;
            let leases: Vec<crate::Lease> = claimed.iter().map(|one| one.lease).collect();
            tx.release(&owner, &leases, Ms(1))?;
            Ok::<_, StoreError>(leases.iter().map(|lease| lease.task.0).collect::<Vec<_>>())
        });
        assert_eq!(ids.unwrap(), expected, "{order:?}");
    }
    for order in [Order::Ageing, Order::Strict] {
        assert_eq!(Order::from_word(order.word()), Some(order));
    }
}

#[test]
fn tidying_shrinks_the_file_again() {
    let (_folder, path, mut store) = make();
    let many = vec![crate::NewTask { key: None, ..task() }; 5_000];
    store.write(Durability::Crash, &mut |tx| tx.enqueue(&many, Ms(1)).map(|_| ())).unwrap();
    store.tidy().unwrap();
    let full = fs::metadata(&path).unwrap().len();
    let ids: Vec<TaskId> = (1..=5_000).map(TaskId).collect();
    store
        .write(Durability::Crash, &mut |tx| {
            tx.end(&ids, crate::Finish::Cancel, "", Ms(1))?;
            tx.prune(Ms(1 + 40 * Ms::DAY), &crate::Retention::SHIPPED).map(|_| ())
        })
        .unwrap();
    for _ in 0..5 {
        store
            .write(Durability::Crash, &mut |tx| {
                tx.prune(Ms(1 + 40 * Ms::DAY), &crate::Retention::SHIPPED).map(|_| ())
            })
            .unwrap();
        store.tidy().unwrap();
    }
    let tidied = fs::metadata(&path).unwrap().len();
    assert!(tidied < full / 2, "{full} -> {tidied}");
}
