//! Our engines beside their peers: XSLT beside `xsltproc`, EJS beside the npm package `ejs` under node (S3-13 … S3-15).
//!
//! A case is a template, its notice (its own, or `shared`) and what the peer made of it, `NAME.out`, committed.
//! Where the peer is there it is run again, so that the committed output stays the peer's.
#![cfg(feature = "xslt")]
#![expect(clippy::expect_used, reason = "a test that cannot go on says so")]
#![expect(
    clippy::disallowed_methods,
    reason = "the test starts the peers, and reads where they are"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use render::{Limits, Renderer};
use wire::rendering::{BodyKind, BodyTemplate, Bundle, Engine, NoticeForm, Part, RenderRequest};

/// The issue asks for at least so many cases of each engine that has a peer.
const LEAST_CASES: usize = 60;

fn folder(engine: Engine) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(engine.word())
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Files of a folder with an extension, their names without it, in order.
fn names(folder: &Path, extension: &str) -> Vec<String> {
    let files =
        fs::read_dir(folder).expect("the cases").filter_map(Result::ok).map(|entry| entry.path());
    let fitting = files.filter(|path| path.extension().is_some_and(|found| found == extension));
    let mut names: Vec<_> =
        fitting.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    names
}

/// Cases are the templates that have an output; the others are included by them.
fn cases(engine: Engine) -> Vec<String> {
    let folder = folder(engine);
    names(&folder, engine.word())
        .into_iter()
        .filter(|name| folder.join(format!("{name}.out")).exists())
        .collect()
}

/// What may be included: templates without an output, and those in `part/`.
fn included(engine: Engine) -> Vec<(String, String)> {
    let folder = folder(engine);
    let beside = names(&folder, engine.word())
        .into_iter()
        .filter(|name| !folder.join(format!("{name}.out")).exists());
    let parts = folder.join("part");
    let below = if parts.is_dir() { names(&parts, engine.word()) } else { Vec::new() };
    let all = beside.chain(below.into_iter().map(|name| format!("part/{name}")));
    all.map(|name| format!("{name}.{engine}"))
        .map(|name| (name.clone(), read(&folder.join(&name))))
        .collect()
}

fn own_or_shared(folder: &Path, name: &str, extension: &str) -> PathBuf {
    let own = folder.join(format!("{name}.{extension}"));
    if own.exists() { own } else { folder.join(format!("shared.{extension}")) }
}

fn ours(engine: Engine, name: &str) -> String {
    let folder = folder(engine);
    let (form, extension) = match engine {
        Engine::Xslt => (NoticeForm::Xml, "xml"),
        Engine::Ejs | Engine::Tera => (NoticeForm::Json, "json"),
    };
    let file = format!("{name}.{engine}");
    let kind = if name.starts_with("text-") && engine == Engine::Tera {
        BodyKind::Text
    } else {
        BodyKind::Html
    };
    let mut bundle = Bundle::of_one(
        BodyTemplate { kind, engine, name: file.clone() },
        read(&folder.join(&file)),
    );
    bundle.files.extend(included(engine));
    let mut renderer = Renderer::new(engine, Limits::default()).expect("an engine");
    renderer.tell_bundle("b".into(), bundle);
    renderer.tell_notice("n".into(), form, read(&own_or_shared(&folder, name, extension)));
    let part = if kind == BodyKind::Html { Part::Html } else { Part::Text };
    let request = RenderRequest {
        bundle: "b".into(),
        notice: "n".into(),
        parts: vec![part],
        lang: "en".into(),
        ..RenderRequest::default()
    };
    match renderer.render(&request).result {
        Ok(texts) => texts.html.or(texts.text).unwrap_or_default(),
        Err(error) => format!("ERROR {error}"),
    }
}

/// Every case that differs from its committed output.
fn check(engine: Engine) -> usize {
    let folder = folder(engine);
    let cases = cases(engine);
    let differing: Vec<String> = cases
        .iter()
        .filter_map(|name| {
            let (wanted, made) = (read(&folder.join(format!("{name}.out"))), ours(engine, name));
            (wanted != made).then(|| format!("--- {name}\nwanted {wanted:?}\nmade   {made:?}"))
        })
        .collect();
    assert!(
        differing.is_empty(),
        "{} of {} differ:\n{}",
        differing.len(),
        cases.len(),
        differing.join("\n")
    );
    cases.len()
}

/// Says aloud that a peer is missing; in CI that is a failure.
fn without(peer: &str, how: &str) {
    gatepost_kit::tools::missing(&format!("{peer} (to make the committed outputs again): {how}"));
}

#[test]
fn xslt_is_byte_for_byte_what_xsltproc_makes() {
    // S3-14
    assert!(check(Engine::Xslt) >= LEAST_CASES);
    let folder = folder(Engine::Xslt);
    if Command::new("xsltproc").arg("--version").output().is_err() {
        return without("xsltproc", "apt-get install xsltproc");
    }
    for name in cases(Engine::Xslt) {
        let xml = own_or_shared(&folder, &name, "xml");
        let output = Command::new("xsltproc")
            .arg("--nonet")
            .arg(format!("{name}.xslt"))
            .arg(xml)
            .current_dir(&folder)
            .output();
        let made = output.expect("xsltproc runs").stdout;
        let committed = fs::read(folder.join(format!("{name}.out"))).expect("committed");
        assert_eq!(
            String::from_utf8_lossy(&made),
            String::from_utf8_lossy(&committed),
            "{name}: xsltproc makes another output now"
        );
    }
}

#[test]
fn ejs_is_byte_for_byte_what_the_npm_package_makes() {
    // S3-15
    assert!(check(Engine::Ejs) >= LEAST_CASES);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let package = std::env::var_os("GATEPOST_EJS")
        .map_or_else(|| root.join("target/peers/node_modules/ejs"), PathBuf::from);
    if !package.is_dir() || Command::new("node").arg("--version").output().is_err() {
        return without(
            "the npm package ejs under node",
            "apt-get install nodejs npm; npm install --prefix target/peers ejs",
        );
    }
    let out = tempfile::tempdir().expect("a folder");
    let folder = folder(Engine::Ejs);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/ejs.cjs");
    let output = Command::new("node")
        .args([&script, &package, &folder, &out.path().to_path_buf()])
        .output()
        .expect("node runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for name in cases(Engine::Ejs) {
        let file = format!("{name}.out");
        assert_eq!(
            read(&out.path().join(&file)),
            read(&folder.join(&file)),
            "{name}: the package makes another output now"
        );
    }
}

#[test]
fn tera_makes_what_is_committed() {
    assert!(check(Engine::Tera) >= 20);
}
