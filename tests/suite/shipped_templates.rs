//! Every shipped template, rendered with its sample by the real engines (issue 1 of 3, item 10).
//!
//! What they give is kept in `tests/golden/templates/NOTICE/LANG.MODULE.KIND`; after a change on purpose
//! `GATEPOST_UPDATE_GOLDEN=1 cargo xtask test shipped_templates` writes it anew.

use crate::house::repository;
use crate::shipped::{
    LANGUAGES, MODULES, NOTICES, bundle, notice, rendered, renderer, root, sample,
};
use gatepost_kit::host::Host;
use gatepost_module::segments::segments_of;
use notice::ModuleName;
use std::fs;
use std::path::PathBuf;
use wire::rendering::{BodyKind, Engine, Texts};
use wire::xml::{Document, Element, Node};

const MAIL: &str = ModuleName::EMAIL;

/// One message: a notice in a language by a module, with its texts.
struct Case {
    name: String,
    module: &'static str,
    texts: Texts,
}

impl Case {
    /// What this module hands out, by the ending of its golden file. A mail has three.
    fn bodies(&self) -> Vec<(&'static str, &str)> {
        let parts = [
            ("html", self.texts.html.as_deref().filter(|_| self.module == MAIL)),
            ("text", self.texts.text.as_deref()),
            ("subject", self.texts.subject.as_deref().filter(|_| self.module == MAIL)),
        ];
        parts.into_iter().filter_map(|(kind, text)| Some((kind, text?))).collect()
    }
}

/// Every notice in every language by every module, of samples changed by `change`.
fn cases(change: impl Fn(&mut Element)) -> Vec<Case> {
    let mut children = renderer();
    let mut cases = Vec::new();
    for name in NOTICES {
        let mut sample = sample(name);
        change(&mut sample);
        for lang in LANGUAGES {
            for module in MODULES {
                let name = format!("{name}/{lang}.{module}");
                let bundle = bundle(name.split('/').next().unwrap(), module, lang);
                let texts = rendered(&mut children, &bundle, &sample);
                let texts = texts.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
                cases.push(Case { name, module, texts });
            }
        }
    }
    cases
}

#[test]
fn eight_notices_are_shipped_in_two_languages_for_three_modules() {
    let mut of_engines = [0; 3];
    for name in NOTICES {
        let notice = notice(name);
        assert!(!notice.modules.is_empty(), "{name}");
        for lang in LANGUAGES {
            for texts in [&notice.title, &notice.subject] {
                assert!(texts.get(lang).is_some_and(|text| !text.is_empty()), "{name} {lang}");
            }
            for module in MODULES {
                let bundle = bundle(name, module, lang);
                assert_eq!((bundle.lang.as_str(), bundle.module.as_str()), (lang, module));
                let own = format!("{lang}.{module}.");
                assert!(
                    bundle.bodies.iter().all(|body| body.name.starts_with(&own)),
                    "{name} {own}"
                );
                assert!(bundle.body(BodyKind::Text).is_some(), "{name} {own}");
            }
            let mail = bundle(name, MAIL, lang);
            let html =
                mail.body(BodyKind::Html).unwrap_or_else(|| panic!("{name} {lang}: no html"));
            let at = Engine::ALL.iter().position(|engine| *engine == html.engine).unwrap();
            of_engines[at] += 1;
        }
    }
    assert_eq!(platform::notice_names(&root()), NOTICES);
    assert!(of_engines.iter().all(|count| *count >= 2 * LANGUAGES.len()), "{of_engines:?}");
}

#[test]
fn every_shipped_template_gives_its_golden_text() {
    // S3-13, S3-14, S3-15, S3-16
    let folder = repository().join("tests/golden/templates");
    #[expect(clippy::disallowed_methods, reason = "a switch of this test alone")]
    let update = std::env::var_os("GATEPOST_UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    let mut known = Vec::new();
    for case in cases(|_| {}) {
        for (kind, text) in case.bodies() {
            let path = folder.join(format!("{}.{kind}", case.name));
            if update {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, text).unwrap();
            }
            if fs::read_to_string(&path).unwrap_or_default() != text {
                wrong.push(format!("{}:\n{text}", path.display()));
            }
            known.push(path);
        }
    }
    assert!(wrong.is_empty(), "{} differ; {}", wrong.len(), wrong.join("\n\n"));
    let left_over: Vec<_> =
        files(folder).into_iter().filter(|path| !known.contains(path)).collect();
    assert!(left_over.is_empty(), "no template gives {left_over:?}");
}

fn files(folder: PathBuf) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries
        .flat_map(|entry| match entry.unwrap().path() {
            path if path.is_dir() => files(path),
            path => vec![path],
        })
        .collect()
}

#[test]
fn nothing_is_left_of_tags_macros_and_missing_values() {
    let marks = ["__", "<%", "%>", "{{", "}}", "{%", "undefined", "[object", "NaN", "xsl:", "null"];
    for case in cases(|_| {}) {
        for (kind, text) in case.bodies() {
            let name = format!("{}.{kind}", case.name);
            assert!(!text.trim().is_empty(), "{name} is empty");
            for mark in marks {
                assert!(!text.contains(mark), "{name} holds {mark}: {text}");
            }
            if kind != "html" {
                for mark in ["&amp;", "&lt;", "&#", "&quot;", "</", "<br", "<p"] {
                    assert!(!text.contains(mark), "{name} holds {mark}: {text}");
                }
            }
        }
    }
}

#[test]
fn texts_keep_to_78_columns_and_an_sms_to_two_segments() {
    for case in cases(|_| {}) {
        let text = case.texts.text.as_deref().unwrap();
        if case.module == ModuleName::SMS {
            let segments = segments_of(text.trim());
            assert!(segments.count <= 2, "{}: {segments:?} {text}", case.name);
            assert!(!text.trim().contains('\n'), "{}: {text}", case.name);
            continue;
        }
        for line in text.lines() {
            assert!(line.chars().count() <= 78, "{}: {line}", case.name);
            assert!(line == "-- " || line == line.trim_end(), "{}: {line:?}", case.name);
        }
        assert!(!text.contains("\n\n\n") && text.ends_with('\n'), "{}: {text}", case.name);
        assert!(!text.starts_with('\n'), "{}: {text}", case.name);
    }
}

#[test]
fn a_subject_fits_a_mailbox_and_is_the_same_for_every_module() {
    let cases = cases(|_| {});
    for of_modules in cases.chunks(MODULES.len()) {
        let subject = of_modules[0].texts.subject.clone().unwrap();
        assert!((8..=78).contains(&subject.chars().count()), "{}: {subject}", of_modules[0].name);
        for case in of_modules {
            assert_eq!(case.texts.subject.as_ref(), Some(&subject), "{}", case.name);
        }
    }
}

#[test]
fn a_mail_is_sound_html_for_any_reader() {
    for case in cases(|_| {}).iter().filter(|case| case.module == MAIL) {
        let html = case.texts.html.as_deref().unwrap();
        let lang = if case.name.contains("/ru.") { "ru" } else { "en" };
        assert_balanced(&case.name, html);
        assert!(
            html.trim_start().to_ascii_lowercase().starts_with("<!doctype html"),
            "{}",
            case.name
        );
        assert!(html.contains(&format!("<html lang=\"{lang}\">")), "{}", case.name);
        assert!(html.contains("display:none"), "{}: no preheader", case.name);
        for banned in
            ["<style", "<script", "<link", "<img", "src=", "class=", "http-equiv=\"refresh"]
        {
            assert!(!html.contains(banned), "{} holds {banned}", case.name);
        }
    }
}

#[test]
fn values_can_not_break_out_of_any_template() {
    const HOSTILE: &str = "<script>alert(\"1\")</script>'&__email__";
    for case in cases(|sample| spoil(sample, HOSTILE)) {
        for (kind, text) in case.bodies() {
            if kind == "html" {
                assert_balanced(&case.name, text);
                assert!(!text.contains("<script"), "{}: {text}", case.name);
            }
            if kind == "subject" {
                assert!(!text.contains('\n'), "{}: {text}", case.name);
            }
        }
    }
}

/// Puts a text in the place of every value that is neither a number nor a date.
fn spoil(element: &mut Element, text: &str) {
    if element.elements().next().is_some() {
        element.elements_mut().for_each(|child| spoil(child, text));
    } else if !element.text().starts_with(|sign: char| sign.is_ascii_digit())
        && !matches!(element.name.as_str(), "language" | "timezone" | "attachment")
    {
        element.set_text(text);
    }
}

#[test]
fn a_notice_without_any_values_still_says_something() {
    let bare = |sample: &mut Element| {
        sample.children.retain(|node| matches!(node, Node::Element(child) if is_who(child)));
        for who in sample.elements_mut() {
            who.children.retain(|node| {
                matches!(node, Node::Element(field) if ["id", "name", "email"].contains(&field.name.as_str()))
            });
        }
    };
    for case in cases(bare) {
        for (kind, text) in case.bodies() {
            let name = format!("{}.{kind}", case.name);
            assert!(text.trim().len() > 8, "{name}: {text}");
            for mark in ["undefined", "NaN", "null", " :", ": .", "  ("] {
                let told = text.lines().any(|line| !line.contains("style=") && line.contains(mark));
                assert!(!told, "{name} holds `{mark}`: {text}");
            }
        }
    }
}

fn is_who(element: &Element) -> bool {
    matches!(element.name.as_str(), "user" | "project")
}

#[test]
fn each_language_is_written_in_its_own_letters() {
    for name in NOTICES {
        for lang in LANGUAGES {
            for module in MODULES {
                let bundle = bundle(name, module, lang);
                for (file, text) in bundle.files.iter().filter(|(file, _)| in_one_language(file)) {
                    let cyrillic =
                        text.chars().any(|sign| matches!(sign, 'а'..='я' | 'ё' | 'А'..='Я'));
                    assert_eq!(
                        cyrillic,
                        file.starts_with("ru.") || file.contains(".ru"),
                        "{name}/{file}"
                    );
                }
            }
        }
    }
}

/// Shared files without a language in their name hold layout.
fn in_one_language(file: &str) -> bool {
    LANGUAGES.iter().any(|lang| {
        file.starts_with(&format!("{lang}."))
            || file.ends_with(&format!(".{lang}"))
            || file.contains(&format!(".{lang}."))
    })
}

/// Every tag is closed, in order; what needs no end has none.
fn assert_balanced(name: &str, html: &str) {
    const VOID: [&str; 6] = ["meta", "br", "hr", "img", "input", "link"];
    let mut open: Vec<&str> = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let end = rest.find('>').unwrap_or_else(|| panic!("{name}: a tag has no end: {rest}"));
        let (tag, after) = (&rest[..end], &rest[end + 1..]);
        assert!(!tag.contains('<'), "{name}: `<` inside a tag: {tag}");
        assert_eq!(tag.matches('"').count() % 2, 0, "{name}: quotes in {tag}");
        rest = after;
        if tag.starts_with('!') {
            continue;
        }
        let word = tag.trim_start_matches('/').split([' ', '\n', '/']).next().unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(word), "{name}: </{word}>");
        } else if !VOID.contains(&word) {
            open.push(word);
        }
    }
    assert!(open.is_empty(), "{name}: never closed: {open:?}");
}

/// A gate that keeps what it is given.
const KEEPING_GATE: &str = "#!/bin/sh
case \"$2\" in
features) echo '<doc><features><feature name=\"outgoing\"/></features><notify_module>ntemail</notify_module></doc>' ;;
outgoing) cat > var/kept.xml; echo '<doc/>' ;;
esac
";

#[test]
fn an_invoice_reaches_the_gate_with_its_file() {
    let host = Host::new();
    let file = "share/templates/invoice/invoice-2026-0118.pdf";
    host.program("gate/gwkeep", KEEPING_GATE);
    host.gatepost(&["project", "add", "name=P", "notifyemail=billing@p.example"]).ended(0);
    host.gatepost(&["user", "add", "quiet=on", "name=u", "email=u@p.example", "language=ru"])
        .ended(0);
    host.gatepost(&["gateway", "add", "gwkeep", "name=keep", "project=1"]).ended(0);
    let attach = format!("attach={file}");
    let number = "data.invoice.number=7";
    host.gatepost(&["func", "notify.send", "notice=invoice", "user=1", &attach, number]).ended(0);
    host.process("ntemail").ended(0);
    let kept = Document::parse(host.read("var/kept.xml").as_bytes()).unwrap().root;
    assert_eq!(kept.child_text("subject"), "Счёт № 7 на оплату услуг P");
    assert!(kept.child_text("text").contains("В приложении: invoice-2026-0118.pdf"));
    let attachment = kept.child("attachment").unwrap();
    assert!(
        attachment.has("name", "invoice-2026-0118.pdf")
            && attachment.has("type", "application/pdf")
    );
    let path = host.path(attachment.attribute("path").unwrap());
    assert_eq!(fs::read(path).unwrap(), fs::read(host.path(file)).unwrap());
}
