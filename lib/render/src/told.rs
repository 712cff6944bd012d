//! What the renderer was told once and uses many times: a notice, parsed as often as somebody asks, at most once.

use std::cell::OnceCell;

use serde_json::Value;
use wire::json::json_of;
use wire::rendering::{NoticeForm, TemplateError};
use wire::xml::Document;

/// A notice and what was made of it.
#[derive(Debug)]
pub(crate) struct Notice {
    /// XML, or JSON.
    pub(crate) text: String,
    pub(crate) form: NoticeForm,
    json: OnceCell<Result<(Value, String), TemplateError>>,
}

impl Notice {
    pub(crate) fn new(form: NoticeForm, text: String) -> Self {
        Self { text, form, json: OnceCell::new() }
    }

    /// The notice as a value.
    pub(crate) fn json(&self) -> Result<&Value, TemplateError> {
        self.both().map(|(value, _)| value)
    }

    /// The notice as JSON text.
    pub(crate) fn json_text(&self) -> Result<&str, TemplateError> {
        self.both().map(|(_, text)| text.as_str())
    }

    /// The notice's own subject: `subject`, else `noticeparams/subject` (ancestor-facts 1.1).
    pub(crate) fn subject(&self) -> Result<Option<String>, TemplateError> {
        let whole = self.json()?;
        let text_at = |value: Option<&Value>| match value {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Object(object)) => {
                object.get("$").and_then(Value::as_str).map(str::to_owned)
            }
            _ => None,
        };
        let own = text_at(whole.get("subject")).filter(|text| !text.trim().is_empty());
        let of_params =
            || text_at(whole.get("noticeparams").and_then(|params| params.get("subject")));
        Ok(own.or_else(|| of_params().filter(|text| !text.trim().is_empty())))
    }

    fn both(&self) -> Result<&(Value, String), TemplateError> {
        self.json.get_or_init(|| self.read()).as_ref().map_err(Clone::clone)
    }

    fn read(&self) -> Result<(Value, String), TemplateError> {
        let value = match self.form {
            NoticeForm::Xml => json_of(
                &Document::parse_text(&self.text)
                    .map_err(|error| unreadable(&error.to_string(), 0))?
                    .root,
            ),
            NoticeForm::Json => serde_json::from_str(&self.text).map_err(|error| {
                unreadable(&error.to_string(), u32::try_from(error.line()).unwrap_or(0))
            })?,
        };
        let text = value.to_string();
        Ok((value, text))
    }
}

fn unreadable(reason: &str, line: u32) -> TemplateError {
    TemplateError {
        template: "notice".to_owned(),
        line,
        message: format!("the notice can't be read: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subject_is_the_notices_then_its_parameters() {
        let subject =
            |xml: &str| Notice::new(NoticeForm::Xml, xml.to_owned()).subject().expect("read");
        assert_eq!(
            subject(
                "<doc><subject>A</subject><noticeparams><subject>B</subject></noticeparams></doc>"
            )
            .as_deref(),
            Some("A")
        );
        assert_eq!(subject("<doc><subject> </subject><noticeparams><subject lang='en'>B</subject></noticeparams></doc>").as_deref(), Some("B"));
        assert_eq!(subject("<doc/>"), None);
        assert!(Notice::new(NoticeForm::Xml, "<!DOCTYPE d><d/>".to_owned()).subject().is_err());
    }
}
