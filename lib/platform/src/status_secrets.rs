//! Finds secrets that `etc/secret.key` does not open: it is another key than the one they were sealed with.

use crate::context::Context;
use crate::gateway_form::place_of;
use crate::refusal::Refusal;
use crate::services;
use crate::status::{Finding, GatewayStatus};
use crate::status_findings::critical;
use config::{Place, Vault};
use store::{Count, HandlerStatus};

/// One finding for each row that needs its secret, with the command that gives it anew.
pub(crate) fn lost(
    context: &mut Context<'_>,
    vault: &Vault,
    (gateways, counts): (&[GatewayStatus], &[Count]),
) -> Result<Vec<Finding>, Refusal> {
    let opens = |place: Place<'_>, sealed: &[u8]| vault.open_as_stored(place, sealed).is_ok();
    let mut findings = Vec::new();
    for row in gateways.iter().map(|status| &status.gateway).filter(|row| row.active) {
        if !opens(place_of(row), &row.secret) {
            let who = format!("gateway {} {}", row.id, row.name);
            findings.push(finding(&who, format!("gatepost gateway edit {}", row.id)));
        }
    }
    let (servers, saved, acting, locked) = context.read(|snapshot| {
        Ok((
            snapshot.processings()?,
            snapshot.provisionings()?,
            snapshot.active_provisionings()?,
            services::locked(snapshot, (counts, vault))?,
        ))
    })?;
    for row in servers.iter().filter(|row| row.active) {
        if !opens(Place::of_server(row.id.0, &row.module), &row.secret) {
            let who = format!("processing row {} {}", row.id, row.name);
            findings
                .push(finding(&who, format!("gatepost processing edit {} password=@-", row.id)));
        }
    }
    for row in acting.iter().filter(|row| row.status == HandlerStatus::Enabled) {
        if opens(Place::of_handler(row.id.0), &row.secret) {
            continue;
        }
        let is_anew = |one: &&store::Provisioning| {
            one.id == row.id && opens(Place::of_handler(one.id.0), &one.secret)
        };
        let restart = "gatepost provisioning restart".to_owned();
        let cure = match saved.iter().find(is_anew) {
            Some(_) => restart,
            None => format!("gatepost provisioning edit {} rotate=on, then {restart}", row.id),
        };
        findings.push(finding(&format!("provisioning handler {} {}", row.id, row.name), cure));
    }
    if let Some(first) = locked.first() {
        let cure = format!("gatepost service password {first}");
        let ids: Vec<String> = locked.iter().take(10).map(ToString::to_string).collect();
        let more = if locked.len() > 10 { " …" } else { "" };
        let who = format!(
            "{} of the services still to be opened ({}{more})",
            locked.len(),
            ids.join(", ")
        );
        findings.push(finding(&who, cure));
    }
    Ok(findings)
}

fn finding(who: &str, cure: String) -> Finding {
    let text = format!(
        "the secret of {who} was sealed with another etc/secret.key: what needs it waits; restore the key, or give the secret anew"
    );
    critical("secret_lost", text, cure)
}
