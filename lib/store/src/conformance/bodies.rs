//! Bodies, blobs and split files (queue 1, 3.11).

use super::kit::owner;
use super::{Fresh, demand, task};
use crate::sqlite::Order;
use crate::{Blob, Body, Demand, NewTask, Pool, Retention, Settlement, StoredBody};
use notice::{Ms, Priority, ProjectId, Route, State};

pub(crate) fn a_notice_is_stored_once(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let notice = Blob::new(*b"<doc><sale/></doc>");
    let body = |user: &str| {
        Body::Stored(StoredBody {
            bundle: None,
            notice: notice.clone(),
            user: user.to_owned(),
            project: None,
        })
    };
    let tasks: Vec<NewTask> = (0..5)
        .map(|n| NewTask { body: body(&format!("<user><id>{n}</id></user>")), ..task() })
        .collect();
    let now = kit.now;
    kit.change(|tx| tx.enqueue(&tasks, now));
    assert_eq!(kit.look(|seen| seen.blob(&notice.hash)), Some(notice.clone()));
    let claimed = kit.claim(5);
    let shared = &claimed[0].body.as_ref().unwrap().notice.bytes;
    for one in &claimed {
        let bytes = &one.body.as_ref().unwrap().notice.bytes;
        assert!(std::sync::Arc::ptr_eq(shared, bytes), "read more than once");
    }
    assert_eq!(kit.look(|seen| seen.blob(&crate::Hash([0; 32]))), None);
}

pub(crate) fn a_body_comes_back_as_it_was_given(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let body = StoredBody {
        bundle: Some(Blob::new(vec![0, 255, 10])),
        notice: Blob::new("<doc>Привет & ]]></doc>".as_bytes().to_vec()),
        user: "<user><name>O'Neil \"x\" \u{1f600}</name></user>".to_owned(),
        project: Some(ProjectId(3)),
    };
    let id = kit.enqueue(&NewTask { body: Body::Stored(body.clone()), ..task() });
    assert_eq!(kit.look(|seen| seen.body(id)), Some(body.clone()));
    assert_eq!(kit.row(id).project, Some(ProjectId(3)));
    assert_eq!(kit.claim_one().body, Some(body));
    let file = kit.enqueue(&NewTask { body: Body::File("var/x".to_owned()), ..task() });
    assert_eq!(kit.look(|seen| seen.body(file)), None);
}

pub(crate) fn an_unused_blob_is_kept_for_seven_days(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let with = |text: &'static str| {
        let notice = Blob::new(text.as_bytes());
        let body = StoredBody { bundle: None, notice, user: String::new(), project: None };
        NewTask { body: Body::Stored(body), ..task() }
    };
    let blob_of = |text: &str| Blob::new(text.as_bytes()).hash;
    kit.enqueue(&with("sent"));
    let lease = kit.claim_one().lease;
    kit.settle(lease, Settlement::Gone);
    kit.enqueue(&with("queued"));
    for (days, sent_is_kept) in [(7, true), (1, false)] {
        kit.wait(days * Ms::DAY);
        let now = kit.now;
        kit.change(|tx| tx.prune(now, &Retention::SHIPPED));
        let kept = kit.look(|seen| seen.blob(&blob_of("sent"))).is_some();
        assert_eq!(kept, sent_is_kept, "{days}");
        assert!(kit.look(|seen| seen.blob(&blob_of("queued"))).is_some());
    }
    // Used again, it stays from then on.
    kit.enqueue(&with("queued"));
    for lease in kit.claim(2).into_iter().map(|one| one.lease) {
        kit.settle(lease, Settlement::Gone);
    }
    kit.wait(6 * Ms::DAY);
    let now = kit.now;
    kit.change(|tx| tx.prune(now, &Retention::SHIPPED));
    assert!(kit.look(|seen| seen.blob(&blob_of("queued"))).is_some());
}

pub(crate) fn a_file_is_split_into_one_task_each(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let file = Body::File("var/notify/d/1".to_owned());
    let id = kit.enqueue(&NewTask {
        body: file,
        route: Route::unread(),
        priority: Priority::new(5).unwrap(),
        forced: true,
        key: Some("f/7/ntemail".to_owned()),
        ..task()
    });
    let before = kit.row(id);
    kit.wait(1_000);
    let unread = Demand { pool: Pool::Route(Route::unread()), gateway: None, ..demand(1) };
    let claimed = kit.turn("w1", &[], &[unread]).claimed.remove(0);
    assert_eq!(claimed.attempt, 1);
    let to_other = NewTask { route: Route::from_column("p2".to_owned()), ..task() };
    let (now, parts) = (kit.now, [task(), to_other, task()]);
    let ids = kit.change(|tx| tx.split(&owner("w1"), claimed.lease, &parts, now)).unwrap();
    assert_eq!(ids.iter().map(|id| id.0).collect::<Vec<_>>(), [1, 2, 3]);
    for (id, key, route) in
        [(0, "f/7/ntemail", "p1"), (1, "f/7/ntemail/2", "p2"), (2, "f/7/ntemail/3", "p1")]
    {
        let row = kit.row(ids[id]);
        assert_eq!((row.key.as_deref(), row.route.as_str()), (Some(key), route));
        assert_eq!((row.state, row.attempt, row.filename.as_str()), (State::Ready, 0, ""));
        assert_eq!((row.priority, row.forced), (before.priority, true));
        assert_eq!((row.queued, row.ready), (before.queued, before.ready));
        assert_eq!(row.createdate, before.createdate);
        assert!(kit.look(|seen| seen.body(ids[id])).is_some());
    }
    assert_eq!(kit.look(|seen| seen.tasks_of_key("f/7/ntemail")).len(), 3);
    assert_eq!(kit.order(), [1, 3]);
}
