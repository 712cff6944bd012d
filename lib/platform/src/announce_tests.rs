//! Notices of events go by the rules of every notice: language, subscriptions, priority.

use crate::testing::Bench;
use notice::TaskId;
use wire::rendering::Bundle;

/// A notice of this event, by sms, in two languages.
fn bench(event: &str) -> Bench {
    let mut bench = Bench::with_user();
    for lang in ["en", "ru"] {
        bench.write(&format!("templates/changed/{lang}.ntsms.text.ejs"), "Changed");
    }
    let toml = format!("event = \"{event}\"\nmodules = [\"ntsms\"]\npriority = 7\n");
    bench.write("templates/changed/notice.toml", &toml);
    bench.clock.advance(1_000);
    assert_eq!(bench.ok("task", &[]).rows().count(), 0);
    bench
}

#[test]
fn a_notice_of_an_event_is_in_the_language_of_its_client_and_has_its_own_priority() {
    let mut bench = bench("clients.create");
    for (id, lang) in [(1, "ru"), (2, "en")] {
        let user = [("name", lang), ("phone", "+79123456780"), ("language", lang)];
        bench.ok("user.add", &user);
        let id = TaskId(id);
        let (row, body) = bench.read(|snapshot| Ok((snapshot.task(id)?, snapshot.body(id)?)));
        let bundle = Bundle::parse(&body.unwrap().bundle.unwrap().bytes).unwrap();
        assert_eq!((bundle.notice.as_str(), bundle.lang.as_str()), ("changed", lang));
        assert_eq!(row.unwrap().priority.number(), 7);
    }
}

#[test]
fn who_has_left_a_notice_gets_none_when_its_event_happens() {
    let mut bench = bench("clients.update");
    let mut told = |leaves: &str, phone: &str| {
        let of_sms = [("user", "bob"), ("notice", "changed"), ("module", "ntsms")];
        bench.ok("subscription.edit", &[&of_sms[..], &[("active", leaves)]].concat());
        bench.ok("user.edit", &[("sok", "ok"), ("elid", "bob"), ("phone", phone)]);
        bench.ok("task", &[]).rows().count()
    };
    assert_eq!(told("off", "+79123456781"), 0);
    assert_eq!(told("on", "+79123456782"), 1);
    assert_eq!(told("off", "+79123456783"), 1);
}
