//! `if` and `else`: what a value hides or shadows.

use std::collections::BTreeSet;

use notice::Fields;

use crate::form::fields::{Control, ControlKind, Form, InputKind};
use crate::xml::Element;

/// What happens to a field or page when a condition holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// When it holds.
    pub when: When,
    /// What then happens.
    pub effect: Effect,
    /// The name of a field or of a page.
    pub target: String,
}

/// When a condition of a control holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// The control has this value; an untouched checkbox has `off`.
    Value(String),
    /// It has none.
    Empty,
    /// It has any.
    Filled,
    /// No other condition of the control holds.
    Else,
}

/// What a condition does to its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is not shown, and asks nothing.
    Hide,
    /// It is shown and can't be changed.
    Shadow,
}

impl Condition {
    /// Reads `if` and `else`; None for anything else, and for a condition without a target.
    pub(super) fn read(element: &Element) -> Option<Self> {
        let when = match (element.name.as_str(), element.attribute("value")) {
            ("else", _) => When::Else,
            ("if", Some(value)) => When::Value(value.to_owned()),
            ("if", None) => match element.attribute("empty")? {
                "yes" => When::Empty,
                "no" => When::Filled,
                _ => return None,
            },
            _ => return None,
        };
        let (effect, target) = match element.attribute("hide") {
            Some(target) => (Effect::Hide, target),
            None => (Effect::Shadow, element.attribute("shadow")?),
        };
        Some(Self { when, effect, target: target.to_owned() })
    }
}

/// Every target that some condition of the form has this effect on. Several conditions on one target
/// are joined by *or*.
pub(super) fn targets<'a>(form: &'a Form, values: &Fields, effect: Effect) -> BTreeSet<&'a str> {
    let mut targets = BTreeSet::new();
    for control in form.controls() {
        let holding = holding(control, values.text(&control.name));
        let of_effect = holding.into_iter().filter(|condition| condition.effect == effect);
        targets.extend(of_effect.map(|condition| condition.target.as_str()));
    }
    targets
}

fn holding<'a>(control: &'a Control, value: &str) -> Vec<&'a Condition> {
    let is_checkbox = control.kind == ControlKind::Input(InputKind::Checkbox);
    let value = if is_checkbox && value.is_empty() { "off" } else { value };
    let is_empty = value.is_empty() || (is_checkbox && value == "off");
    let holds = |condition: &&Condition| match &condition.when {
        When::Value(expected) => expected == value,
        When::Empty => is_empty,
        When::Filled => !is_empty,
        When::Else => false,
    };
    let fired: Vec<_> = control.conditions.iter().filter(holds).collect();
    if fired.is_empty() {
        return control.conditions.iter().filter(|known| known.when == When::Else).collect();
    }
    fired
}
