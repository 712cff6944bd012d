//! Gateways, their states and downtimes (queue 3.2, 3.3).

use super::{Fresh, Kit, mail, module, task};
use crate::sqlite::Order;
use crate::{
    Condition, Direction, Downtime, Gateway, GatewayState, Project, Retention, Settlement,
    StoreError,
};
use notice::{Fields, GatewayId, Ms, OnUnknown, ProjectId, State};

fn gateway(name: &str, priority: i64) -> Gateway {
    Gateway {
        id: GatewayId(0),
        name: name.to_owned(),
        project: None,
        module: mail(),
        gate: "gwsmtp".to_owned(),
        direction: Direction::Outgoing,
        active: true,
        priority,
        concurrency: Some(4),
        rate_per_sec: None,
        on_unknown: Some(OnUnknown::Ask),
        xmlparams: "<doc><host>h</host></doc>".to_owned(),
        secret: vec![1, 0, 255],
        version: 0,
    }
}

pub(crate) fn a_gateway_rises_in_version_with_each_save(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let project = Project { id: ProjectId(0), fields: Fields::new() };
    let project = kit.change(|tx| tx.save_project(&project));
    let first = kit.change(|tx| tx.save_gateway(&gateway("b", 5)));
    let second = kit.change(|tx| tx.save_gateway(&gateway("a", 1)));
    let third = kit.change(|tx| tx.save_gateway(&gateway("c", 1)));
    let saved = kit.look(|seen| seen.gateway(first)).unwrap();
    assert!(saved == Gateway { id: first, version: 1, ..gateway("b", 5) });
    let changed = Gateway {
        id: first,
        project: Some(project),
        module: module("ntsms"),
        direction: Direction::Ingoing,
        active: false,
        concurrency: None,
        rate_per_sec: Some(10),
        on_unknown: None,
        ..gateway("b2", 1)
    };
    assert_eq!(kit.change(|tx| tx.save_gateway(&changed)), first);
    let saved = kit.look(|seen| seen.gateway(first)).unwrap();
    assert!(saved == Gateway { version: 2, ..changed.clone() });
    let ids: Vec<GatewayId> = kit.look(|seen| seen.gateways()).iter().map(|one| one.id).collect();
    assert_eq!(ids, [first, second, third]);
    let missing = Gateway { id: GatewayId(99), ..gateway("x", 0) };
    assert!(matches!(
        kit.try_change(|tx| tx.save_gateway(&missing)),
        Err(StoreError::Refused { .. })
    ));
    let nowhere = Gateway { project: Some(ProjectId(99)), ..gateway("x", 0) };
    assert!(matches!(
        kit.try_change(|tx| tx.save_gateway(&nowhere)),
        Err(StoreError::Refused { .. })
    ));
}

fn state(kit: &Kit, gateway: GatewayId, condition: Condition) -> GatewayState {
    GatewayState {
        gateway,
        condition,
        since: kit.now,
        next_probe: Some(kit.now.plus(60_000)),
        probes: 3,
        strikes: 2,
        holds: 1,
        last_error: Some((kit.now, "535 no".to_owned())),
    }
}

pub(crate) fn a_downtime_opens_and_closes_with_the_state(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let start = kit.now;
    let id = kit.change(|tx| tx.save_gateway(&gateway("g", 0)));
    assert_eq!(kit.look(|seen| seen.gateway_states()), []);
    let reason = "535 no".to_owned();
    let held = Condition::Held { reason: reason.clone(), by_person: true };
    for condition in [Condition::Down { reason }, held, Condition::Open, Condition::Open] {
        let wanted = state(&kit, id, condition);
        let now = kit.now;
        kit.change(|tx| tx.set_gateway_state(&wanted, now));
        assert_eq!(kit.look(|seen| seen.gateway_states()), [wanted]);
        kit.wait(1_000);
    }
    // Down and held are one time in which it was not usable.
    let down = Downtime { from: start, to: Some(start.plus(2_000)) };
    assert_eq!(kit.look(|seen| seen.downtimes(Some(id), start)), [down]);
    assert_eq!(kit.look(|seen| seen.downtimes(Some(id), start.plus(2_000))), []);
    let again = state(&kit, id, Condition::Down { reason: String::new() });
    let now = kit.now;
    kit.change(|tx| tx.set_gateway_state(&again, now));
    let open = Downtime { from: now, to: None };
    assert_eq!(kit.look(|seen| seen.downtimes(Some(id), start)), [down, open]);
    assert_eq!(kit.look(|seen| seen.downtimes(None, start)), []);
}

pub(crate) fn a_pause_is_a_downtime_of_the_whole_queue(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let start = kit.now;
    for is_paused in [false, true, true, false, false] {
        let now = kit.now;
        kit.change(|tx| tx.set_paused(is_paused, now));
        kit.wait(1_000);
    }
    let expected = Downtime { from: start.plus(1_000), to: Some(start.plus(3_000)) };
    assert_eq!(kit.look(|seen| seen.downtimes(None, start)), [expected]);
    assert_eq!(kit.look(|seen| seen.downtimes(Some(GatewayId(1)), start)), []);
    kit.wait(40 * Ms::DAY);
    let now = kit.now;
    kit.change(|tx| tx.prune(now, &Retention::SHIPPED));
    assert_eq!(kit.look(|seen| seen.downtimes(None, start)), []);
}

pub(crate) fn a_deleted_gateways_tasks_are_asked(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let id = kit.change(|tx| tx.save_gateway(&gateway("g", 0)));
    let bound = kit.enqueue(&task());
    let waiting = kit.enqueue(&task());
    let leases: Vec<_> = kit.claim(2).into_iter().map(|one| one.lease).collect();
    for (lease, at) in [(leases[0], kit.now), (leases[1], kit.now.plus(9_000))] {
        kit.settle(lease, Settlement::Wait { at, spent: true, maybe_sent: true });
    }
    let free = kit.enqueue(&task());
    let now = kit.now;
    assert!(kit.change(|tx| tx.delete_gateway(id, now)));
    assert!(!kit.change(|tx| tx.delete_gateway(id, now)));
    for task in [bound, waiting] {
        let row = kit.row(task);
        assert_eq!((row.state, row.run_at), (State::Asked, Some(now.plus(Ms::DAY))));
    }
    assert_eq!(kit.state(free), Some(State::Ready));
    assert_eq!(kit.look(|seen| seen.gateway_states()), []);
}

pub(crate) fn a_gateway_that_is_sending_is_not_deleted(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let id = kit.change(|tx| tx.save_gateway(&gateway("g", 0)));
    kit.enqueue(&task());
    let lease = kit.claim_one().lease;
    let now = kit.now;
    let error = kit.try_change(|tx| tx.delete_gateway(id, now)).unwrap_err();
    assert!(error.to_string().contains("hold it"), "{error}");
    kit.settle(lease, Settlement::Gone);
    assert!(kit.change(|tx| tx.delete_gateway(id, now)));
}
