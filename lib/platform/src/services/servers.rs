//! `processing`: rows of servers that services are processed on.

use super::change::ServicesChange;
use super::rows;
use crate::answer::Answer;
use crate::context::Context;
use crate::function::Request;
use crate::plan::{Change, Plan, Planned};
use crate::projects;
use crate::refusal::Refusal;
use notice::Fields;
use store::Processing;
use wire::params::read_xmlparams;
use wire::xml::Element;

/// `processing`: lists, with the public key that belongs on a server which lets root in by it (S1-10).
/// Secrets are not shown.
pub(crate) fn list(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let all = context.read(|snapshot| Ok(snapshot.processings()?))?;
    let key = host::ssh_key::known_public_key(context.root.folder()).unwrap_or_default();
    let wanted = |row: &&Processing| {
        request.given("id").is_none_or(|id| row.id.to_string() == id)
            && request.given("module").is_none_or(|module| row.module == module)
    };
    Ok(Planned::Answer(Answer::list(all.iter().filter(wanted).map(|row| element(row, &key)))))
}

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

fn element(row: &Processing, key: &str) -> Element {
    let id = Element::new("id").with_text(row.id.to_string());
    let listed = projects::with_fields(Element::new("elem").with_child(id), &columns(row));
    let fields = read_xmlparams(&row.xmlparams).unwrap_or_default();
    let by_password = fields.text("root_password").eq_ignore_ascii_case("on");
    let listed = ["ip", "path"].into_iter().fold(listed, |listed, name| {
        listed.with_child(Element::new(name).with_text(fields.text(name)))
    });
    listed.with_child(Element::new("public_key").with_text(if by_password { "" } else { key }))
}

/// `processing.delete`.
pub(crate) fn delete(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let changes = context.read(|snapshot| {
        let ids = request.group("elid").into_iter();
        ids.map(|text| rows::find_processing(snapshot, text))
            .map(|row| Ok(Change::Services(ServicesChange::DeleteProcessing(row?.id))))
            .collect::<Result<Vec<_>, Refusal>>()
    })?;
    Ok(Planned::Once(Plan::new(changes, |_| Answer::ok())))
}

/// `processing.key`: our public key, made when there is none yet (S1-5, S1-10).
pub(crate) fn key(context: &mut Context<'_>, _request: &Request) -> Result<Planned, Refusal> {
    let dir = context.root.folder();
    let key = host::ssh_key::public_key(dir).map_err(|reason| Refusal::Conflict {
        operation: "make the key pair of etc/ssh".to_owned(),
        reason,
    })?;
    let document = Element::new("doc").with_child(Element::new("key").with_text(key));
    Ok(Planned::Answer(Answer::of(document)))
}
