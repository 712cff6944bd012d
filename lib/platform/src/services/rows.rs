//! Services as rows of a list and as what receivers of events are told.

use crate::refusal::Refusal;
use notice::ServiceId;
use serde_json::{Map, Value};
use store::{ItemParam, ParamKind, Processing, Product, Service, ServiceParam, Snapshot};
use wire::xml::Element;

/// The service of that id.
pub(crate) fn find(snapshot: &mut dyn Snapshot, text: &str) -> Result<Service, Refusal> {
    let known = text.parse::<ServiceId>().ok().map(|id| snapshot.service(id)).transpose()?;
    known.flatten().ok_or_else(|| Refusal::NotFound {
        noun: "service",
        value: text.to_owned(),
        remedy: "`gatepost service list` shows them".to_owned(),
    })
}

/// The product of that id or name.
pub(crate) fn find_product(snapshot: &mut dyn Snapshot, text: &str) -> Result<Product, Refusal> {
    let rows = snapshot.products()?;
    let rows = rows.into_iter().map(|row| (row.id.0, row.name.clone(), row)).collect();
    named(rows, "product", text)
}

/// The processing row of that id or name.
pub(crate) fn find_processing(
    snapshot: &mut dyn Snapshot,
    text: &str,
) -> Result<Processing, Refusal> {
    let rows = snapshot.processings()?;
    let rows = rows.into_iter().map(|row| (row.id.0, row.name.clone(), row)).collect();
    named(rows, "processing", text)
}

/// By id, else by name; several of one name are refused with all of them.
fn named<T>(mut rows: Vec<(i64, String, T)>, noun: &'static str, text: &str) -> Result<T, Refusal> {
    let by_id = text.parse().ok().and_then(|id: i64| rows.iter().position(|row| row.0 == id));
    if let Some(at) = by_id {
        return Ok(rows.swap_remove(at).2);
    }
    rows.retain(|row| row.1 == text);
    if rows.len() > 1 {
        let candidates = rows.iter().map(|row| format!("{} {}", row.0, row.1)).collect();
        return Err(Refusal::Ambiguous { noun, value: text.to_owned(), candidates });
    }
    rows.pop().map(|row| row.2).ok_or_else(|| Refusal::NotFound {
        noun,
        value: text.to_owned(),
        remedy: format!("`gatepost {noun} list` shows them"),
    })
}

/// A service as receivers get it, without any secret. What a template of ours reads stands on top: name,
/// login, domain, ip.
pub(crate) fn told(
    service: &Service,
    product: Option<&Product>,
    ordered: &[ServiceParam],
    answered: &[ItemParam],
) -> Value {
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| drop(object.insert(name.to_owned(), value));
    let text = |value: &str| Value::from(value);
    put("id", Value::from(service.id.0));
    put("user", Value::from(service.user.0));
    put("product", Value::from(service.product.0));
    put("processing", Value::from(service.processing.0));
    put("name", text(product.map_or("", |product| &product.name)));
    put("type", text(product.map_or("", |product| &product.kind)));
    put("state", text(service.state.word()));
    put("externalid", text(&service.externalid));
    put("username", text(&service.username));
    put("login", text(&service.username));
    for kind in [ParamKind::Addon, ParamKind::Param] {
        let values = ordered.iter().filter(|param| param.kind == kind);
        let values: Map<_, _> =
            values.map(|param| (param.name.clone(), text(&param.value))).collect();
        put(kind.word(), Value::Object(values));
    }
    let plain = answered.iter().filter(|param| param.secret.is_empty());
    let values: Map<_, _> = plain.map(|param| (param.name.clone(), text(&param.value))).collect();
    for name in ["domain", "ip"] {
        let ordered = ordered.iter().find(|param| param.name == name);
        let known = values.get(name).cloned().or(ordered.map(|param| text(&param.value)));
        if let Some(value) = known {
            put(name, value);
        }
    }
    put("itemparam", Value::Object(values));
    Value::Object(object)
}

/// A row of the list: columns, and what the program answered; sealed values are not shown.
pub(crate) fn element(
    service: &Service,
    product: Option<&Product>,
    ordered: &[ServiceParam],
    answered: &[ItemParam],
) -> Element {
    let columns = [
        ("id", service.id.to_string()),
        ("user", service.user.to_string()),
        ("product", service.product.to_string()),
        ("name", product.map(|product| product.name.clone()).unwrap_or_default()),
        ("processing", service.processing.to_string()),
        ("username", service.username.clone()),
        ("state", service.state.word().to_owned()),
        ("externalid", service.externalid.clone()),
        ("ordered", crate::when::shown(service.made)),
    ];
    let row = columns.into_iter().fold(Element::new("elem"), |row, (name, value)| {
        row.with_child(Element::new(name).with_text(value))
    });
    let row = ordered.iter().fold(row, |row, param| {
        let name = format!("{}.{}", param.kind.word(), param.name);
        row.with_child(
            Element::new("ordered_value").with_attribute("name", name).with_text(&param.value),
        )
    });
    answered.iter().fold(row, |row, param| {
        let shown = if param.secret.is_empty() { param.value.as_str() } else { "***" };
        row.with_child(
            Element::new("itemparam").with_attribute("name", &param.name).with_text(shown),
        )
    })
}
