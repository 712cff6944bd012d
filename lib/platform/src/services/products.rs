//! `product`: what may be ordered.

use super::change::{ServicesChange, ServicesFact};
use super::rows;
use crate::answer::Answer;
use crate::context::Context;
use crate::function::{Asked, Request};
use crate::plan::{Change, Fact, Plan, Planned};
use crate::refusal::Refusal;
use notice::ProductId;
use store::Product;
use wire::xml::Element;

/// `product`: lists.
pub(crate) fn list(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let rows = context.read(|snapshot| Ok(snapshot.products()?))?;
    let wanted = |row: &&Product| {
        request.given("id").is_none_or(|id| row.id.to_string() == id)
            && request.given("type").is_none_or(|kind| row.kind == kind)
    };
    Ok(Planned::Answer(Answer::list(rows.iter().filter(wanted).map(element))))
}

fn element(product: &Product) -> Element {
    let processing = product.processing.map(|id| id.to_string()).unwrap_or_default();
    [
        ("id", product.id.to_string()),
        ("name", product.name.clone()),
        ("type", product.kind.clone()),
        ("processing", processing),
    ]
    .into_iter()
    .fold(Element::new("elem"), |row, (name, value)| {
        row.with_child(Element::new(name).with_text(value))
    })
}

/// `product.edit`.
pub(crate) fn edit(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let blank =
        || Product { id: ProductId(0), name: String::new(), kind: String::new(), processing: None };
    let known = match request.asked() {
        Asked::Show("") | Asked::Create => None,
        Asked::Show(elid) | Asked::Change(elid) => {
            Some(context.read(|snapshot| rows::find_product(snapshot, elid))?)
        }
    };
    let mut product = known.clone().unwrap_or_else(blank);
    if matches!(request.asked(), Asked::Show(_)) {
        let mut document = element(&product);
        "doc".clone_into(&mut document.name);
        return Ok(Planned::Answer(Answer::of(document)));
    }
    for (name, field) in [("name", &mut product.name), ("type", &mut product.kind)] {
        if let Some(value) = request.given(name) {
            value.clone_into(field);
        }
        if field.is_empty() {
            return Err(Refusal::Missing {
                field: name.to_owned(),
                remedy: format!("give the product a {name}"),
            });
        }
    }
    if let Some(text) = request.given.get("processing") {
        product.processing = match text {
            "" => None,
            text => Some(context.read(|snapshot| rows::find_processing(snapshot, text))?.id),
        };
    }
    let fact = known.map(|row| Fact::Services(ServicesFact::Product(row.id, Some(row))));
    let change = Change::Services(ServicesChange::SaveProduct(product));
    Ok(Planned::Once(Plan::new(vec![change], saved).based_on(fact)))
}

/// The id of the one row that was saved.
pub(crate) fn saved(applied: &crate::plan::Applied) -> Answer {
    let id = applied.ids.first().copied().unwrap_or_default();
    Answer::of(Element::new("doc").with_child(Element::new("id").with_text(id.to_string())))
}

/// `product.delete`.
pub(crate) fn delete(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let changes = context.read(|snapshot| {
        let ids = request.group("elid").into_iter();
        ids.map(|text| rows::find_product(snapshot, text))
            .map(|row| Ok(Change::Services(ServicesChange::DeleteProduct(row?.id))))
            .collect::<Result<Vec<_>, Refusal>>()
    })?;
    Ok(Planned::Once(Plan::new(changes, |_| Answer::ok())))
}
