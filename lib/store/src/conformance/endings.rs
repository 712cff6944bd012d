//! How attempts and tasks end (queue 3.1, 3.2, 3.10).

use super::{Fresh, Kit, demand, mail, task};
use crate::sqlite::Order;
use crate::{Effect, Finish, Gateway, LogFilter, NewTask, Retention, Settlement, StoredBody};
use notice::{GatewayId, Ms, State, TaskId, UserId};

// S3-41: true removes the task
pub(crate) fn a_sent_task_leaves_the_table_and_stays_in_the_log(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let id = kit.enqueue(&task());
    let lease = kit.claim_one().lease;
    let mut done = kit.done(lease, Settlement::Gone);
    let mut log = kit.log_row(id, "sent");
    log.reference = Some("SMS-1".to_owned());
    log.gateway = Some(GatewayId(1));
    log.contact = Some("bob@example.com".to_owned());
    log.segments = Some(2);
    done.log = Some(log.clone());
    let turn = kit.turn("w1", &[done], &[]);
    assert_eq!(turn.lost, []);
    assert_eq!(kit.look(|seen| seen.task(id)), None);
    assert_eq!(kit.look(|seen| seen.body(id)), None);
    let found = kit.log();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].row, log);
    // An id is never used again.
    assert_eq!(kit.enqueue(&task()), TaskId(id.0 + 1));
}

pub(crate) fn an_inbox_row_is_written_exactly_once(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    kit.enqueue(&task());
    let lease = kit.claim_one().lease;
    let mut done = kit.done(lease, Settlement::Gone);
    let text = "Добро пожаловать".to_owned();
    done.effects = vec![Effect::Inbox { user: UserId(7), subject: "Hi".to_owned(), text }];
    assert_eq!(kit.turn("w1", std::slice::from_ref(&done), &[]).lost, []);
    assert_eq!(kit.turn("w1", &[done], &[]).lost, [lease]);
    let inbox = kit.look(|seen| seen.inbox(UserId(7), None, 10));
    assert_eq!(inbox.len(), 1);
    assert_eq!((inbox[0].text.as_str(), inbox[0].at), ("Добро пожаловать", kit.now));
    assert_eq!(kit.log().len(), 1);
}

// S3-30, S3-31, S3-41
pub(crate) fn later_counts_an_error_and_waits(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let id = kit.enqueue(&task());
    let lease = kit.claim_one().lease;
    let later = kit.later(30_000);
    kit.settle(lease, later);
    let row = kit.row(id);
    assert_eq!((row.state, row.error_count, row.attempt), (State::Waiting, 1, 1));
    assert_eq!((row.err_info.as_str(), row.run_at), ("why", Some(kit.now.plus(30_000))));
    assert_eq!((row.lease_owner, row.lease_until), (None, None));
    kit.wait(29_999);
    assert_eq!(kit.claim(1), []);
    kit.wait(1);
    let turn = kit.turn("w1", &[], &[demand(1)]);
    assert_eq!((turn.promoted, turn.claimed.len()), (1, 1));
    assert_eq!((turn.claimed[0].error_count, turn.claimed[0].attempt), (1, 2));
}

pub(crate) fn an_unreached_gateway_costs_no_attempt(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let id = kit.enqueue(&task());
    let lease = kit.claim_one().lease;
    let at = kit.now.plus(5);
    kit.settle(lease, Settlement::Wait { at, spent: false, maybe_sent: false });
    let row = kit.row(id);
    assert_eq!((row.error_count, row.attempt, row.err_info.as_str()), (0, 0, "why"));
    // Back: as if nothing had been.
    kit.wait(5);
    let lease = kit.claim_one().lease;
    kit.settle(lease, Settlement::Back);
    let row = kit.row(id);
    assert_eq!((row.state, row.error_count, row.attempt), (State::Ready, 0, 0));
}

pub(crate) fn a_failed_task_is_kept_with_its_reason(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let id = kit.enqueue(&NewTask { expires: Some(kit.now.plus(1_000)), ..task() });
    let lease = kit.claim_one().lease;
    kit.settle(lease, Settlement::Fail);
    kit.wait(2_000);
    assert_eq!(kit.turn("w1", &[], &[demand(1)]), crate::Turn::default());
    let row = kit.row(id);
    assert_eq!((row.state, row.error_count, row.err_info.as_str()), (State::Failed, 1, "why"));
    assert_eq!((row.expires, row.run_at), (None, Some(Kit::START)));
    assert!(kit.look(|seen| seen.body(id)).is_some());
}

pub(crate) fn an_unanswered_question_fails_the_task(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let id = kit.enqueue(&task());
    let lease = kit.claim_one().lease;
    let until = kit.now.plus(Ms::DAY);
    kit.settle(lease, Settlement::Ask { until });
    assert_eq!(kit.state(id), Some(State::Asked));
    assert!(kit.row(id).maybe_sent);
    kit.wait(Ms::DAY - 1);
    assert_eq!(kit.turn("w1", &[], &[]).unanswered, 0);
    kit.wait(1);
    assert_eq!(kit.turn("w1", &[], &[]).unanswered, 1);
    assert_eq!(kit.state(id), Some(State::Failed));
    assert_eq!(kit.outcomes(), ["unanswered", "later"]);
}

pub(crate) fn a_person_ends_what_nobody_is_sending(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let body = |user: &str| match task().body {
        crate::Body::Stored(body) => {
            crate::Body::Stored(StoredBody { user: user.to_owned(), ..body })
        }
        crate::Body::File(_) => unreachable!(),
    };
    let sending = kit.enqueue(&task());
    kit.claim_one();
    let ready = kit.enqueue(&NewTask { body: body("<user><id>12</id></user>"), ..task() });
    let waiting = kit.enqueue(&NewTask { not_before: Some(kit.now.plus(9)), ..task() });
    let (now, ids) = (kit.now, [sending, ready, TaskId(99)]);
    assert_eq!(kit.change(|tx| tx.end(&ids, Finish::Cancel, "by Ann", now)), 1);
    assert_eq!(kit.change(|tx| tx.end(&[waiting], Finish::Done, "by Ann", now)), 1);
    assert_eq!(kit.state(sending), Some(State::Sending));
    assert_eq!((kit.state(ready), kit.state(waiting)), (None, None));
    let log = kit.log();
    assert_eq!(log.len(), 2);
    assert_eq!((log[1].row.outcome.as_str(), log[1].row.reason.as_str()), ("cancelled", "by Ann"));
    assert_eq!((log[1].row.task, log[1].row.user), (ready, Some(UserId(12))));
    assert!(log[1].row.key.is_some());
    assert_eq!((log[0].row.outcome.as_str(), log[0].row.task), ("sent", waiting));
}

pub(crate) fn what_ends_untried_is_logged_with_its_notice_and_contact(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let body = |bundle: &[u8]| {
        crate::Body::Stored(StoredBody {
            bundle: Some(crate::Blob::new(bundle)),
            notice: crate::Blob::new(*b"<doc/>"),
            user: "<user><id>7</id><email>bob@example.com</email></user>".to_owned(),
            project: None,
        })
    };
    let hi = || body(b"<bundle notice=\"hi\" module=\"ntemail\" lang=\"en\"/>");
    let cancelled = kit.enqueue(&NewTask { body: hi(), ..task() });
    let lapsed = kit.now.plus(5);
    kit.enqueue(&NewTask { body: hi(), expires: Some(lapsed), ..task() });
    let now = kit.now;
    kit.change(|tx| tx.end(&[cancelled], Finish::Cancel, "by Ann", now));
    kit.wait(6);
    kit.turn("w1", &[], &[]);
    assert_eq!(kit.outcomes(), ["expired", "cancelled"]);
    for row in kit.log() {
        assert_eq!(row.row.notice.as_deref(), Some("hi"));
        assert_eq!(row.row.contact.as_deref(), Some("bob@example.com"));
    }
    // what an attempt has said stays as it was said
    let tried = kit.enqueue(&NewTask { body: hi(), ..task() });
    let lease = kit.claim_one().lease;
    let later = kit.later(30_000);
    kit.settle(lease, later);
    let said = kit.log().remove(0).row;
    kit.change(|tx| tx.end(&[tried], Finish::Cancel, "by Ann", now));
    let end = kit.log().remove(0).row;
    assert_eq!((&end.notice, &end.contact), (&said.notice, &said.contact));
}

pub(crate) fn a_person_retries_what_failed(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let failed = kit.enqueue(&task());
    let lease = kit.claim_one().lease;
    kit.settle(lease, Settlement::Fail);
    let waiting = kit.enqueue(&NewTask { not_before: Some(kit.now.plus(Ms::DAY)), ..task() });
    let sending = kit.enqueue(&task());
    kit.claim_one();
    kit.wait(1_000);
    let (now, ids) = (kit.now, [failed, waiting, sending, TaskId(99)]);
    assert_eq!(kit.change(|tx| tx.retry(&ids, now)), 2);
    let row = kit.row(failed);
    assert_eq!((row.state, row.error_count, row.err_info.as_str()), (State::Ready, 0, ""));
    assert_eq!((row.queued, row.ready, row.attempt), (now, now, 1));
    assert_eq!(kit.state(sending), Some(State::Sending));
    assert_eq!(kit.order(), [failed.0, waiting.0]);
}

fn gateway() -> Gateway {
    Gateway {
        id: GatewayId(0),
        name: "relay".to_owned(),
        project: None,
        module: mail(),
        gate: "gwsmtp".to_owned(),
        direction: crate::Direction::Outgoing,
        active: true,
        priority: 0,
        concurrency: None,
        rate_per_sec: None,
        on_unknown: None,
        xmlparams: "<doc/>".to_owned(),
        secret: Vec::new(),
        version: 0,
    }
}

pub(crate) fn a_retry_forgets_a_gateway_that_is_gone(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let id = kit.change(|tx| tx.save_gateway(&gateway()));
    assert_eq!(id, GatewayId(1));
    for is_there in [true, false] {
        let task_id = kit.enqueue(&task());
        let lease = kit.claim_one().lease;
        let now = kit.now;
        kit.settle(lease, Settlement::Ask { until: now.plus(Ms::DAY) });
        if !is_there {
            assert!(kit.change(|tx| tx.delete_gateway(id, now)));
        }
        kit.change(|tx| tx.retry(&[task_id], now));
        let row = kit.row(task_id);
        assert_eq!((row.state, row.maybe_sent), (State::Ready, is_there));
    }
}

pub(crate) fn failed_tasks_are_kept_for_thirty_days(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let id = kit.enqueue(&task());
    let lease = kit.claim_one().lease;
    kit.settle(lease, Settlement::Fail);
    for (days, is_kept) in [(30, true), (1, false)] {
        kit.wait(days * Ms::DAY);
        let now = kit.now;
        kit.change(|tx| tx.prune(now, &Retention::SHIPPED));
        assert_eq!(kit.state(id).is_some(), is_kept);
        assert_eq!(kit.log().len(), usize::from(is_kept));
    }
    assert_eq!(kit.look(|seen| seen.body(id)), None);
}

pub(crate) fn each_kind_is_kept_as_long_as_it_is_told(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let id = kit.enqueue(&task());
    let lease = kit.claim_one().lease;
    kit.settle(lease, Settlement::Fail);
    let row = kit.log_row(TaskId(9), "sent");
    kit.change(|tx| tx.add_log(std::slice::from_ref(&row)));
    kit.wait(2 * Ms::DAY);
    let now = kit.now;
    kit.change(|tx| tx.prune(now, &Retention { log_days: 3, ..Retention::SHIPPED }));
    assert!(kit.log().iter().any(|kept| kept.row == row));
    while kit.change(|tx| tx.prune(now, &Retention { log_days: 1, ..Retention::SHIPPED })) {}
    assert_eq!(kit.log().len(), 0);
    assert!(kit.state(id).is_some(), "a failed task has days of its own");
    kit.change(|tx| tx.prune(now, &Retention { failed_days: 1, ..Retention::SHIPPED }));
    assert_eq!(kit.state(id), None);
}

pub(crate) fn retention_works_in_chunks(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let rows = vec![kit.log_row(TaskId(1), "sent"); 2_500];
    kit.change(|tx| tx.add_log(&rows));
    kit.wait(31 * Ms::DAY);
    let kept = kit.log_row(TaskId(2), "sent");
    kit.change(|tx| tx.add_log(std::slice::from_ref(&kept)));
    let now = kit.now;
    let mut turns = 0;
    while kit.change(|tx| tx.prune(now, &Retention::SHIPPED)) {
        turns += 1;
        assert!(turns < 10, "it never ends");
        let left = kit.look(|seen| seen.log(&LogFilter::default(), None, 10_000)).len();
        assert!(left + turns * 1_000 >= 2_501, "more than a chunk at once: {left}");
    }
    assert!(turns >= 3);
    assert_eq!(kit.log().into_iter().map(|row| row.row).collect::<Vec<_>>(), [kept]);
}
