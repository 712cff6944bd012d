//! Programs that know nothing of us but the documented columns (S3-25 to S3-32).

use super::{Order, fresh};
use crate::conformance::{Kit, demand, mail, task};
use crate::{Claimed, Demand, Pool, Settlement};
use notice::{Priority, Route, State, TaskId};
use rusqlite::Connection;
use std::path::Path;

fn unread(count: u32) -> Demand {
    Demand { pool: Pool::Route(Route::unread()), gateway: None, ..demand(count) }
}

fn claim(kit: &mut Kit) -> Vec<Claimed> {
    kit.turn("w1", &[], &[unread(100)]).claimed
}

fn foreign(kit: &Kit) -> Connection {
    Connection::open(kit.path()).unwrap()
}

// S3-25, S3-26, S3-27, S3-28
#[test]
fn an_insert_that_names_only_documented_columns_is_a_claimable_row() {
    let mut kit = fresh(Order::Ageing);
    let other = foreign(&kit);
    for sql in [
        "INSERT INTO notifytask(modulename,filename) VALUES('ntemail','var/notify/1')",
        "INSERT INTO notifytask(id,modulename,filename,priority,error_count,forcedonothing,err_info,createdate)
         VALUES(NULL,'ntemail','var/notify/2',NULL,NULL,NULL,NULL,NULL)",
        "INSERT INTO notifytask(modulename,filename,priority,error_count,forcedonothing,err_info,createdate)
         VALUES('ntemail','var/notify/3','7',2,'ON','old','2020-01-01 00:00:00')",
        "INSERT INTO notifytask(modulename,filename,createdate) VALUES('ntemail','var/notify/4',1700000000)",
    ] {
        other.execute(sql, []).unwrap();
    }
    let row = kit.row(TaskId(2));
    assert_eq!((row.state, row.error_count, row.forced), (State::Ready, 0, false));
    assert_eq!((row.err_info.as_str(), row.createdate.len()), ("", 19));
    assert_eq!(kit.look(|seen| seen.ready_routes(&mail(), false)), [Route::unread()]);
    let claimed = claim(&mut kit);
    let files: Vec<&str> = claimed.iter().map(|one| one.filename.as_str()).collect();
    assert_eq!(files, ["var/notify/3", "var/notify/1", "var/notify/2", "var/notify/4"]);
    assert_eq!((claimed[0].priority, claimed[0].forced), (Priority::new(7).unwrap(), true));
    assert_eq!(claimed[0].error_count, 2);
    for one in &claimed {
        assert_eq!(kit.settle(one.lease, Settlement::Gone).lost, []);
    }
}

// S3-32: in any case of letters
#[test]
fn forced_is_read_in_any_case_of_letters() {
    let mut kit = fresh(Order::Ageing);
    let other = foreign(&kit);
    for word in ["on", "ON", "On", "off", "", "1"] {
        let sql =
            "INSERT INTO notifytask(modulename,filename,forcedonothing) VALUES('ntemail',?1,?1)";
        other.execute(sql, [word]).unwrap();
    }
    let paused = Demand { forced_only: true, ..unread(100) };
    let claimed = kit.turn("w1", &[], &[paused]).claimed;
    let files: Vec<&str> = claimed.iter().map(|one| one.filename.as_str()).collect();
    assert_eq!(files, ["on", "ON", "On"]);
}

#[test]
fn a_row_that_could_not_be_read_again_is_refused() {
    let kit = fresh(Order::Ageing);
    let other = foreign(&kit);
    for values in [
        "NULL,'f',0,0",
        "'','f',0,0",
        "x'00','f',0,0",
        "'ntemail',x'ff',0,0",
        "'ntemail','f',1.5,0",
        "'ntemail','f','high',0",
        "'ntemail','f',1000001,0",
        "'ntemail','f',-1000001,0",
        "'ntemail','f',9223372036854775807,0",
        "'ntemail','f',0,'x'",
        "'ntemail','f',0,-1",
        "'../../bin/sh','f',0,0",
        "'nt email','f',0,0",
        "CAST(x'ff' AS TEXT),'f',0,0",
    ] {
        let sql = format!(
            "INSERT INTO notifytask(modulename,filename,priority,error_count) VALUES({values})"
        );
        assert!(other.execute(&sql, []).is_err(), "{values}");
    }
}

#[test]
fn a_row_of_hostile_text_stops_nobody() {
    let mut kit = fresh(Order::Ageing);
    let other = foreign(&kit);
    for text in
        ["CAST(x'ff2f00fe' AS TEXT)", "''';DROP TABLE notifytask;--'", "printf('%.100000c','x')"]
    {
        let sql = format!(
            "INSERT INTO notifytask(modulename,filename,err_info,createdate,forcedonothing)
             VALUES('ntemail',{text},{text},{text},{text})"
        );
        other.execute(&sql, []).unwrap();
    }
    assert_eq!(claim(&mut kit).len(), 3);
    let all = kit.look(|seen| seen.tasks(&crate::TaskFilter::default(), None, 10));
    assert_eq!(all.len(), 3);
    kit.look(|seen| seen.counts());
    kit.enqueue(&task());
    assert_eq!(kit.claim(10).len(), 1);
}

#[test]
fn a_foreign_delete_takes_the_body_along() {
    let mut kit = fresh(Order::Ageing);
    let id = kit.enqueue(&task());
    // Its connection has foreign keys switched off, as every one of them has.
    kit.delete_by_hand(id);
    let bodies: i64 =
        foreign(&kit).query_row("SELECT count(*) FROM notifybody", [], |row| row.get(0)).unwrap();
    assert_eq!(bodies, 0);
}

// DESIGN 4: a third-party module selects, updates and deletes its rows itself.
#[test]
fn a_module_that_knows_only_the_documented_columns_can_work() {
    let mut kit = fresh(Order::Ageing);
    let file = crate::Body::File("var/notify/2026-11-22/1".to_owned());
    let module = crate::conformance::module("ntjabber");
    let id = kit.enqueue(&crate::NewTask { module, body: file, ..task() });
    let other = foreign(&kit);
    let read =
        "SELECT id,filename,priority FROM notifytask WHERE modulename='ntjabber' AND error_count<3
        ORDER BY priority DESC LIMIT 10";
    let found: i64 = other.query_row(read, [], |row| row.get(0)).unwrap();
    assert_eq!(found, id.0);
    let fail = "UPDATE notifytask SET error_count=error_count+1, err_info='no route' WHERE id=?1";
    other.execute(fail, [id.0]).unwrap();
    assert_eq!(kit.row(id).err_info, "no route");
    other.execute("DELETE FROM notifytask WHERE id=?1", [id.0]).unwrap();
    assert_eq!(kit.state(id), None);
}

#[test]
fn debians_own_sqlite3_program_can_enqueue() {
    let mut kit = fresh(Order::Ageing);
    let sql = "INSERT INTO notifytask(modulename,filename,priority,error_count,forcedonothing,err_info,createdate)
        VALUES('ntemail','var/notify/a',NULL,NULL,NULL,NULL,NULL),('ntemail','var/notify/b',5,0,'off','','2026-01-01');
        SELECT changes();";
    let Some(said) = sqlite3(&kit.path(), sql) else { return };
    assert_eq!(said, "2\n");
    let claimed = claim(&mut kit);
    let files: Vec<&str> = claimed.iter().map(|one| one.filename.as_str()).collect();
    assert_eq!(files, ["var/notify/b", "var/notify/a"]);
    assert_eq!(kit.settle(claimed[0].lease, Settlement::Gone).lost, []);
    assert_eq!(sqlite3(&kit.path(), "SELECT id,state FROM notifytask").as_deref(), Some("1|1\n"));
    assert_eq!(sqlite3(&kit.path(), "PRAGMA integrity_check").as_deref(), Some("ok\n"));
}

/// What the program printed; None, said aloud, where it is not installed.
#[expect(clippy::disallowed_methods, reason = "a test of another program at the same file")]
fn sqlite3(path: &Path, sql: &str) -> Option<String> {
    if !gatepost_kit::tools::is_here("sqlite3") {
        return None;
    }
    let ran = std::process::Command::new("sqlite3").arg(path).arg(sql).output().unwrap();
    let errors = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{errors}");
    Some(String::from_utf8(ran.stdout).unwrap())
}
