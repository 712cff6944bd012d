//! What plugins cost. `cargo test -p gatepost-platform --lib plugins::tests::cost -- --nocapture` prints it.

use super::{Stage, call, event};
use crate::answer::Answer;
use serde_json::json;
use std::time::{Duration, Instant};

const ROUNDS: usize = 400;
const EVENTS: u32 = 2_000;

fn median_us(mut run: impl FnMut()) -> f64 {
    let mut all: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            run();
            began.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    all.sort_by(f64::total_cmp);
    all[ROUNDS / 2]
}

#[test]
fn a_hook_a_middleware_and_a_callback_cost_microseconds() {
    let stage = Stage::new();
    let text = "UCS_PLUGIN = 'A'\nclass A:\n    def __init__(self, ucs):\n        self.ucs, self.seen = ucs, 0\n        \
        ucs.agents.addChangeStatusHook(lambda agent, status, reason: (status, reason))\n        \
        ucs.api.addMiddleware('user.delete', lambda handler, *args: handler(*args))\n        \
        ucs.addCallback('x', self.x)\n        ucs.addCallback('end', lambda *a: ucs.log.info('seen %d', self.seen))\n    \
        def x(self, number, data): self.seen += 1\n";
    stage.write("a.py", text);
    let began = Instant::now();
    let host = stage.start();
    let start = began.elapsed();
    let hook = median_us(|| assert!(host.switch(1, (2, "x")).is_ok()));
    let one = call("user.delete", &[("elid", "5")]);
    let inner = &mut |_: &notice::Fields| Ok(Answer::ok());
    let middleware = median_us(|| {
        assert!(host.around(&one, &mut Vec::new(), inner).is_ok());
    });
    let none = call("user", &[]);
    let without = median_us(|| {
        assert!(host.around(&none, &mut Vec::new(), inner).is_ok());
    });
    let open = median_us(|| assert_eq!(host.set("x", &json!(1), &json!(2)), Ok(json!(2))));
    let began = Instant::now();
    for _ in 0..EVENTS {
        host.emit(&event("x"));
    }
    let emitted = began.elapsed() / EVENTS;
    host.emit(&event("end"));
    stage.server.line("seen 2000");
    let callback = began.elapsed() / EVENTS;
    println!(
        "worker with one plugin {start:?}; status hook {hook:.0} µs; middleware with its handler {middleware:.0} µs; \
         callback {callback:?} (its emit {emitted:?}); a place without plugin {open:.1} µs, {without:.1} µs"
    );
    assert!(Duration::from_secs_f64((hook + middleware) / 1e6) < Duration::from_millis(50));
    assert!(callback < Duration::from_millis(50));
}
