//! Metadata of plugins merged into the form of the same name, child by child (ancestor-facts 2.1).

use crate::xml::{Element, Node};

/// Attributes that say where an element goes and are not kept.
const PLACES: [&str; 4] = ["before", "after", "first", "last"];

/// Elements without a name of which there is only one in a parent.
const ONLY_ONE: [&str; 3] = ["form", "buttons", "list"];

/// Merges an element into one of the same meaning: attributes are set, text replaces text, each child
/// is merged into the one of its tag and name, or placed by `before=`, `after=`, `first=`, `last=`
/// (else last). A field is looked for in the pages of a form too. Calling it twice changes nothing.
pub fn merge(base: &mut Element, addition: &Element) {
    for (name, value) in &addition.attributes {
        if !PLACES.contains(&name.as_str()) {
            base.set_attribute(name, value);
        }
    }
    let holds_text = !addition.text().trim().is_empty();
    if holds_text && base.elements().next().is_none() {
        base.children.clone_from(&addition.children);
        return;
    }
    for child in addition.elements() {
        merge_child(base, child);
    }
}

fn merge_child(base: &mut Element, child: &Element) {
    let Some((page, at)) = place_of(base, |known| is_same(known, child)) else {
        let mut new = Element::new(child.name.clone());
        merge(&mut new, child);
        return insert(base, new, child);
    };
    let Some(parent) = page_mut(base, page) else {
        return;
    };
    if let Some(Node::Element(known)) = parent.children.get_mut(at) {
        merge(known, child);
    }
    if PLACES.iter().any(|place| child.attribute(place).is_some())
        && let Node::Element(known) = parent.children.remove(at)
    {
        insert(base, known, child);
    }
}

fn is_same(known: &Element, child: &Element) -> bool {
    known.name == child.name
        && match (known.attribute("name"), child.attribute("name")) {
            (Some(known), Some(child)) => known == child,
            (None, None) => ONLY_ONE.contains(&child.name.as_str()) || known == child,
            _ => false,
        }
}

/// Index of the page (None: the parent itself) and of the child in it.
fn place_of(base: &Element, is_it: impl Fn(&Element) -> bool) -> Option<(Option<usize>, usize)> {
    let position = |parent: &Element| {
        parent.children.iter().position(|node| matches!(node, Node::Element(known) if is_it(known)))
    };
    if let Some(at) = position(base) {
        return Some((None, at));
    }
    base.children.iter().enumerate().find_map(|(page, node)| match node {
        Node::Element(inside) if inside.name == "page" => Some((Some(page), position(inside)?)),
        _ => None,
    })
}

fn page_mut(base: &mut Element, page: Option<usize>) -> Option<&mut Element> {
    let Some(at) = page else {
        return Some(base);
    };
    match base.children.get_mut(at) {
        Some(Node::Element(page)) => Some(page),
        _ => None,
    }
}

/// Puts a new child where the addition says; last when the neighbour is not known.
fn insert(base: &mut Element, new: Element, addition: &Element) {
    let neighbour = addition.attribute("before").or(addition.attribute("after"));
    let found =
        neighbour.and_then(|name| place_of(base, |known| known.attribute("name") == Some(name)));
    let is_first = addition.attribute("first").is_some();
    let at = match found {
        Some((_, at)) if addition.attribute("before").is_some() => at,
        Some((_, at)) => at + 1,
        None if is_first => 0,
        None => base.children.len(),
    };
    if let Some(parent) = page_mut(base, found.and_then(|(page, _)| page)) {
        parent.children.insert(at, Node::Element(new));
    }
}
