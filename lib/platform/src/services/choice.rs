//! Which server a new service goes to (extensions 1.2).

use super::rows;
use crate::refusal::Refusal;
use notice::{ProcessingId, Route, State, UserId};
use store::{Count, Processing, Product, ServiceFilter, Snapshot};

/// Operations at once on a server that names no limit.
pub(crate) const AT_ONCE: u32 = 2;

/// The row that was named, or that of the product; else the best of those for its type: one without errors
/// first, then below its limit of operations, then one the client is on already, then priority, then id.
pub(crate) fn choose(
    snapshot: &mut dyn Snapshot,
    product: &Product,
    named: Option<&str>,
    user: UserId,
) -> Result<Processing, Refusal> {
    if let Some(named) = named {
        return usable(rows::find_processing(snapshot, named)?, product);
    }
    if let Some(id) = product.processing {
        return usable(rows::find_processing(snapshot, &id.to_string())?, product);
    }
    let mut rows = snapshot.processings()?;
    rows.retain(|row| row.active && fits(row, product));
    let counts = snapshot.counts()?;
    let filter = ServiceFilter { user: Some(user), ..ServiceFilter::default() };
    let services = snapshot.services(&filter, None, 1_000)?;
    let is_linked = |id| services.iter().any(|service| service.processing == id);
    let best = rows.into_iter().min_by_key(|row| {
        let load = Load::of(&counts, row.id);
        let limit = u64::from(row.concurrency.unwrap_or(AT_ONCE));
        (load.troubled > 0, load.waiting >= limit, !is_linked(row.id), row.priority, row.id)
    });
    best.ok_or_else(|| Refusal::Conflict {
        operation: format!("order product {} ({})", product.id, product.name),
        reason: format!(
            "no active processing row serves the type `{}`; `gatepost processing add` makes one",
            product.kind
        ),
    })
}

/// A row without a type serves every product.
fn fits(row: &Processing, product: &Product) -> bool {
    row.product_type.is_empty() || row.product_type == product.kind
}

fn usable(row: Processing, product: &Product) -> Result<Processing, Refusal> {
    let reason = if !row.active {
        format!("processing row {} is not active", row.id)
    } else if !fits(&row, product) {
        format!("processing row {} serves the type `{}` alone", row.id, row.product_type)
    } else {
        return Ok(row);
    };
    let operation = format!("order product {} ({})", product.id, product.name);
    Err(Refusal::Conflict { operation, reason })
}

/// The tasks of a server.
struct Load {
    /// Failed, or a person is asked.
    troubled: u64,
    /// Under way or to come.
    waiting: u64,
}

impl Load {
    fn of(counts: &[Count], id: ProcessingId) -> Self {
        let route = Route::server(id);
        let own = counts.iter().filter(|count| count.route == route);
        own.fold(Self { troubled: 0, waiting: 0 }, |load, count| match count.state {
            State::Failed | State::Asked => Self { troubled: load.troubled + count.tasks, ..load },
            State::Ready | State::Sending | State::Waiting => {
                Self { waiting: load.waiting + count.tasks, ..load }
            }
        })
    }
}
