//! What a script's document does: to the parameters before the function, to the answer after it.

use super::input::is_xml_name;
use super::registration::Transfer;
use crate::call::Call;
use notice::{Fields, Secret};
use wire::xml::{Element, Node};

/// Children that are no part of an answer (ancestor-facts 3.3).
const NOT_ANSWER: [&str; 5] = ["param", "params", "tparams", "skipaction", "error"];
/// Rows and options: one more never replaces another.
const REPEATED: [&str; 5] = ["elem", "val", "msg", "banner", "row"];

/// The parameters a before handler asks for; None: it leaves them. `<params>` of a type=xml script is all of them, that
/// of a type=cgi script and every `<param name=>` is added to what is there. `func` is never changed.
pub(super) fn parameters(call: &Call, transfer: Transfer, root: &Element) -> Option<Fields> {
    let mut params = match (transfer, root.child("params")) {
        (Transfer::Xml, Some(_)) => {
            call.params.iter().filter(|(name, _)| *name == "func").collect()
        }
        _ => call.params.clone(),
    };
    let listed = root.child("params").into_iter().flat_map(Element::elements);
    let named = root
        .children_named("param")
        .filter_map(|param| Some((param.attribute("name")?.to_owned(), param.text())));
    let all = listed.map(|element| (element.name.clone(), element.text())).chain(named);
    for (name, value) in all.filter(|(name, _)| name != "func" && is_xml_name(name)) {
        params.set(name, value);
    }
    // What can't stand in a document is not taken out by it.
    for (name, value) in call.params.iter().filter(|(name, _)| !is_xml_name(name)) {
        params.set(name, value);
    }
    (!same(&params, &call.params)).then_some(params)
}

fn same(one: &Fields, other: &Fields) -> bool {
    let holds = |one: &Fields, other: &Fields| {
        one.iter().all(|(name, value)| other.get(name) == Some(value))
    };
    holds(one, other) && holds(other, one)
}

/// Takes them; new secrets join the mask.
pub(super) fn take(call: &mut Call, params: Fields) {
    for (name, value) in params.iter() {
        if call.function.is_secret(name) || name.contains("passw") {
            call.mask.add(&Secret::new(value));
        }
    }
    call.params = params;
}

/// The answer that takes the place of the function's own (S0-47).
pub(super) fn in_place_of_the_answer(mut root: Element) -> Element {
    root.children.retain(|node| !is_no_answer(node));
    root
}

/// What an after handler makes of the answer; true when it changed.
pub(super) fn answered(answer: &mut Element, transfer: Transfer, mut root: Element) -> bool {
    let before = answer.clone();
    match transfer {
        // `<doc/>` is no change, for type=xml too.
        Transfer::Xml if root.attributes.is_empty() && root.elements().next().is_none() => {}
        Transfer::Xml => {
            root.children.retain(|node| !is_no_answer(node));
            *answer = root;
        }
        Transfer::Cgi => {
            for (name, value) in root.attributes {
                answer.set_attribute(name, value);
            }
            for node in root.children {
                if let Node::Element(child) = node
                    && !NOT_ANSWER.contains(&child.name.as_str())
                {
                    merge(answer, child);
                }
            }
        }
    }
    *answer != before
}

fn is_no_answer(node: &Node) -> bool {
    matches!(node, Node::Element(child) if NOT_ANSWER.contains(&child.name.as_str()))
}

/// A child of the same name (and the same attribute `name`) is merged when both hold elements, else replaced; rows
/// are added.
fn merge(into: &mut Element, child: Element) {
    let is_repeated = REPEATED.contains(&child.name.as_str());
    let is_same = |known: &&mut Element| {
        known.name == child.name && known.attribute("name") == child.attribute("name")
    };
    let known = if is_repeated { None } else { into.elements_mut().find(is_same) };
    match known {
        None => into.push(child),
        Some(known) if known.elements().next().is_some() && child.elements().next().is_some() => {
            for (name, value) in child.attributes {
                known.set_attribute(name, value);
            }
            for node in child.children {
                if let Node::Element(inner) = node {
                    merge(known, inner);
                }
            }
        }
        Some(known) => *known = child,
    }
}
