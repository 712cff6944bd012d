//! Finding attempts (DESIGN 3).

use super::{Fresh, module, task};
use crate::sqlite::Order;
use crate::{Finish, LogFilter, NewLog, NewTask};
use notice::{GatewayId, LogId, ModuleName, Ms, Priority, TaskId, UserId};

/// Filters, and the ids that each of them finds, the newest first.
fn cases(start: Ms) -> Vec<(LogFilter, Vec<i64>)> {
    let none = LogFilter::default();
    vec![
        (LogFilter { task: Some(TaskId(1)), ..none.clone() }, vec![12, 7, 2]),
        (LogFilter { contact: Some("c2".to_owned()), ..none.clone() }, vec![11, 7, 3]),
        (LogFilter { user: Some(UserId(2)), ..none.clone() }, vec![12, 9, 6, 3]),
        (
            LogFilter { user: Some(UserId(2)), since: Some(start.plus(8_000)), ..none.clone() },
            vec![12, 9],
        ),
        (
            LogFilter {
                gateway: Some(GatewayId(1)),
                reference: Some("r3".to_owned()),
                ..none.clone()
            },
            vec![12, 8],
        ),
        (
            LogFilter {
                gateway: Some(GatewayId(0)),
                reference: Some("r3".to_owned()),
                ..none.clone()
            },
            vec![],
        ),
        (
            LogFilter {
                gateway: Some(GatewayId(1)),
                since: Some(start.plus(9_000)),
                ..none.clone()
            },
            vec![12, 10],
        ),
        (LogFilter { since: Some(start.plus(10_000)), ..none.clone() }, vec![12, 11]),
        (LogFilter { module: Some(module("nthandler")), ..none.clone() }, vec![10, 6, 2]),
        (
            LogFilter {
                module: Some(module("nthandler")),
                gateway: Some(GatewayId(1)),
                since: Some(start.plus(5_000)),
                ..none.clone()
            },
            vec![10, 6],
        ),
        (
            LogFilter { contact: Some("c2".to_owned()), user: Some(UserId(0)), ..none.clone() },
            vec![7],
        ),
    ]
}

pub(crate) fn the_log_is_found_by_task_contact_user_and_reference(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let mut rows = Vec::new();
    for number in 0..12_i64 {
        rows.push(NewLog {
            module: if number % 4 == 1 { ModuleName::HANDLER } else { "ntemail" }.to_owned(),
            contact: (number % 2 == 0).then(|| format!("c{}", number % 4)),
            user: Some(UserId(number % 3)),
            gateway: Some(GatewayId(number % 2)),
            reference: (number > 5).then(|| format!("r{}", number % 4)),
            at: kit.now.plus(number * 1_000),
            ..kit.log_row(TaskId(number % 5), "sent")
        });
    }
    kit.change(|tx| tx.add_log(&rows));
    for (filter, expected) in cases(kit.now) {
        let found = kit.look(|seen| seen.log(&filter, None, 100));
        let ids: Vec<i64> = found.iter().map(|row| row.id.0).collect();
        assert_eq!(ids, expected, "{filter:?}");
        let one = kit.look(|seen| seen.log(&filter, None, 1));
        assert_eq!(one, found[..found.len().min(1)], "{filter:?}");
    }
}

pub(crate) fn the_log_tells_what_no_gate_had_by_its_time(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let row = |kit: &super::Kit, (outcome, took_ms): (&str, Option<i64>), after: i64| NewLog {
        at: kit.now.plus(after),
        took_ms,
        ..kit.log_row(TaskId(after), outcome)
    };
    let mut rows = vec![
        row(&kit, ("never", None), 1_000),
        row(&kit, ("never", None), 5_000),
        row(&kit, ("never", Some(3)), 6_000),
        row(&kit, ("sent", None), 7_000),
        row(&kit, ("never", None), 3_000),
    ];
    // however much was sent since
    rows.extend(vec![row(&kit, ("sent", Some(1)), 9_000); 100]);
    kit.change(|tx| tx.add_log(&rows));
    let since = kit.now.plus(2_000);
    let found = |kit: &mut super::Kit, limit| {
        let rows = kit.look(|seen| seen.refused(since, limit));
        rows.iter().map(|row| row.id.0).collect::<Vec<_>>()
    };
    assert_eq!(found(&mut kit, 10), [2, 5]);
    assert_eq!(found(&mut kit, 1), [2]);
}

pub(crate) fn the_log_pages_and_follows(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let rows = vec![NewLog { user: Some(UserId(1)), ..kit.log_row(TaskId(1), "sent") }; 10];
    kit.change(|tx| tx.add_log(&rows));
    let by_user = LogFilter { user: Some(UserId(1)), ..LogFilter::default() };
    for filter in [LogFilter::default(), by_user] {
        let page = |kit: &mut super::Kit, filter: &LogFilter, before: Option<i64>| {
            let rows = kit.look(|seen| seen.log(filter, before.map(LogId), 4));
            rows.iter().map(|row| row.id.0).collect::<Vec<_>>()
        };
        assert_eq!(page(&mut kit, &filter, None), [10, 9, 8, 7]);
        assert_eq!(page(&mut kit, &filter, Some(7)), [6, 5, 4, 3]);
        assert_eq!(page(&mut kit, &filter, Some(3)), [2, 1]);
        let following = LogFilter { after: Some(LogId(8)), ..filter };
        assert_eq!(page(&mut kit, &following, None), [10, 9]);
    }
}

pub(crate) fn the_log_tells_how_long_urgent_messages_waited(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let row = |kit: &super::Kit, waited_ms: Option<i64>, after: i64| NewLog {
        at: kit.now.plus(after),
        waited_ms,
        ..kit.log_row(TaskId(after), "sent")
    };
    let mut rows: Vec<_> = [(Some(7), 1_000), (Some(900), 5_000), (None, 6_000), (Some(0), 3_000)]
        .map(|(waited, after)| row(&kit, waited, after))
        .into();
    rows.extend(vec![row(&kit, None, 9_000); 100]);
    kit.change(|tx| tx.add_log(&rows));
    let since = kit.now.plus(2_000);
    assert_eq!(kit.look(|seen| seen.urgent_waits(since, 10)), [900, 0]);
    assert_eq!(kit.look(|seen| seen.urgent_waits(since, 1)), [900]);
    let found = kit.look(|seen| seen.log(&LogFilter::default(), None, 200));
    assert_eq!(found.last().unwrap().row.waited_ms, Some(7));
}

pub(crate) fn what_lapses_unsent_counts_among_the_urgent(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    for (priority, finish) in [(0, None), (5, None), (5, Some(Finish::Cancel))] {
        let priority = Priority::new(priority).unwrap();
        let id = kit.enqueue(&NewTask { priority, expires: Some(kit.now.plus(4_000)), ..task() });
        let now = kit.now;
        if let Some(finish) = finish {
            kit.change(|tx| tx.end(&[id], finish, "why", now));
        }
    }
    kit.wait(4_500);
    kit.turn("w1", &[], &[]);
    assert_eq!(kit.look(|seen| seen.urgent_waits(Ms(0), 10)), [4_500]);
}
