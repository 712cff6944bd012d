//! XML as JSON, by the one rule of DESIGN 6: for templates, and for answers of functions.
//!
//! An element without attributes and children is a string; else an object, its attributes as `$name`,
//! its own text as `$`; repeated names, and `is_json_array="yes"`, make arrays. Order is kept.

use serde_json::{Map, Value};

use crate::xml::{Element, Node};

const ARRAY_MARK: &str = "is_json_array";

/// What an element becomes.
pub fn json_of(element: &Element) -> Value {
    let mut attributes =
        element.attributes.iter().filter(|(name, _)| name != ARRAY_MARK).peekable();
    let has_children = element.elements().next().is_some();
    let text = element.text();
    if attributes.peek().is_none() && !has_children {
        return Value::String(text);
    }
    let mut object = Map::new();
    for (name, value) in attributes {
        object.insert(format!("${name}"), Value::String(value.clone()));
    }
    if !has_children || !text.trim().is_empty() {
        object.insert(
            "$".to_owned(),
            Value::String(if has_children { text.trim().to_owned() } else { text }),
        );
    }
    for child in element.children.iter().filter_map(as_element) {
        insert(&mut object, child);
    }
    Value::Object(object)
}

fn as_element(node: &Node) -> Option<&Element> {
    match node {
        Node::Element(element) => Some(element),
        Node::Text(_) | Node::CData(_) | Node::Comment(_) | Node::Instruction(_) => None,
    }
}

/// The first of a name stands alone unless it is marked; the second makes an array of both. A child that is
/// an object never becomes an array by itself, so an array under a name is always one of siblings.
fn insert(object: &mut Map<String, Value>, child: &Element) {
    let value = json_of(child);
    match object.get_mut(&child.name) {
        Some(Value::Array(known)) => known.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
        None if child.has(ARRAY_MARK, "yes") => {
            drop(object.insert(child.name.clone(), Value::Array(vec![value])));
        }
        None => drop(object.insert(child.name.clone(), value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Document;

    #[test]
    fn xml_becomes_json_by_the_one_rule() {
        for (xml, json) in [
            ("<doc/>", r#""""#),
            ("<doc>a &lt; b</doc>", r#""a < b""#),
            ("<doc><a>1</a><b> x </b></doc>", r#"{"a":"1","b":" x "}"#),
            ("<doc><i>1</i><j/><i>2</i><i>3</i></doc>", r#"{"i":["1","2","3"],"j":""}"#),
            ("<doc><i is_json_array='yes'>1</i></doc>", r#"{"i":["1"]}"#),
            ("<doc><i is_json_array='yes'><a>1</a></i><i/></doc>", r#"{"i":[{"a":"1"},""]}"#),
            ("<doc id='7'>text</doc>", r#"{"$id":"7","$":"text"}"#),
            ("<doc id='7'/>", r#"{"$id":"7","$":""}"#),
            ("<doc>\n <p>a</p> tail\n</doc>", r#"{"$":"tail","p":"a"}"#),
            ("<doc><c>126</c><c><id>1</id></c></doc>", r#"{"c":["126",{"id":"1"}]}"#),
            ("<doc><n><![CDATA[<b>]]>!</n></doc>", r#"{"n":"<b>!"}"#),
        ] {
            let document = Document::parse_text(xml).expect("XML");
            assert_eq!(json_of(&document.root).to_string(), json, "{xml}");
        }
    }
}
