//! What goes first, and who gets how much.

use super::kit::{Bench, Reply, on_both};
use notice::State;

// S3-29
#[test]
fn an_urgent_task_goes_out_in_the_next_batch_of_a_mailing() {
    on_both(|bench| {
        bench.add_gateway_with(|gateway| gateway.concurrency = Some(4));
        bench.enqueue(1, 400);
        bench.turn();
        let before = bench.sent().len();
        let urgent = bench.enqueue_urgent(1);
        bench.turn();
        bench.turn();
        let place = bench.sent().iter().skip(before).position(|one| one.task == urgent);
        assert!(place.is_some_and(|place| place < 10), "{place:?}");
    });
}

#[test]
fn routes_that_share_a_gateway_take_turns() {
    on_both(|bench| {
        bench.add_gateway(None);
        bench.enqueue(1, 40);
        bench.enqueue(2, 40);
        bench.turns(20);
        let of = |project| bench.sent().iter().filter(|one| one.project == Some(project)).count();
        let (first, second) = (of(1), of(2));
        assert!(first.abs_diff(second) <= 5 && first + second >= 20, "{first} and {second}");
    });
}

#[test]
fn a_second_gateway_takes_over_while_the_first_can_not_be_reached() {
    on_both(|bench| {
        let first = bench.add_gateway(None);
        let second = bench.add_gateway_with(|gateway| gateway.priority = 9);
        bench.script(
            move |hand_over| {
                if hand_over.gateway == Some(first) { Reply::Unreached } else { Reply::Sent }
            },
        );
        bench.enqueue(1, 20);
        bench.run_for(1_000);
        assert_eq!(bench.accepted_by(second), 20);
        assert!(bench.tasks().is_empty());
    });
}

// S3-18
#[test]
fn a_gateway_of_another_project_is_never_used() {
    on_both(|bench| {
        bench.add_gateway(Some(2));
        bench.enqueue(1, 1);
        bench.run_for(10_000);
        assert!(bench.sent().is_empty());
        assert_eq!(bench.tasks()[0].state, State::Ready);
    });
}

#[test]
fn a_rate_is_kept_to_the_second() {
    on_both(|bench| {
        bench.add_gateway_with(|gateway| {
            gateway.rate_per_sec = Some(5);
            gateway.concurrency = Some(50);
        });
        bench.enqueue(1, 100);
        bench.run_for(10_000);
        let sent = bench.sent();
        assert!((45..=56).contains(&sent.len()), "{}", sent.len());
        for second in 0..10 {
            let from = sent[0].now.0 + second * 1_000;
            let in_it = sent.iter().filter(|one| (from..from + 1_000).contains(&one.now.0)).count();
            assert!(in_it <= 10, "{in_it} in a second");
        }
    });
}

#[test]
fn a_limit_ends_the_claims() {
    on_both(|bench| {
        bench.limit(7);
        bench.add_gateway(None);
        bench.enqueue(1, 20);
        bench.run_for(10_000);
        assert_eq!(bench.sent().len(), 7);
    });
}

#[test]
fn eight_drains_on_one_queue_send_each_message_once() {
    let mut first = Bench::sqlite();
    first.add_gateway_with(|gateway| gateway.concurrency = Some(8));
    first.enqueue(1, 400);
    let mut all = vec![first];
    while all.len() < 8 {
        let next = all[0].another();
        all.push(next);
    }
    let handles: Vec<_> = all
        .into_iter()
        .map(|mut bench| {
            std::thread::spawn(move || {
                bench.drain();
                bench.sent()
            })
        })
        .collect();
    let mut seen = std::collections::HashMap::new();
    for handle in handles {
        for one in handle.join().unwrap() {
            *seen.entry(one.task).or_insert(0) += 1;
        }
    }
    assert_eq!(seen.len(), 400);
    assert!(seen.values().all(|count| *count == 1));
}
