//! Accounts, services, provisioning handlers, agents and shared values.

use super::Tables;
use super::platform::{refused, row_id};
use crate::sqlite::service_fits;
use crate::{
    Account, Agent, HandlerStatus, ItemParam, NewPayment, Paid, ParamKind, Payment, Processing,
    Product, Provisioning, Result, Service, ServiceFilter, ServiceParam, ServiceState,
    ServicesSnapshot, ServicesTx,
};
use notice::{AccountId, HandlerId, ProcessingId, ProductId, ProjectId, ServiceId, UserId};
use std::collections::BTreeMap;

/// The rows of what is sold.
#[derive(Clone, Default)]
pub(super) struct Sold {
    pub(super) accounts: BTreeMap<i64, Account>,
    last_account: i64,
    payments: BTreeMap<i64, Payment>,
    last_payment: i64,
    products: BTreeMap<i64, Product>,
    last_product: i64,
    processings: BTreeMap<i64, Processing>,
    last_processing: i64,
    rows: BTreeMap<i64, Service>,
    last_service: i64,
    item_params: BTreeMap<(i64, String), ItemParam>,
    service_params: BTreeMap<(i64, ParamKind, String), ServiceParam>,
    handlers: BTreeMap<i64, Provisioning>,
    last_handler: i64,
    active: BTreeMap<i64, Provisioning>,
    pub(super) agents: BTreeMap<i64, Agent>,
    shared: BTreeMap<String, String>,
}

impl ServicesSnapshot for Tables {
    fn account(&mut self, id: AccountId) -> Result<Option<Account>> {
        Ok(self.sold.accounts.get(&id.0).cloned())
    }

    fn accounts(
        &mut self,
        project: Option<ProjectId>,
        after: Option<AccountId>,
        limit: u32,
    ) -> Result<Vec<Account>> {
        let rows = self.sold.accounts.values().filter(|row| {
            project.is_none_or(|project| project == row.project)
                && after.is_none_or(|after| row.id > after)
        });
        Ok(rows.take(limit as usize).cloned().collect())
    }

    fn payments(
        &mut self,
        account: AccountId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Payment>> {
        let rows = self.sold.payments.values().rev().filter(|row| {
            row.payment.account == account && before.is_none_or(|before| row.id < before)
        });
        Ok(rows.take(limit as usize).cloned().collect())
    }

    fn product(&mut self, id: ProductId) -> Result<Option<Product>> {
        Ok(self.sold.products.get(&id.0).cloned())
    }

    fn products(&mut self) -> Result<Vec<Product>> {
        Ok(self.sold.products.values().cloned().collect())
    }

    fn processing(&mut self, id: ProcessingId) -> Result<Option<Processing>> {
        Ok(self.sold.processings.get(&id.0).cloned())
    }

    fn processings(&mut self) -> Result<Vec<Processing>> {
        let mut rows: Vec<Processing> = self.sold.processings.values().cloned().collect();
        rows.sort_by_key(|row| (row.priority, row.id));
        Ok(rows)
    }

    fn service(&mut self, id: ServiceId) -> Result<Option<Service>> {
        Ok(self.sold.rows.get(&id.0).cloned())
    }

    fn services(
        &mut self,
        filter: &ServiceFilter,
        after: Option<ServiceId>,
        limit: u32,
    ) -> Result<Vec<Service>> {
        let rows = self.sold.rows.values();
        let rows = rows.filter(|row| after.is_none_or(|after| row.id > after));
        Ok(rows.filter(|row| service_fits(row, filter)).take(limit as usize).cloned().collect())
    }

    fn item_params(&mut self, service: ServiceId) -> Result<Vec<ItemParam>> {
        let rows = self.sold.item_params.iter().filter(|((of, _), _)| *of == service.0);
        Ok(rows.map(|(_, param)| param.clone()).collect())
    }

    fn service_params(&mut self, service: ServiceId) -> Result<Vec<ServiceParam>> {
        let rows = self.sold.service_params.iter().filter(|((of, _, _), _)| *of == service.0);
        Ok(rows.map(|(_, param)| param.clone()).collect())
    }

    fn provisioning(&mut self, id: HandlerId) -> Result<Option<Provisioning>> {
        Ok(self.sold.handlers.get(&id.0).cloned())
    }

    fn provisionings(&mut self) -> Result<Vec<Provisioning>> {
        Ok(in_order(&self.sold.handlers))
    }

    fn active_provisionings(&mut self) -> Result<Vec<Provisioning>> {
        Ok(in_order(&self.sold.active))
    }

    fn agent(&mut self, user: UserId) -> Result<Option<Agent>> {
        Ok(self.sold.agents.get(&user.0).cloned())
    }

    fn agents(&mut self) -> Result<Vec<Agent>> {
        Ok(self.sold.agents.values().cloned().collect())
    }

    fn shared(&mut self, id: &str) -> Result<Option<String>> {
        Ok(self.sold.shared.get(id).cloned())
    }

    fn all_shared(&mut self) -> Result<Vec<(String, String)>> {
        Ok(self.sold.shared.clone().into_iter().collect())
    }
}

impl ServicesTx for Tables {
    fn save_account(&mut self, account: &Account) -> Result<AccountId> {
        let operation = "save an account";
        if !self.projects.contains_key(&account.project.0) {
            return Err(refused(operation, "there is no such project"));
        }
        let sold = &mut self.sold;
        let known = sold.accounts.get(&account.id.0).map(|row| row.balance);
        let id = row_id(account.id.0, &mut sold.last_account, |_| known.is_some());
        let id = id.ok_or_else(|| no_row(operation, account.id.0))?;
        let balance = known.unwrap_or(account.balance);
        sold.accounts.insert(id, Account { id: AccountId(id), balance, ..account.clone() });
        Ok(AccountId(id))
    }

    fn delete_account(&mut self, id: AccountId) -> Result<bool> {
        let text = id.to_string();
        if self.users.values().any(|user| user.fields.text("account") == text) {
            return Err(refused("delete an account", "users still have it"));
        }
        self.sold.payments.retain(|_, row| row.payment.account != id);
        Ok(self.sold.accounts.remove(&id.0).is_some())
    }

    fn add_payment(&mut self, payment: &NewPayment) -> Result<Paid> {
        let operation = "add a payment";
        let sold = &mut self.sold;
        let of_key = |row: &&Payment| payment.key.is_some() && row.payment.key == payment.key;
        if let Some(known) = sold.payments.values().find(of_key) {
            let first = &known.payment;
            let is_same = (first.account, first.amount) == (payment.account, payment.amount);
            return Ok(if is_same { Paid::Duplicate(known.id) } else { Paid::Other(known.id) });
        }
        let Some(account) = sold.accounts.get_mut(&payment.account.0) else {
            return Err(refused(operation, format!("there is no account {}", payment.account)));
        };
        let before = account.balance;
        let after = before.checked_add(payment.amount);
        let after = after.ok_or_else(|| refused(operation, "the balance would be out of range"))?;
        account.balance = after;
        sold.last_payment += 1;
        let id = sold.last_payment;
        sold.payments.insert(id, Payment { id, payment: payment.clone() });
        Ok(Paid::New { id, before, after })
    }

    fn save_product(&mut self, product: &Product) -> Result<ProductId> {
        let operation = "save a product";
        let sold = &mut self.sold;
        if product.processing.is_some_and(|id| !sold.processings.contains_key(&id.0)) {
            return Err(refused(operation, "there is no such service handler"));
        }
        let id = row_id(product.id.0, &mut sold.last_product, |id| sold.products.contains_key(&id));
        let id = id.ok_or_else(|| no_row(operation, product.id.0))?;
        sold.products.insert(id, Product { id: ProductId(id), ..product.clone() });
        Ok(ProductId(id))
    }

    fn delete_product(&mut self, id: ProductId) -> Result<bool> {
        if self.sold.rows.values().any(|row| row.product == id) {
            return Err(refused("delete a product", "it still has services"));
        }
        Ok(self.sold.products.remove(&id.0).is_some())
    }

    fn save_processing(&mut self, processing: &Processing) -> Result<ProcessingId> {
        let sold = &mut self.sold;
        let version = sold.processings.get(&processing.id.0).map_or(1, |known| known.version + 1);
        let is_there = |id| sold.processings.contains_key(&id);
        let id = row_id(processing.id.0, &mut sold.last_processing, is_there);
        let id = id.ok_or_else(|| no_row("save a service handler", processing.id.0))?;
        let row = Processing { id: ProcessingId(id), version, ..processing.clone() };
        sold.processings.insert(id, row);
        Ok(ProcessingId(id))
    }

    fn delete_processing(&mut self, id: ProcessingId) -> Result<bool> {
        let sold = &mut self.sold;
        let has_products = sold.products.values().any(|row| row.processing == Some(id));
        if has_products || sold.rows.values().any(|row| row.processing == id) {
            return Err(refused("delete a service handler", "it still has products or services"));
        }
        Ok(sold.processings.remove(&id.0).is_some())
    }

    fn save_service(&mut self, service: &Service) -> Result<ServiceId> {
        let operation = "save a service";
        let sold = &mut self.sold;
        let all_there = self.users.contains_key(&service.user.0)
            && sold.products.contains_key(&service.product.0)
            && sold.processings.contains_key(&service.processing.0);
        if !all_there {
            let reason = "there is no such user, product or service handler";
            return Err(refused(operation, reason));
        }
        let id = row_id(service.id.0, &mut sold.last_service, |id| sold.rows.contains_key(&id));
        let id = id.ok_or_else(|| no_row(operation, service.id.0))?;
        sold.rows.insert(id, Service { id: ServiceId(id), ..service.clone() });
        Ok(ServiceId(id))
    }

    fn delete_service(&mut self, id: ServiceId) -> Result<bool> {
        Ok(self.sold.drop_service(id))
    }

    fn move_service(
        &mut self,
        id: ServiceId,
        from: ServiceState,
        to: ServiceState,
    ) -> Result<bool> {
        Ok(self.sold.step(id, from, to))
    }

    fn save_service_params(&mut self, service: ServiceId, params: &[ServiceParam]) -> Result<()> {
        for param in params {
            self.sold.keep_service_param(service, param);
        }
        Ok(())
    }

    fn save_provisioning(&mut self, handler: &Provisioning) -> Result<HandlerId> {
        let sold = &mut self.sold;
        let version = sold.handlers.get(&handler.id.0).map_or(1, |known| known.version + 1);
        let id = row_id(handler.id.0, &mut sold.last_handler, |id| sold.handlers.contains_key(&id));
        let id = id.ok_or_else(|| no_row("save a provisioning handler", handler.id.0))?;
        sold.handlers.insert(id, Provisioning { id: HandlerId(id), version, ..handler.clone() });
        Ok(HandlerId(id))
    }

    fn delete_provisioning(&mut self, id: HandlerId) -> Result<bool> {
        Ok(self.sold.handlers.remove(&id.0).is_some())
    }

    fn activate_provisionings(&mut self) -> Result<u32> {
        self.sold.active = self.sold.handlers.clone();
        Ok(u32::try_from(self.sold.active.len()).unwrap_or(u32::MAX))
    }

    fn save_agent(&mut self, agent: &Agent) -> Result<()> {
        self.need_user(Some(agent.user), "set the status of an agent")?;
        self.sold.agents.insert(agent.user.0, agent.clone());
        Ok(())
    }

    fn set_shared(&mut self, id: &str, value: Option<&str>) -> Result<()> {
        match value {
            Some(value) => self.sold.shared.insert(id.to_owned(), value.to_owned()),
            None => self.sold.shared.remove(id),
        };
        Ok(())
    }
}

impl Sold {
    fn drop_service(&mut self, id: ServiceId) -> bool {
        self.item_params.retain(|(of, _), _| *of != id.0);
        self.service_params.retain(|(of, _, _), _| *of != id.0);
        self.rows.remove(&id.0).is_some()
    }

    /// The closed services of a user go with him; false: he has others.
    pub(super) fn drop_user(&mut self, user: UserId) -> bool {
        let mut his = self.rows.values().filter(|row| row.user == user);
        if his.any(|row| row.state != ServiceState::Closed) {
            return false;
        }
        let his = self.rows.values().filter(|row| row.user == user);
        for id in his.map(|row| row.id).collect::<Vec<_>>() {
            self.drop_service(id);
        }
        self.agents.remove(&user.0);
        true
    }

    pub(super) fn step(&mut self, id: ServiceId, from: ServiceState, to: ServiceState) -> bool {
        let row = self.rows.get_mut(&id.0).filter(|row| row.state == from);
        row.map(|row| row.state = to).is_some()
    }

    pub(super) fn keep_service_param(&mut self, service: ServiceId, param: &ServiceParam) {
        if self.rows.contains_key(&service.0) {
            let place = (service.0, param.kind, param.name.clone());
            self.service_params.insert(place, param.clone());
        }
    }

    pub(super) fn keep_item_param(&mut self, service: ServiceId, param: &ItemParam) {
        if self.rows.contains_key(&service.0) {
            self.item_params.insert((service.0, param.name.clone()), param.clone());
        }
    }

    pub(super) fn note_external_id(&mut self, service: ServiceId, externalid: &str) {
        if let Some(row) = self.rows.get_mut(&service.0) {
            externalid.clone_into(&mut row.externalid);
        }
    }

    pub(super) fn switch_handler(&mut self, id: HandlerId, status: HandlerStatus) {
        let is_on = |row: &&mut Provisioning| row.status == HandlerStatus::Enabled;
        if let Some(row) = self.handlers.get_mut(&id.0).filter(is_on) {
            row.status = status;
            row.version += 1;
        }
        if let Some(row) = self.active.get_mut(&id.0).filter(is_on) {
            row.status = status;
        }
    }
}

fn in_order(rows: &BTreeMap<i64, Provisioning>) -> Vec<Provisioning> {
    let mut rows: Vec<Provisioning> = rows.values().cloned().collect();
    rows.sort_by_key(|row| (row.priority, row.id));
    rows
}

fn no_row(operation: &'static str, id: i64) -> crate::StoreError {
    refused(operation, format!("there is no row {id}"))
}
