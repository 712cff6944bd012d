//! Projects, users, subscriptions, inbox, incoming messages, contacts.

use super::{Fresh, Kit};
use crate::sqlite::Order;
use crate::{
    ContactState, Effect, Followed, Incoming, NewLog, PROJECT_FIELDS, Project, Settlement,
    StoreError, Subscription, USER_FIELDS, User, UserFilter,
};
use notice::{Fields, GatewayId, ProjectId, TaskId, UserId};

pub(super) fn project(kit: &mut Kit, name: &str) -> ProjectId {
    let fields = [("name", name)].into_iter().collect();
    let project = Project { id: ProjectId(0), fields };
    kit.change(|tx| tx.save_project(&project))
}

/// A user of a project of his own.
pub(super) fn somebody(kit: &mut Kit) -> UserId {
    let project = project(kit, "p");
    kit.change(|tx| tx.save_user(&user(project, None, &[("name", "Bob")])))
}

fn user(project: ProjectId, external_id: Option<&str>, fields: &[(&str, &str)]) -> User {
    User {
        id: UserId(0),
        project,
        external_id: external_id.map(str::to_owned),
        fields: fields.iter().copied().collect(),
    }
}

fn names(fields: &Fields) -> Vec<&str> {
    fields.iter().map(|(name, _)| name).collect()
}

pub(crate) fn projects_and_users_come_back_as_saved(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let first = project(&mut kit, "Хостинг");
    let second = project(&mut kit, "b");
    let saved = kit.look(|seen| seen.project(first)).unwrap();
    assert_eq!(
        (saved.fields.text("name"), names(&saved.fields)),
        ("Хостинг", PROJECT_FIELDS.to_vec())
    );
    let fields = [("name", "a"), ("notifyemail_ru", "x@y")].into_iter().collect();
    let changed = Project { id: first, fields };
    kit.change(|tx| tx.save_project(&changed));
    let all = kit.look(|seen| seen.projects());
    assert_eq!(all.iter().map(|one| one.id).collect::<Vec<_>>(), [first, second]);
    assert_eq!(all[0].fields.text("notifyemail_ru"), "x@y");
    assert_eq!(all[1].fields.get("notifyemail_ru"), Some(""));
    let id = kit.change(|tx| tx.save_user(&user(first, None, &[("email", "a@b"), ("phone", "1")])));
    let saved = kit.look(|seen| seen.user(id)).unwrap();
    assert_eq!((saved.fields.text("email"), names(&saved.fields)), ("a@b", USER_FIELDS.to_vec()));
    kit.change(|tx| tx.save_user(&User { id, ..user(second, Some("e"), &[("email", "c@d")]) }));
    let saved = kit.look(|seen| seen.user(id)).unwrap();
    assert_eq!((saved.project, saved.external_id.as_deref()), (second, Some("e")));
    assert_eq!((saved.fields.text("email"), saved.fields.text("phone")), ("c@d", ""));
    assert_eq!(kit.look(|seen| seen.user(UserId(99))), None);
    let missing = User { id: UserId(99), ..user(second, None, &[]) };
    kit.try_change(|tx| tx.save_user(&missing)).unwrap_err();
    kit.try_change(|tx| tx.save_user(&user(ProjectId(99), None, &[]))).unwrap_err();
    assert!(kit.change(|tx| tx.delete_user(id)));
    assert!(!kit.change(|tx| tx.delete_user(id)));
}

pub(crate) fn an_external_id_is_unique_in_its_project(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let (first, second) = (project(&mut kit, "a"), project(&mut kit, "b"));
    let id = kit.change(|tx| tx.save_user(&user(first, Some("ext"), &[])));
    kit.change(|tx| tx.save_user(&user(second, Some("ext"), &[])));
    kit.change(|tx| tx.save_user(&user(first, None, &[])));
    kit.change(|tx| tx.save_user(&user(first, None, &[])));
    let error = kit.try_change(|tx| tx.save_user(&user(first, Some("ext"), &[]))).unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
    let same = User { id, ..user(first, Some("ext"), &[("name", "again")]) };
    assert_eq!(kit.change(|tx| tx.save_user(&same)), id);
}

pub(crate) fn users_are_found_by_what_is_known_of_them(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let (first, second) = (project(&mut kit, "a"), project(&mut kit, "b"));
    kit.change(|tx| tx.add_user_column("jabber"));
    for (project, external, email) in
        [(first, Some("e1"), "Bob@X.com"), (second, Some("e1"), "bob@x.com"), (second, None, "c@d")]
    {
        let fields = [("email", email), ("jabber", email), ("name", "n")];
        kit.change(|tx| tx.save_user(&user(project, external, &fields)));
    }
    let field = |name: &str, text: &str| UserFilter {
        field: Some((name.to_owned(), text.to_owned())),
        ..UserFilter::default()
    };
    let external = UserFilter { external_id: Some("e1".to_owned()), ..UserFilter::default() };
    let cases = [
        (UserFilter::default(), vec![1, 2, 3]),
        (UserFilter { project: Some(second), ..UserFilter::default() }, vec![2, 3]),
        (external.clone(), vec![1, 2]),
        (UserFilter { project: Some(first), ..external }, vec![1]),
        (field("email", "BOB@x.com"), vec![1, 2]),
        (field("jabber", "bob@x.com"), vec![2]),
        (field("name", "n"), vec![1, 2, 3]),
        (field("name", "N"), vec![]),
        (field("phone", "1"), vec![]),
        (UserFilter { project: Some(second), ..field("email", "bob@x.com") }, vec![2]),
    ];
    for (filter, expected) in cases {
        let find = |kit: &mut Kit, after: Option<i64>, limit| {
            let users = kit.look(|seen| seen.users(&filter, after.map(UserId), limit));
            users.iter().map(|user| user.id.0).collect::<Vec<_>>()
        };
        assert_eq!(find(&mut kit, None, 10), expected, "{filter:?}");
        assert_eq!(find(&mut kit, None, 1), expected[..expected.len().min(1)], "{filter:?}");
        let above_one: Vec<i64> = expected.iter().copied().filter(|id| *id > 1).collect();
        assert_eq!(find(&mut kit, Some(1), 10), above_one, "{filter:?}");
    }
    let unknown = field("x' OR 1=1 --", "1");
    assert!(crate::read(&mut *kit.store, |seen| seen.users(&unknown, None, 1)).is_err());
}

// S3-58, S3-59
pub(crate) fn a_new_contact_field_is_a_column(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let project = project(&mut kit, "a");
    let id = kit.change(|tx| tx.save_user(&user(project, None, &[("name", "old")])));
    kit.try_change(|tx| tx.save_user(&user(project, None, &[("jabber", "x")]))).unwrap_err();
    for _ in 0..2 {
        kit.change(|tx| tx.add_user_column("jabber"));
    }
    kit.change(|tx| tx.add_user_column("Email"));
    assert_eq!(kit.look(|seen| seen.user_columns()), ["jabber"]);
    assert_eq!(kit.look(|seen| seen.user(id)).unwrap().fields.get("jabber"), Some(""));
    let with = User { id, ..user(project, None, &[("jabber", "bob@j"), ("name", "old")]) };
    kit.change(|tx| tx.save_user(&with));
    assert_eq!(kit.look(|seen| seen.user(id)).unwrap().fields.text("jabber"), "bob@j");
    for bad in ["", "a b", "x\"y", "1x", "id", "Project", "имя", &"x".repeat(65), "a;--"] {
        assert!(kit.try_change(|tx| tx.add_user_column(bad)).is_err(), "{bad}");
    }
    assert_eq!(kit.look(|seen| seen.user_columns()), ["jabber"]);
}

pub(crate) fn a_project_with_users_stays(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let project = project(&mut kit, "a");
    let id = kit.change(|tx| tx.save_user(&user(project, None, &[])));
    let error = kit.try_change(|tx| tx.delete_project(project)).unwrap_err();
    assert!(error.to_string().contains("users or gateways"), "{error}");
    kit.change(|tx| tx.delete_user(id));
    assert!(kit.change(|tx| tx.delete_project(project)));
    assert!(!kit.change(|tx| tx.delete_project(project)));
}

pub(crate) fn subscriptions_are_rewritten(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let project = project(&mut kit, "a");
    let id = kit.change(|tx| tx.save_user(&user(project, None, &[])));
    let row = |module: &str, active| Subscription {
        user: id,
        notice: "sale".to_owned(),
        module: module.to_owned(),
        active,
    };
    for (module, active) in [("ntsms", true), ("*", false), ("ntsms", false)] {
        kit.change(|tx| tx.save_subscription(&row(module, active)));
    }
    let rows = kit.look(|seen| seen.subscriptions(id));
    assert_eq!(rows, [row("*", false), row("ntsms", false)]);
    kit.try_change(|tx| tx.save_subscription(&Subscription { user: UserId(9), ..row("*", true) }))
        .unwrap_err();
    kit.change(|tx| tx.delete_user(id));
    assert_eq!(kit.look(|seen| seen.subscriptions(id)), []);
}

fn write_inbox(kit: &mut Kit, user: UserId, subject: &str) {
    kit.enqueue(&super::task());
    let lease = kit.claim_one().lease;
    let mut done = kit.done(lease, Settlement::Gone);
    let (subject, text) = (subject.to_owned(), "text".to_owned());
    done.effects = vec![Effect::Inbox { user, subject, text }];
    done.log = None;
    kit.turn("w1", &[done], &[]);
}

pub(crate) fn the_inbox_is_read_and_pages(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    for (user, subject) in [(1, "a"), (1, "b"), (2, "c"), (1, "d")] {
        write_inbox(&mut kit, UserId(user), subject);
    }
    let subjects = |kit: &mut Kit, before: Option<i64>, limit| {
        let rows = kit.look(|seen| seen.inbox(UserId(1), before, limit));
        rows.into_iter().map(|row| row.subject).collect::<Vec<_>>()
    };
    assert_eq!(subjects(&mut kit, None, 10), ["d", "b", "a"]);
    assert_eq!(subjects(&mut kit, None, 1), ["d"]);
    assert_eq!(subjects(&mut kit, Some(4), 10), ["b", "a"]);
    let now = kit.now.plus(5);
    assert_eq!(kit.change(|tx| tx.mark_read(UserId(1), &[1, 3, 99], now)), 1);
    assert_eq!(kit.change(|tx| tx.mark_read(UserId(1), &[1], now)), 0);
    let rows = kit.look(|seen| seen.inbox(UserId(1), None, 10));
    assert_eq!((rows[2].read_at, rows[0].read_at), (Some(now), None));
}

fn incoming(gateway: i64, uid: &str, user: Option<i64>) -> Incoming {
    Incoming {
        gateway: GatewayId(gateway),
        uid: uid.to_owned(),
        sender: "bob@x.com".to_owned(),
        user: user.map(UserId),
        project: None,
        reason: if user.is_some() { String::new() } else { "unknown_sender".to_owned() },
        subject: "Re: ticket".to_owned(),
        source: vec![0, 13, 10, 255],
    }
}

// S3-53
pub(crate) fn an_incoming_message_is_stored_once(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let now = kit.now;
    let first = incoming(1, "u1", Some(7));
    assert_eq!(kit.change(|tx| tx.accept_incoming(&first, now)), Some(1));
    assert_eq!(kit.change(|tx| tx.accept_incoming(&first, now)), None);
    assert!(kit.change(|tx| tx.accept_incoming(&incoming(2, "u1", None), now)).is_some());
    assert!(kit.change(|tx| tx.accept_incoming(&incoming(1, "u2", None), now)).is_some());
    let of_one = kit.look(|seen| seen.incoming(Some(GatewayId(1)), None, 10));
    assert_eq!(of_one.iter().map(|row| row.message.uid.as_str()).collect::<Vec<_>>(), ["u2", "u1"]);
    assert_eq!((&of_one[1].message, of_one[1].at), (&first, now));
    let all = kit.look(|seen| seen.incoming(None, Some(of_one[0].id), 10));
    assert_eq!(all.iter().map(|row| row.message.gateway.0).collect::<Vec<_>>(), [2, 1]);
    let told = |kit: &mut Kit| kit.look(|seen| seen.stored_uids(GatewayId(1)));
    assert_eq!(told(&mut kit), ["u1", "u2"]);
    kit.change(|tx| tx.mark_told(GatewayId(1), &["u1".to_owned(), "nonsense".to_owned()]));
    assert_eq!(told(&mut kit), ["u2"]);
    // Handed over once more: the gate is told once more.
    assert_eq!(kit.change(|tx| tx.accept_incoming(&first, now)), None);
    assert_eq!(told(&mut kit), ["u1", "u2"]);
}

pub(crate) fn what_follows_from_a_message_is_noted_step_by_step(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let now = kit.now;
    for uid in ["u1", "u2"] {
        kit.change(|tx| tx.accept_incoming(&incoming(1, uid, None), now));
    }
    let left = |kit: &mut Kit| kit.look(|seen| seen.unfollowed(10));
    assert_eq!((left(&mut kit), kit.look(|seen| seen.unfollowed(1))), (vec![1, 2], vec![1]));
    let step = |kit: &mut Kit, id, from, to| kit.change(|tx| tx.follow(id, from, to));
    assert!(!step(&mut kit, 1, Followed::Command, Followed::Whole), "not so far yet");
    assert!(step(&mut kit, 1, Followed::Nothing, Followed::Command));
    assert!(!step(&mut kit, 1, Followed::Nothing, Followed::Command), "once");
    assert_eq!(left(&mut kit), [1, 2]);
    assert!(step(&mut kit, 1, Followed::Command, Followed::Whole));
    assert_eq!(left(&mut kit), [2]);
    let rows = kit.look(|seen| seen.incoming(None, None, 10));
    assert_eq!([rows[0].followed, rows[1].followed], [Followed::Nothing, Followed::Whole]);
    assert!(!step(&mut kit, 9, Followed::Nothing, Followed::Whole), "there is none");
    // Handed over once more: nothing follows twice.
    kit.change(|tx| tx.accept_incoming(&incoming(1, "u1", None), now));
    assert_eq!(left(&mut kit), [2]);
}

pub(crate) fn contacts_have_a_state(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let state = |contact: &str, state: &str| ContactState {
        kind: "email".to_owned(),
        contact: contact.to_owned(),
        state: state.to_owned(),
        reason: "550".to_owned(),
        since: Kit::START,
    };
    for (contact, word) in [("a@b", "failing"), ("c@d", "blocked"), ("a@b", "ok")] {
        kit.change(|tx| tx.set_contact_state(&state(contact, word)));
    }
    let found = kit.look(|seen| seen.contact_states("email", &["c@d", "x@y", "a@b"]));
    assert_eq!(found, [state("c@d", "blocked"), state("a@b", "ok")]);
    assert_eq!(kit.look(|seen| seen.contact_states("phone", &["c@d"])), []);
}

pub(crate) fn a_forgotten_person_leaves_no_trace(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let row = |kit: &Kit, user: Option<i64>, contact: &str| NewLog {
        user: user.map(UserId),
        contact: Some(contact.to_owned()),
        key: Some("k/1/ntemail".to_owned()),
        reference: Some("ref".to_owned()),
        reason: format!("550 {contact} unknown"),
        ..kit.log_row(TaskId(1), "sent")
    };
    let rows = [row(&kit, Some(1), "a@b"), row(&kit, None, "old@b"), row(&kit, Some(2), "c@d")];
    kit.change(|tx| tx.add_log(&rows));
    write_inbox(&mut kit, UserId(1), "private");
    let now = kit.now;
    kit.change(|tx| tx.accept_incoming(&incoming(1, "u1", Some(1)), now));
    kit.change(|tx| {
        tx.accept_incoming(&Incoming { sender: "old@b".to_owned(), ..incoming(1, "u2", None) }, now)
    });
    kit.change(|tx| tx.accept_incoming(&incoming(1, "u3", Some(2)), now));
    let contacts = ["old@b".to_owned()];
    assert_eq!(kit.change(|tx| tx.forget_user(UserId(1), &contacts)), 5);
    let log = kit.log();
    for row in &log[1..] {
        let row = &row.row;
        assert_eq!(
            (&row.contact, &row.key, &row.reference, row.reason.as_str()),
            (&None, &None, &None, "")
        );
    }
    assert_eq!(log[0].row, rows[2]);
    assert_eq!(kit.look(|seen| seen.inbox(UserId(1), None, 10)), []);
    let left = kit.look(|seen| seen.incoming(None, None, 10));
    assert_eq!(left.iter().map(|row| row.message.uid.as_str()).collect::<Vec<_>>(), ["u3"]);
}

pub(crate) fn the_tasks_of_a_user_are_found_and_a_deleted_user_is_known(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let body = |user: &str| match super::task().body {
        crate::Body::Stored(body) => {
            crate::Body::Stored(crate::StoredBody { user: user.to_owned(), ..body })
        }
        crate::Body::File(_) => unreachable!(),
    };
    let mut add = |user: &str| kit.enqueue(&crate::NewTask { body: body(user), ..super::task() });
    let his = add("<user><id>7</id><email>a@b</email></user>");
    add("<user><id>71</id></user>");
    add("<user><id>5</id><referrer><id>7</id></referrer></user>");
    assert_eq!(kit.look(|seen| seen.tasks_of_user(UserId(7))), [his]);
    let now = kit.now;
    kit.change(|tx| tx.end(&[his], crate::Finish::Cancel, crate::FORGOTTEN, now));
    kit.change(|tx| tx.forget_user(UserId(7), &["a@b".to_owned()]));
    let log = kit.log().remove(0).row;
    assert_eq!((log.contact, log.key, log.reason.as_str()), (None, None, crate::FORGOTTEN));
    let project = project(&mut kit, "one");
    let first = kit.change(|tx| tx.save_user(&user(project, None, &[])));
    let second = kit.change(|tx| tx.save_user(&user(project, None, &[])));
    kit.change(|tx| tx.delete_user(second));
    let asked = [first, second, UserId(99), UserId(0)];
    assert_eq!(kit.look(|seen| seen.deleted_users(&asked)), [second]);
}

pub(crate) fn settings_are_kept(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let uuid = kit.look(|seen| seen.setting("uuid")).unwrap();
    assert_eq!(uuid.len(), 32);
    for value in ["1", "2"] {
        kit.change(|tx| tx.set_setting("salt", value));
    }
    assert_eq!(kit.look(|seen| seen.setting("salt")).as_deref(), Some("2"));
    assert_eq!(kit.look(|seen| seen.setting("nothing")), None);
}
