//! What in the database is sealed with `etc/secret.key`: asked when the key is not there.

use store::{ServiceFilter, ServiceState, Snapshot};

/// Services read at once.
const PAGE: u32 = 1_000;

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
    let (opening, open) = services(snapshot)?;
    if opening > 0 {
        rows.push(format!(
            "passwords of {opening} services still to be opened: gatepost service password ID makes another (gatepost service list state=opening)"
        ));
    }
    if open > 0 {
        rows.push(format!("passwords of {open} services: their servers have them, we need none"));
    }
    Ok(rows)
}

/// Services with a sealed password: still to be opened, and all others.
fn services(snapshot: &mut dyn Snapshot) -> store::Result<(u64, u64)> {
    let (mut opening, mut open) = (0, 0);
    let mut after = None;
    loop {
        let page = snapshot.services(&ServiceFilter::default(), after, PAGE)?;
        for service in page.iter().filter(|row| !row.secret.is_empty()) {
            let count =
                if service.state == ServiceState::Opening { &mut opening } else { &mut open };
            *count += 1;
        }
        match page.last() {
            Some(last) => after = Some(last.id),
            None => return Ok((opening, open)),
        }
    }
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
