//! Accounts, services, provisioning handlers, agents and shared values.

use super::{Fresh, Kit, platform};
use crate::sqlite::Order;
use crate::{
    Account, Agent, AgentStatus, Effect, HandlerStatus, ItemParam, NewPayment, Paid, ParamKind,
    Processing, Product, Provisioning, Service, ServiceFilter, ServiceParam, ServiceState,
    Settlement, TaskType, User, UserFilter,
};
use notice::{AccountId, HandlerId, ProcessingId, ProductId, ServiceId, UserId};

fn account(kit: &mut Kit) -> (AccountId, Account) {
    let project = platform::project(kit, "a");
    let account = Account {
        id: AccountId(0),
        project,
        name: "Bob".to_owned(),
        note: String::new(),
        balance: -5,
    };
    (kit.change(|tx| tx.save_account(&account)), account)
}

fn payment(account: AccountId, amount: i64, key: Option<&str>) -> NewPayment {
    let (key, comment) = (key.map(str::to_owned), "wire".to_owned());
    NewPayment { account, amount, at: Kit::START, key, comment }
}

pub(crate) fn a_balance_is_moved_by_payments_alone(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let (id, row) = account(&mut kit);
    let balance = |kit: &mut Kit| kit.look(|seen| seen.account(id)).unwrap().balance;
    assert_eq!(balance(&mut kit), -5);
    let paid = kit.change(|tx| tx.add_payment(&payment(id, 15, Some("k"))));
    assert_eq!(paid, Paid::New { id: 1, before: -5, after: 10 });
    let again = kit.change(|tx| tx.add_payment(&payment(id, 15, Some("k"))));
    assert_eq!((again, balance(&mut kit)), (Paid::Duplicate(1), 10));
    let other = kit.change(|tx| tx.add_payment(&payment(id, 16, Some("k"))));
    assert_eq!((other, balance(&mut kit)), (Paid::Other(1), 10));
    for amount in [-10, 3] {
        kit.change(|tx| tx.add_payment(&payment(id, amount, None)));
    }
    assert_eq!(balance(&mut kit), 3);
    kit.change(|tx| {
        tx.save_account(&Account { id, balance: 99, note: "vip".to_owned(), ..row.clone() })
    });
    let saved = kit.look(|seen| seen.account(id)).unwrap();
    assert_eq!((saved.balance, saved.note.as_str()), (3, "vip"));
    let error = kit.try_change(|tx| tx.add_payment(&payment(id, i64::MAX, None))).unwrap_err();
    assert!(error.to_string().contains("out of range"), "{error}");
    kit.try_change(|tx| tx.add_payment(&payment(AccountId(9), 1, None))).unwrap_err();
    let rows = kit.look(|seen| seen.payments(id, None, 10));
    assert_eq!(rows.iter().map(|row| row.payment.amount).collect::<Vec<_>>(), [3, -10, 15]);
    assert_eq!(rows[2].payment, payment(id, 15, Some("k")));
    let page = kit.look(|seen| seen.payments(id, Some(rows[0].id), 1));
    assert_eq!(page, rows[1..2]);
}

pub(crate) fn an_account_with_users_stays(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let (id, row) = account(&mut kit);
    kit.change(|tx| tx.add_payment(&payment(id, 15, None)));
    let fields = [("account", id.to_string())];
    let fields = fields.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let user = User { id: UserId(0), project: row.project, external_id: None, fields };
    let user = kit.change(|tx| tx.save_user(&user));
    let of_account =
        UserFilter { field: Some(("account".to_owned(), id.to_string())), ..UserFilter::default() };
    let found = kit.look(|seen| seen.users(&of_account, None, 10));
    assert_eq!(found.iter().map(|user| user.id).collect::<Vec<_>>(), [user]);
    let error = kit.try_change(|tx| tx.delete_account(id)).unwrap_err();
    assert!(error.to_string().contains("users still have it"), "{error}");
    kit.try_change(|tx| tx.delete_project(row.project)).unwrap_err();
    kit.change(|tx| tx.delete_user(user));
    let error = kit.try_change(|tx| tx.delete_project(row.project)).unwrap_err();
    assert!(error.to_string().contains("accounts"), "{error}");
    assert_eq!(kit.look(|seen| seen.accounts(Some(row.project), None, 10)).len(), 1);
    assert_eq!(kit.look(|seen| seen.accounts(None, Some(id), 10)), []);
    assert!(kit.change(|tx| tx.delete_account(id)));
    assert!(!kit.change(|tx| tx.delete_account(id)));
    assert_eq!(kit.look(|seen| seen.payments(id, None, 10)), []);
    let missing = Account { id: AccountId(77), ..row };
    kit.try_change(|tx| tx.save_account(&missing)).unwrap_err();
}

fn server(name: &str, priority: i64) -> Processing {
    Processing {
        id: ProcessingId(0),
        name: name.to_owned(),
        module: "pmshell".to_owned(),
        product_type: "shell".to_owned(),
        active: true,
        priority,
        department: "admins".to_owned(),
        concurrency: Some(2),
        xmlparams: "<doc><ip>127.0.0.1</ip></doc>".to_owned(),
        secret: vec![0, 1, 255],
        version: 1,
    }
}

fn product(processing: Option<ProcessingId>) -> Product {
    let (name, kind) = ("Hosting".to_owned(), "shell".to_owned());
    Product { id: ProductId(0), name, kind, processing }
}

/// A service of somebody, being opened.
fn ordered(kit: &mut Kit) -> Service {
    let user = platform::somebody(kit);
    let processing = kit.change(|tx| tx.save_processing(&server("s", 0)));
    let product = kit.change(|tx| tx.save_product(&product(Some(processing))));
    let service = Service {
        id: ServiceId(0),
        user,
        product,
        processing,
        username: "u1".to_owned(),
        secret: vec![7],
        state: ServiceState::Opening,
        externalid: String::new(),
        made: Kit::START,
    };
    let id = kit.change(|tx| tx.save_service(&service));
    Service { id, ..service }
}

// S1-1, S1-9
pub(crate) fn what_is_sold_comes_back_as_saved(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let late = kit.change(|tx| tx.save_processing(&server("late", 5)));
    let early = kit.change(|tx| tx.save_processing(&server("early", -1)));
    let rows = kit.look(|seen| seen.processings());
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [early, late]);
    assert_eq!(rows[1], Processing { id: late, ..server("late", 5) });
    let changed = Processing { id: late, active: false, concurrency: None, ..server("off", 5) };
    kit.change(|tx| tx.save_processing(&changed));
    let saved = kit.look(|seen| seen.processing(late)).unwrap();
    assert_eq!(saved, Processing { version: 2, ..changed });
    let sold = kit.change(|tx| tx.save_product(&product(Some(late))));
    assert_eq!(
        kit.look(|seen| seen.product(sold)).unwrap(),
        Product { id: sold, ..product(Some(late)) }
    );
    kit.try_change(|tx| tx.save_product(&product(Some(ProcessingId(99))))).unwrap_err();
    kit.try_change(|tx| tx.save_product(&Product { id: ProductId(99), ..product(None) }))
        .unwrap_err();
    let error = kit.try_change(|tx| tx.delete_processing(late)).unwrap_err();
    assert!(error.to_string().contains("products or services"), "{error}");
    assert!(kit.change(|tx| tx.delete_product(sold)));
    assert!(kit.change(|tx| tx.delete_processing(late)));
    assert_eq!(kit.look(|seen| seen.products()), []);
}

pub(crate) fn services_are_found_by_user_server_and_state(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let first = ordered(&mut kit);
    let second = kit.change(|tx| {
        tx.save_service(&Service { id: ServiceId(0), state: ServiceState::Active, ..first.clone() })
    });
    let third = ordered(&mut kit);
    let none = ServiceFilter::default();
    let cases = [
        (none.clone(), vec![first.id, second, third.id]),
        (ServiceFilter { user: Some(first.user), ..none.clone() }, vec![first.id, second]),
        (ServiceFilter { processing: Some(third.processing), ..none.clone() }, vec![third.id]),
        (ServiceFilter { product: Some(first.product), ..none.clone() }, vec![first.id, second]),
        (
            ServiceFilter { state: Some(ServiceState::Opening), ..none.clone() },
            vec![first.id, third.id],
        ),
        (
            ServiceFilter {
                user: Some(first.user),
                state: Some(ServiceState::Active),
                ..none.clone()
            },
            vec![second],
        ),
    ];
    for (filter, expected) in cases {
        let rows = kit.look(|seen| seen.services(&filter, None, 10));
        assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), expected, "{filter:?}");
        let page = kit.look(|seen| seen.services(&filter, Some(first.id), 1));
        let above: Vec<_> = expected.into_iter().filter(|id| *id > first.id).take(1).collect();
        assert_eq!(page.iter().map(|row| row.id).collect::<Vec<_>>(), above, "{filter:?}");
    }
    assert_eq!(kit.look(|seen| seen.service(first.id)), Some(first.clone()));
    assert!(
        kit.try_change(|tx| tx.save_service(&Service { user: UserId(99), ..first.clone() }))
            .is_err()
    );
    let error = kit.try_change(|tx| tx.delete_product(first.product)).unwrap_err();
    assert!(error.to_string().contains("services"), "{error}");
}

fn param(kind: ParamKind, name: &str, value: &str) -> ServiceParam {
    ServiceParam { kind, name: name.to_owned(), value: value.to_owned() }
}

fn item(name: &str, value: &str, secret: &[u8]) -> ItemParam {
    ItemParam { name: name.to_owned(), value: value.to_owned(), secret: secret.to_vec() }
}

fn settle(kit: &mut Kit, effects: Vec<Effect>) {
    kit.enqueue(&super::task());
    let lease = kit.claim_one().lease;
    let done = crate::Done { effects, ..kit.done(lease, Settlement::Gone) };
    assert_eq!(kit.turn("w1", &[done], &[]).lost, []);
}

// S1-23, S1-24, S1-35, S1-37
pub(crate) fn a_turn_settles_a_service(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let service = ordered(&mut kit);
    let id = service.id;
    kit.change(|tx| tx.save_service_params(id, &[param(ParamKind::Addon, "disk", "5")]));
    let open = Effect::ServiceState {
        service: id,
        from: ServiceState::Opening,
        to: ServiceState::Active,
        externalid: Some("ext".to_owned()),
    };
    let effects = vec![
        Effect::ItemParam { service: id, param: item("username", "first", &[]) },
        Effect::ItemParam { service: id, param: item("username", "u1", &[]) },
        Effect::ItemParam { service: id, param: item("password", "", &[9]) },
        Effect::ServiceParam { service: id, param: param(ParamKind::Addon, "disk", "9") },
        Effect::ServiceParam { service: id, param: param(ParamKind::Param, "disk", "x") },
        open.clone(),
    ];
    settle(&mut kit, effects);
    let items = kit.look(|seen| seen.item_params(id));
    assert_eq!(items, [item("password", "", &[9]), item("username", "u1", &[])]);
    let params = kit.look(|seen| seen.service_params(id));
    assert_eq!(
        params,
        [param(ParamKind::Addon, "disk", "9"), param(ParamKind::Param, "disk", "x")]
    );
    let row = |kit: &mut Kit| kit.look(|seen| seen.service(id)).unwrap();
    let opened =
        Service { state: ServiceState::Active, externalid: "ext".to_owned(), ..service.clone() };
    assert_eq!(row(&mut kit), opened);
    // Not where it was: neither the state nor the id is taken.
    let again = Effect::ServiceState {
        service: id,
        from: ServiceState::Opening,
        to: ServiceState::Closed,
        externalid: Some("other".to_owned()),
    };
    settle(&mut kit, vec![again]);
    assert_eq!(row(&mut kit), opened);
    assert!(!kit.change(|tx| tx.move_service(id, ServiceState::Suspended, ServiceState::Active)));
    assert!(kit.change(|tx| tx.move_service(id, ServiceState::Active, ServiceState::Suspended)));
    // What comes for a service that is gone is lost, and the turn goes on.
    assert!(kit.change(|tx| tx.delete_service(id)));
    let late = vec![
        open,
        Effect::ItemParam { service: id, param: item("a", "b", &[]) },
        Effect::ServiceParam { service: id, param: param(ParamKind::Param, "a", "b") },
    ];
    settle(&mut kit, late);
    assert_eq!(kit.look(|seen| seen.item_params(id)), []);
    assert_eq!(kit.look(|seen| seen.service_params(id)), []);
}

pub(crate) fn a_user_with_open_services_stays(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let service = ordered(&mut kit);
    let error = kit.try_change(|tx| tx.delete_user(service.user)).unwrap_err();
    assert!(error.to_string().contains("services"), "{error}");
    assert!(kit.look(|seen| seen.user(service.user)).is_some());
    kit.change(|tx| tx.move_service(service.id, ServiceState::Opening, ServiceState::Closed));
    assert!(kit.change(|tx| tx.delete_user(service.user)));
    assert_eq!(kit.look(|seen| seen.service(service.id)), None);
}

fn handler(name: &str, priority: i64) -> Provisioning {
    Provisioning {
        id: HandlerId(0),
        name: name.to_owned(),
        event: "clients.create".to_owned(),
        task_type: TaskType::Http,
        task: "127.0.0.1:5000/api".to_owned(),
        status: HandlerStatus::Enabled,
        priority,
        secret: vec![1, 2],
        old_secret: vec![3],
        version: 1,
    }
}

fn handlers(rows: &[Provisioning]) -> Vec<&str> {
    rows.iter().map(|row| row.name.as_str()).collect()
}

// S2-2, S2-3, S2-19, S2-20, S2-23
pub(crate) fn a_provisioning_handler_acts_after_the_restart(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let mut ids = Vec::new();
    for (name, priority) in [("b", 2), ("a", 1), ("c", 2)] {
        ids.push(kit.change(|tx| tx.save_provisioning(&handler(name, priority))));
    }
    assert_eq!(handlers(&kit.look(|seen| seen.provisionings())), ["a", "b", "c"]);
    assert_eq!(kit.look(|seen| seen.active_provisionings()), []);
    assert_eq!(kit.change(|tx| tx.activate_provisionings()), 3);
    assert_eq!(handlers(&kit.look(|seen| seen.active_provisionings())), ["a", "b", "c"]);
    let changed = Provisioning { id: ids[0], status: HandlerStatus::Archived, ..handler("z", 0) };
    kit.change(|tx| tx.save_provisioning(&changed));
    assert!(kit.change(|tx| tx.delete_provisioning(ids[1])));
    assert_eq!(handlers(&kit.look(|seen| seen.active_provisionings())), ["a", "b", "c"]);
    assert_eq!(acting(&mut kit, ids[0]).unwrap().name, "b");
    assert_eq!(kit.change(|tx| tx.activate_provisionings()), 2);
    assert_eq!(handlers(&kit.look(|seen| seen.active_provisionings())), ["z", "c"]);
    let saved = acting(&mut kit, ids[0]).unwrap();
    assert_eq!(saved, Provisioning { version: 2, ..changed });
    assert_eq!(kit.look(|seen| seen.provisioning(ids[1])), None);
    let missing = Provisioning { id: HandlerId(99), ..handler("x", 0) };
    kit.try_change(|tx| tx.save_provisioning(&missing)).unwrap_err();
}

fn acting(kit: &mut Kit, id: HandlerId) -> Option<Provisioning> {
    kit.look(|seen| seen.active_provisionings()).into_iter().find(|row| row.id == id)
}

pub(crate) fn a_receiver_that_is_gone_is_switched_off_at_once(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let id = kit.change(|tx| tx.save_provisioning(&handler("a", 1)));
    let kept = Provisioning { status: HandlerStatus::Archived, ..handler("b", 2) };
    let archived = kit.change(|tx| tx.save_provisioning(&kept));
    kit.change(|tx| tx.activate_provisionings());
    let off = |handler| Effect::Handler { handler, status: HandlerStatus::Disabled };
    settle(&mut kit, vec![off(id), off(archived), off(HandlerId(99))]);
    let status = |row: Option<Provisioning>| row.unwrap().status;
    let active = acting(&mut kit, id);
    let saved = kit.look(|seen| seen.provisioning(id));
    assert_eq!(status(active), HandlerStatus::Disabled);
    assert_eq!((saved.clone().unwrap().version, status(saved)), (2, HandlerStatus::Disabled));
    let archived = kit.look(|seen| seen.provisioning(archived));
    assert_eq!(status(archived), HandlerStatus::Archived);
}

pub(crate) fn agents_and_shared_values_are_kept(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let (first, second) = (platform::somebody(&mut kit), platform::somebody(&mut kit));
    let agent = |user, status, reason: &str| Agent {
        user,
        status,
        reason: reason.to_owned(),
        since: Kit::START,
    };
    for (user, status, reason) in [
        (second, AgentStatus::Ready, ""),
        (first, AgentStatus::Offline, ""),
        (second, AgentStatus::Aux, "Oběd"),
    ] {
        kit.change(|tx| tx.save_agent(&agent(user, status, reason)));
    }
    let expected =
        [agent(first, AgentStatus::Offline, ""), agent(second, AgentStatus::Aux, "Oběd")];
    assert_eq!(kit.look(|seen| seen.agents()), expected);
    assert_eq!(kit.look(|seen| seen.agent(second)), Some(expected[1].clone()));
    let nobody = agent(UserId(99), AgentStatus::Ready, "");
    assert!(kit.try_change(|tx| tx.save_agent(&nobody)).is_err());
    kit.change(|tx| tx.delete_user(second));
    assert_eq!(kit.look(|seen| seen.agent(second)), None);

    for (id, value) in [("b", "1"), ("a", "{\"$t\":[1]}"), ("b", "2")] {
        kit.change(|tx| tx.set_shared(id, Some(value)));
    }
    let pair = |id: &str, value: &str| (id.to_owned(), value.to_owned());
    assert_eq!(kit.look(|seen| seen.all_shared()), [pair("a", "{\"$t\":[1]}"), pair("b", "2")]);
    kit.change(|tx| tx.set_shared("b", None));
    assert_eq!(kit.look(|seen| seen.shared("b")), None);
    assert_eq!(kit.look(|seen| seen.shared("a")).as_deref(), Some("{\"$t\":[1]}"));
}
