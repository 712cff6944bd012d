//! Handlers by their functions, and what follows from an event.

use super::{Deliveries, Moment, NotDelivered, Task};
use crate::testing::{Bench, NOW};
use notice::{HandlerId, ModuleName, State};
use store::{TaskFilter, TaskRow};

const URL: &str = "http://127.0.0.1:5000/api";

fn add(bench: &mut Bench, name: &str, more: &[(&str, &str)]) -> String {
    let mut all = vec![("name", name), ("event", "clients.create"), ("task", URL)];
    all.extend(more);
    bench.ok("provisioning.add", &all).text("id")
}

fn deliveries(bench: &mut Bench) -> Vec<TaskRow> {
    let filter = TaskFilter {
        module: Some(ModuleName::new(ModuleName::HANDLER).unwrap()),
        ..TaskFilter::default()
    };
    let mut rows = bench.read(|snapshot| snapshot.tasks(&filter, None, 1_000));
    rows.reverse();
    rows
}

fn names(bench: &mut Bench, filter: &[(&str, &str)]) -> Vec<String> {
    let rows = bench.ok("provisioning", filter);
    rows.rows().map(|row| row.child_text("name")).collect()
}

// S2-1, S2-2, S2-3, S2-4, S2-5, S2-6, S2-19, S2-20
#[test]
fn the_list_has_its_columns_and_goes_by_priority_then_id() {
    let mut bench = Bench::empty();
    bench.program("addon/x.sh", "#!/bin/sh\n");
    add(&mut bench, "third", &[("priority", "2")]);
    add(&mut bench, "first", &[]);
    let script = [("type", "script"), ("task", "addon/x.sh"), ("event", "Accounts create")];
    add(&mut bench, "second", &script);
    assert_eq!(names(&mut bench, &[]), ["first", "second", "third"]);
    let rows = bench.ok("provisioning", &[]);
    let row = rows.rows().nth(1).unwrap();
    let text = |name: &str| row.child_text(name);
    assert_eq!(
        (text("id"), text("priority"), text("status")),
        ("3".into(), "1".into(), "enabled".into())
    );
    assert_eq!(
        (text("event"), text("event_title")),
        ("clients.accounts.create".into(), "Accounts create".into())
    );
    assert_eq!(text("handler"), "script:addon/x.sh");
    assert_eq!(rows.rows().next().unwrap().child_text("handler"), URL);
}

// S2-7, S2-18
#[test]
fn the_search_filters_by_each_field_and_archived_ones_are_hidden() {
    let mut bench = Bench::empty();
    add(&mut bench, "Mail room", &[("priority", "7")]);
    add(&mut bench, "Old", &[("status", "archived"), ("event", "packages.close")]);
    add(&mut bench, "Off", &[("status", "disabled"), ("task", "https://h/x")]);
    assert_eq!(names(&mut bench, &[]), ["Off", "Mail room"]);
    for (filter, found) in [
        (("name", "mail"), vec!["Mail room"]),
        (("event", "Clients create"), vec!["Off", "Mail room"]),
        (("type", "https"), vec!["Off"]),
        (("type", "https://"), vec!["Off"]),
        (("task", ":5000"), vec!["Mail room"]),
        (("status", "archived"), vec!["Old"]),
        (("status", "disabled"), vec!["Off"]),
        (("priority", "7"), vec!["Mail room"]),
    ] {
        assert_eq!(names(&mut bench, &[filter]), found, "{filter:?}");
    }
}

// S2-8, S2-12, S2-15, S2-21
#[test]
fn what_can_not_be_a_handler_is_refused_when_it_is_saved() {
    let mut bench = Bench::empty();
    let mut refused = |more: &[(&str, &str)]| bench.refused("provisioning.add", more);
    assert!(refused(&[("event", "clients.create"), ("task", URL)]).contains("`name`"));
    assert!(refused(&[("name", "x"), ("task", URL)]).contains("`event`"));
    assert!(refused(&[("name", "x"), ("event", "clients.create")]).contains("`task`"));
    assert!(
        refused(&[("name", "x"), ("event", "clients.x"), ("task", URL)]).contains("clients.create")
    );
    assert!(
        refused(&[("name", "x"), ("event", "before clients.create"), ("task", URL)])
            .contains("etc/xml")
    );
    let short =
        [("name", "x"), ("event", "clients.create"), ("task", URL), ("secret", "whsec_AAAA")];
    assert!(refused(&short).contains("secret"));
    assert!(names(&mut bench, &[]).is_empty());
}

// S2-16, S2-17, S2-18, S2-23, S2-24
#[test]
fn a_handler_acts_as_it_was_when_the_cache_manager_was_restarted() {
    let mut bench = Bench::empty();
    let id = add(&mut bench, "x", &[]);
    bench.add_user();
    assert!(deliveries(&mut bench).is_empty(), "it has not been brought into action");
    assert_eq!(bench.ok("cachemanager.restart", &[]).text("handlers"), "1");
    bench.ok("user.add", &[("name", "eve"), ("project", "1")]);
    assert_eq!(deliveries(&mut bench).len(), 1);
    // disabled, archived and deleted: the same
    for change in ["disabled", "archived"] {
        let before = deliveries(&mut bench).len();
        bench.ok("provisioning.edit", &[("sok", "ok"), ("elid", &id), ("status", change)]);
        let user = format!("u-{change}");
        bench.ok("user.add", &[("name", &user), ("project", "1")]);
        assert_eq!(deliveries(&mut bench).len(), before + 1, "{change}: not before the restart");
        bench.ok("cachemanager.restart", &[]);
        let user = format!("v-{change}");
        bench.ok("user.add", &[("name", &user), ("project", "1")]);
        assert_eq!(deliveries(&mut bench).len(), before + 1, "{change}");
        bench.ok("provisioning.edit", &[("sok", "ok"), ("elid", &id), ("status", "enabled")]);
        bench.ok("cachemanager.restart", &[]);
    }
    let before = deliveries(&mut bench).len();
    bench.ok("provisioning.delete", &[("elid", &id)]);
    bench.ok("user.add", &[("name", "w"), ("project", "1")]);
    assert_eq!(deliveries(&mut bench).len(), before + 1);
    bench.ok("cachemanager.restart", &[]);
    bench.ok("user.add", &[("name", "z"), ("project", "1")]);
    assert_eq!(deliveries(&mut bench).len(), before + 1);
}

// S2-16, S2-17, S2-23
#[test]
fn a_delivery_goes_to_the_handler_as_it_acted_after_the_last_turn() {
    let mut bench = Bench::empty();
    let id = add(&mut bench, "x", &[]);
    bench.ok("cachemanager.restart", &[]);
    let deliveries = Deliveries::open(bench.platform.root(), bench.platform.config()).unwrap();
    let called = |turns| {
        let handler = deliveries.handler(HandlerId(1), Moment { turns, now: NOW })?;
        match &handler.task {
            Task::Post(address) => Ok(address.to_string()),
            Task::Script(path) => Ok(path.display().to_string()),
        }
    };
    assert_eq!(called(1).unwrap(), URL);
    let mut change = |field: (&str, &str)| {
        bench.ok("provisioning.edit", &[("sok", "ok"), ("elid", &id), field]);
        bench.ok("cachemanager.restart", &[]);
    };
    change(("task", "http://127.0.0.1:5001/new"));
    assert_eq!(called(1).unwrap(), URL, "read once");
    assert_eq!(called(2).unwrap(), "http://127.0.0.1:5001/new");
    change(("status", "disabled"));
    assert_eq!(called(1).unwrap(), "http://127.0.0.1:5001/new", "what is newer is not forgotten");
    assert!(matches!(called(3), Err(NotDelivered::Never(why)) if why.contains("is disabled")));
    change(("status", "enabled"));
    assert!(called(4).is_ok());
    bench.ok("provisioning.delete", &[("elid", &id)]);
    bench.ok("cachemanager.restart", &[]);
    assert!(matches!(called(5), Err(NotDelivered::Never(why)) if why.contains("is gone")));
}

// S2-19, S2-20, S2-30
#[test]
fn the_tasks_of_one_event_follow_each_other_by_priority_then_id() {
    let mut bench = Bench::empty();
    for (name, priority) in [("c", "9"), ("a", "1"), ("b", "1")] {
        add(&mut bench, name, &[("priority", priority)]);
    }
    bench.ok("cachemanager.restart", &[]);
    bench.add_user();
    let rows = deliveries(&mut bench);
    let routes: Vec<_> = rows.iter().map(|row| row.route.as_str().to_owned()).collect();
    assert_eq!(routes, ["h2", "h3", "h1"]);
    assert!(rows.iter().all(|row| row.object == "1"));
    let states: Vec<_> = rows.iter().map(|row| row.state).collect();
    assert_eq!(states, [State::Ready, State::Waiting, State::Waiting]);
}

#[test]
fn a_secret_is_shown_once_when_we_make_it_and_never_again() {
    let mut bench = Bench::empty();
    let made =
        bench.ok("provisioning.add", &[("name", "x"), ("event", "clients.create"), ("task", URL)]);
    let secret = made.text("secret");
    assert!(secret.starts_with("whsec_"), "{secret}");
    let id = made.text("id");
    let form = bench.ok("provisioning.edit", &[("elid", &id)]).to_lines();
    assert!(form.contains("signed=on") && !form.contains("whsec_"), "{form}");
    let row = bench.read(|snapshot| snapshot.provisionings()).remove(0);
    assert!(!row.secret.is_empty() && row.old_secret.is_empty());
    let next = bench.ok("provisioning.edit", &[("sok", "ok"), ("elid", &id), ("rotate", "on")]);
    assert_ne!(next.text("secret"), secret);
    assert!(!bench.read(|snapshot| snapshot.provisionings()).remove(0).old_secret.is_empty());
    // an edit that does not name it keeps it
    let kept = bench.ok("provisioning.edit", &[("sok", "ok"), ("elid", &id), ("name", "y")]);
    assert_eq!(kept.text("secret"), "");
}

#[test]
fn past_events_are_told_once_more_to_one_handler_or_to_all() {
    let mut bench = Bench::empty();
    bench.add_user();
    let id = add(&mut bench, "late", &[]);
    add(&mut bench, "other", &[]);
    bench.ok("cachemanager.restart", &[]);
    assert!(deliveries(&mut bench).is_empty());
    bench.clock.advance(60_000);
    let from = ("from", "2026-11-01T00:00:00Z");
    let counted =
        bench.ok("provisioning.replay", &[from, ("event", "clients.create"), ("dry_run", "on")]);
    assert_eq!((counted.text("events"), counted.text("tasks")), ("1".into(), "2".into()));
    let counted = bench.ok("provisioning.replay", &[from, ("elid", &id), ("dry_run", "on")]);
    assert_eq!(counted.text("tasks"), "1");
    assert!(deliveries(&mut bench).is_empty(), "counting calls nobody");
    let told = bench.ok("provisioning.replay", &[from, ("elid", &id)]);
    assert_eq!(told.text("tasks"), "1");
    bench.ok("provisioning.replay", &[from, ("object", "1")]);
    assert_eq!(deliveries(&mut bench).len(), 3);
    bench.ok("provisioning.replay", &[from, ("object", "2")]);
    assert_eq!(deliveries(&mut bench).len(), 3);
    assert!(bench.refused("provisioning.replay", &[]).contains("`from`"));
}

#[test]
fn replayed_calls_of_a_handler_about_an_object_come_the_oldest_first() {
    let mut bench = Bench::with_user();
    bench.ok("user.add", &[("name", "al")]);
    add(&mut bench, "late", &[("event", "clients.update")]);
    bench.ok("cachemanager.restart", &[]);
    for (user, name) in [("1", "n1"), ("2", "m1"), ("1", "n2"), ("2", "m2"), ("1", "n3")] {
        let change = [("sok", "ok"), ("elid", user), ("realname", name)];
        bench.ok("user.edit", &change);
        bench.clock.advance(1_000);
    }
    let live = deliveries(&mut bench).len();
    assert_eq!(live, 5);
    bench.ok("provisioning.replay", &[("from", "2026-11-01T00:00:00Z")]);
    let rows = deliveries(&mut bench);
    assert_eq!(rows.len(), 10);
    let mut told = Vec::new();
    // what a worker is given: of each object the oldest, and the next when that has ended
    loop {
        let rows = deliveries(&mut bench);
        let ready = rows.iter().filter(|row| row.state == State::Ready && row.object == "1");
        let ready: Vec<_> = ready.collect();
        assert!(ready.len() < 2, "one of an object at once");
        let Some(next) = ready.first() else { break };
        let body = bench.read(|snapshot| snapshot.body(next.id)).unwrap();
        let text = String::from_utf8(body.notice.bytes.to_vec()).unwrap();
        told.extend(["n1", "n2", "n3"].iter().filter(|name| text.contains(**name)).copied());
        bench.ok("task.done", &[("elid", &next.id.to_string())]);
    }
    assert_eq!(told, ["n1", "n2", "n3", "n1", "n2", "n3"]);
}

#[test]
fn a_delivery_is_told_by_its_event_its_object_and_its_handler() {
    let mut bench = Bench::empty();
    let id = add(&mut bench, "Billing", &[]);
    bench.ok("cachemanager.restart", &[]);
    bench.add_user();
    let list = bench.ok("task", &[("notice", "clients.create")]);
    let row = list.rows().next().unwrap();
    let text = |name: &str| row.child_text(name);
    assert_eq!((text("handler"), text("object")), (format!("handler {id} Billing"), "1".into()));
    let told = crate::sentences(&bench.platform.why(&text("id")).unwrap()).join("\n");
    let heading = format!("Task {}: clients.create about 1, for handler {id} Billing.", text("id"));
    assert!(told.starts_with(&heading), "{told}");
    assert!(told.contains("notify/nthandler can't be used: "), "{told}");
    assert!(!told.contains("gateway"), "{told}");
}

#[test]
fn only_what_happened_between_two_moments_is_told_once_more() {
    let mut bench = Bench::with_user();
    bench.clock.advance(60_000);
    bench.ok("user.add", &[("name", "al")]);
    bench.clock.advance(60_000);
    bench.ok("user.add", &[("name", "eve")]);
    add(&mut bench, "late", &[]);
    bench.ok("cachemanager.restart", &[]);
    // bob at 22:26:40, al at 22:27:40, eve at 22:28:40
    let between = [("from", "2026-11-21T22:27:00Z"), ("to", "2026-11-21T22:28:40Z")];
    let counted = bench.ok("provisioning.replay", &[&between[..], &[("dry_run", "on")]].concat());
    assert_eq!((counted.text("events"), counted.text("tasks")), ("1".into(), "1".into()));
    bench.ok("provisioning.replay", &between);
    let told = bench.ok("task", &[("notice", "clients.create")]);
    let objects: Vec<_> = told.rows().map(|row| row.child_text("object")).collect();
    assert_eq!(objects, ["2"], "al alone");
    let nothing = [("from", "2026-11-21T22:27:41Z"), ("to", "2026-11-21T22:28:40Z")];
    assert_eq!(bench.ok("provisioning.replay", &nothing).text("tasks"), "0", "`to` is excluded");
}
