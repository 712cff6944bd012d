//! What in the database is sealed with `etc/secret.key`: asked when the key is not there.

use store::{ServiceFilter, Snapshot};

/// Services looked at; more are not counted one by one.
const SERVICES: u32 = 100_000;

/// Rows whose secrets open with the key alone, each with the command that gives its secret again.
pub(crate) fn find(snapshot: &mut dyn Snapshot) -> store::Result<Vec<String>> {
    let mut rows = Vec::new();
    for gateway in snapshot.gateways()?.iter().filter(|row| !row.secret.is_empty()) {
        let id = gateway.id;
        rows.push(format!("gateway {id} {}: gatepost gateway edit {id}", gateway.name));
    }
    for server in snapshot.processings()?.iter().filter(|row| !row.secret.is_empty()) {
        let id = server.id.0;
        rows.push(format!(
            "server {id} {}: gatepost processing edit {id} password=@-",
            server.name
        ));
    }
    for handler in snapshot.provisionings()?.iter().filter(|row| !row.secret.is_empty()) {
        let id = handler.id.0;
        rows.push(format!(
            "provisioning handler {id} {}: gatepost provisioning edit {id} rotate=on",
            handler.name
        ));
    }
    let services = snapshot.services(&ServiceFilter::default(), None, SERVICES)?;
    let services = services.iter().filter(|row| !row.secret.is_empty()).count();
    if services > 0 {
        rows.push(format!("passwords of {services} ordered services: nothing brings them back"));
    }
    Ok(rows)
}

/// Said instead of making another key.
pub(crate) fn refusal(sealed: &[String]) -> String {
    format!(
        "`etc/secret.key` is lost, and the database holds secrets that no other key opens:\n  {}\n\
         Put etc/secret.key back from a backup and run `gatepost init` again. If there is none, \
         `gatepost init --new-key` makes another, and each of these must be given again",
        sealed.join("\n  ")
    )
}

/// Said once another key is made.
pub(crate) fn farewell(sealed: &[String]) -> String {
    format!(
        "etc/secret.key is new. What was sealed with the old one must be given again:\n  {}\n",
        sealed.join("\n  ")
    )
}
