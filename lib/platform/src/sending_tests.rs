//! Sending, over `SQLite`.

use crate::testing::{Bench, NOW};
use notice::{Ms, ProjectId, Route, State, TaskId};
use wire::rendering::Bundle;

/// Notices: `hi` for mail, sms and inbox; `mail_only`; `forced`, which nobody can leave.
fn bench() -> Bench {
    let bench = Bench::with_user();
    for name in ["hi", "mail_only", "forced"] {
        for module in ["ntemail", "ntsms"] {
            for lang in ["en", "ru"] {
                bench.write(&format!("templates/{name}/{lang}.{module}.text.ejs"), "<%= sum %>");
            }
        }
    }
    bench.write(
        "templates/hi/notice.toml",
        "priority = 3\n[subject]\nen = \"Hi\"\nru = \"Привет\"\n",
    );
    bench.write("templates/mail_only/notice.toml", "email_only = true\n");
    bench
        .write("templates/forced/notice.toml", "unsubscribable = false\nmodules = [\"ntemail\"]\n");
    bench
}

fn reasons(answer: &crate::Answer) -> Vec<(String, String)> {
    let skipped = answer.document.children_named("skipped");
    skipped.map(|one| (one.child_text("module"), one.child_text("reason"))).collect()
}

#[test]
fn a_notice_becomes_a_task_for_each_module_with_its_bundle_notice_and_user() {
    // S3-11, S3-12
    let mut bench = bench();
    let sent = bench.ok("notify.send", &[("notice", "hi"), ("user", "bob"), ("data.sum", "1<2")]);
    assert_eq!(sent.text("queued"), "3", "{}", sent.to_lines());
    let (row, body) =
        bench.read(|snapshot| Ok((snapshot.task(TaskId(1))?, snapshot.body(TaskId(1))?)));
    let (row, body) = (row.unwrap(), body.unwrap());
    assert_eq!((row.state, row.priority.number()), (State::Ready, 3));
    assert_eq!(row.route, Route::project(ProjectId(1)));
    let notice = String::from_utf8_lossy(&body.notice.bytes).into_owned();
    assert!(notice.starts_with("<doc><project><id>1</id><name>Brand</name>"), "{notice}");
    assert!(notice.contains("<sum>1&lt;2</sum>"), "{notice}");
    assert!(body.user.contains("<email>bob@example.com</email>"), "{}", body.user);
    let bundle = Bundle::parse(&body.bundle.unwrap().bytes).unwrap();
    assert_eq!((bundle.lang.as_str(), bundle.notice.as_str()), ("ru", "hi"));
    assert_eq!(bundle.subject.unwrap().1, "Привет");
}

#[test]
fn who_has_left_a_notice_gets_none_and_the_sender_sees_it() {
    // S3-10
    let mut bench = bench();
    bench.ok(
        "subscription.edit",
        &[("user", "bob"), ("notice", "hi"), ("module", "ntsms"), ("active", "off")],
    );
    let sent = bench.ok("notify.send", &[("notice", "hi"), ("user", "bob")]);
    assert_eq!(sent.text("queued"), "2");
    assert_eq!(reasons(&sent), [("ntsms".into(), "not_subscribed".into())]);
    bench.ok("subscription.edit", &[("user", "bob"), ("active", "off")]);
    let sent = bench.ok("notify.send", &[("notice", "hi"), ("user", "bob")]);
    assert_eq!(sent.text("queued"), "0");
    let forced = bench.ok("notify.send", &[("notice", "forced"), ("user", "bob")]);
    assert_eq!(forced.text("queued"), "1", "what nobody can leave goes out");
    let refused = bench
        .refused("subscription.edit", &[("user", "bob"), ("notice", "forced"), ("active", "off")]);
    assert!(refused.contains("unsubscribable"), "{refused}");
}

#[test]
fn an_email_only_notice_never_makes_an_sms() {
    // S3-5, S3-7
    let mut bench = bench();
    let sent = bench.ok("notify.send", &[("notice", "mail_only"), ("user", "bob")]);
    assert_eq!(sent.text("queued"), "1");
    let sent =
        bench.ok("notify.send", &[("notice", "mail_only"), ("user", "bob"), ("module", "ntsms")]);
    assert_eq!(sent.text("queued"), "0");
    assert_eq!(reasons(&sent), [("ntsms".into(), "email_only".into())]);
}

#[test]
fn without_a_phone_a_named_sms_is_queued_to_end_never_and_an_unnamed_one_is_passed_over() {
    let mut bench = bench();
    bench.ok("user.add", &[("name", "al"), ("email", "al@example.com")]);
    let sent = bench.ok("notify.send", &[("notice", "hi"), ("user", "al")]);
    assert_eq!(reasons(&sent), [("ntsms".into(), "no_contact".into())]);
    let sent = bench.ok("notify.send", &[("notice", "hi"), ("user", "al"), ("module", "ntsms")]);
    assert_eq!(sent.text("queued"), "1");
}

#[test]
fn a_bare_contact_needs_no_user() {
    let mut bench = bench();
    let sent =
        bench.ok("notify.send", &[("notice", "hi"), ("to", "x@example.com"), ("lang", "ru")]);
    assert_eq!(sent.text("queued"), "1");
    let body = bench.read(|snapshot| snapshot.body(TaskId(1))).unwrap();
    assert_eq!(
        body.user,
        "<user><project>1</project><email>x@example.com</email><language>ru</language></user>"
    );
    let sent = bench.ok("notify.send", &[("notice", "hi"), ("to", "+79123456789")]);
    assert!(sent.document.to_xml().contains("<module>ntsms</module>"));
    assert!(bench.refused("notify.send", &[("notice", "hi")]).contains("`user` is missing"));
    let both = [("notice", "hi"), ("to", "a@b"), ("user", "bob")];
    assert!(bench.refused("notify.send", &both).contains("name one of them"));
}

#[test]
fn a_repeated_key_answers_with_the_first_task() {
    let mut bench = bench();
    let params = [("notice", "hi"), ("user", "bob"), ("module", "ntemail"), ("key", "order-7")];
    let first = bench.ok("notify.send", &params);
    let again = bench.ok("notify.send", &params);
    assert_eq!((first.text("queued"), again.text("queued")), ("1".into(), "0".into()));
    let task = again.document.child("task").unwrap();
    assert_eq!((task.child_text("id"), task.child_text("duplicate")), ("1".into(), "on".into()));
    let key = bench.read(|snapshot| snapshot.key_of_task(TaskId(1)));
    assert_eq!(key.as_deref(), Some("order-7/1/ntemail"));
}

#[test]
fn a_time_is_read_in_the_zone_of_the_user_and_echoed() {
    let mut bench = bench();
    let sent = bench.ok(
        "notify.send",
        &[
            ("notice", "hi"),
            ("user", "bob"),
            ("module", "ntsms"),
            ("at", "2026-11-23 09:00"),
            ("expires", "+2d"),
        ],
    );
    assert_eq!(sent.text("at"), "2026-11-23 09:00:00 +03:00 Europe/Moscow (2026-11-23T06:00:00Z)");
    let row = bench.read(|snapshot| snapshot.task(TaskId(1))).unwrap();
    assert_eq!(row.state, State::Waiting);
    assert_eq!(row.run_at.map(crate::when::shown).as_deref(), Some("2026-11-23T06:00:00Z"));
    assert_eq!(row.expires, Some(NOW.plus(2 * Ms::DAY)));
    let early = [("notice", "hi"), ("user", "bob"), ("at", "+2h"), ("expires", "+1h")];
    assert!(bench.refused("notify.send", &early).contains("`expires`"));
}

#[test]
fn what_can_not_be_sent_is_refused_and_nothing_is_queued() {
    let mut bench = bench();
    for (params, words) in [
        (vec![("notice", "hii"), ("user", "bob")], "did you mean `hi`?"),
        (vec![("notice", "../etc"), ("user", "bob")], "no notice"),
        (vec![("notice", "shared"), ("user", "bob")], "no notice"),
        (vec![("notice", "hi"), ("user", "nobody")], "no user `nobody`"),
        (vec![("notice", "hi"), ("user", "bob"), ("module", "ntfax")], "no module `ntfax`"),
        (vec![("notice", "hi"), ("user", "bob"), ("xml", "<doc><a></doc>")], "`xml`"),
        (vec![("notice", "hi"), ("user", "bob"), ("priority", "2000000")], "`priority`"),
        (vec![("notice", "hi"), ("user", "bob"), ("at", "soon")], "`at`"),
        (vec![("notice", "hi"), ("user", "bob"), ("attach", "/nonexistent")], "can't attach"),
        (vec![("notice", "hi"), ("user", "bob"), ("datum", "x")], "no parameter `datum`"),
    ] {
        let refused = bench.refused("notify.send", &params);
        assert!(refused.contains(words), "{refused}");
    }
    assert_eq!(bench.ok("task", &[]).rows().count(), 0);
}

#[test]
fn a_foreign_module_gets_a_file_for_each_row() {
    let mut bench = bench();
    bench.program(
        "notify/ntjabber",
        "#!/bin/sh\necho '<doc><features/><contact_type>jabber</contact_type></doc>'\n",
    );
    bench.write("etc/sql/billmgr.user.addon/jabber", "");
    bench.write("templates/hi/en.ntjabber.text.ejs", "Hello <%= user.name %>");
    bench.ok("user.edit", &[("sok", "ok"), ("elid", "bob"), ("jabber", "bob@j")]);
    let params = [("notice", "hi"), ("user", "bob"), ("module", "ntjabber"), ("key", "k")];
    let sent = bench.ok("notify.send", &params);
    assert_eq!(sent.text("queued"), "1");
    let row = bench.read(|snapshot| snapshot.task(TaskId(1))).unwrap();
    assert!(row.filename.starts_with("var/notify/2026-11-21/"), "{}", row.filename);
    let file = std::fs::read(bench.folder.path().join(&row.filename)).unwrap();
    let read = wire::notification::read_notifications(&file).unwrap();
    assert_eq!(read[0].template, "Hello <%= user.name %>");
    assert_eq!(read[0].user.child_text("jabber"), "bob@j");
    assert!(read[0].notice_xml.contains("<id>1</id>"));
    bench.ok("notify.send", &params);
    let files = std::fs::read_dir(bench.folder.path().join("var/notify/2026-11-21")).unwrap();
    assert_eq!(files.count(), 1, "the file of a duplicate is taken away again");
}

#[test]
fn a_broken_foreign_module_is_refused_in_words() {
    let mut bench = bench();
    bench.program("notify/ntbad", "#!/bin/sh\necho junk\n");
    let refused =
        bench.refused("notify.send", &[("notice", "hi"), ("user", "bob"), ("module", "ntbad")]);
    assert!(refused.contains("ntbad"), "{refused}");
    assert_eq!(bench.ok("notify.send", &[("notice", "hi"), ("user", "bob")]).text("queued"), "3");
}

#[test]
fn nthandler_carries_no_notices_and_its_refusal_says_so() {
    let mut bench = bench();
    bench.program(
        "notify/nthandler",
        "#!/bin/sh\necho '<doc><features><feature name=\"queue\"/></features></doc>'\n",
    );
    bench.write("templates/hi/en.nthandler.text.ejs", "Hello");
    let send = [("notice", "hi"), ("user", "bob"), ("module", "nthandler")];
    let refused = bench.refused("notify.send", &send);
    assert!(refused.contains("no notice goes out by it; there are ntemail, ntsms"), "{refused}");
    let sent = bench.ok("notify.send", &[("notice", "hi"), ("user", "bob")]);
    assert_eq!(sent.text("queued"), "3", "a template for it changes nothing");
}

#[test]
fn a_ready_file_is_checked_copied_and_queued() {
    let mut bench = bench();
    let text = "<doc><notify><tmpl>hi</tmpl><notice_xml>&lt;doc/&gt;</notice_xml><user/></notify>\
                <notify><tmpl>ho</tmpl><user/></notify></doc>";
    bench.write("ready.xml", text);
    let path = bench.folder.path().join("ready.xml").display().to_string();
    let made =
        bench.ok("notify.enqueue", &[("file", &path), ("module", "ntsms"), ("while_paused", "on")]);
    assert_eq!(made.text("notifications"), "2");
    let row = bench.read(|snapshot| snapshot.task(TaskId(1))).unwrap();
    assert!(row.forced && row.route.is_unread());
    assert_eq!(std::fs::read_to_string(bench.folder.path().join(&row.filename)).unwrap(), text);
    for (text, words) in [
        ("", "no XML document"),
        ("<doc/>", "notify"),
        ("<!DOCTYPE doc><doc/>", "DOCTYPE"),
        ("plain", "no XML document"),
    ] {
        bench.write("ready.xml", text);
        let refused = bench.refused("notify.enqueue", &[("file", &path), ("module", "ntsms")]);
        assert!(refused.contains(words) && refused.contains("ready.xml"), "{refused}");
    }
    let absent = bench.refused("notify.enqueue", &[("file", "/nonexistent"), ("module", "ntsms")]);
    assert!(absent.contains("/nonexistent"), "{absent}");
}

#[test]
fn a_mass_mailing_reaches_every_user_once_in_pages() {
    let mut bench = bench();
    for n in 0..130 {
        let lang = if n % 2 == 0 { "ru" } else { "en" };
        let (name, email) = (format!("u{n}"), format!("u{n}@example.com"));
        bench.ok("user.add", &[("name", &name), ("email", &email), ("language", lang)]);
    }
    let params = [("notice", "hi"), ("module", "ntemail"), ("key", "news-1"), ("data.sum", "1")];
    let sent = bench.ok("notify.mass", &params);
    assert_eq!((sent.text("queued"), sent.text("duplicates")), ("131".into(), "0".into()));
    let again = bench.ok("notify.mass", &params);
    assert_eq!((again.text("queued"), again.text("duplicates")), ("0".into(), "131".into()));
    let refused = bench.refused("notify.mass", &[("notice", "hi"), ("where", "nmae=x")]);
    assert!(refused.contains("did you mean `name`?"), "{refused}");
    let some =
        bench.ok("notify.mass", &[("notice", "hi"), ("language", "en"), ("module", "ntemail")]);
    assert_eq!(some.text("queued"), "65");
    let first = bench.read(|snapshot| Ok((snapshot.body(TaskId(1))?, snapshot.body(TaskId(100))?)));
    let (one, other) = (first.0.unwrap(), first.1.unwrap());
    assert_eq!(one.notice.hash, other.notice.hash, "the notice is stored once");
}

#[test]
fn tasks_are_listed_shown_counted_and_changed_by_people() {
    let mut bench = bench();
    bench.ok("notify.send", &[("notice", "hi"), ("user", "bob")]);
    bench.ok("notify.send", &[("notice", "forced"), ("user", "bob")]);
    assert_eq!(bench.ok("task", &[("notice", "hi")]).rows().count(), 3);
    assert_eq!(bench.ok("task", &[("module", "ntsms"), ("state", "ready")]).rows().count(), 1);
    assert_eq!(bench.ok("task", &[("older", "1h")]).rows().count(), 0);
    let count = bench.ok("task.cancel", &[("notice", "hi"), ("dry_run", "on")]);
    assert_eq!((count.text("found"), count.text("changed")), ("3".into(), "0".into()));
    assert!(bench.refused("task.cancel", &[]).contains("give a filter"));
    assert!(bench.refused("task.cancel", &[("elid", "77")]).contains("no task `77`"));
    let done = bench.ok("task.cancel", &[("notice", "hi"), ("comment", "wrong text")]);
    assert_eq!(done.text("changed"), "3");
    let shown = bench.ok("task.show", &[("elid", "1")]);
    assert_eq!(shown.text("state"), "cancelled");
    let attempt = shown.document.child("attempt").unwrap();
    assert_eq!(attempt.child_text("reason"), "by operator: wrong text");
    bench.ok("task.retry", &[("elid", "4")]);
    bench.ok("task.done", &[("elid", "4")]);
    assert_eq!(bench.ok("task", &[]).rows().count(), 0);
}

#[test]
fn attachments_are_copied_and_named_in_the_notice() {
    let mut bench = bench();
    bench.write("invoice.pdf", "%PDF");
    let path = bench.folder.path().join("invoice.pdf").display().to_string();
    bench.ok("notify.send", &[("notice", "hi"), ("user", "bob"), ("attach", &path)]);
    let body = bench.read(|snapshot| snapshot.body(TaskId(1))).unwrap();
    let notice =
        wire::notification::Notice::parse(&String::from_utf8_lossy(&body.notice.bytes)).unwrap();
    let attached = notice.attachments().remove(0);
    assert_eq!(
        (attached.name.as_str(), attached.content_type.as_str()),
        ("invoice.pdf", "application/pdf")
    );
    assert!(bench.folder.path().join(attached.path).is_file());
}

#[test]
fn a_client_may_not_send_nor_read_files() {
    let mut bench = bench();
    let caller = crate::Caller::new("bob", crate::Level::User);
    let params = [("notice", "hi"), ("user", "bob")].into_iter().collect();
    let refused = bench.platform.call("notify.send", &params, &caller).unwrap_err();
    assert_eq!(refused.exit_code(), 77);
    let admin = crate::Caller { level: crate::Level::Admin, ..caller };
    for (function, params) in [
        ("notify.enqueue", [("file", "/etc/passwd"), ("module", "ntsms"), ("priority", "1")]),
        ("notify.send", [("notice", "hi"), ("user", "bob"), ("attach", "/etc/passwd")]),
    ] {
        let params = params.into_iter().collect();
        assert_eq!(bench.platform.call(function, &params, &admin).unwrap_err().exit_code(), 77);
    }
}

#[test]
fn contacts_are_blocked_and_people_forgotten() {
    let mut bench = bench();
    bench.ok(
        "contact_state.edit",
        &[
            ("kind", "email"),
            ("contact", "Bob@Example.com"),
            ("state", "blocked"),
            ("reason", "spam"),
        ],
    );
    let known = bench.ok("contact_state", &[("kind", "email"), ("contact", "bob@example.com")]);
    assert_eq!(known.rows().next().unwrap().child_text("state"), "blocked");
    bench.ok("notify.send", &[("notice", "hi"), ("user", "bob")]);
    bench.ok("task.cancel", &[("notice", "hi")]);
    bench.ok("forget", &[("user", "bob"), ("delete", "on")]);
    assert_eq!(bench.ok("user", &[]).rows().count(), 0);
    let log = bench.ok("log", &[]);
    assert!(!log.to_lines().contains("bob@example.com"), "{}", log.to_lines());
}

#[test]
fn a_deleted_user_takes_his_queued_tasks_with_him() {
    let mut bench = bench();
    bench.ok("user.add", &[("name", "al"), ("email", "al@example.com")]);
    bench.ok("notify.send", &[("notice", "mail_only"), ("user", "al")]);
    bench.ok("notify.send", &[("notice", "hi"), ("user", "bob")]);
    bench.ok("user.delete", &[("elid", "bob")]);
    assert_eq!(bench.ok("task", &[]).rows().count(), 1, "al's");
    let log = bench.ok("log", &[]);
    assert_eq!(log.rows().count(), 3);
    for row in log.rows() {
        assert_eq!(row.child_text("outcome"), "cancelled");
        assert_eq!(row.child_text("reason"), "its user was deleted");
    }
    bench.ok("user.delete", &[("elid", "al"), ("archive", "on")]);
    assert_eq!(bench.ok("task", &[]).rows().count(), 0);
}

#[test]
fn who_is_forgotten_gets_nothing_that_was_queued_and_the_log_does_not_know_his_address() {
    let mut bench = bench();
    bench.ok("notify.send", &[("notice", "hi"), ("user", "bob")]);
    bench.ok("user.forget", &[("user", "bob")]);
    assert_eq!(bench.ok("task", &[]).rows().count(), 0);
    let log = bench.ok("log", &[]);
    assert_eq!(log.rows().count(), 3);
    for row in log.rows() {
        let said = ["outcome", "reason", "contact", "key"].map(|column| row.child_text(column));
        assert_eq!(said, ["cancelled", "its user is forgotten", "", ""]);
    }
}

#[test]
fn why_finds_what_was_cancelled_before_anybody_tried_it() {
    let mut bench = bench();
    bench.ok("notify.send", &[("notice", "mail_only"), ("user", "bob")]);
    bench.ok("task.cancel", &[("elid", "1")]);
    let row = bench.ok("log", &[("contact", "bob@example.com")]);
    let row = row.rows().next().unwrap();
    assert_eq!(
        (row.child_text("outcome"), row.child_text("notice")),
        ("cancelled".into(), "mail_only".into())
    );
}
