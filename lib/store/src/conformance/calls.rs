//! Events, the journal, and how callers are known.

use super::{Fresh, Kit, module, platform};
use crate::sqlite::Order;
use crate::{
    ApiToken, Delivery, Effect, Event, EventFilter, Hash, JournalFilter, KeyedCall, NewEvent,
    NewJournalRow, NewTask, ReplyToken, Retention, Settlement, SignIn, StoreError, Told, Tx,
};
use notice::{EventId, LogId, ModuleName, Ms, Route, TaskId, UserId};

fn event(kind: &str, object: &str, at: i64) -> NewEvent {
    NewEvent {
        events_id: kind.to_owned(),
        object_id: object.to_owned(),
        data: format!("{{\"id\":{object}}}"),
        at: Kit::START.plus(at),
    }
}

fn hash(text: &str) -> Hash {
    Hash::of(text.as_bytes())
}

fn ids(events: &[Event]) -> Vec<i64> {
    events.iter().map(|event| event.id.0).collect()
}

fn untold(kit: &mut Kit) -> Vec<Event> {
    kit.look(|seen| seen.untold_events(100))
}

pub(crate) fn events_are_found_by_kind_object_and_time(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let rows = [("a", "1", 0), ("b", "1", 10), ("a", "2", 20), ("a", "1", 30), ("b", "2", 40)];
    for (kind, object, at) in rows {
        kit.change(|tx| tx.add_event(&event(kind, object, at), Told::Yes));
    }
    let kind = |text: &str| Some(text.to_owned());
    let at = |milliseconds| Some(Kit::START.plus(milliseconds));
    let none = EventFilter::default();
    let cases = [
        (none.clone(), vec![1, 2, 3, 4, 5]),
        (EventFilter { events_id: kind("a"), ..none.clone() }, vec![1, 3, 4]),
        (EventFilter { object_id: kind("2"), ..none.clone() }, vec![3, 5]),
        (EventFilter { events_id: kind("a"), object_id: kind("1"), ..none.clone() }, vec![1, 4]),
        (EventFilter { from: at(10), to: at(40), ..none.clone() }, vec![2, 3, 4]),
        (EventFilter { events_id: kind("b"), from: at(11), ..none.clone() }, vec![5]),
        (EventFilter { from: at(41), ..none.clone() }, vec![]),
        (EventFilter { to: at(0), ..none.clone() }, vec![]),
    ];
    for (filter, expected) in cases {
        let all = kit.look(|seen| seen.events(&filter, None, 100));
        assert_eq!(ids(&all), expected, "{filter:?}");
        let page = kit.look(|seen| seen.events(&filter, Some(EventId(2)), 1));
        let above: Vec<i64> = expected.into_iter().filter(|id| *id > 2).take(1).collect();
        assert_eq!(ids(&page), above, "{filter:?}");
    }
    let all = kit.look(|seen| seen.events(&none, None, 1));
    assert_eq!((&all[0].event, all[0].told), (&event("a", "1", 0), Told::Yes));
    assert_eq!(untold(&mut kit), []);
}

fn settle_with(kit: &mut Kit, effects: Vec<Effect>) {
    kit.enqueue(&super::task());
    let lease = kit.claim_one().lease;
    let done = crate::Done { effects, ..kit.done(lease, Settlement::Gone) };
    assert_eq!(kit.turn("w1", &[done], &[]).lost, []);
}

/// What whoever drains does with what is untold: its tasks and the mark in one transaction.
pub(crate) fn fan_out(tx: &mut dyn Tx, now: Ms) -> crate::Result<u32> {
    let events = tx.untold_events(100)?;
    let delivery = |event: &Event| NewTask {
        module: module(ModuleName::HANDLER),
        key: Some(format!("e{}/h1", event.id)),
        route: Route::from_column("h1".to_owned()),
        object: event.event.object_id.clone(),
        ..super::task()
    };
    let tasks: Vec<NewTask> = events.iter().map(delivery).collect();
    tx.enqueue(&tasks, now)?;
    tx.mark_events_told(&events.iter().map(|event| event.id).collect::<Vec<_>>())
}

fn deliveries(kit: &mut Kit) -> usize {
    let filter =
        crate::TaskFilter { module: Some(module(ModuleName::HANDLER)), ..Default::default() };
    kit.look(|seen| seen.tasks(&filter, None, 100)).len()
}

pub(crate) fn an_event_of_a_turn_is_told_exactly_once(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let opened = event("clients.subscriptions.activate", "7", 0);
    settle_with(&mut kit, vec![Effect::Event(opened.clone())]);
    let waiting = untold(&mut kit);
    assert_eq!((waiting.len(), &waiting[0].event, waiting[0].told), (1, &opened, Told::NotYet));
    let now = kit.now;
    // Killed between the tasks and the commit: nothing has happened.
    let killed = kit.try_change(|tx| {
        assert_eq!(fan_out(tx, now)?, 1);
        Err::<(), _>(StoreError::RolledBack)
    });
    killed.unwrap_err();
    assert_eq!((untold(&mut kit).len(), deliveries(&mut kit)), (1, 0));
    // Seen by two at once: the second finds it told.
    let seen = waiting[0].id;
    assert_eq!(kit.change(|tx| fan_out(tx, now)), 1);
    assert_eq!(kit.change(|tx| tx.mark_events_told(&[seen])), 0);
    assert_eq!(kit.change(|tx| fan_out(tx, now)), 0);
    assert_eq!((untold(&mut kit), deliveries(&mut kit)), (vec![], 1));
    let all = kit.look(|seen| seen.events(&EventFilter::default(), None, 10));
    assert_eq!((all.len(), all[0].told), (1, Told::Yes));
}

pub(crate) fn a_lost_lease_tells_nothing(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    kit.enqueue(&super::task());
    let lease = kit.claim_one().lease;
    let now = kit.now;
    kit.change(|tx| tx.release(&super::kit::owner("w1"), &[lease], now));
    let effects = vec![Effect::Event(event("a", "1", 0))];
    let done = crate::Done { effects, ..kit.done(lease, Settlement::Fail) };
    assert_eq!(kit.turn("w1", &[done], &[]).lost, [lease]);
    assert_eq!(untold(&mut kit), []);
}

fn fail(kit: &mut Kit, notice: &str, settlement: Settlement) -> TaskId {
    let id = kit.enqueue(&super::task());
    let lease = kit.claim_one().lease;
    let mut done = kit.done(lease, settlement);
    done.reason = "550 \"no\"\n".to_owned();
    if let Some(log) = &mut done.log {
        log.notice = Some(notice.to_owned());
        log.user = Some(UserId(3));
    }
    kit.turn("w1", &[done], &[]);
    id
}

pub(crate) fn a_task_that_failed_for_good_is_an_event(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let id = fail(&mut kit, "welcome", Settlement::Fail);
    let told = untold(&mut kit);
    let expected = NewEvent {
        events_id: "tasks.failed".to_owned(),
        object_id: id.to_string(),
        data: format!(
            "{{\"id\":{id},\"module\":\"ntemail\",\"notice\":\"welcome\",\"user\":3,\
             \"reason\":\"550 \\\"no\\\"\\u000a\"}}"
        ),
        at: kit.now,
    };
    assert_eq!(told.iter().map(|one| &one.event).collect::<Vec<_>>(), [&expected]);
    // Neither a retry nor the failure of the alert itself is one.
    let later = kit.later(1_000_000_000);
    fail(&mut kit, "welcome", later);
    fail(&mut kit, "staff_alert", Settlement::Fail);
    fail(&mut kit, "tasks.failed", Settlement::Fail);
    assert_eq!(untold(&mut kit).len(), 1);
    // Nobody answered: failed too.
    let until = kit.now.plus(10);
    let asked = fail(&mut kit, "welcome", Settlement::Ask { until });
    assert_eq!(untold(&mut kit).len(), 1);
    kit.wait(20);
    kit.turn("w1", &[], &[]);
    let told = untold(&mut kit);
    assert_eq!((told.len(), told[1].event.object_id.clone()), (2, asked.to_string()));
    assert!(told[1].event.data.contains("nobody answered in time"), "{:?}", told[1]);
}

pub(crate) fn the_journal_is_found_by_call_function_and_name(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let row = |call: &str, function: &str, name: &str, at: i64| NewJournalRow {
        call: call.to_owned(),
        at: Kit::START.plus(at),
        function: function.to_owned(),
        place: "before".to_owned(),
        name: name.to_owned(),
        outcome: "ok".to_owned(),
        took_ms: 3,
        output: "<doc/>".to_owned(),
    };
    let rows = [row("c1", "user.edit", "a", 0), row("c1", "user.edit", "b", 1)];
    kit.change(|tx| tx.add_journal(&rows));
    kit.change(|tx| tx.add_journal(&[row("c2", "exit", "a", 2)]));
    let text = |text: &str| Some(text.to_owned());
    let none = JournalFilter::default();
    let cases = [
        (none.clone(), vec![3, 2, 1]),
        (JournalFilter { call: text("c1"), ..none.clone() }, vec![2, 1]),
        (JournalFilter { name: text("a"), ..none.clone() }, vec![3, 1]),
        (JournalFilter { call: text("c1"), name: text("a"), ..none.clone() }, vec![1]),
        (JournalFilter { function: text("exit"), ..none.clone() }, vec![3]),
        (JournalFilter { since: Some(Kit::START.plus(1)), ..none.clone() }, vec![3, 2]),
    ];
    for (filter, expected) in cases {
        let found = |kit: &mut Kit, before, limit| {
            let rows = kit.look(|seen| seen.journal(&filter, before, limit));
            rows.iter().map(|row| row.id).collect::<Vec<_>>()
        };
        assert_eq!(found(&mut kit, None, 10), expected, "{filter:?}");
        assert_eq!(found(&mut kit, None, 1), expected[..1], "{filter:?}");
        let below: Vec<i64> = expected.iter().copied().filter(|id| *id < 2).collect();
        assert_eq!(found(&mut kit, Some(2), 10), below, "{filter:?}");
    }
    let found = kit.look(|seen| seen.journal(&none, Some(2), 10));
    assert_eq!(found[0].row, rows[0]);
}

pub(crate) fn a_password_stands_apart_from_its_user(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let user = platform::somebody(&mut kit);
    assert_eq!(kit.look(|seen| seen.password_hash(user)), None);
    for hash in ["$argon2id$1", "$argon2id$2"] {
        kit.change(|tx| tx.set_password_hash(user, Some(hash)));
    }
    assert_eq!(kit.look(|seen| seen.password_hash(user)).as_deref(), Some("$argon2id$2"));
    let row = kit.look(|seen| seen.user(user)).unwrap();
    assert!(!row.fields.iter().any(|(_, text)| text.contains("argon2")));
    kit.change(|tx| tx.set_password_hash(user, None));
    assert_eq!(kit.look(|seen| seen.password_hash(user)), None);
    kit.change(|tx| tx.set_password_hash(user, Some("x")));
    kit.change(|tx| tx.delete_user(user));
    assert_eq!(kit.look(|seen| seen.password_hash(user)), None);
    let error = kit.try_change(|tx| tx.set_password_hash(UserId(99), Some("x"))).unwrap_err();
    assert!(error.to_string().contains("no such user"), "{error}");
}

fn sign_in(id: &str, user: Option<UserId>) -> SignIn {
    SignIn {
        hash: hash(id),
        user,
        name: "bob".to_owned(),
        level: "admin".to_owned(),
        made: Kit::START,
        seen: Kit::START,
        expires: Kit::START.plus(1_000),
    }
}

pub(crate) fn who_signs_in_is_known_until_it_ends(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let user = platform::somebody(&mut kit);
    for id in ["one", "two", "three"] {
        kit.change(|tx| tx.add_sign_in(&sign_in(id, Some(user))));
    }
    kit.change(|tx| tx.add_sign_in(&sign_in("system", None)));
    let found = |kit: &mut Kit, id: &str| kit.look(|seen| seen.sign_in(&hash(id)));
    assert_eq!(found(&mut kit, "one"), Some(sign_in("one", Some(user))));
    assert_eq!(found(&mut kit, "nobody"), None);
    let (seen, until) = (Kit::START.plus(5), Kit::START.plus(2_000));
    assert!(kit.change(|tx| tx.see_sign_in(&hash("one"), seen, until)));
    let row = found(&mut kit, "one").unwrap();
    assert_eq!((row.seen, row.expires), (seen, until));
    assert!(kit.change(|tx| tx.end_sign_in(&hash("two"))));
    assert!(!kit.change(|tx| tx.end_sign_in(&hash("two"))));
    assert!(!kit.change(|tx| tx.see_sign_in(&hash("two"), seen, until)));
    assert_eq!(kit.change(|tx| tx.end_sign_ins_of(user)), 2);
    assert_eq!(found(&mut kit, "one"), None);
    assert!(found(&mut kit, "system").is_some());
    kit.try_change(|tx| tx.add_sign_in(&sign_in("x", Some(UserId(99))))).unwrap_err();
}

pub(crate) fn a_token_has_a_name_of_its_own(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let token = |name: &str, text: &str| ApiToken {
        hash: hash(text),
        name: name.to_owned(),
        user: None,
        level: "super".to_owned(),
        made: Kit::START,
    };
    for (name, text) in [("z", "1"), ("a", "2")] {
        kit.change(|tx| tx.add_token(&token(name, text)));
    }
    let error = kit.try_change(|tx| tx.add_token(&token("z", "3"))).unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
    assert_eq!(kit.look(|seen| seen.tokens()), [token("a", "2"), token("z", "1")]);
    assert_eq!(kit.look(|seen| seen.token(&hash("1"))), Some(token("z", "1")));
    assert!(kit.change(|tx| tx.delete_token("z")));
    assert!(!kit.change(|tx| tx.delete_token("z")));
    assert_eq!(kit.look(|seen| seen.token(&hash("1"))), None);
}

pub(crate) fn a_callers_key_is_taken_once(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let call = |caller: &str, request: &str| KeyedCall {
        caller: caller.to_owned(),
        key: "k".to_owned(),
        function: "user.edit".to_owned(),
        request: hash(request),
        answer: None,
        made: Kit::START,
    };
    let first = call("bob", "1");
    assert_eq!(kit.change(|tx| tx.take_call_key(&first)), None);
    assert_eq!(kit.change(|tx| tx.take_call_key(&call("bob", "2"))), Some(first.clone()));
    assert_eq!(kit.change(|tx| tx.take_call_key(&call("eve", "2"))), None);
    kit.change(|tx| tx.drop_call_key("bob", "k"));
    assert_eq!(kit.change(|tx| tx.take_call_key(&first)), None);
    kit.change(|tx| tx.answer_call_key("bob", "k", "{\"id\":1}"));
    // What was answered stays.
    kit.change(|tx| tx.drop_call_key("bob", "k"));
    let known = kit.look(|seen| seen.keyed_call("bob", "k")).unwrap();
    assert_eq!(known.answer.as_deref(), Some("{\"id\":1}"));
    assert_eq!(kit.look(|seen| seen.keyed_call("bob", "other")), None);
}

pub(crate) fn a_reply_token_is_good_once(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let user = platform::somebody(&mut kit);
    let token = ReplyToken {
        hash: hash("t"),
        user,
        notice: "ticket".to_owned(),
        task: TaskId(5),
        made: Kit::START,
        used: None,
    };
    kit.change(|tx| tx.add_reply_token(&token));
    assert_eq!(kit.look(|seen| seen.reply_token(&hash("t"))), Some(token));
    let at = Kit::START.plus(1);
    assert!(kit.change(|tx| tx.use_reply_token(&hash("t"), at)));
    assert!(!kit.change(|tx| tx.use_reply_token(&hash("t"), at)));
    assert!(!kit.change(|tx| tx.use_reply_token(&hash("forged"), at)));
    assert_eq!(kit.look(|seen| seen.reply_token(&hash("t"))).unwrap().used, Some(at));
}

pub(crate) fn a_response_stays_with_its_log_row(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let response = Delivery { status: Some(503), response: vec![0, 255, 10] };
    settle_with(&mut kit, vec![Effect::Response(response.clone())]);
    let log = kit.log()[0].id;
    assert_eq!(kit.look(|seen| seen.delivery(log)), Some(response.clone()));
    assert_eq!(kit.look(|seen| seen.delivery(LogId(99))), None);
    let at = kit.now.plus(31 * Ms::DAY);
    while kit.change(|tx| tx.prune(at, &Retention::SHIPPED)) {}
    assert_eq!(kit.look(|seen| seen.delivery(log)), None);
    // An outcome without a log row has no place for it.
    kit.enqueue(&super::task());
    let lease = kit.claim_one().lease;
    let effects = vec![Effect::Response(response)];
    let done = crate::Done { log: None, effects, ..kit.done(lease, Settlement::Gone) };
    assert_eq!(kit.turn("w1", &[done], &[]).lost, []);
}

pub(crate) fn what_calls_leave_is_kept_as_long_as_it_is_told(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let user = platform::somebody(&mut kit);
    let now = kit.now;
    kit.change(|tx| {
        tx.add_event(&event("a", "1", 0), Told::Yes)?;
        tx.add_journal(&[NewJournalRow {
            call: "c".to_owned(),
            at: now,
            function: String::new(),
            place: String::new(),
            name: String::new(),
            outcome: String::new(),
            took_ms: 0,
            output: String::new(),
        }])?;
        tx.add_sign_in(&sign_in("s", None))?;
        let (caller, key, function) = (String::new(), String::new(), String::new());
        let request = hash("r");
        tx.take_call_key(&KeyedCall { caller, key, function, request, answer: None, made: now })?;
        let (hash, notice, task) = (hash("t"), String::new(), TaskId(1));
        tx.add_reply_token(&ReplyToken { hash, user, notice, task, made: now, used: None })
    });
    let there = |kit: &mut Kit| {
        kit.look(|seen| {
            Ok([
                !seen.events(&EventFilter::default(), None, 1)?.is_empty(),
                !seen.journal(&JournalFilter::default(), None, 1)?.is_empty(),
                seen.sign_in(&hash("s"))?.is_some(),
                seen.keyed_call("", "")?.is_some(),
                seen.reply_token(&hash("t"))?.is_some(),
            ])
        })
    };
    let keep = Retention { event_days: 4, journal_days: 3, ..Retention::SHIPPED };
    let keep = Retention { call_key_days: 1, reply_token_days: 2, ..keep };
    let expected = [
        [true, true, true, true, true],
        [true, true, false, true, true],
        [true, true, false, false, true],
        [true, true, false, false, false],
        [true, false, false, false, false],
        [false, false, false, false, false],
    ];
    let moments = [0, 1_001, Ms::DAY + 1, 2 * Ms::DAY + 1, 3 * Ms::DAY + 1, 4 * Ms::DAY + 1];
    for (after, left) in moments.into_iter().zip(expected) {
        let at = now.plus(after);
        while kit.change(|tx| tx.prune(at, &keep)) {}
        assert_eq!(there(&mut kit), left, "{after}");
    }
    // What nobody was told of yet is never too old.
    kit.change(|tx| tx.add_event(&event("a", "1", 0), Told::NotYet));
    let at = now.plus(1_000 * Ms::DAY);
    while kit.change(|tx| tx.prune(at, &keep)) {}
    assert!(there(&mut kit)[0]);
}

pub(crate) fn a_forgotten_person_is_in_no_event_and_no_response(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    for (kind, object) in [("clients.update", "1"), ("clients.update", "2"), ("other", "1")] {
        kit.change(|tx| tx.add_event(&event(kind, object, 0), Told::Yes));
    }
    for user in [1, 2] {
        kit.enqueue(&super::task());
        let lease = kit.claim_one().lease;
        let response = Delivery { status: None, response: b"bob".to_vec() };
        let mut done = kit.done(lease, Settlement::Gone);
        done.effects = vec![Effect::Response(response)];
        if let Some(log) = &mut done.log {
            log.user = Some(UserId(user));
        }
        kit.turn("w1", &[done], &[]);
    }
    // His event, his response, his log row.
    assert_eq!(kit.change(|tx| tx.forget_user(UserId(1), &[])), 3);
    let events = kit.look(|seen| seen.events(&EventFilter::default(), None, 10));
    let texts: Vec<&str> = events.iter().map(|event| event.event.data.as_str()).collect();
    assert_eq!(texts, ["{}", "{\"id\":2}", "{\"id\":1}"]);
    let log = kit.log();
    let kept = [log[1].id, log[0].id].map(|id| kit.look(|seen| seen.delivery(id)).is_some());
    assert_eq!(kept, [false, true]);
}
