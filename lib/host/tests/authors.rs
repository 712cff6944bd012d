//! What an author starts from: every gate of docs/gate.md and every scaffold passes the proof.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that can't go on ends; compilers of other languages are their own affair"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use gatepost_host::Environment;
use gatepost_host::proof::{Finding, Subject, Verdict, prove};
use gatepost_kit::tools::{find, is_here};
use notice::Fields;
use wire::xml::Document;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}

fn scaffold(path: &str) -> String {
    fs::read_to_string(repository().join("admin/gatepost/scaffold").join(path)).unwrap()
}

/// The blocks of the page with this fence.
fn blocks(fence: &str) -> Vec<String> {
    let page = fs::read_to_string(repository().join("docs/gate.md")).unwrap();
    let mut rest = page.as_str();
    let mut found = Vec::new();
    while let Some((_, after)) = rest.split_once(&format!("\n```{fence}\n")) {
        let (block, behind) = after.split_once("\n```\n").unwrap();
        found.push(format!("{block}\n"));
        rest = behind;
    }
    found
}

fn page_gate(lang: &str) -> String {
    only_block(&format!("{lang} test=gate"))
}

fn only_block(fence: &str) -> String {
    let mut gates = blocks(fence);
    assert_eq!(gates.len(), 1, "{fence}");
    gates.remove(0)
}

/// How a source becomes a program, and what must be installed for it.
#[derive(Clone, Copy)]
enum Made {
    Script(&'static str),
    Go,
    Rust,
}

/// The program in the folder; None when its language is not here.
fn make(made: Made, source: &str, folder: &Path) -> Option<PathBuf> {
    let program = folder.join("gwproof");
    match made {
        Made::Script(interpreter) => {
            is_here(interpreter).then_some(())?;
            fs::write(&program, source).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
            Some(program)
        }
        Made::Go => {
            is_here("go").then_some(())?;
            fs::write(folder.join("main.go"), source).unwrap();
            let mut build = Command::new(find("go").unwrap());
            build.args(["build", "-o"]).arg(&program).arg(folder.join("main.go"));
            build
                .env("GO111MODULE", "off")
                .env("GOCACHE", std::env::temp_dir().join("gatepost-go-cache"));
            built(build);
            Some(program)
        }
        Made::Rust => {
            let manifest = scaffold("rust/Cargo.toml")
                .replace("../../sdk/rust/lib/gate", library().join("lib/gate").to_str().unwrap());
            fs::create_dir_all(folder.join("src")).unwrap();
            fs::write(folder.join("Cargo.toml"), manifest).unwrap();
            fs::write(folder.join("src/main.rs"), source).unwrap();
            fs::copy(library().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
            built(cargo_build(folder));
            fs::copy(target().join("debug/gwexample"), &program).unwrap();
            Some(program)
        }
    }
}

/// The library as it is installed.
fn library() -> PathBuf {
    gatepost_kit::host::prefix().join("sdk/rust")
}

/// Where everything in Rust is built, so that nothing is built twice.
fn target() -> PathBuf {
    repository().join("target/authors")
}

fn cargo_build(folder: &Path) -> Command {
    let mut build = Command::new(env!("CARGO"));
    build
        .args(["build", "--offline", "--quiet"])
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target());
    build
}

fn built(mut build: Command) {
    let output = build.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn proved(made: Made, source: &str) -> Vec<Finding> {
    proved_within(made, source, Duration::from_secs(30))
}

fn proved_within(made: Made, source: &str, deadline: Duration) -> Vec<Finding> {
    let folder = tempfile::tempdir().unwrap();
    let Some(program) = make(made, source, folder.path()) else { return Vec::new() };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let environment =
        Environment::new(vec![("PATH".into(), path), ("LANG".into(), "C.UTF-8".into())]);
    prove(&Subject { program: &program, params: &Fields::new(), environment, deadline }).unwrap()
}

/// A scaffold may not even get a hint.
fn nothing_is_wrong_with(made: Made, path: &str) {
    let report = proved(made, &scaffold(path));
    let rest: Vec<_> = report.iter().filter(|it| it.verdict != Verdict::Passed).collect();
    assert!(rest.is_empty(), "{path}: {rest:#?}");
}

/// A gate of the page writes a file: it can't fail to reach anything.
fn the_contract_holds_for(made: Made, source: &str) {
    let report = proved(made, source);
    let rest: Vec<_> = report.iter().filter(|it| !it.passed()).collect();
    assert!(rest.is_empty(), "{rest:#?}");
    let arrived = |it: &Finding| it.check == "text of a megabyte" && it.words.contains("1 times");
    assert!(report.is_empty() || report.iter().any(arrived), "{report:#?}");
}

#[test]
fn the_scaffold_in_sh_passes() {
    if is_here("curl") {
        nothing_is_wrong_with(Made::Script("sh"), "sh/gate");
    }
}

/// S3-9: any language that reads and writes strings on stdin and stdout.
#[test]
fn the_scaffold_in_python_passes() {
    nothing_is_wrong_with(Made::Script("python3"), "py/gate");
}

#[test]
fn the_scaffold_in_php_passes() {
    nothing_is_wrong_with(Made::Script("php"), "php/gate");
}

#[test]
fn the_scaffold_in_javascript_passes() {
    nothing_is_wrong_with(Made::Script("node"), "js/gate");
}

#[test]
fn the_scaffold_in_perl_passes() {
    nothing_is_wrong_with(Made::Script("perl"), "pl/gate");
}

#[test]
fn the_scaffold_in_go_passes() {
    nothing_is_wrong_with(Made::Go, "go/main.go");
}

#[test]
fn the_gate_of_the_page_in_each_script_language_passes() {
    for (lang, interpreter) in [("sh", "sh"), ("py", "python3"), ("php", "php"), ("js", "node")] {
        the_contract_holds_for(Made::Script(interpreter), &page_gate(lang));
    }
}

#[test]
fn the_gate_of_the_page_that_serves_passes() {
    let report = proved(Made::Script("python3"), &only_block("py test=serve"));
    let served = report.iter().filter(|it| it.check.starts_with("serve"));
    let verdicts: Vec<_> = served.map(|it| (it.check, it.verdict)).collect();
    assert!(
        verdicts.len() == 9 && verdicts.iter().all(|it| it.1 == Verdict::Passed),
        "{report:#?}"
    );
    assert!(report.iter().all(Finding::passed), "{report:#?}");
}

/// The gate of the page with one fault each.
#[test]
fn a_gate_that_serves_badly_is_found() {
    let good = only_block("py test=serve");
    let table = [
        (r#"doc.get("id")"#, r#""100""#, "serve, messages one after another"),
        ("            say(doc)\n", "            pass\n", "serve, ping"),
        (
            r#"doc.findtext("message") +"#,
            r#"doc.findtext("message")[:99] +"#,
            "serve, hostile texts",
        ),
        (
            "    serve()\n",
            "    print('ready', flush=True)\n    serve()\n",
            "serve, killed with messages open",
        ),
        (
            "    serve()\n",
            "    serve()\n    os.read(os.pipe()[0], 1)\n",
            "serve, end of input with messages open",
        ),
        ("    serve()\n", "    next(frames())\n", "serve, service fails"),
    ];
    for (good_line, bad_line, check) in table {
        let bad = good.replace(good_line, bad_line);
        assert_ne!(bad, good, "{good_line}");
        let report = proved_within(Made::Script("python3"), &bad, Duration::from_secs(2));
        let found = report.iter().find(|it| it.check == check);
        assert!(found.is_none_or(|it| it.verdict == Verdict::Failed), "{bad_line}: {found:?}");
    }
}

#[test]
fn the_gate_of_the_page_in_go_passes() {
    the_contract_holds_for(Made::Go, &page_gate("go"));
}

/// S3-56: the library and the gate to copy, as they are installed; S3-54: the library's trait, in a gate of its
/// own. One test, for they share a target folder.
#[test]
fn the_installed_library_and_the_gates_in_rust_pass() {
    let mut installed = cargo_build(&library());
    installed.args(["--locked", "--workspace"]);
    built(installed);
    let folder = tempfile::tempdir().unwrap();
    let copied = folder.path().join("gwfile");
    fs::copy(target().join("debug/gwfile"), &copied).unwrap();
    let features = Command::new(copied).args(["--command", "features"]).output().unwrap();
    assert!(String::from_utf8_lossy(&features.stdout).contains("\"outgoing\""), "{features:?}");
    nothing_is_wrong_with(Made::Rust, "rust/src/main.rs");
    the_contract_holds_for(Made::Rust, &page_gate("rust"));
}

#[test]
fn every_document_of_the_page_can_be_read() {
    let mut documents = blocks("xml test=xml");
    documents.extend(blocks("xml test=description"));
    documents.push(scaffold("description.xml"));
    assert_eq!(documents.len(), 6);
    for document in documents {
        Document::parse(document.as_bytes()).unwrap();
    }
}

#[test]
fn every_block_of_the_page_is_run() {
    let page = fs::read_to_string(repository().join("docs/gate.md")).unwrap();
    let fences = page.lines().filter(|line| line.starts_with("```") && *line != "```");
    for fence in fences {
        assert!(fence.contains(" test="), "{fence}");
    }
}
