//! What calls about services change, and what their plans rest on.

use super::operation::ServiceOperation;
use super::task::ServiceTask;
use crate::plan::Applied;
use config::ConfigError;
use notice::{Ms, ProcessingId, ProductId, ServiceId, State};
use store::{
    Body, NewTask, Processing, Product, Service, ServiceParam, Snapshot, StoreError, StoredBody, Tx,
};

/// Seals the secrets of a row for its id: they belong to it alone. No secrets: empty.
pub(crate) type Seal = Box<dyn Fn(i64) -> Result<Vec<u8>, ConfigError>>;

/// One change.
pub(crate) enum ServicesChange {
    SaveProduct(Product),
    DeleteProduct(ProductId),
    SaveProcessing(Box<Processing>, Seal),
    DeleteProcessing(ProcessingId),
    /// A new service with what was ordered and the task that opens it: all three or none.
    Order(Box<Order>),
    SaveService(Box<Service>),
}

/// A service that is not there yet. Its id makes its user name and the body of its task.
pub(crate) struct Order {
    pub(crate) service: Service,
    pub(crate) params: Vec<ServiceParam>,
    /// Body, object and key are set when the id is known.
    pub(crate) task: NewTask,
    /// `<user>` as of now.
    pub(crate) user_xml: String,
    /// Seals the password.
    pub(crate) seal: Seal,
}

/// What a plan rests on.
pub(crate) enum ServicesFact {
    Product(ProductId, Option<Product>),
    /// The version of a row.
    Processing(ProcessingId, Option<i64>),
    Service(ServiceId, Option<Service>),
    /// It has no task that is still to end.
    Idle(ServiceId),
}

impl ServicesFact {
    pub(crate) fn holds(&self, tx: &mut dyn Tx) -> store::Result<bool> {
        Ok(match self {
            Self::Product(id, known) => tx.product(*id)? == *known,
            Self::Processing(id, version) => tx.processing(*id)?.map(|row| row.version) == *version,
            Self::Service(id, known) => tx.service(*id)? == *known,
            Self::Idle(id) => pending(tx, *id)?.is_none(),
        })
    }

    pub(crate) fn words(&self) -> String {
        match self {
            Self::Product(id, _) => format!("product {id}"),
            Self::Processing(id, _) => format!("processing row {id}"),
            Self::Service(id, _) | Self::Idle(id) => format!("service {id}"),
        }
    }
}

/// The task of a service that is still to end: ready, under way, waiting, or asked.
pub(crate) fn pending<S: Snapshot + ?Sized>(
    snapshot: &mut S,
    id: ServiceId,
) -> store::Result<Option<store::TaskRow>> {
    for task in snapshot.tasks_of_key(&key_of(id))? {
        let row = snapshot.task(task)?;
        if let Some(row) = row.filter(|row| row.state != State::Failed) {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

/// The beginning of the keys of its tasks.
fn key_of(id: ServiceId) -> String {
    format!("service/{id}")
}

/// The task of an operation on a service that is there.
pub(crate) fn task_of(task: &ServiceTask, blank: NewTask, user_xml: String, now: Ms) -> NewTask {
    NewTask {
        body: Body::Stored(StoredBody {
            bundle: None,
            notice: store::Blob::new(task.to_bytes()),
            user: user_xml,
            project: None,
        }),
        object: task.service.to_string(),
        key: Some(format!("{}/{}/{now}", key_of(task.service), task.operation.command())),
        ..blank
    }
}

/// Makes it.
pub(crate) fn make(
    change: &ServicesChange,
    tx: &mut dyn Tx,
    now: Ms,
    applied: &mut Applied,
) -> store::Result<u64> {
    let saved = match change {
        ServicesChange::SaveProduct(product) => tx.save_product(product)?.0,
        ServicesChange::SaveProcessing(row, seal) => save_processing(tx, row, seal)?.0,
        ServicesChange::SaveService(service) => tx.save_service(service)?.0,
        ServicesChange::Order(order) => make_order(order, tx, now, applied)?.0,
        ServicesChange::DeleteProduct(id) => return tx.delete_product(*id).map(u64::from),
        ServicesChange::DeleteProcessing(id) => return tx.delete_processing(*id).map(u64::from),
    };
    applied.ids.push(saved);
    Ok(1)
}

/// A new row is sealed once it has its id.
fn save_processing(tx: &mut dyn Tx, row: &Processing, seal: &Seal) -> store::Result<ProcessingId> {
    let mut row = row.clone();
    if row.id.0 == 0 {
        row.secret.clear();
        row.id = tx.save_processing(&row)?;
        row.secret = sealed(seal, row.id.0)?;
        if row.secret.is_empty() {
            return Ok(row.id);
        }
    }
    tx.save_processing(&row)
}

fn sealed(seal: &Seal, id: i64) -> store::Result<Vec<u8>> {
    seal(id).map_err(|error| StoreError::Refused {
        operation: "seal a secret",
        reason: error.to_string(),
    })
}

/// S1-18: the user name is made of the service's id.
fn make_order(
    order: &Order,
    tx: &mut dyn Tx,
    now: Ms,
    applied: &mut Applied,
) -> store::Result<ServiceId> {
    let id = tx.save_service(&order.service)?;
    let secret = sealed(&order.seal, id.0)?;
    let username = format!("u{id}");
    tx.save_service(&Service { id, username, secret, ..order.service.clone() })?;
    tx.save_service_params(id, &order.params)?;
    let task = ServiceTask { operation: ServiceOperation::Open, service: id, params: Vec::new() };
    let task = task_of(&task, order.task.clone(), order.user_xml.clone(), now);
    applied.accepted.extend(tx.enqueue(&[task], now)?);
    Ok(id)
}
