//! `gatepost gate new` and `gatepost gate test` as an author types them: every language, the line that builds the gate
//! as it is printed, the proof.

use gatepost_kit::host::{Host, Ran, has, repository};
use gatepost_kit::tools::find;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What `gate new` prints under `next:`, up to the test.
fn typed(host: &Host, name: &str, lang: &str) -> Vec<String> {
    let words = ["gate", "new", name, "--lang", lang];
    let printed = host.gatepost(&words).ended(0).stdout;
    let (written, next) = printed.split_once("next:\n").unwrap();
    for file in written.lines().skip(1) {
        assert!(Path::new(file.trim()).is_file(), "{lang}: {printed}");
    }
    let lines: Vec<String> = next.lines().map(|line| line.trim().to_owned()).collect();
    let test = format!("gatepost gate test gate/{name}");
    let at = lines.iter().position(|line| *line == test);
    lines[..=at.unwrap_or_else(|| panic!("{lang}: {printed}"))].to_vec()
}

/// The lines in ROOT, by a person whose compilers are in PATH and whose packages are here already.
fn type_in(host: &Host, lines: &[String]) -> Ran {
    let compilers =
        [Some(PathBuf::from(env!("CARGO"))), find("go"), Some(host.path("bin/gatepost"))];
    let folders = compilers.iter().flatten().filter_map(|program| program.parent());
    let system = ["/usr/local/bin", "/usr/bin", "/bin"].map(Path::new);
    let path = std::env::join_paths(folders.chain(system)).unwrap();
    let packages = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let packages =
        packages.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let mut shell = Command::new("/bin/bash");
    shell.args(["-e", "-c", &lines.join("\n")]).current_dir(host.root()).env_clear();
    shell.env("PATH", path).env("LANG", "C.UTF-8").env("HOME", host.root());
    shell.env("GATEPOST_ROOT", host.root()).env("CARGO_HOME", packages.unwrap());
    shell.env("CARGO_NET_OFFLINE", "true").env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0");
    shell.env("GOCACHE", std::env::temp_dir().join("gatepost-go-cache"));
    Ran::of(&shell.output().unwrap())
}

fn a_new_gate_passes(lang: &str) {
    let host = Host::new();
    let lines = typed(&host, "gwmine", lang);
    if lang == "rust" {
        // what others compiled is not compiled again
        let target = repository().join("target/authors");
        std::fs::create_dir_all(&target).unwrap();
        std::os::unix::fs::symlink(target, host.path("src/gwmine/target")).unwrap();
    }
    assert_eq!(lines.len(), if ["go", "rust"].contains(&lang) { 2 } else { 1 }, "{lines:?}");
    let ran = type_in(&host, &lines).ended(0);
    assert!(ran.stderr.contains(" checks, 0 failed"), "{lang}: {}{}", ran.stdout, ran.stderr);
    let listed = host.gatepost(&["gate", "list"]).ended(0).stdout;
    assert!(listed.contains("gwmine"), "{lang}: {listed}");
}

#[test]
fn a_new_gate_in_sh_passes_its_test() {
    if has("curl") {
        a_new_gate_passes("sh");
    }
}

#[test]
fn a_new_gate_in_python_passes_its_test() {
    if has("python3") {
        a_new_gate_passes("py");
    }
}

#[test]
fn a_new_gate_in_php_passes_its_test() {
    if has("php") {
        a_new_gate_passes("php");
    }
}

#[test]
fn a_new_gate_in_javascript_passes_its_test() {
    if has("node") {
        a_new_gate_passes("js");
    }
}

#[test]
fn a_new_gate_in_go_is_built_as_it_says_and_passes_its_test() {
    if has("go") {
        a_new_gate_passes("go");
    }
}

/// It stands on the installed library (S3-56).
#[test]
fn a_new_gate_in_rust_is_built_as_it_says_and_passes_its_test() {
    a_new_gate_passes("rust");
}

#[test]
fn a_bad_gate_fails_its_test_with_the_reasons() {
    let host = Host::new();
    host.program(
        "gate/gwbad",
        "#!/bin/sh\necho '<doc><error type=\"later\">always</error></doc>'\n",
    );
    let ran = host.gatepost(&["gate", "test", "gate/gwbad"]).ended(1);
    assert!(ran.stdout.contains("failed  features"), "{}", ran.stdout);
    assert!(!ran.stderr.contains(" 0 failed"), "{}", ran.stderr);
}

#[test]
fn a_new_gate_overwrites_nothing() {
    let host = Host::new();
    typed(&host, "gwmine", "sh");
    let again = host.gatepost(&["gate", "new", "gwmine", "--lang", "py"]).ended(73);
    assert!(again.stderr.contains("is there already; choose another name"), "{}", again.stderr);
    assert!(host.read("gate/gwmine").starts_with("#!/bin/sh"));
}
