//! Rows of `processing`: servers that services are processed on.

use notice::Fields;
use store::Processing;

/// The columns of a row as its program gets them; `id`, `xmlparams` and secrets apart.
pub(crate) fn columns(row: &Processing) -> Fields {
    let columns = [
        ("name", row.name.clone()),
        ("module", row.module.clone()),
        ("product_type", row.product_type.clone()),
        ("active", if row.active { "on" } else { "off" }.to_owned()),
        ("priority", row.priority.to_string()),
        ("department", row.department.clone()),
        ("concurrency", row.concurrency.map(|number| number.to_string()).unwrap_or_default()),
        ("version", row.version.to_string()),
    ];
    columns.into_iter().collect()
}
