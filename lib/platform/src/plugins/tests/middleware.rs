//! Middleware: the chain around a function.

use super::{Stage, call};
use crate::call::Place;
use crate::refusal::Refusal;
use std::sync::Arc;

fn around(method: &str, body: &str) -> String {
    format!(
        "from error import *\nUCS_PLUGIN = 'M'\nclass M:\n    def __init__(self, ucs):\n        self.ucs = ucs\n        \
         ucs.api.addMiddleware('{method}', self.run)\n    def stop(self): self.ucs.api.removeMiddleware('{method}', self.run)\n    \
         def run(self, handler, user, data):\n        {body}\n"
    )
}

#[test]
fn the_first_registered_is_outermost_and_each_may_change_what_goes_in_and_out() {
    // S4-42, S4-43, S4-44, S4-45, S4-46, S4-48
    let stage = Stage::new();
    let adds = |letter: &str| {
        format!(
            "data['realname'] += '{letter}'; result = handler(user, data); result['realname'] += '{letter}'; return result"
        )
    };
    stage
        .write("a.py", &around("user.edit", &adds("a")))
        .write("b.py", &around("config.users.edit", &adds("b")))
        .write("c.py", &around("user.delete", "raise ProcessingError('another function')"));
    let host = stage.start();
    let mut journal = Vec::new();
    let save =
        [("sok", "ok"), ("elid", "5"), ("realname", "-"), ("name", "bob"), ("language", "ru")];
    let answer = host.called_with("user.edit", &save, &mut journal).unwrap();
    assert_eq!(answer, "elid=5 realname=-abba name=bob language=ru");
    let runs: Vec<_> =
        journal.iter().map(|run| (run.place, run.name.as_str(), run.outcome.as_str())).collect();
    assert_eq!(runs, [(Place::Middleware, "b", "ok"), (Place::Middleware, "a", "ok")]);
}

#[test]
fn middleware_sees_the_caller_and_typed_arguments() {
    // S4-45, S4-50
    let stage = Stage::new();
    stage
        .write(
            "a.py",
            &around("user", "self.ucs.log.info('%s %s', user, data); return handler(user, data)"),
        )
        .write(
            "b.py",
            &around(
                "user.get",
                "self.ucs.log.info('shown %r', data); return handler(user, data + 1)",
            ),
        )
        .write(
            "c.py",
            &around(
                "user.add",
                "self.ucs.log.info('new %s', data); data['id'] = None; return handler(user, data)",
            ),
        );
    let host = stage.start();
    host.called("user", &[("limit", "7"), ("after", "3")]).unwrap();
    stage.server.line(
        "plugin a: {'id': None, 'username': 'operator', 'level': 'super'} {'limit': 7, 'after': 3}",
    );
    assert_eq!(host.called("user.edit", &[("elid", "4")]).unwrap(), "elid=5");
    stage.server.line("plugin b: shown 4");
    assert_eq!(
        host.called("user.add", &[("name", "bob"), ("passwd", "x")]).unwrap(),
        "name=bob passwd=x"
    );
    stage.server.line("plugin c: new {'id': None, 'username': 'bob', 'password': 'x'}");
    assert_eq!(host.called("user.edit", &[("sok", "ok"), ("name", "bob")]).unwrap(), "name=bob");
    assert_eq!(stage.server.count("plugin c: new"), 2, "creating by the other name is the same");
}

#[test]
fn exceptions_are_the_answer_and_an_unknown_one_fails_the_call() {
    // S4-47, S4-49
    let stage = Stage::new();
    let host = stage.start();
    let refused = |body: &str| {
        stage.write("m.py", &around("user.delete", body));
        host.load("m").unwrap();
        let refusal = host.called("user.delete", &[("elid", "5")]).unwrap_err();
        (refusal.kind().to_owned(), refusal.to_string())
    };
    let expected = |kind: &str, text: &str| (kind.to_owned(), text.to_owned());
    assert_eq!(refused("raise ProcessingError('busy')"), expected("ProcessingError", "busy"));
    assert_eq!(refused("raise PermissionDenied('no')"), expected("PermissionDenied", "no"));
    assert_eq!(
        refused("raise InvalidDataInput({'a': 'x', 'b': 'y'})"),
        expected("InvalidDataInput", "a: x; b: y")
    );
    let (kind, text) = refused("return 1 / 0");
    assert_eq!(
        (kind.as_str(), text.as_str()),
        (
            "plugin_failed",
            "plugin `m` failed: unexpected exception: ZeroDivisionError: division by zero"
        )
    );
    stage.server.line("plugin m: ZeroDivisionError: division by zero");
    assert_eq!(refused("handler(user, data); raise ProcessingError('after all')").1, "after all");
    assert_eq!(refused("handler()").0, "value");
    assert_eq!(refused("return object()").0, "plugin_failed");
}

#[test]
fn one_that_does_not_call_its_handler_answers_for_the_function() {
    // S4-47
    let stage = Stage::new();
    stage.write("m.py", &around("user.delete", "return {'kept': data}"));
    let host = stage.start();
    let mut journal = Vec::new();
    assert_eq!(host.called_with("user.delete", &[("elid", "5")], &mut journal).unwrap(), "kept=5");
    stage.server.line("plugin m: short-circuited user.delete");
    assert_eq!(journal[0].outcome, "short-circuited");
}

#[test]
fn a_refusal_of_the_function_passes_through_as_it_was_and_may_be_caught() {
    let stage = Stage::new();
    let host = stage.start();
    let denied = || Refusal::Missing { field: "name".into(), remedy: "give one".into() };
    let refusal_with = |body: &str| {
        stage.write("m.py", &around("user.delete", body));
        host.load("m").unwrap();
        host.around(&call("user.delete", &[("elid", "5")]), &mut Vec::new(), &mut |_| Err(denied()))
    };
    let refusal = refusal_with("return handler(user, data)").unwrap_err();
    assert!(matches!(refusal, Refusal::Missing { .. }), "{refusal}");
    let caught = "
        try: return handler(user, data)
        except InvalidDataInput as e: raise ProcessingError('caught ' + e.args[0]['name'])";
    assert_eq!(refusal_with(caught).unwrap_err().to_string(), "caught `name` is missing: give one");
}

#[test]
fn a_handler_is_good_for_its_own_request_only() {
    // extensions 2.3
    let stage = Stage::new();
    let body = "
        if hasattr(self, 'kept'):
            try: self.kept(user, data)
            except ProcessingError as e: self.ucs.log.info('told: %s', e)
        self.kept = handler
        return handler(user, data)";
    stage.write("m.py", &around("user.delete", body));
    let host = stage.start();
    for _ in 0..2 {
        host.called("user.delete", &[("elid", "5")]).unwrap();
    }
    stage
        .server
        .line("plugin m: told: the request is over, its handler can not be called any more");
}

#[test]
fn a_call_in_flight_ends_with_the_chain_it_began_with() {
    // S4-51
    let stage = Stage::new();
    stage.write("a.py", &around("user.delete", "return handler(user, data)")).write(
        "b.py",
        &around("user.delete", "result = handler(user, data); result['by'] = 'b'; return result"),
    );
    let host = stage.start();
    let other = Arc::clone(&host);
    let params = [("elid", "5")];
    let answer = host.around(&call("user.delete", &params), &mut Vec::new(), &mut |_| {
        other.unload("b").unwrap();
        Ok(crate::answer::Answer::of(wire::xml::Element::new("doc")))
    });
    assert_eq!(answer.unwrap().to_lines(), "by=b\n");
    assert_eq!(host.called("user.delete", &params).unwrap(), "elid=5");
    stage.write("c.py", "UCS_PLUGIN = 'C'\nclass C:\n    def __init__(self, ucs): ucs.api.removeMiddleware('user.delete', print)\n");
    let refusal = host.load("c").unwrap_err().to_string();
    assert!(
        refusal.contains("ProcessingError: the middleware of user.delete is not registered"),
        "{refusal}"
    );
}

#[test]
fn the_functions_own_time_is_not_the_plugins() {
    // extensions 3.5
    let stage = Stage::new().with("middleware_secs", "1");
    stage.write("m.py", &around("user.delete", "return handler(user, data)"));
    let host = stage.start();
    let slow = std::sync::mpsc::channel::<()>();
    let answer = host.around(&call("user.delete", &[("elid", "5")]), &mut Vec::new(), &mut |_| {
        let _ = slow.1.recv_timeout(std::time::Duration::from_millis(1_500));
        Ok(crate::answer::Answer::ok())
    });
    assert_eq!(answer.unwrap().to_lines(), "OK\n");
}
