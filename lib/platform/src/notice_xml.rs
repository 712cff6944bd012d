//! Builds the notice: what happened, as XML, before any template (ancestor-facts 1.1).

use crate::projects;
use crate::refusal::Refusal;
use notice::Fields;
use store::Project;
use wire::xml::{Document, Element, Node};

/// What a notice is made of.
pub(crate) struct Content<'a> {
    pub(crate) notice: &'a str,
    pub(crate) project: &'a Project,
    /// A whole notice document, or empty.
    pub(crate) xml: &'a str,
    /// `data.NAME=value`, dots make nested elements.
    pub(crate) values: &'a Fields,
    /// Ready `<attachment>` elements.
    pub(crate) attachments: Vec<Element>,
}

/// The prefix of values in parameters.
pub(crate) const PREFIX: &str = "data.";

/// `<doc>` with project and noticeparams first, then what was given, then attachments.
pub(crate) fn build(content: Content<'_>) -> Result<Element, Refusal> {
    let given = parse(content.xml)?;
    let mut document = Element {
        name: "doc".to_owned(),
        attributes: given.attributes.clone(),
        children: Vec::new(),
    };
    document.push(projects::element(content.project));
    let mut params =
        given.child("noticeparams").cloned().unwrap_or_else(|| Element::new("noticeparams"));
    params.children.retain(|node| !matches!(node, Node::Element(e) if e.name == "notice"));
    document.push(params.with_child(Element::new("notice").with_text(content.notice)));
    let ours = ["project", "noticeparams"];
    let others = given.children.into_iter().filter(|node| match node {
        Node::Element(element) => !ours.contains(&element.name.as_str()),
        Node::CData(_) | Node::Comment(_) | Node::Instruction(_) => true,
        Node::Text(text) => !text.trim().is_empty(),
    });
    document.children.extend(others);
    for (name, value) in content.values.iter() {
        set(&mut document, name, value)?;
    }
    attach(&mut document, content.attachments);
    Ok(document)
}

fn parse(xml: &str) -> Result<Element, Refusal> {
    if xml.trim().is_empty() {
        return Ok(Element::new("doc"));
    }
    let document = Document::parse_text(xml).map_err(|error| Refusal::Value {
        field: "xml".to_owned(),
        value: xml.chars().take(60).collect(),
        reason: error.to_string(),
    })?;
    if document.root.name == "doc" {
        return Ok(document.root);
    }
    Err(Refusal::Value {
        field: "xml".to_owned(),
        value: format!("<{}>", document.root.name),
        reason: "the root of a notice is <doc>".to_owned(),
    })
}

/// Sets `data.a.b=value`; a value that is there already is replaced.
fn set(document: &mut Element, name: &str, value: &str) -> Result<(), Refusal> {
    let path = name.strip_prefix(PREFIX).unwrap_or(name);
    let mut at = document;
    for part in path.split('.') {
        if !is_name(part) {
            return Err(Refusal::Value {
                field: name.to_owned(),
                value: value.chars().take(60).collect(),
                reason: "a name is letters, digits, `_` and `-`, and begins with a letter"
                    .to_owned(),
            });
        }
        if at.child(part).is_none() {
            at.push(Element::new(part));
        }
        at = match at.elements_mut().find(|child| child.name == part) {
            Some(child) => child,
            None => return Ok(()),
        };
    }
    at.set_text(value);
    Ok(())
}

fn is_name(part: &str) -> bool {
    part.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_')
        && part.len() <= 64
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

fn attach(document: &mut Element, attachments: Vec<Element>) {
    if attachments.is_empty() {
        return;
    }
    if document.child("attachments").is_none() {
        document.push(Element::new("attachments"));
    }
    if let Some(list) = document.child_mut("attachments") {
        for attachment in attachments {
            list.push(attachment);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use notice::ProjectId;

    fn built(xml: &str, values: &[(&str, &str)]) -> Result<String, Refusal> {
        let project =
            Project { id: ProjectId(7), fields: [("name", "Brand")].into_iter().collect() };
        let values = values.iter().copied().collect();
        let content =
            Content { notice: "hi", project: &project, xml, values: &values, attachments: vec![] };
        build(content).map(|element| element.to_xml())
    }

    #[test]
    fn a_notice_has_its_project_its_params_and_what_was_given() {
        assert_eq!(
            built("", &[("data.sum", "1<2"), ("data.invoice.number", "7")]).unwrap(),
            "<doc><project><id>7</id><name>Brand</name></project><noticeparams><notice>hi</notice>\
             </noticeparams><sum>1&lt;2</sum><invoice><number>7</number></invoice></doc>"
        );
    }

    #[test]
    fn a_given_document_keeps_its_own_parts_but_not_another_project() {
        let xml = "<doc level=\"1\"><project><id>9</id></project><noticeparams><subject>S</subject>\
                   </noticeparams><items><item>a</item></items></doc>";
        let text = built(xml, &[("data.items", "b")]).unwrap();
        assert!(text.starts_with("<doc level=\"1\"><project><id>7</id>"), "{text}");
        assert!(text.contains("<subject>S</subject><notice>hi</notice>"), "{text}");
        assert!(text.contains("<items>b</items>") && !text.contains("<id>9</id>"), "{text}");
    }

    #[test]
    fn bad_names_and_documents_are_refused() {
        assert!(built("", &[("data.a b", "x")]).is_err());
        assert!(built("", &[("data.", "x")]).is_err());
        assert!(built("<notice/>", &[]).is_err());
        assert!(built("<doc><a></doc>", &[]).is_err());
        assert!(built("<!DOCTYPE doc><doc/>", &[]).is_err());
    }
}
