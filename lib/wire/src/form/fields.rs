//! The fields of a form, as values.

use std::collections::BTreeSet;

use notice::Fields;

use crate::form::check::Check;
use crate::form::conditions::{Condition, Effect, targets};
use crate::form::problem::{Problem, problem_of};
use crate::xml::Element;

/// What a form asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// Its fields in order, those of its pages among them.
    pub fields: Vec<Field>,
}

/// A field: a label with one or several controls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The field's name: its label is the message of that name.
    pub name: String,
    /// The page it stands on.
    pub page: Option<String>,
    /// Where the field is cut out.
    pub remove_if: Option<Occasion>,
    /// Its controls in order.
    pub controls: Vec<Control>,
}

/// Whether something is made or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// `elid` is empty.
    New,
    /// `elid` is set.
    Edit,
}

/// A control: its value is the element of its name in the root of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// What it looks like.
    pub kind: ControlKind,
    /// The name of its value.
    pub name: String,
    /// What it is marked as.
    pub marks: Vec<Mark>,
    /// The longest value, in characters.
    pub max_chars: Option<usize>,
    /// What its value must be.
    pub check: Option<Check>,
    /// What its value hides or shadows.
    pub conditions: Vec<Condition>,
}

/// Attributes of a control that are `yes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It must not be empty, unless it is hidden.
    Required,
    /// It can't be changed.
    Readonly,
    /// Its value names the row in lists.
    Identifier,
    /// It is masked, and never logged.
    Private,
    /// It holds several lines, each checked alone.
    Zoom,
}

/// The element a control is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlKind {
    /// `input`.
    Input(InputKind),
    /// `select`.
    Select(SelectKind),
    /// `textarea`.
    Textarea,
    /// Any other control of the form language, by its place in the list of them.
    Other(&'static str),
}

/// The `type` of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputKind {
    /// One line; every unknown type.
    Text,
    /// Not shown.
    Password,
    /// `on` or `off`.
    Checkbox,
    /// Not a field a person sees.
    Hidden,
    /// A file.
    File,
}

/// The `type` of a select.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectKind {
    /// One of a list.
    DropDown,
    /// One of a list, all in sight.
    Radio,
    /// Several of a list.
    Multiple,
}

const OTHER_CONTROLS: [&str; 12] = [
    "slider", "tree", "list", "htmldata", "textdata", "img", "desc", "link", "frame", "datetime",
    "ticket", "captcha",
];

impl Form {
    /// Reads `metadata` or `form`.
    pub fn read(element: &Element) -> Self {
        let form = element.child("form").unwrap_or(element);
        let mut fields = Vec::new();
        for child in form.elements() {
            match child.name.as_str() {
                "field" => fields.push(Field::read(child, None)),
                "page" => {
                    let page = child.attribute("name");
                    fields.extend(child.children_named("field").map(|f| Field::read(f, page)));
                }
                _ => {}
            }
        }
        Self { fields }
    }

    /// Every control of every field.
    pub fn controls(&self) -> impl Iterator<Item = &Control> {
        self.fields.iter().flat_map(|field| &field.controls)
    }

    /// The control of that name.
    pub fn control(&self, name: &str) -> Option<&Control> {
        self.controls().find(|control| control.name == name)
    }

    /// The control whose value names the row in lists.
    pub fn identifier(&self) -> Option<&Control> {
        self.controls().find(|control| control.is(Mark::Identifier))
    }

    /// The names of values that are masked, sealed and never logged: passwords and `private="yes"`.
    pub fn secret_names(&self) -> BTreeSet<&str> {
        self.controls().filter(|control| control.is_secret()).map(|c| c.name.as_str()).collect()
    }

    /// The fields a person sees at these values, in order.
    pub fn visible<'a>(&'a self, values: &Fields) -> Vec<&'a Field> {
        let hidden = targets(self, values, Effect::Hide);
        self.fields.iter().filter(|field| !field.is_among(&hidden)).collect()
    }

    /// The names of fields that are shown and can't be changed at these values.
    pub fn shadowed(&self, values: &Fields) -> BTreeSet<&str> {
        let shadowed = targets(self, values, Effect::Shadow);
        let among = self.fields.iter().filter(|field| field.is_among(&shadowed));
        among.map(|field| field.name.as_str()).collect()
    }

    /// What is wrong with these values, in the order of the form: of hidden fields nothing is.
    pub fn problems(&self, values: &Fields) -> Vec<Problem> {
        let controls = self.visible(values).into_iter().flat_map(|field| &field.controls);
        controls.filter_map(|control| problem_of(control, values.text(&control.name))).collect()
    }
}

impl Field {
    fn read(element: &Element, page: Option<&str>) -> Self {
        Self {
            name: element.attribute("name").unwrap_or_default().to_owned(),
            page: page.map(str::to_owned),
            remove_if: match element.attribute("remove_if") {
                Some("new") => Some(Occasion::New),
                Some("edit") => Some(Occasion::Edit),
                _ => None,
            },
            controls: element.elements().filter_map(Control::read).collect(),
        }
    }

    fn is_among(&self, targets: &BTreeSet<&str>) -> bool {
        let page = self.page.as_deref();
        targets.contains(self.name.as_str()) || page.is_some_and(|page| targets.contains(page))
    }
}

impl Control {
    fn read(element: &Element) -> Option<Self> {
        let kind = ControlKind::read(element)?;
        let marks = [
            ("required", Mark::Required),
            ("readonly", Mark::Readonly),
            ("identifier", Mark::Identifier),
            ("private", Mark::Private),
            ("zoom", Mark::Zoom),
        ];
        let marked = marks.into_iter().filter(|(name, _)| is_yes(element.attribute(name)));
        let args = element.attribute("checkargs").unwrap_or_default();
        Some(Self {
            kind,
            name: element.attribute("name").unwrap_or_default().to_owned(),
            marks: marked.map(|(_, mark)| mark).collect(),
            max_chars: element.attribute("maxlength").and_then(|number| number.trim().parse().ok()),
            check: element.attribute("check").and_then(|name| Check::parse(name, args)),
            conditions: element.elements().filter_map(Condition::read).collect(),
        })
    }

    /// True when the control is marked so.
    pub fn is(&self, mark: Mark) -> bool {
        self.marks.contains(&mark)
    }

    /// True for passwords and `private="yes"`.
    pub fn is_secret(&self) -> bool {
        self.kind == ControlKind::Input(InputKind::Password) || self.is(Mark::Private)
    }

    /// True when a person gives it a value: false for pictures, links and texts.
    pub fn takes_value(&self) -> bool {
        match self.kind {
            ControlKind::Input(_) | ControlKind::Select(_) | ControlKind::Textarea => true,
            ControlKind::Other(name) => matches!(name, "slider" | "tree" | "datetime" | "captcha"),
        }
    }
}

impl ControlKind {
    fn read(element: &Element) -> Option<Self> {
        let kind = element.attribute("type").unwrap_or_default();
        Some(match element.name.as_str() {
            "input" => Self::Input(match kind {
                "password" => InputKind::Password,
                "checkbox" => InputKind::Checkbox,
                "hidden" => InputKind::Hidden,
                "file" => InputKind::File,
                _ => InputKind::Text,
            }),
            "select" => Self::Select(match kind {
                "radio" => SelectKind::Radio,
                "multiple" => SelectKind::Multiple,
                _ => SelectKind::DropDown,
            }),
            "textarea" => Self::Textarea,
            name => Self::Other(OTHER_CONTROLS.into_iter().find(|known| *known == name)?),
        })
    }
}

fn is_yes(value: Option<&str>) -> bool {
    matches!(value, Some("yes" | "on" | "1"))
}
