//! EJS tags become the source of one JavaScript function. The oracle is the npm package `ejs`.
//!
//! `<% code %>`, `<%= escaped %>`, `<%- raw %>`, `<%# comment %>`; `<%_` and `_%>` eat the blanks around them,
//! `-%>` and `_%>` the line break after them; `<%%` and `%%>` print `<%` and `%>`.

/// A template as JavaScript, and which line of the template each of its lines came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Compiled {
    /// `(function (locals, escapeFn, include, rethrow) { … })`, for sloppy mode.
    pub(crate) source: String,
    /// Line of the template for each line of the source, both from 1.
    lines: Vec<u32>,
}

/// A template that can't be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadTags {
    pub(crate) line: u32,
    pub(crate) message: String,
}

impl Compiled {
    /// The line of the template that a line of the source stands for.
    pub(crate) fn template_line(&self, source_line: u32) -> u32 {
        let at = usize::try_from(source_line).unwrap_or(usize::MAX).saturating_sub(1);
        self.lines.get(at).or(self.lines.last()).copied().unwrap_or(0)
    }
}

/// Compiles a template.
pub(crate) fn compile(template: &str) -> Result<Compiled, BadTags> {
    let template = eat_blanks(template);
    let tokens = tokens_of(&template);
    let mut writer = Writer::new();
    for (at, token) in tokens.iter().enumerate() {
        writer.check_closed(token, tokens.get(at + 2))?;
        writer.take(token)?;
    }
    Ok(writer.finish())
}

/// Every tag there is; where two fit, the earlier one is meant.
const TAGS: [(&str, Tag); 10] = [
    ("<%%", Tag::LiteralOpen),
    ("%%>", Tag::LiteralClose),
    ("<%=", Tag::Open(Mode::Escaped)),
    ("<%-", Tag::Open(Mode::Raw)),
    ("<%_", Tag::Open(Mode::Code)),
    ("<%#", Tag::Open(Mode::Comment)),
    ("<%", Tag::Open(Mode::Code)),
    ("%>", Tag::Close(After::Keep)),
    ("-%>", Tag::Close(After::EatLineBreak)),
    ("_%>", Tag::Close(After::EatLineBreak)),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tag {
    Open(Mode),
    Close(After),
    LiteralOpen,
    LiteralClose,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Text,
    Code,
    Escaped,
    Raw,
    Comment,
    Literal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    Keep,
    EatLineBreak,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Tag(&'a str, Tag),
    Text(&'a str),
}

/// Blanks before `<%_` and after `_%>` go, wherever those stand.
fn eat_blanks(template: &str) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find("<%_") {
        out.push_str(rest[..at].trim_end_matches([' ', '\t']));
        out.push_str("<%_");
        rest = &rest[at + 3..];
    }
    out.push_str(rest);
    let mut pieces = out.split("_%>");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |all, piece| all + "_%>" + piece.trim_start_matches([' ', '\t']))
}

fn tokens_of(template: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut text_from = 0;
    let mut at = 0;
    while at < template.len() {
        let rest = &template.as_bytes()[at..];
        match TAGS.iter().find(|(word, _)| rest.starts_with(word.as_bytes())) {
            Some((word, tag)) => {
                if text_from < at {
                    tokens.push(Token::Text(&template[text_from..at]));
                }
                tokens.push(Token::Tag(word, *tag));
                at += word.len();
                text_from = at;
            }
            None => at += 1,
        }
    }
    if text_from < template.len() {
        tokens.push(Token::Text(&template[text_from..]));
    }
    tokens
}

struct Writer {
    source: String,
    lines: Vec<u32>,
    /// Where in the template.
    line: u32,
    mode: Mode,
    after: After,
}

const HEAD: &str = "(function (locals, escapeFn, include, rethrow) { var __line = 1; try { var __output = \"\"; \
function __append(s) { if (s !== undefined && s !== null) __output += s } with (locals || {}) {\n";
const TAIL: &str = "} return __output; } catch (e) { rethrow(e, __line) } })";

impl Writer {
    fn new() -> Self {
        Self {
            source: HEAD.to_owned(),
            lines: vec![1],
            line: 1,
            mode: Mode::Text,
            after: After::Keep,
        }
    }

    fn finish(mut self) -> Compiled {
        self.lines.push(self.line);
        self.source.push_str(TAIL);
        Compiled { source: self.source, lines: self.lines }
    }

    /// A tag is one piece of code between an opening and a closing mark.
    fn check_closed(&self, token: &Token<'_>, closing: Option<&Token<'_>>) -> Result<(), BadTags> {
        match (token, closing) {
            (Token::Tag(_, Tag::Open(_)), Some(Token::Tag(_, Tag::Close(_)))) => Ok(()),
            (Token::Tag(word, Tag::Open(_)), _) => {
                Err(self.bad(format!("could not find the matching close tag of `{word}`")))
            }
            _ => Ok(()),
        }
    }

    fn take(&mut self, token: &Token<'_>) -> Result<(), BadTags> {
        match token {
            Token::Tag(_, Tag::Open(mode)) => self.mode = *mode,
            Token::Tag(_, Tag::LiteralOpen) => self.literal("<%"),
            Token::Tag(_, Tag::LiteralClose) => self.literal("%>"),
            Token::Tag(word, Tag::Close(after)) => {
                if self.mode == Mode::Literal {
                    self.text(word);
                }
                self.mode = Mode::Text;
                self.after = *after;
            }
            Token::Text(text) => self.between(text)?,
        }
        Ok(())
    }

    fn between(&mut self, text: &str) -> Result<(), BadTags> {
        let line_before = self.line;
        match self.mode {
            Mode::Text | Mode::Literal => self.text(text),
            Mode::Comment => {}
            Mode::Code => {
                self.refuse_old_include(text)?;
                self.code(["    ; ", text, "\n"]);
            }
            Mode::Escaped => {
                self.code(["    ; __append(escapeFn(", &without_semicolon(text), "))\n"]);
            }
            Mode::Raw => self.code(["    ; __append(", &without_semicolon(text), ")\n"]),
        }
        self.line = line_before + line_breaks(text);
        if self.line != line_before {
            self.own(&format!("    ; __line = {}\n", self.line));
        }
        Ok(())
    }

    fn literal(&mut self, mark: &str) {
        self.mode = Mode::Literal;
        self.own(&format!("    ; __append(\"{mark}\")\n"));
    }

    fn text(&mut self, text: &str) {
        let text = match std::mem::replace(&mut self.after, After::Keep) {
            After::Keep => text,
            After::EatLineBreak => {
                let breaks =
                    ["\r\n", "\r", "\n"].into_iter().find_map(|sign| text.strip_prefix(sign));
                breaks.unwrap_or(text)
            }
        };
        if text.is_empty() {
            return;
        }
        let quoted = text
            .replace('\\', "\\\\")
            .replace('\n', "\\n")
            .replace('\r', "\\r")
            .replace('"', "\\\"");
        self.own(&format!("    ; __append(\"{quoted}\")\n"));
    }

    /// Code of the template: its line breaks are lines of the template.
    fn code(&mut self, [before, code, after]: [&str; 3]) {
        self.source.push_str(before);
        self.source.push_str(code);
        for step in 0..line_breaks(code) {
            self.lines.push(self.line + step);
        }
        self.line += line_breaks(code);
        if ends_in_line_comment(code) {
            self.own("\n");
        }
        self.own(after);
    }

    /// Source of ours: its line breaks belong to the line we are at.
    fn own(&mut self, source: &str) {
        self.source.push_str(source);
        for _ in 0..line_breaks(source) {
            self.lines.push(self.line);
        }
    }

    fn refuse_old_include(&self, code: &str) -> Result<(), BadTags> {
        let Some(name) = code.trim().strip_prefix("include") else { return Ok(()) };
        let is_directive = name.starts_with([' ', '\t'])
            && name.trim_start().starts_with(|c: char| c.is_alphanumeric() || c == '/' || c == '.');
        if !is_directive {
            return Ok(());
        }
        let name = name.trim();
        Err(self.bad(format!(
            "`<% include {name} %>` is no longer EJS: write `<%- include('{name}') %>`"
        )))
    }

    fn bad(&self, message: String) -> BadTags {
        BadTags { line: self.line, message }
    }
}

fn line_breaks(text: &str) -> u32 {
    u32::try_from(text.bytes().filter(|byte| *byte == b'\n').count()).unwrap_or(u32::MAX)
}

fn ends_in_line_comment(code: &str) -> bool {
    match (code.rfind("//"), code.rfind('\n')) {
        (Some(comment), Some(line_break)) => comment > line_break,
        (Some(_), None) => true,
        (None, _) => false,
    }
}

/// The last semicolon goes, the blanks after it stay.
fn without_semicolon(code: &str) -> String {
    let body = code.trim_end();
    match body.strip_suffix(';') {
        Some(shorter) => format!("{shorter}{}", &code[body.len()..]),
        None => code.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_source_lead_back_to_the_template() {
        let compiled =
            compile("a\nb <% if (x) {\n y(); // c\n } %>\n<%= z %>\n").expect("compiled");
        let line_of = |needle: &str| {
            let at = compiled
                .source
                .lines()
                .position(|line| line.contains(needle))
                .expect("in the source");
            compiled.template_line(u32::try_from(at + 1).expect("small"))
        };
        assert_eq!((line_of("if (x)"), line_of("y();"), line_of("escapeFn( z")), (2, 3, 5));
    }

    #[test]
    fn an_open_tag_is_refused_with_its_line() {
        let error = compile("one\ntwo <% if (x) {\n three").expect_err("refused");
        assert_eq!(error.line, 2);
        assert!(error.message.contains("close tag of `<%`"));
        assert_eq!(compile("<%=%>").expect_err("refused").line, 1);
    }

    #[test]
    fn the_old_include_is_refused_in_words() {
        assert!(
            compile("<% include head %>").expect_err("refused").message.contains("include('head')")
        );
        assert!(compile("<% include('head') %> <% includes = 1 %>").is_ok());
    }

    #[test]
    fn blanks_around_slurping_tags_go() {
        assert_eq!(eat_blanks("a \t<%_ x _%> \t\n  b _%>c"), "a<%_ x _%>\n  b _%>c");
    }
}
