//! Which other templates a template takes in, so that a bundle can be made whole.

use super::Engine;
use crate::xml::{Document, Element};

/// The names a template includes, each once, in order of appearance, as they are written in it.
///
/// XSLT: `href` of `include` and `import`. EJS: `include('name')` with a literal name; a name made by code
/// is not seen. Tera: `include`, `extends` and `import` with a literal name. A template that can't be read
/// includes nothing: it fails when it is rendered.
pub fn included(engine: Engine, text: &str) -> Vec<String> {
    let mut names = match engine {
        Engine::Xslt => of_xslt(text),
        Engine::Ejs => after_words(text, &["include"]),
        Engine::Tera => after_words(text, &["include", "extends", "import"]),
    };
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| !name.is_empty() && seen.insert(name.clone()));
    names
}

fn of_xslt(text: &str) -> Vec<String> {
    let Ok(document) = Document::parse_text(text) else { return Vec::new() };
    let is_include = |element: &&Element| {
        let local = element.name.rsplit(':').next().unwrap_or_default();
        matches!(local, "include" | "import")
    };
    document
        .root
        .elements()
        .filter(is_include)
        .filter_map(|element| element.attribute("href"))
        .map(str::to_owned)
        .collect()
}

/// Literals that follow one of the words, with nothing but blanks, brackets and commas between.
fn after_words(text: &str, words: &[&str]) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in text.char_indices() {
        let Some(word) = words.iter().find(|word| text[at..].starts_with(**word)) else { continue };
        let mut rest =
            text[at + word.len()..].trim_start_matches([' ', '\t', '\n', '\r', '(', '[']);
        while let Some((name, after)) = literal(rest) {
            names.push(name.to_owned());
            let Some(more) = after.trim_start().strip_prefix(',') else { break };
            if *word == "include" && !rest_is_list(text, at + word.len()) {
                break;
            }
            rest = more.trim_start();
        }
    }
    names
}

/// Tera's `include ["a", "b"]` names what to try, one after the other.
fn rest_is_list(text: &str, from: usize) -> bool {
    text[from..].trim_start().starts_with('[')
}

fn literal(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'))?;
    let body = &text[1..];
    let end = body.find(quote)?;
    let name = &body[..end];
    (!name.contains(['\n', '\\', '$'])).then_some((name, &body[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_names_are_found() {
        let xslt = r#"<xsl:stylesheet xmlns:xsl="x"><xsl:import href="a.xslt"/><xsl:include href="b/c.xslt"/><p href="no"/></xsl:stylesheet>"#;
        assert_eq!(included(Engine::Xslt, xslt), ["a.xslt", "b/c.xslt"]);
        let ejs = "<%- include('head', {a: 'b'}) %> <%-include(\"foot.ejs\")%> <%- include(name) %> <%- include('head') %>";
        assert_eq!(included(Engine::Ejs, ejs), ["head", "foot.ejs"]);
        let tera = "{% extends \"base.html\" %}{% include 'шапка.html' %}{%- include [\"x\", \"y\"] ignore missing -%}";
        assert_eq!(included(Engine::Tera, tera), ["base.html", "шапка.html", "x", "y"]);
        assert_eq!(included(Engine::Xslt, "<broken"), Vec::<String>::new());
    }
}
