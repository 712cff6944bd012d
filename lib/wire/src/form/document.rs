//! The form document: to a gate for `formtune` and `check_connection`, and back (ancestor-facts 2.2).

use notice::Fields;

use crate::error::ErrorDocument;
use crate::form::catalogue::Match;
use crate::form::description::Descriptions;
use crate::form::fields::{ControlKind, Form, Occasion, SelectKind};
use crate::form::problem::{Problem, ProblemKind};
use crate::params::xmlparams_text;
use crate::xml::{Document, Element, Node};

/// Children of the root that are no values.
const NO_VALUES: [&str; 7] =
    ["metadata", "messages", "slist", "list", "tparams", "error", "plugin"];

/// A form as it crosses the wire. What it does not know it keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormDocument {
    document: Document,
}

/// Which form is asked for.
#[derive(Clone, Copy, Debug)]
pub struct FormRequest<'a> {
    /// The function, `gateway.edit`.
    pub func: &'a str,
    /// The language of the messages.
    pub lang: &'a str,
    /// Whether the row is made or changed.
    pub occasion: Occasion,
    /// Names of metadata, the base form first, then what is merged into it: `gateway.edit`,
    /// `gateway.gwsmtp`. Their messages come along.
    pub metadata: &'a [&'a str],
    /// The values, secrets among them only where the receiver needs them.
    pub values: &'a Fields,
}

/// One of the values a select offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The value.
    pub key: String,
    /// What a person sees.
    pub label: String,
}

impl FormDocument {
    /// Builds the form from what the description files say.
    pub fn build(request: &FormRequest<'_>, descriptions: &Descriptions) -> Self {
        let mut root = Element::new("doc")
            .with_attribute("lang", request.lang)
            .with_attribute("func", request.func);
        let empty = || Element::new("metadata").with_attribute("name", request.func);
        let mut metadata = descriptions.composed(request.metadata).unwrap_or_else(empty);
        metadata.set_attribute("type", "form");
        remove_fields(&mut metadata, request.occasion);
        root.push(metadata);
        root.push(messages(request, descriptions));
        let mut form = Self { document: Document::new(root) };
        for control in form.form().controls().filter(|control| control.takes_value()) {
            form.set_value(&control.name, request.values.text(&control.name));
        }
        form
    }

    /// Takes what a gate answered.
    pub fn from_document(document: Document) -> Self {
        Self { document }
    }

    /// The document.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The document, given away.
    pub fn into_document(self) -> Document {
        self.document
    }

    /// The error, if the document is a refusal.
    pub fn error(&self) -> Option<ErrorDocument> {
        ErrorDocument::read(&self.document.root)
    }

    /// What the form asks; nothing when there is no form in it.
    pub fn form(&self) -> Form {
        let metadata = self.document.root.children_named("metadata");
        let mut forms = metadata.filter(|metadata| metadata.child("form").is_some());
        forms.next().map(Form::read).unwrap_or_default()
    }

    /// The value of a control; empty when there is none.
    pub fn value(&self, name: &str) -> String {
        if NO_VALUES.contains(&name) { String::new() } else { self.document.root.child_text(name) }
    }

    /// The values of every control that takes one.
    pub fn values(&self) -> Fields {
        let form = self.form();
        let controls = form.controls().filter(|control| control.takes_value());
        controls.map(|control| (control.name.clone(), self.value(&control.name))).collect()
    }

    /// Sets a value, in its place if it is there, else last.
    pub fn set_value(&mut self, name: &str, text: &str) {
        if name.is_empty() || NO_VALUES.contains(&name) {
            return;
        }
        match self.document.root.child_mut(name) {
            Some(value) => value.set_text(text),
            None => self.document.root.push(Element::new(name).with_text(text)),
        }
    }

    /// Sets `xmlparams`, from which gates read for `check_connection` (S3-72).
    pub fn set_xmlparams(&mut self, fields: &Fields) {
        self.set_value("xmlparams", &xmlparams_text(fields));
    }

    /// What a select offers: `/doc/slist` of its name; None when there is no such list.
    pub fn choices(&self, name: &str) -> Option<Vec<Choice>> {
        let mut lists = self.document.root.children_named("slist");
        let list = lists.find(|list| list.has("name", name))?;
        Some(list.elements().filter_map(|option| self.choice(option)).collect())
    }

    /// Sets what a select offers.
    pub fn set_choices(&mut self, name: &str, choices: &[Choice]) {
        let mut list = Element::new("slist").with_attribute("name", name);
        for choice in choices {
            list.push(
                Element::new("val").with_attribute("key", &choice.key).with_text(&choice.label),
            );
        }
        let root = &mut self.document.root;
        root.children.retain(|node| {
            !matches!(node, Node::Element(known) if known.name == "slist" && known.has("name", name))
        });
        root.push(list);
    }

    /// Offers these keys, under their labels, where a field has no list of its own; and takes the first of each
    /// where nothing is chosen (S3-45).
    pub fn offer(&mut self, fields: &[(&str, &[&str])]) {
        for (field, keys) in fields {
            if self.choices(field).is_none() {
                let of = |key: &&str| Choice { key: (*key).to_owned(), label: self.label(key) };
                let choices: Vec<Choice> = keys.iter().map(of).collect();
                self.set_choices(field, &choices);
            }
            if let (true, Some(first)) = (self.value(field).is_empty(), keys.first()) {
                self.set_value(field, first);
            }
        }
    }

    /// `<val key="k">label</val>`, `<val>key and label</val>`, `<msg>key of a message</msg>`.
    fn choice(&self, option: &Element) -> Option<Choice> {
        let text = option.text().trim().to_owned();
        match option.name.as_str() {
            "val" => {
                let key = option.attribute("key").map_or_else(|| text.clone(), str::to_owned);
                let label = if text.is_empty() { key.clone() } else { text };
                Some(Choice { key, label })
            }
            "msg" => Some(Choice { label: self.label(&text), key: text }),
            _ => None,
        }
    }

    /// What a person sees for a field, page or button: the message of its name, else the name.
    pub fn label(&self, name: &str) -> String {
        self.message(name).unwrap_or_else(|| name.to_owned())
    }

    /// The hint of a field: message `hint_NAME`.
    pub fn hint(&self, name: &str) -> Option<String> {
        self.message(&format!("hint_{name}"))
    }

    /// A message of the document.
    pub fn message(&self, key: &str) -> Option<String> {
        let blocks = self.document.root.children_named("messages");
        let mut messages = blocks.flat_map(|block| block.children_named("msg"));
        let message = messages.find(|message| message.has("name", key))?;
        Some(message.text().trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// What is wrong with these values: [`Form::problems`], and values that a list does not offer.
    pub fn problems(&self, values: &Fields) -> Vec<Problem> {
        let form = self.form();
        let mut problems = form.problems(values);
        for control in form.visible(values).into_iter().flat_map(|field| &field.controls) {
            let one_of_list = ControlKind::Select(SelectKind::DropDown) == control.kind
                || ControlKind::Select(SelectKind::Radio) == control.kind;
            let value = values.text(&control.name);
            if !one_of_list || value.is_empty() {
                continue;
            }
            let Some(choices) = self.choices(&control.name) else {
                continue;
            };
            if !choices.iter().any(|choice| choice.key == value) {
                let choices = choices.into_iter().map(|choice| choice.key).take(12).collect();
                problems.push(Problem::new(control, ProblemKind::NotAChoice { choices }, value));
            }
        }
        problems
    }
}

fn remove_fields(element: &mut Element, occasion: Occasion) {
    let word = match occasion {
        Occasion::New => "new",
        Occasion::Edit => "edit",
    };
    element
        .children
        .retain(|node| !matches!(node, Node::Element(known) if known.has("remove_if", word)));
    for child in element.elements_mut() {
        if matches!(child.name.as_str(), "form" | "page" | "field") {
            remove_fields(child, occasion);
        }
    }
}

/// One flat block, as modules and gates get it. What is missing in the language is taken from
/// another and marked `added="lang"`.
fn messages(request: &FormRequest<'_>, descriptions: &Descriptions) -> Element {
    let catalogue = descriptions.catalogue();
    let mut all = Fields::new();
    let mut block = Element::new("messages").with_attribute("name", request.func);
    for metadata in request.metadata.iter().rev() {
        for key in catalogue.keys(metadata) {
            let known = catalogue.find(request.lang, [metadata, key]);
            let Some(found) = known.filter(|_| all.get(key).is_none()) else {
                continue;
            };
            all.set(key, "");
            let mut message =
                Element::new("msg").with_attribute("name", key).with_text(found.text());
            if matches!(found, Match::Other(_)) {
                message.set_attribute("added", "lang");
            }
            block.push(message);
        }
    }
    block
}
