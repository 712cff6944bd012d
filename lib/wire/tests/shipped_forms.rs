//! The forms in `etc/xml`: what a person reads is there in both languages.
#![expect(clippy::unwrap_used, reason = "a test that can't go on ends")]

use std::fs;
use std::path::{Path, PathBuf};

use gatepost_wire::form::{Description, Descriptions, Form};
use gatepost_wire::xml::{Document, Element};

fn shipped() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../etc/xml");
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()).collect();
    files.push(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../admin/gatepost/scaffold/description.xml"),
    );
    files.sort();
    files
}

/// The text in that very language, without the fallback a reader gets (S3-66).
fn has(root: &Element, [lang, block, key]: [&str; 3]) -> bool {
    let blocks = root.children_named("lang").filter(|it| it.has("name", lang));
    let blocks = blocks.flat_map(|it| it.children_named("messages"));
    let mut messages =
        blocks.filter(|it| it.has("name", block)).flat_map(|it| it.children_named("msg"));
    messages.any(|it| it.has("name", key) && !it.text().trim().is_empty())
}

#[test]
fn every_gate_has_its_texts_in_english_and_russian() {
    // S3-62, S3-63, S3-65
    let mut forms = 0;
    for file in shipped() {
        let source = fs::read(&file).unwrap();
        let root = Document::parse(&source).unwrap().root;
        let description = Description::parse(&source);
        let description = description.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let mut all = Descriptions::default();
        all.add(description);
        for plugin in
            all.plugins().iter().filter(|plugin| plugin.groups.iter().any(|it| it == "gateway"))
        {
            forms += 1;
            let block = format!("gateway.{}", plugin.name);
            let form = Form::read(all.metadata(&block).unwrap_or_else(|| panic!("no {block}")));
            assert!(form.identifier().is_some(), "{block} has no identifier");
            for lang in ["en", "ru"] {
                let text = |block: &str, key: &str| {
                    assert!(has(&root, [lang, block, key]), "{lang} {block} {key}");
                };
                for control in form.controls().filter(|control| control.takes_value()) {
                    text(&block, &control.name);
                    text(&block, &format!("hint_{}", control.name));
                }
                text("gateway_include", &format!("module_{}", plugin.name));
                text("plugin", &format!("desc_short_{}", plugin.name));
                text("plugin", &format!("desc_full_{}", plugin.name));
            }
        }
    }
    assert!(forms >= 4, "{forms}");
}
