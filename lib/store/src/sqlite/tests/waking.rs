//! How a worker hears of news (queue 3.9).

use super::{Options, Order, create};
use crate::conformance::task;
use crate::{Durability, Store, Woken};
use notice::Ms;
use rusqlite::Connection;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(1);

#[test]
fn a_program_that_knows_nothing_of_us_wakes_a_worker() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gatepost.db");
    let mut store = create(&path, Order::Ageing, Options::default()).unwrap();
    let mut waker = store.waker().unwrap();
    let foreign = Connection::open(&path).unwrap();
    let writer = std::thread::spawn(move || {
        foreign
            .execute("INSERT INTO notifytask(modulename,filename) VALUES('ntemail','f')", [])
            .unwrap();
    });
    let mut waits = 0;
    loop {
        assert_eq!(waker.wait(LONG), Woken::Stirred);
        waits += 1;
        let due =
            crate::read(&mut store, |seen| seen.ready_routes(&crate::conformance::mail(), false));
        if !due.unwrap().is_empty() {
            break;
        }
        assert!(waits < 100, "woken in vain");
    }
    writer.join().unwrap();
}

#[test]
fn a_worker_tells_the_commits_of_others_from_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gatepost.db");
    let mut store = create(&path, Order::Ageing, Options::default()).unwrap();
    let mut other = super::Sqlite::open(&path, Options::default()).unwrap();
    let enqueue = |store: &mut super::Sqlite| {
        store.write(Durability::Crash, &mut |tx| tx.enqueue(&[task()], Ms(1)).map(drop)).unwrap();
    };
    assert!(store.has_news().unwrap(), "before the first question everything is new");
    assert!(!store.has_news().unwrap());
    enqueue(&mut store);
    assert!(!store.has_news().unwrap());
    enqueue(&mut other);
    // What is seen on the way to a turn of our own stays news until it is asked for.
    crate::read(&mut store, |seen| seen.next_due()).unwrap();
    enqueue(&mut store);
    assert!(store.has_news().unwrap());
    assert!(!store.has_news().unwrap());
}

#[test]
fn writes_that_follow_each_other_are_told_of_now_and_then() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gatepost.db");
    let mut store = create(&path, Order::Ageing, Options::default()).unwrap();
    let mut waker = store.waker().unwrap();
    let start = std::time::Instant::now();
    let mut told = 0;
    for _ in 0..300 {
        store.write(Durability::Crash, &mut |tx| tx.enqueue(&[task()], Ms(1)).map(drop)).unwrap();
        told += u128::from(waker.wait(SHORT) == Woken::Stirred);
    }
    // four looks follow a write, and none of the next 40 ms begins them anew
    assert!(told > 0);
    assert!(told <= 4 * (1 + start.elapsed().as_millis() / 40), "{told}");
}

#[test]
fn other_files_of_the_folder_wake_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let store =
        create(&folder.path().join("gatepost.db"), Order::Ageing, Options::default()).unwrap();
    let mut waker = store.waker().unwrap();
    std::fs::write(folder.path().join("gatepost.log"), "line\n").unwrap();
    assert_eq!(waker.wait(SHORT), Woken::Timeout);
}

#[test]
fn every_worker_is_woken_and_the_dead_are_cleared_away() {
    let folder = tempfile::tempdir().unwrap();
    let wake_folder = folder.path().join("d".repeat(120)).join("wake here");
    let options = Options { wake_folder: Some(wake_folder.clone()), ..Options::default() };
    let mut store = create(&folder.path().join("gatepost.db"), Order::Ageing, options).unwrap();
    let mut wakers = [store.waker().unwrap(), store.waker().unwrap()];
    let dead = wake_folder.join("1-0.sock");
    // Its own name would be too long for a socket's address.
    let elsewhere = folder.path().join("s");
    drop(UnixDatagram::bind(&elsewhere).unwrap());
    std::fs::rename(elsewhere, &dead).unwrap();
    std::fs::write(wake_folder.join("note.txt"), "").unwrap();
    for entry in std::fs::read_dir(&wake_folder).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with(&std::process::id().to_string()) {
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o660);
        }
    }
    store.write(Durability::Power, &mut |tx| tx.enqueue(&[task()], Ms(1)).map(|_| ())).unwrap();
    // More than a socket holds: it is awake already, and the producer does not wait.
    for _ in 0..2_000 {
        store.wake();
    }
    assert!(!dead.exists());
    for waker in &mut wakers {
        assert_eq!(waker.wait(LONG), Woken::News);
    }
    drop(wakers);
    let left = std::fs::read_dir(&wake_folder).unwrap().count();
    assert_eq!(left, 1, "a socket was left behind");
    store.wake();
}
