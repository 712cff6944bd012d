//! Accounts, services, provisioning handlers, agents and shared values.

use super::ending::number;
use super::service_statements as sql;
use super::session::{Next, Session, text};
use super::statements::Statement;
use crate::{
    Account, Agent, AgentStatus, HandlerStatus, ItemParam, NewPayment, Paid, ParamKind, Payment,
    Processing, Product, Provisioning, Result, Service, ServiceFilter, ServiceParam, ServiceState,
    ServicesSnapshot, ServicesTx, StoreError, TaskType,
};
use notice::{AccountId, HandlerId, Ms, ProcessingId, ProductId, ProjectId, ServiceId, UserId};
use rusqlite::{Row, ToSql, named_params};

impl ServicesSnapshot for Session<'_> {
    fn account(&mut self, id: AccountId) -> Result<Option<Account>> {
        self.one(sql::ACCOUNT, named_params! {":id": id.0}, account)
    }

    fn accounts(
        &mut self,
        project: Option<ProjectId>,
        after: Option<AccountId>,
        limit: u32,
    ) -> Result<Vec<Account>> {
        let after = after.map_or(0, |id| id.0);
        if let Some(id) = project {
            let params = named_params! {":project": id.0, ":after": after, ":count": limit};
            return self.all(sql::ACCOUNTS_OF_PROJECT, params, account);
        }
        self.all(sql::ACCOUNTS, named_params! {":after": after, ":count": limit}, account)
    }

    fn payments(
        &mut self,
        account: AccountId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Payment>> {
        let before = before.unwrap_or(i64::MAX);
        let params = named_params! {":account": account.0, ":before": before, ":count": limit};
        self.all(sql::PAYMENTS, params, |row| {
            let payment = NewPayment {
                account,
                amount: row.get("amount")?,
                at: Ms(row.get("at_ms")?),
                key: row.get("key")?,
                comment: text(row, "comment")?,
            };
            Ok(Payment { id: row.get("id")?, payment })
        })
    }

    fn product(&mut self, id: ProductId) -> Result<Option<Product>> {
        self.one(sql::PRODUCT, named_params! {":id": id.0}, product)
    }

    fn products(&mut self) -> Result<Vec<Product>> {
        self.all(sql::PRODUCTS, [], product)
    }

    fn processing(&mut self, id: ProcessingId) -> Result<Option<Processing>> {
        self.one(sql::PROCESSING, named_params! {":id": id.0}, processing)
    }

    fn processings(&mut self) -> Result<Vec<Processing>> {
        let mut rows = self.all(sql::PROCESSINGS, [], processing)?;
        rows.sort_by_key(|row| (row.priority, row.id));
        Ok(rows)
    }

    fn service(&mut self, id: ServiceId) -> Result<Option<Service>> {
        self.one(sql::SERVICE, named_params! {":id": id.0}, service)
    }

    fn services(
        &mut self,
        filter: &ServiceFilter,
        after: Option<ServiceId>,
        limit: u32,
    ) -> Result<Vec<Service>> {
        let after = after.map_or(0, |id| id.0);
        let mut found = Vec::new();
        let look = |row: &Row<'_>| {
            if found.len() == limit as usize {
                return Ok(Next::Stop);
            }
            let service = service(row)?;
            if service_fits(&service, filter) {
                found.push(service);
            }
            Ok(Next::Go)
        };
        match (filter.user, filter.processing) {
            (Some(UserId(of)), _) => {
                let params = named_params! {":of": of, ":after": after};
                self.each(sql::SERVICES_OF_USER, params, look)?;
            }
            (None, Some(ProcessingId(of))) => {
                let params = named_params! {":of": of, ":after": after};
                self.each(sql::SERVICES_OF_PROCESSING, params, look)?;
            }
            (None, None) => self.each(sql::ALL_SERVICES, named_params! {":after": after}, look)?,
        }
        Ok(found)
    }

    fn item_params(&mut self, service: ServiceId) -> Result<Vec<ItemParam>> {
        self.all(sql::ITEM_PARAMS, named_params! {":service": service.0}, |row| {
            let (name, value) = (text(row, "name")?, text(row, "value")?);
            Ok(ItemParam { name, value, secret: row.get("secret")? })
        })
    }

    fn service_params(&mut self, service: ServiceId) -> Result<Vec<ServiceParam>> {
        self.all(sql::SERVICE_PARAMS, named_params! {":service": service.0}, |row| {
            let kind = word(row, "kind", ParamKind::from_word)?;
            Ok(ServiceParam { kind, name: text(row, "name")?, value: text(row, "value")? })
        })
    }

    fn provisioning(&mut self, id: HandlerId) -> Result<Option<Provisioning>> {
        self.one(sql::PROVISIONING, named_params! {":id": id.0}, provisioning)
    }

    fn provisionings(&mut self) -> Result<Vec<Provisioning>> {
        self.handlers(sql::PROVISIONINGS)
    }

    fn active_provisionings(&mut self) -> Result<Vec<Provisioning>> {
        self.handlers(sql::ACTIVE_PROVISIONINGS)
    }

    fn agent(&mut self, user: UserId) -> Result<Option<Agent>> {
        self.one(sql::AGENT, named_params! {":user": user.0}, agent)
    }

    fn agents(&mut self) -> Result<Vec<Agent>> {
        self.all(sql::AGENTS, [], agent)
    }

    fn shared(&mut self, id: &str) -> Result<Option<String>> {
        self.one(sql::SHARED, named_params! {":id": id}, |row| row.get(0))
    }

    fn all_shared(&mut self) -> Result<Vec<(String, String)>> {
        self.all(sql::ALL_SHARED, [], |row| Ok((row.get(0)?, row.get(1)?)))
    }
}

impl ServicesTx for Session<'_> {
    fn save_account(&mut self, account: &Account) -> Result<AccountId> {
        let Account { id, project, name, note, balance } = account;
        let params = named_params! {":project": project.0, ":name": name, ":note": note};
        let saved = if id.0 == 0 {
            let params = [params, named_params! {":balance": balance}].concat();
            self.insert(sql::ADD_ACCOUNT, &params)
        } else {
            self.rewrite(sql::SAVE_ACCOUNT, id.0, params)
        };
        saved.map(AccountId).map_err(|error| unless_there(error, "there is no such project"))
    }

    fn delete_account(&mut self, id: AccountId) -> Result<bool> {
        let params = named_params! {":account": id.to_string()};
        if self.one(sql::ACCOUNT_IS_USED, params, |_| Ok(()))?.is_some() {
            return Err(refused(sql::DELETE_ACCOUNT, "users still have it"));
        }
        Ok(self.change(sql::DELETE_ACCOUNT, named_params! {":id": id.0})? > 0)
    }

    fn add_payment(&mut self, payment: &NewPayment) -> Result<Paid> {
        let NewPayment { account, amount, at, key, comment } = payment;
        if let Some(key) = key {
            let params = named_params! {":key": key, ":account": account.0, ":amount": amount};
            let known = self.one(sql::PAYMENT_OF_KEY, params, |row| Ok((row.get(0)?, row.get(1)?)));
            if let Some((id, is_same)) = known? {
                return Ok(if is_same { Paid::Duplicate(id) } else { Paid::Other(id) });
            }
        }
        let Some(Account { balance: before, .. }) = self.account(*account)? else {
            return Err(refused(sql::ADD_PAYMENT, format!("there is no account {account}")));
        };
        let after = before
            .checked_add(*amount)
            .ok_or_else(|| refused(sql::ADD_PAYMENT, "the balance would be out of range"))?;
        let account = account.0;
        self.change(sql::SET_BALANCE, named_params! {":id": account, ":balance": after})?;
        let params = named_params! {
            ":account": account, ":amount": amount, ":at": at.0, ":key": key, ":comment": comment,
        };
        let id = self.insert(sql::ADD_PAYMENT, params)?;
        Ok(Paid::New { id, before, after })
    }

    fn save_product(&mut self, product: &Product) -> Result<ProductId> {
        let params = named_params! {
            ":name": product.name, ":type": product.kind,
            ":processing": product.processing.map(|id| id.0),
        };
        let saved = self.save(sql::ADD_PRODUCT, sql::SAVE_PRODUCT, product.id.0, params);
        let saved = saved.map_err(|error| unless_there(error, "there is no such service handler"));
        saved.map(ProductId)
    }

    fn delete_product(&mut self, id: ProductId) -> Result<bool> {
        self.remove(sql::DELETE_PRODUCT, id.0, "it still has services")
    }

    fn save_processing(&mut self, row: &Processing) -> Result<ProcessingId> {
        let active = if row.active { "on" } else { "off" };
        let params = named_params! {
            ":name": row.name, ":module": row.module, ":product_type": row.product_type,
            ":active": active, ":priority": row.priority, ":department": row.department,
            ":concurrency": row.concurrency, ":xmlparams": row.xmlparams, ":secret": row.secret,
        };
        let saved = self.save(sql::ADD_PROCESSING, sql::SAVE_PROCESSING, row.id.0, params);
        saved.map(ProcessingId)
    }

    fn delete_processing(&mut self, id: ProcessingId) -> Result<bool> {
        self.remove(sql::DELETE_PROCESSING, id.0, "it still has products or services")
    }

    fn save_service(&mut self, row: &Service) -> Result<ServiceId> {
        let params = named_params! {
            ":user": row.user.0, ":product": row.product.0, ":processing": row.processing.0,
            ":username": row.username, ":secret": row.secret, ":state": row.state.word(),
            ":externalid": row.externalid, ":made": row.made.0,
        };
        let saved = self.save(sql::ADD_SERVICE, sql::SAVE_SERVICE, row.id.0, params);
        let reason = "there is no such user, product or service handler";
        saved.map(ServiceId).map_err(|error| unless_there(error, reason))
    }

    fn delete_service(&mut self, id: ServiceId) -> Result<bool> {
        Ok(self.change(sql::DELETE_SERVICE, named_params! {":id": id.0})? > 0)
    }

    fn move_service(
        &mut self,
        id: ServiceId,
        from: ServiceState,
        to: ServiceState,
    ) -> Result<bool> {
        let params = named_params! {":id": id.0, ":from": from.word(), ":to": to.word()};
        Ok(self.change(sql::MOVE_SERVICE, params)? > 0)
    }

    fn save_service_params(&mut self, service: ServiceId, params: &[ServiceParam]) -> Result<()> {
        for ServiceParam { kind, name, value } in params {
            let params = named_params! {
                ":service": service.0, ":kind": kind.word(), ":name": name, ":value": value,
            };
            self.change(sql::SAVE_SERVICE_PARAM, params)?;
        }
        Ok(())
    }

    fn save_provisioning(&mut self, row: &Provisioning) -> Result<HandlerId> {
        let params = named_params! {
            ":name": row.name, ":event": row.event, ":task_type": row.task_type.word(),
            ":task": row.task, ":status": row.status.word(), ":priority": row.priority,
            ":secret": row.secret, ":old_secret": row.old_secret,
        };
        let saved = self.save(sql::ADD_PROVISIONING, sql::SAVE_PROVISIONING, row.id.0, params);
        saved.map(HandlerId)
    }

    fn delete_provisioning(&mut self, id: HandlerId) -> Result<bool> {
        Ok(self.change(sql::DELETE_PROVISIONING, named_params! {":id": id.0})? > 0)
    }

    fn activate_provisionings(&mut self) -> Result<u32> {
        self.change(sql::DEACTIVATE, [])?;
        self.change(sql::ACTIVATE, []).map(number)
    }

    fn save_agent(&mut self, agent: &Agent) -> Result<()> {
        let params = named_params! {
            ":user": agent.user.0, ":status": agent.status.number(), ":reason": agent.reason,
            ":since": agent.since.0,
        };
        let saved = self.change(sql::SAVE_AGENT, params).map(|_| ());
        saved.map_err(|error| unless_there(error, "there is no such user"))
    }

    fn set_shared(&mut self, id: &str, value: Option<&str>) -> Result<()> {
        let set = match value {
            Some(value) => self.change(sql::SET_SHARED, named_params! {":id": id, ":value": value}),
            None => self.change(sql::DROP_SHARED, named_params! {":id": id}),
        };
        set.map(|_| ())
    }
}

/// Parameters by name.
type Params<'a> = &'a [(&'a str, &'a dyn ToSql)];

impl Session<'_> {
    fn insert(&self, add: Statement, params: Params<'_>) -> Result<i64> {
        self.change(add, params)?;
        Ok(self.last_id())
    }

    fn rewrite(&self, save: Statement, id: i64, params: Params<'_>) -> Result<i64> {
        let params = [params, named_params! {":id": id}].concat();
        match self.change(save, params.as_slice())? {
            0 => Err(refused(save, format!("there is no row {id}"))),
            _ => Ok(id),
        }
    }

    /// Inserts (id 0) or rewrites.
    fn save(&self, add: Statement, save: Statement, id: i64, params: Params<'_>) -> Result<i64> {
        if id == 0 { self.insert(add, params) } else { self.rewrite(save, id, params) }
    }

    fn remove(&self, delete: Statement, id: i64, why_not: &str) -> Result<bool> {
        let removed = self.change(delete, named_params! {":id": id});
        removed.map(|rows| rows > 0).map_err(|error| unless_there(error, why_not))
    }

    fn handlers(&self, statement: Statement) -> Result<Vec<Provisioning>> {
        let mut rows = self.all(statement, [], provisioning)?;
        rows.sort_by_key(|row| (row.priority, row.id));
        Ok(rows)
    }

    pub(super) fn keep_item_param(&self, service: ServiceId, param: &ItemParam) -> Result<()> {
        let ItemParam { name, value, secret } = param;
        let params = named_params! {
            ":service": service.0, ":name": name, ":value": value, ":secret": secret,
        };
        self.change(sql::SAVE_ITEM_PARAM, params).map(|_| ())
    }

    pub(super) fn note_external_id(&self, service: ServiceId, externalid: &str) -> Result<()> {
        let params = named_params! {":id": service.0, ":externalid": externalid};
        self.change(sql::OPEN_SERVICE, params).map(|_| ())
    }

    /// What is acted from and what is saved alike.
    pub(super) fn switch_handler(&self, id: HandlerId, status: HandlerStatus) -> Result<()> {
        for statement in [sql::SWITCH_PROVISIONING, sql::SWITCH_ACTIVE] {
            self.change(statement, named_params! {":id": id.0, ":status": status.word()})?;
        }
        Ok(())
    }

    pub(super) fn drop_closed_services(&self, user: UserId) -> Result<()> {
        self.change(sql::DELETE_CLOSED, named_params! {":id": user.0}).map(|_| ())
    }
}

/// Whether a service fits every part of a filter.
pub(crate) fn service_fits(service: &Service, filter: &ServiceFilter) -> bool {
    filter.user.is_none_or(|user| user == service.user)
        && filter.product.is_none_or(|product| product == service.product)
        && filter.processing.is_none_or(|processing| processing == service.processing)
        && filter.state.is_none_or(|state| state == service.state)
}

fn refused(statement: Statement, reason: impl Into<String>) -> StoreError {
    StoreError::Refused { operation: statement.name, reason: reason.into() }
}

/// A row that points at one that is not there, or is pointed at.
pub(super) fn unless_there(error: StoreError, why_not: &str) -> StoreError {
    match error {
        StoreError::Refused { operation, reason } if reason.contains("FOREIGN KEY") => {
            StoreError::Refused { operation, reason: why_not.to_owned() }
        }
        other => other,
    }
}

/// A word of a closed list; another one is a fault of the row.
fn word<T>(row: &Row<'_>, column: &str, read: impl Fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    let found = text(row, column)?;
    read(&found).ok_or_else(|| {
        let error = format!("`{found}` is no word of column {column}");
        let kind = rusqlite::types::Type::Text;
        rusqlite::Error::FromSqlConversionFailure(0, kind, error.into())
    })
}

fn account(row: &Row<'_>) -> rusqlite::Result<Account> {
    Ok(Account {
        id: AccountId(row.get("id")?),
        project: ProjectId(row.get("project")?),
        name: text(row, "name")?,
        note: text(row, "note")?,
        balance: row.get("balance")?,
    })
}

fn product(row: &Row<'_>) -> rusqlite::Result<Product> {
    Ok(Product {
        id: ProductId(row.get("id")?),
        name: text(row, "name")?,
        kind: text(row, "type")?,
        processing: row.get::<_, Option<i64>>("processing")?.map(ProcessingId),
    })
}

fn processing(row: &Row<'_>) -> rusqlite::Result<Processing> {
    Ok(Processing {
        id: ProcessingId(row.get("id")?),
        name: text(row, "name")?,
        module: text(row, "module")?,
        product_type: text(row, "product_type")?,
        active: text(row, "active")? == "on",
        priority: row.get("priority")?,
        department: text(row, "department")?,
        concurrency: row.get("concurrency")?,
        xmlparams: text(row, "xmlparams")?,
        secret: row.get("secret")?,
        version: row.get("version")?,
    })
}

fn service(row: &Row<'_>) -> rusqlite::Result<Service> {
    Ok(Service {
        id: ServiceId(row.get("id")?),
        user: UserId(row.get("user")?),
        product: ProductId(row.get("product")?),
        processing: ProcessingId(row.get("processing")?),
        username: text(row, "username")?,
        secret: row.get("secret")?,
        state: word(row, "state", ServiceState::from_word)?,
        externalid: text(row, "externalid")?,
        made: Ms(row.get("made_ms")?),
    })
}

fn provisioning(row: &Row<'_>) -> rusqlite::Result<Provisioning> {
    Ok(Provisioning {
        id: HandlerId(row.get("id")?),
        name: text(row, "name")?,
        event: text(row, "event")?,
        task_type: word(row, "task_type", TaskType::from_word)?,
        task: text(row, "task")?,
        status: word(row, "status", HandlerStatus::from_word)?,
        priority: row.get("priority")?,
        secret: row.get("secret")?,
        old_secret: row.get("old_secret")?,
        version: row.get("version")?,
    })
}

fn agent(row: &Row<'_>) -> rusqlite::Result<Agent> {
    Ok(Agent {
        user: UserId(row.get("user")?),
        status: AgentStatus::from_number(row.get("status")?).unwrap_or(AgentStatus::Offline),
        reason: text(row, "reason")?,
        since: Ms(row.get("since_ms")?),
    })
}
