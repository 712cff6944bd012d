//! What follows from a mail, over a whole installation: once, whoever is killed in between.

use super::*;
use crate::testing::Bench;
use notice::UserId;
use store::{NewEvent, Told};

/// Has everything followed, as nthandler does.
fn follow_all(bench: &mut Bench) {
    bench.platform.fan_out(100).unwrap();
    for id in bench.platform.unfollowed(100).unwrap() {
        bench.ok("incoming.follow", &[("elid", &id.to_string())]);
    }
    assert!(bench.platform.unfollowed(100).unwrap().is_empty());
}

/// User 1 `bob` with a notice that he may answer, agent `jana`, and the token of a notice he got.
fn with_token() -> (Bench, String) {
    let mut bench = Bench::empty();
    bench.write("templates/news/notice.toml", "modules = [\"ntemail\"]\nreply_token = true");
    bench.write("templates/news/en.ntemail.text.ejs", "__reply_token__");
    bench.add_user();
    bench.ok("user.add", &[("name", "jana"), ("level", "admin")]);
    bench.ok("agent.status", &[("agent", "jana"), ("status", "ready")]);
    bench.ok("notify.send", &[("notice", "news"), ("user", "bob")]);
    let body = bench.read(|snapshot| snapshot.body(notice::TaskId(1))).unwrap();
    let token = body.user.split("<reply_token>").nth(1).unwrap().split('<').next().unwrap();
    let token = token.to_owned();
    (bench, token)
}

fn mail(token: &str, line: &str) -> String {
    format!("Subject: Re: [{token}]\r\n\r\n{line}\r\n> old\r\n")
}

fn emails(bench: &mut Bench) -> String {
    bench.ok("shared", &[("id", AGENT_EMAILS)]).text("value")
}

fn subscriptions(bench: &mut Bench) -> usize {
    bench.ok("subscription", &[("user", "bob")]).rows().count()
}

fn commands(bench: &mut Bench) -> usize {
    bench.ok("journal", &[]).rows().filter(|row| row.child_text("place") == "mail").count()
}

/// A message of an unknown sender, and its event that nobody was told of yet.
fn come_in(bench: &mut Bench, uid: &str, source: &str) {
    let message = store::Incoming {
        gateway: notice::GatewayId(1),
        uid: uid.into(),
        sender: "forged@example.com".into(),
        user: None,
        project: None,
        reason: String::new(),
        subject: String::new(),
        source: source.into(),
    };
    let mut write = |tx: &mut dyn store::Tx| {
        let id = tx.accept_incoming(&message, Ms(1))?.unwrap();
        let event = NewEvent {
            events_id: "incoming.message".into(),
            object_id: id.to_string(),
            data: "{}".into(),
            at: Ms(1),
        };
        tx.add_event(&event, Told::NotYet).map(drop)
    };
    bench.platform.store().write(Durability::Crash, &mut write).unwrap();
}

#[test]
fn a_mail_commands_with_its_token_once_and_is_stored_else() {
    let (mut bench, token) = with_token();
    let receive = |bench: &mut Bench, uid: &str, source: String| {
        come_in(bench, uid, &source);
        follow_all(bench);
        bench.ok("subscription", &[("user", "bob")]).rows().count()
    };
    let without = "From: bob@example.com\r\nSubject: stop\r\n\r\nstop\r\n".to_owned();
    assert_eq!(receive(&mut bench, "1", without), 0, "From can be forged");
    assert_eq!(receive(&mut bench, "2", mail(&format!("gp-{}", "0".repeat(40)), "stop")), 0);
    assert_eq!(receive(&mut bench, "3", mail(&token, "thank you")), 0, "no command: not used up");
    assert_eq!(receive(&mut bench, "4", mail(&token, "stop")), 1);
    assert_eq!(receive(&mut bench, "5", mail(&token, "start")), 1, "good once");
    let row = bench.ok("subscription", &[("user", "bob")]);
    assert!(row.document.to_xml().contains("<active>off</active>"), "{}", row.document.to_xml());
    assert_eq!(commands(&mut bench), 1);
    assert_eq!(bench.ok("incoming", &[]).rows().count(), 5, "all are stored");
}

#[test]
fn a_mail_that_comes_in_is_one_more_open_mail_of_an_agent() {
    let mut bench = Bench::with_user();
    bench.ok("user.add", &[("name", "jana"), ("level", "admin")]);
    bench.ok("agent.status", &[("agent", "jana"), ("status", "ready")]);
    for uid in ["1", "2"] {
        come_in(&mut bench, uid, "Subject: hi\r\n\r\nhi");
    }
    follow_all(&mut bench);
    let value = bench.ok("shared", &[("id", "agent_emails")]).text("value");
    assert_eq!(value, r#"{"jana":2}"#);
}

#[test]
fn what_was_told_and_not_followed_is_followed_later() {
    let (mut bench, token) = with_token();
    come_in(&mut bench, "1", &mail(&token, "stop"));
    bench.platform.fan_out(10).unwrap();
    // whoever told the event was killed here
    assert_eq!((subscriptions(&mut bench), bench.platform.unfollowed(10).unwrap()), (0, vec![1]));
    follow_all(&mut bench);
    assert_eq!((subscriptions(&mut bench), emails(&mut bench).as_str()), (1, r#"{"jana":1}"#));
}

#[test]
fn a_command_and_its_token_are_one_transaction_and_are_not_repeated() {
    let (mut bench, token) = with_token();
    come_in(&mut bench, "1", &mail(&token, "stop"));
    let hash = Hash::of(token.as_bytes());
    let params = [("notice", "news"), ("active", "off")].into_iter().collect();
    let bob = Caller { user: Some(UserId(1)), ..Caller::new("bob", Level::User) };
    let step = Step::command(1, Some(hash));
    let along = || Along::Step(step.clone());
    // refused: nothing of it is done, the token is good
    let wrong = [("notice", "nothing"), ("active", "off")].into_iter().collect();
    bench.platform.call_with(along(), ("subscription.edit", &wrong), &bob).unwrap_err();
    assert_eq!(bench.read(|snapshot| snapshot.reply_token(&hash)).unwrap().used, None);
    bench.platform.call_with(along(), ("subscription.edit", &params), &bob).unwrap();
    // killed here: its count is missing, and nothing else
    assert!(bench.read(|snapshot| snapshot.reply_token(&hash)).unwrap().used.is_some());
    let again = bench.platform.call_with(along(), ("subscription.edit", &params), &bob);
    assert!(matches!(again, Err(Refusal::Changed { .. })), "{again:?}");
    bench.ok("subscription.edit", &[("user", "bob"), ("notice", "news"), ("active", "on")]);
    follow_all(&mut bench);
    let row = bench.ok("subscription", &[("user", "bob")]).document.to_xml();
    assert!(row.contains("<active>on</active>"), "the command was repeated: {row}");
    assert_eq!((emails(&mut bench).as_str(), commands(&mut bench)), (r#"{"jana":1}"#, 0));
}

#[test]
fn a_count_over_counts_that_have_moved_is_made_anew() {
    let (mut bench, _) = with_token();
    come_in(&mut bench, "1", "Subject: hi\r\n\r\nhi");
    bench.platform.settle(&Step::command(1, None)).unwrap();
    bench.ok("shared.set", &[("id", AGENT_EMAILS), ("value", r#"{"jana":4}"#)]);
    let stale = Step::count(1, None);
    let params = [("id", AGENT_EMAILS), ("value", r#"{"jana":1}"#)].into_iter().collect();
    let caller = Caller::new("getmessage", Level::Super);
    let refused = bench.platform.call_with(Along::Step(stale), ("shared.set", &params), &caller);
    assert!(matches!(refused, Err(Refusal::Changed { .. })), "{refused:?}");
    follow_all(&mut bench);
    assert_eq!(emails(&mut bench), r#"{"jana":5}"#);
}

#[test]
fn two_who_follow_the_same_messages_do_each_once() {
    let (mut bench, token) = with_token();
    come_in(&mut bench, "0", &mail(&token, "stop"));
    for uid in 1..10 {
        come_in(&mut bench, &uid.to_string(), "Subject: hi\r\n\r\nhi");
    }
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let mut door = bench.platform.another().unwrap();
            scope.spawn(move || {
                for id in 1..=10 {
                    let params = [("elid", id.to_string())].into_iter().collect();
                    let done = door.call("incoming.follow", &params, &Caller::operator());
                    let is_fine = matches!(done, Ok(_) | Err(Refusal::Conflict { .. }));
                    assert!(is_fine, "{done:?}");
                }
            });
        }
    });
    follow_all(&mut bench);
    assert_eq!(emails(&mut bench), r#"{"jana":10}"#);
    assert_eq!((subscriptions(&mut bench), commands(&mut bench)), (1, 1));
}

#[test]
fn what_is_being_followed_is_not_followed_a_second_time() {
    let (mut bench, token) = with_token();
    come_in(&mut bench, "0", &mail(&token, "stop"));
    let installation = Arc::clone(&bench.platform.shared);
    let another = installation.followers.enter(1).unwrap();
    let params = [("elid", "1".to_owned())].into_iter().collect();
    let refused = bench.platform.call("incoming.follow", &params, &Caller::operator());
    assert!(matches!(refused, Err(Refusal::Conflict { .. })), "{refused:?}");
    assert_eq!(commands(&mut bench), 0);
    drop(another);
    bench.ok("incoming.follow", &[("elid", "1")]);
    assert_eq!(commands(&mut bench), 1);
}

#[test]
fn a_mail_goes_to_who_is_ready_and_has_fewest() {
    let agent = |id: i64, status, name: &str| {
        let fields = [("name", name)].into_iter().collect();
        let (id, project) = (UserId(id), notice::ProjectId(1));
        let user = User { id, project, external_id: None, fields };
        (Agent { user: id, status, reason: String::new(), since: Ms(0) }, user)
    };
    let agents = [
        agent(1, AgentStatus::Aux, "petr"),
        agent(2, AgentStatus::Ready, "jana"),
        agent(3, AgentStatus::Ready, "eva"),
    ];
    let next = counts_with_one_more(&agents, &json!({})).unwrap();
    assert_eq!(next, json!({"jana": 1}));
    let next = counts_with_one_more(&agents, &json!({"$m": [[2, 1]]})).unwrap();
    assert_eq!(next, json!({"jana": 1, "eva": 1}));
    assert!(counts_with_one_more(&[], &json!({})).is_none());
}
