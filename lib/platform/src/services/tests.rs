//! Functions of services over a whole installation; its program is a small script.

use super::{ServiceCall, ServiceTask, ServiceTurn, service_call};
use crate::testing::{Bench, NOW};
use notice::{Answer, Ms, Outcome, Route, TaskId};
use std::fs;
use store::{Done, Effect, Finish, ServiceState, Settlement, TaskRow};
use wire::outgoing::TaskAttributes;
use wire::xml::{Document, Element};

/// Knows every command; `check_connection` refuses the server 192.0.2.9 and shows what it was given.
const PROGRAM: &str = r#"#!/bin/sh
case $2 in
features) echo '<doc><features><feature name="check_connection"/><feature name="open"/><feature name="suspend"/><feature name="resume"/><feature name="close"/><feature name="setparam"/></features></doc>' ;;
check_connection) cat > var/form.xml
  if grep -q '192.0.2.9' var/form.xml; then echo '<doc><error type="connection"><msg>no such server</msg></error></doc>'; else cat var/form.xml; fi ;;
esac
"#;

fn description() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../etc/xml/gatepost_mod_pmshell.xml");
    fs::read_to_string(path).unwrap()
}

/// Project 1, user 1, processing row 1 and product 1.
fn bench() -> Bench {
    let mut bench = Bench::with_user();
    bench.program("processing/pmshell", PROGRAM);
    bench.write("etc/xml/gatepost_mod_pmshell.xml", &description());
    let row = [("module", "ShellScripts"), ("ip", "192.0.2.1"), ("path", "/srv/scripts")];
    assert_eq!(bench.ok("processing.add", &row).text("id"), "1"); // S1-3
    bench.ok("product.add", &[("name", "FTP"), ("type", "ftp")]);
    bench
}

fn order(bench: &mut Bench) -> String {
    bench.ok("service.open", &[("user", "1"), ("product", "FTP")]).text("task")
}

fn task(bench: &mut Bench, number: &str) -> TaskRow {
    let id: TaskId = number.parse().unwrap();
    bench.read(|snapshot| snapshot.task(id)).unwrap()
}

/// What the program of a task would be given.
fn call(bench: &mut Bench, number: &str) -> Result<ServiceCall, Answer> {
    let id: TaskId = number.parse().unwrap();
    let body = bench.read(|snapshot| snapshot.body(id)).unwrap();
    let root = bench.platform.root().clone();
    let task = TaskAttributes { id, key: "k", attempt: 1, maybe_sent: false, phone: None };
    let turn = ServiceTurn { body: &body.notice.bytes, task, user_xml: &body.user };
    service_call(bench.platform.store(), &root, &turn)
}

fn input(call: &ServiceCall) -> Element {
    Document::parse(&call.input).unwrap().root
}

/// What nthandler does with a success: one settling turn.
fn succeed(bench: &mut Bench, number: &str, answer: &str) -> Vec<Effect> {
    let made = call(bench, number).unwrap();
    let answer = Document::parse(answer.as_bytes()).unwrap().root;
    let effects = made.effects(&answer, NOW).unwrap();
    settle(bench, number, &effects);
    effects
}

fn settle(bench: &mut Bench, number: &str, effects: &[Effect]) {
    let row = task(bench, number);
    let owner = store::Owner("test".into());
    let demand = store::Demand {
        module: notice::ModuleName::new(&row.module).unwrap(),
        pool: store::Pool::Route(row.route),
        gateway: None,
        count: 1,
        forced_only: false,
        lease_until: Ms(NOW.0 + 60_000),
        ceiling: None,
    };
    store::write(bench.platform.store(), store::Durability::Crash, |tx| {
        let claimed = tx.turn(&owner, &[], std::slice::from_ref(&demand), NOW)?.claimed;
        assert_eq!(claimed.len(), 1);
        let done = Done {
            lease: claimed[0].lease,
            settlement: Settlement::Gone,
            reason: String::new(),
            log: None,
            effects: effects.to_vec(),
        };
        let turn = tx.turn(&owner, &[done], &[], NOW)?;
        assert!(turn.lost.is_empty());
        store::Result::Ok(())
    })
    .unwrap();
}

const OPENED: &str = "<doc><itemparam name='externalid'>x-12</itemparam><itemparam name='username'>u1</itemparam>\
    <itemparam name='password'>s3cret</itemparam><itemparam name='ip'>192.0.2.7</itemparam></doc>";

fn opened() -> Bench {
    let mut bench = bench();
    let number = order(&mut bench);
    succeed(&mut bench, &number, OPENED);
    bench
}

fn service(bench: &mut Bench) -> store::Service {
    bench.read(|snapshot| snapshot.service(notice::ServiceId(1))).unwrap()
}

#[test]
fn an_order_is_a_service_and_its_task() {
    // S1-15, S1-16, S1-17, S1-18
    let mut bench = bench();
    let params =
        [("user", "bob"), ("product", "1"), ("addon.disk", "5"), ("param.domain", "a b's")];
    let answer = bench.ok("service.open", &params);
    assert_eq!((answer.text("id"), answer.text("username")), ("1".into(), "u1".into()));
    let row = task(&mut bench, &answer.text("task"));
    assert_eq!((row.module.as_str(), row.object.as_str()), ("pmshell", "1"));
    assert_eq!(row.route, Route::server(notice::ProcessingId(1)));
    let call = call(&mut bench, &answer.text("task")).ok().unwrap();
    assert_eq!((call.program.as_str(), call.command), ("pmshell", "open"));
    let input = input(&call);
    let item = input.child("item").unwrap();
    assert_eq!(item.attribute("username"), Some("u1"));
    assert_eq!(item.attribute("externalid"), Some(""));
    assert_eq!(item.child_text("addon"), "5");
    assert_eq!(item.child_text("param"), "a b's");
    let password = item.child_text("password");
    assert_eq!(password.len(), 20);
    assert_eq!(call.mask.apply(&password), "***");
    assert_eq!(input.child("user").unwrap().child_text("name"), "bob");
    assert_eq!(input.child("project").unwrap().child_text("name"), "Brand");
    let xmlparams = input.child("processing").unwrap().child_text("xmlparams");
    assert!(xmlparams.contains("<ip>192.0.2.1</ip>"), "{xmlparams}");
    let events = bench.ok("event", &[("event", "clients.subscriptions.assign")]);
    let data = events.rows().next().unwrap().child_text("data");
    assert!(data.contains("\"user\":1") && !data.contains(&password), "{data}");
    assert_eq!(service(&mut bench).state, ServiceState::Opening);
}

#[test]
fn what_an_open_answers_is_kept_and_passwords_are_sealed() {
    // S1-22, S1-23, S1-24, S1-25, S1-35
    let mut bench = opened();
    let service = service(&mut bench);
    assert_eq!((service.state, service.externalid.as_str()), (ServiceState::Active, "x-12"));
    let list = bench.ok("service", &[("user", "1")]);
    let row = list.rows().next().unwrap();
    let kept: Vec<_> = row
        .children_named("itemparam")
        .map(|one| format!("{}={}", one.attribute("name").unwrap(), one.text()))
        .collect();
    assert_eq!(kept, ["externalid=x-12", "ip=192.0.2.7", "password=***", "username=u1"]);
    let events = bench.ok("event", &[("event", "clients.subscriptions.activate")]);
    let data = events.rows().next().unwrap().child_text("data");
    assert!(data.contains("\"ip\":\"192.0.2.7\"") && !data.contains("s3cret"), "{data}");
    let database = fs::read(bench.folder.path().join("var/gatepost.db")).unwrap();
    let wal = fs::read(bench.folder.path().join("var/gatepost.db-wal")).unwrap_or_default();
    for bytes in [database, wal] {
        assert!(!bytes.windows(6).any(|six| six == b"s3cret"), "in the clear");
    }
}

#[test]
fn a_service_goes_through_its_states_and_each_success_is_an_event() {
    // S1-14, S1-32, S1-35
    let mut bench = opened();
    for (function, state, event) in [
        ("service.suspend", ServiceState::Suspended, "clients.subscriptions.deactivate"),
        ("service.resume", ServiceState::Active, "clients.subscriptions.activate"),
        ("service.close", ServiceState::Closed, "clients.subscriptions.close"),
    ] {
        let number = bench.ok(function, &[("elid", "1")]).text("task");
        let made = call(&mut bench, &number).ok().unwrap();
        let item = input(&made).child("item").unwrap().clone();
        assert_eq!(item.attribute("externalid"), Some("x-12"));
        assert!(item.child("password").is_none(), "only open gets it");
        let effects = succeed(&mut bench, &number, "<doc/>");
        let told =
            |effect: &Effect| matches!(effect, Effect::Event(told) if told.events_id == event);
        assert!(effects.iter().any(told), "{effects:?}");
        assert_eq!(service(&mut bench).state, state);
    }
    for function in ["service.suspend", "service.resume", "service.close", "service.setparam"] {
        let words = bench.refused(
            function,
            &[("elid", "1"), ("param.a", "1")]
                [..if function == "service.setparam" { 2 } else { 1 }],
        );
        assert!(words.contains("it is closed"), "{words}");
    }
}

#[test]
fn a_transition_that_is_not_allowed_is_refused_before_any_connection() {
    // S1-34, S1-35
    let mut bench = opened();
    assert!(bench.refused("service.resume", &[("elid", "1")]).contains("it is active"));
    assert!(bench.refused("service.close", &[("elid", "9")]).contains("no service `9`"));
    let first = bench.ok("service.suspend", &[("elid", "1")]).text("task");
    let words = bench.refused("service.close", &[("elid", "1")]);
    assert!(words.contains(&format!("task {first} of it is ready")), "{words}");
    assert_eq!(bench.ok("service", &[]).rows().count(), 1);
}

#[test]
fn a_service_that_has_moved_by_the_time_is_not_touched() {
    // S1-35
    let mut bench = opened();
    let number = bench.ok("service.suspend", &[("elid", "1")]).text("task");
    store::write(bench.platform.store(), store::Durability::Crash, |tx| {
        let id = notice::ServiceId(1);
        tx.move_service(id, ServiceState::Active, ServiceState::Closed).map(drop)
    })
    .unwrap();
    let answer = call(&mut bench, &number).err().unwrap();
    assert_eq!(answer.outcome, Outcome::Never);
    assert!(answer.reason.contains("is closed by now"), "{}", answer.reason);
}

#[test]
fn new_values_hold_only_once_they_are_set() {
    // S1-36, S1-37
    let mut bench = opened();
    assert!(bench.refused("service.setparam", &[("elid", "1")]).contains("param.NAME"));
    let number = bench.ok("service.setparam", &[("elid", "1"), ("addon.disk", "9")]).text("task");
    let params = |bench: &mut Bench| {
        bench.read(|snapshot| snapshot.service_params(notice::ServiceId(1))).len()
    };
    assert_eq!(params(&mut bench), 0);
    let made = call(&mut bench, &number).ok().unwrap();
    assert_eq!(input(&made).child("item").unwrap().child_text("addon"), "9");
    succeed(&mut bench, &number, "<doc/>");
    assert_eq!(params(&mut bench), 1);
    assert_eq!(service(&mut bench).state, ServiceState::Active);
}

#[test]
fn a_person_says_how_an_asked_opening_ended() {
    let mut bench = bench();
    let number = order(&mut bench);
    let edit = [("sok", "ok"), ("elid", "1"), ("state", "active"), ("externalid", "x-9")];
    assert!(bench.refused("service.edit", &edit).contains("end it first"));
    let id: TaskId = number.parse().unwrap();
    store::write(bench.platform.store(), store::Durability::Crash, |tx| {
        tx.end(&[id], Finish::Done, "by hand", NOW).map(drop)
    })
    .unwrap();
    assert!(bench.refused("service.edit", &edit[..3]).contains("externalid"));
    bench.ok("service.edit", &edit);
    bench.ok("service.suspend", &[("elid", "1")]);
}

/// Another key than the one everything was sealed with.
fn lose_the_key(bench: &Bench) {
    fs::remove_file(bench.folder.path().join("etc/secret.key")).unwrap();
    config::Vault::create(bench.platform.root()).unwrap();
}

#[test]
fn a_service_whose_password_no_key_opens_is_named_and_given_another() {
    let mut bench = bench();
    let number = order(&mut bench);
    let findings = |bench: &mut Bench| {
        let all = bench.platform.status().unwrap().findings;
        all.into_iter().filter(|found| found.code == "secret_lost").collect::<Vec<_>>()
    };
    assert!(findings(&mut bench).is_empty());
    lose_the_key(&bench);
    let waits = call(&mut bench, &number).err().unwrap();
    assert!(waits.reason.contains("`gatepost service password 1`"), "{}", waits.reason);
    let found = findings(&mut bench);
    assert_eq!(found.len(), 1);
    assert!(found[0].text.contains("1 of the services still to be opened (1)"), "{found:?}");
    assert_eq!(found[0].cure, "gatepost service password 1");
    let given = bench.ok("service.password", &[("elid", "1")]);
    assert_eq!(given.text("task"), number);
    assert!(findings(&mut bench).is_empty());
    let password =
        input(&call(&mut bench, &number).unwrap()).child("item").unwrap().child_text("password");
    assert_eq!(password.len(), 20);
    bench.ok("service.password", &[("elid", "1"), ("password", "of my own")]);
    let item = input(&call(&mut bench, &number).unwrap()).child("item").unwrap().clone();
    assert_eq!(item.child_text("password"), "of my own");
}

#[test]
fn a_lost_password_keeps_no_open_service_from_its_end() {
    let mut bench = opened();
    lose_the_key(&bench);
    assert!(bench.refused("service.password", &[("elid", "1")]).contains("it is active"));
    let number = bench.ok("service.close", &[("elid", "1")]).text("task");
    let made = call(&mut bench, &number).unwrap();
    assert!(input(&made).child("item").unwrap().child("password").is_none());
}

#[test]
fn what_can_not_be_ordered_is_refused() {
    // S1-2, S1-12
    let mut bench = bench();
    bench.ok("product.add", &[("name", "VPS"), ("type", "kvm")]);
    bench.ok("processing.edit", &[("sok", "ok"), ("elid", "1"), ("product_type", "ftp")]);
    let open = |product: &'static str| [("user", "1"), ("product", product)];
    assert!(bench.refused("service.open", &open("VPS")).contains("no active processing row"));
    let named = [("user", "1"), ("product", "VPS"), ("processing", "1")];
    assert!(bench.refused("service.open", &named).contains("serves the type `ftp` alone"));
    for (name, value, words) in [
        ("addon.a=b", "1", "a name is"),
        ("addon.", "1", "a name is"),
        ("param.x", "a\0b", "no NUL"),
        ("disk", "1", "takes no parameter"),
    ] {
        let params = [("user", "1"), ("product", "FTP"), (name, value)];
        assert!(bench.refused("service.open", &params).contains(words), "{name}");
    }
    bench.program(
        "processing/pmshell",
        "#!/bin/sh\necho '<doc><features><feature name=\"open\"/></features></doc>'\n# longer\n",
    );
    order(&mut bench);
    fs::remove_file(bench.folder.path().join("processing/pmshell")).unwrap();
    assert!(bench.refused("service.open", &open("FTP")).contains("pmshell"));
}

#[test]
fn the_server_is_chosen_by_errors_load_priority_and_id() {
    // S1-9
    let mut bench = bench();
    let mut row = |name: &'static str, priority: &'static str| {
        let fields = [
            ("module", "pmshell"),
            ("name", name),
            ("priority", priority),
            ("ip", "192.0.2.2"),
            ("path", "/s"),
            ("concurrency", "1"),
        ];
        bench.ok("processing.add", &fields).text("id")
    };
    let (second, third) = (row("second", "-5"), row("third", "-5"));
    let mut chosen = || {
        let answer = bench.ok("service.open", &[("user", "1"), ("product", "FTP")]);
        answer.text("processing")
    };
    assert_eq!(chosen(), second, "the lowest number, then the lowest id");
    assert_eq!(chosen(), third, "the first has all it may do at once");
    assert_eq!(chosen(), "1");
}

#[test]
fn a_row_is_saved_only_after_its_check_and_its_password_is_sealed() {
    // S1-1, S1-3, S1-4, S1-5, S1-6, S1-8
    let mut bench = bench();
    let base = [("module", "pmshell"), ("ip", "192.0.2.9"), ("path", "/s")];
    assert!(bench.refused("processing.add", &base).contains("no such server"));
    let with_password = [
        ("module", "pmshell"),
        ("ip", "192.0.2.3"),
        ("path", "/s"),
        ("root_password", "on"),
        ("password", "r00tpass"),
    ];
    assert!(bench.refused("processing.add", &with_password[..4]).contains("password"));
    assert!(bench.refused("processing.add", &[base[0], base[2]]).contains("ip"));
    assert!(
        bench
            .refused("processing.add", &[("module", "pmshell"), ("ip", "192.0.2.3")])
            .contains("path")
    );
    let id = bench.ok("processing.add", &with_password).text("id");
    let form = bench.ok("processing.edit", &[("elid", &id)]);
    assert_eq!(form.text("ip"), "192.0.2.3");
    assert_eq!(form.text("password"), "");
    let database = fs::read(bench.folder.path().join("var/gatepost.db-wal")).unwrap_or_default();
    assert!(!database.windows(8).any(|eight| eight == b"r00tpass"));
    // An empty password keeps the old one: the program is asked with it.
    bench.ok("processing.edit", &[("sok", "ok"), ("elid", &id), ("path", "/t"), ("password", "")]);
    let asked = fs::read_to_string(bench.folder.path().join("var/form.xml")).unwrap();
    assert!(asked.contains("r00tpass") && asked.contains("/t"), "{asked}");
}

#[test]
fn shell_scripts_serve_own_types_and_virtual_hosting() {
    // S1-2, S1-3
    let mut bench = bench();
    let with = |kind: &'static str| {
        [("module", "pmshell"), ("ip", "192.0.2.3"), ("path", "/s"), ("product_type", kind)]
    };
    for kind in ["vhost", "my own"] {
        bench.ok("processing.add", &with(kind));
    }
    for kind in ["vds", "dedic", "domain"] {
        assert!(
            bench.refused("processing.add", &with(kind)).contains("shell scripts serve"),
            "{kind}"
        );
    }
}

#[test]
fn the_public_key_is_made_once_and_listed() {
    // S1-10
    let mut bench = bench();
    let key = |bench: &mut Bench| {
        let list = bench.ok("processing", &[]);
        list.rows().next().unwrap().child_text("public_key")
    };
    assert_eq!(key(&mut bench), "");
    let made = bench.ok("processing.key", &[]).text("key");
    assert!(made.starts_with("ssh-ed25519 "), "{made}");
    assert_eq!(bench.ok("processing.key", &[]).text("key"), made);
    assert_eq!(key(&mut bench), made);
}

#[test]
fn a_renewal_is_told_and_nothing_is_run() {
    let mut bench = opened();
    bench.ok("service.renew", &[("elid", "1"), ("until", "2027-11-22")]);
    let events = bench.ok("event", &[("event", "clients.subscriptions.renew")]);
    assert!(events.rows().next().unwrap().child_text("data").contains("2027-11-22"));
    let waiting = bench.read(|snapshot| snapshot.counts());
    assert!(waiting.iter().all(|count| count.module != "pmshell"), "{waiting:?}");
}

#[test]
fn rows_that_are_needed_are_not_deleted() {
    let mut bench = opened();
    bench.call("processing.delete", &[("elid", "1")]).unwrap_err();
    bench.call("product.delete", &[("elid", "1")]).unwrap_err();
    bench.ok("product.add", &[("name", "Spare"), ("type", "x")]);
    bench.ok("product.delete", &[("elid", "Spare")]);
    assert_eq!(bench.ok("product", &[]).rows().count(), 1);
}

#[test]
fn a_task_survives_its_text() {
    let body = "<doc command=\"setparam\" service=\"7\"><addon name=\"a\">1 &lt;</addon><param name=\"b\"></param></doc>";
    let task = ServiceTask::read(body.as_bytes()).unwrap();
    assert_eq!(ServiceTask::read(&task.to_bytes()).as_ref(), Some(&task));
    assert_eq!((task.params.len(), task.subject().as_str()), (2, "service.setparam"));
    for body in ["", "<doc/>", "<doc command='open'/>", "<doc command='x' service='1'/>"] {
        assert_eq!(ServiceTask::read(body.as_bytes()), None, "{body}");
    }
}

#[test]
fn a_service_task_is_told_by_its_operation_its_service_and_its_server() {
    let mut bench = bench();
    let task = order(&mut bench);
    let list = bench.ok("task", &[]);
    let row = list.rows().next().unwrap();
    let text = |name: &str| row.child_text(name);
    assert_eq!((text("notice"), text("object")), ("service.open".into(), "1".into()));
    assert!(text("handler").starts_with("server 1 "), "{}", text("handler"));
    let told = crate::sentences(&bench.platform.why(&task).unwrap()).join("\n");
    assert!(
        told.starts_with(&format!("Task {task}: service.open about 1, for server 1 ")),
        "{told}"
    );
    assert!(told.contains("notify/nthandler") && !told.contains("notify/pmshell"), "{told}");
    bench.clock.advance(3 * 3_600_000);
    let findings = bench.platform.status().unwrap().findings;
    let missing = findings.iter().find(|finding| finding.code == "daemon_missing").unwrap();
    assert!(missing.cure.contains("notify/nthandler --command process"), "{}", missing.cure);
}
