//! `xmlparams`: the fields of a gateway as a document in text (S3-50), and rows as elements.

use std::fmt;

use notice::Fields;

use crate::xml::{Document, Element, XmlError, write_element};

/// The text of column `xmlparams`: root `doc`, a child for each field, no declaration (some parsers
/// refuse one in decoded text).
pub fn xmlparams_text(fields: &Fields) -> String {
    let mut out = Vec::with_capacity(128);
    out.extend_from_slice(b"<doc>");
    write_fields(&mut out, fields);
    out.extend_from_slice(b"</doc>");
    String::from_utf8(out).unwrap_or_default()
}

/// Reads the text of column `xmlparams`; nothing but white space is no fields.
pub fn read_xmlparams(text: &str) -> Result<Fields, XmlError> {
    if text.trim().is_empty() {
        return Ok(Fields::new());
    }
    Ok(fields_of(&Document::parse_text(text)?.root))
}

/// The child elements that hold text only, by name; of two with one name the last counts.
pub fn fields_of(element: &Element) -> Fields {
    element
        .elements()
        .filter(|child| child.elements().next().is_none())
        .map(|child| (child.name.as_str(), child.text()))
        .collect()
}

/// Appends `<name>text</name>` for each field.
pub fn write_fields(out: &mut Vec<u8>, fields: &Fields) {
    for (name, text) in fields.iter() {
        write_element(out, name, text);
    }
}

/// What a gate is told about its gateway: the row's columns and the fields of the form. It has no
/// `Debug` that shows values, for there are passwords among them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct GatewayParams {
    columns: Fields,
    fields: Fields,
}

impl GatewayParams {
    /// Parameters from a row and the fields of its `xmlparams`.
    pub fn new(columns: Fields, fields: Fields) -> Self {
        Self { columns, fields }
    }

    /// Reads `/doc/gateway` of `outgoing` and `ingoing`, or the form of `check_connection`, whose
    /// `xmlparams` stands in the root.
    pub fn read(root: &Element) -> Result<Self, XmlError> {
        let row = root.child("gateway").unwrap_or(root);
        let mut columns = fields_of(row);
        columns.remove("xmlparams");
        let fields = match row.child("xmlparams") {
            None => Fields::new(),
            Some(nested) if nested.elements().next().is_some() => {
                fields_of(nested.child("doc").unwrap_or(nested))
            }
            Some(text) => read_xmlparams(&text.text())?,
        };
        Ok(Self { columns, fields })
    }

    /// A form field or a column, whichever there is, the field first (`GateParam` of the C++ headers).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name).or_else(|| self.columns.get(name))
    }

    /// The same; empty when there is neither.
    pub fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// True when a checkbox is `on`, in any case of letters.
    pub fn is_on(&self, name: &str) -> bool {
        self.text(name).eq_ignore_ascii_case("on")
    }

    /// The row's columns.
    pub fn columns(&self) -> &Fields {
        &self.columns
    }

    /// The form's fields.
    pub fn fields(&self) -> &Fields {
        &self.fields
    }
}

impl fmt::Debug for GatewayParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.columns.iter().chain(self.fields.iter()).map(|(name, _)| name);
        f.debug_list().entries(names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(text: &str) -> Element {
        Document::parse(text.as_bytes()).unwrap().root
    }

    #[test]
    fn fields_survive_the_text_of_xmlparams() {
        let fields: Fields =
            [("login", "a&b<c>"), ("password", "]]>\r\n\""), ("empty", "")].into_iter().collect();
        assert_eq!(read_xmlparams(&xmlparams_text(&fields)).unwrap(), fields);
        assert!(read_xmlparams(" \n").unwrap().is_empty());
    }

    #[test]
    fn a_parameter_is_found_in_the_row_and_in_the_form() {
        // ancestor-facts 1.3: GateParam; S3-50: escaped text, also with a declaration, also CDATA.
        let texts = [
            "&lt;?xml version=\"1.0\" encoding=\"UTF-8\"?&gt;\n&lt;doc&gt;&lt;login&gt;p&amp;amp;q&lt;/login&gt;&lt;/doc&gt;",
            "<![CDATA[<doc><login>p&amp;q</login></doc>]]>",
            "<doc><login>p&amp;q</login></doc>",
        ];
        for text in texts {
            let input = format!(
                "<doc><gateway><id>7</id><active>ON</active><xmlparams>{text}</xmlparams></gateway></doc>"
            );
            let params = GatewayParams::read(&root(&input)).unwrap();
            assert_eq!((params.text("id"), params.text("login")), ("7", "p&q"), "{text}");
            assert!(params.is_on("active") && params.get("xmlparams").is_none());
        }
    }

    #[test]
    fn the_form_of_check_connection_holds_xmlparams_in_its_root() {
        // S3-72
        let form = "<doc><metadata><form/></metadata><name>main</name>\
            <xmlparams>&lt;doc&gt;&lt;login&gt;bob&lt;/login&gt;&lt;/doc&gt;</xmlparams></doc>";
        let params = GatewayParams::read(&root(form)).unwrap();
        assert_eq!((params.text("login"), params.text("name")), ("bob", "main"));
        assert!(params.get("metadata").is_none());
    }

    #[test]
    fn broken_xmlparams_are_an_error() {
        // S3-74
        let broken =
            "<doc><gateway><xmlparams>&lt;doc&gt;&lt;login&gt;</xmlparams></gateway></doc>";
        assert!(GatewayParams::read(&root(broken)).is_err());
    }

    #[test]
    fn debug_shows_names_alone() {
        let fields = [("password", "hidden1")].into_iter().collect();
        let shown = format!("{:?}", GatewayParams::new(Fields::new(), fields));
        assert_eq!(shown, "[\"password\"]");
    }
}
