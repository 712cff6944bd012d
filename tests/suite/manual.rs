//! The documentation in step with the code: every block of README.md and docs/*.md is run, parsed or named as
//! what it is; settings, findings and commands have their place in a page.

use crate::house::repository;
use crate::pages::{Block, Kind, Page, pages};
use gatepost_kit::host::{Host, Ran};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The page's own installation, and what its last block printed.
struct Reading {
    host: Host,
    printed: Option<String>,
}

fn read_and_run(page: &Page) {
    let mut reading = Reading { host: Host::new(), printed: None };
    for block in &page.blocks {
        reading.take(block);
    }
}

impl Reading {
    fn take(&mut self, block: &Block) {
        let place = &block.place;
        match &block.kind {
            Kind::Run { exit } => {
                let ran = run(&self.host, &block.text);
                assert_eq!(ran.code, Some(*exit), "{place} printed:\n{}", ran.stdout);
                self.printed = Some(ran.stdout);
            }
            Kind::Output => {
                let printed = self
                    .printed
                    .take()
                    .unwrap_or_else(|| panic!("{place}: no sh block stands before it"));
                assert!(
                    is_like(&block.text, &printed),
                    "{place} is not what was printed:\n{printed}"
                );
            }
            Kind::File { path, mode: Some(_) } => drop(self.host.program(path, &block.text)),
            Kind::File { path, mode: None } => drop(self.host.write(path, &block.text)),
            Kind::Root => {
                check_script(block);
                self.names_of_shipped_files(block);
            }
            Kind::Clone => {
                check_script(block);
                names_of_tasks(block);
            }
            Kind::Sample { language } => check_sample(place, language, &block.text),
            Kind::ElsewhereTested => {}
        }
    }

    /// Every file under share/ that a block for root names is installed.
    fn names_of_shipped_files(&self, block: &Block) {
        for word in
            block.text.split(|letter: char| letter.is_whitespace() || "\"'=;".contains(letter))
        {
            let Some((_, file)) = word.split_once("/share/") else { continue };
            let path = self.host.path("share").join(file);
            assert!(path.exists(), "{} names share/{file}, which is not installed", block.place);
        }
    }
}

/// As a person in ROOT types it, stderr among stdout.
fn run(host: &Host, script: &str) -> Ran {
    let script = format!("exec 2>&1\nexport PATH=\"$PWD/bin:$PATH\"\n{script}");
    host.run("/usr/bin/timeout", &["120", "/bin/bash", "-e", "-c", &script])
}

#[expect(clippy::disallowed_methods, reason = "bash reads the script, it does not run it")]
fn check_script(block: &Block) {
    let read = Command::new("/bin/bash").args(["-n", "-c", &block.text]).output().unwrap();
    assert!(read.status.success(), "{}: {}", block.place, String::from_utf8_lossy(&read.stderr));
}

/// `cargo xtask WORD` in a block for a clone is one that exists.
fn names_of_tasks(block: &Block) {
    let manual = fs::read_to_string(repository().join("xtask/src/main.rs")).unwrap();
    for rest in block.text.split("cargo xtask ").skip(1) {
        let word = rest.split_whitespace().next().unwrap_or_default();
        let line = format!("//! cargo xtask {word} ");
        assert!(manual.contains(&line), "{}: there is no `cargo xtask {word}`", block.place);
    }
}

fn check_sample(place: &str, language: &str, text: &str) {
    let problem = match language {
        "xml" => wire::xml::Document::parse(text.as_bytes()).err().map(|error| error.to_string()),
        "json" => {
            serde_json::from_str::<serde_json::Value>(text).err().map(|error| error.to_string())
        }
        "toml" => text.parse::<toml::Table>().err().map(|error| error.to_string()),
        _ => None,
    };
    assert_eq!(problem, None, "{place}");
}

/// Compares line by line; `…` stands for anything within a line, alone in a line for any number of lines.
fn is_like(wanted: &str, printed: &str) -> bool {
    let wanted: Vec<&str> = wanted.trim_end().lines().collect();
    let printed: Vec<&str> = printed.trim_end().lines().collect();
    lines_are_like(&wanted, &printed)
}

fn lines_are_like(wanted: &[&str], printed: &[&str]) -> bool {
    match (wanted.split_first(), printed.split_first()) {
        (None, None) => true,
        (Some((&"…", rest)), _) => {
            (0..=printed.len()).any(|skipped| lines_are_like(rest, &printed[skipped..]))
        }
        (Some((line, rest)), Some((found, behind))) => {
            line_is_like(line.trim_end(), found.trim_end()) && lines_are_like(rest, behind)
        }
        (None, Some(_)) | (Some(_), None) => false,
    }
}

fn line_is_like(wanted: &str, found: &str) -> bool {
    let Some((start, rest)) = wanted.split_once('…') else { return wanted == found };
    let Some(mut found) = found.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('…').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        let Some((_, behind)) = found.split_once(part) else { return false };
        found = behind;
    }
    found.ends_with(end)
}

fn page(name: &str) -> Page {
    let found = pages().into_iter().find(|page| page.name == name);
    found.unwrap_or_else(|| panic!("there is no page {name}"))
}

#[test]
fn the_readme_does_what_it_says() {
    read_and_run(&page("README.md"));
}

#[test]
fn the_operators_page_does_what_it_says() {
    read_and_run(&page("docs/operating.md"));
}

#[test]
fn the_page_of_findings_does_what_it_says() {
    read_and_run(&page("docs/findings.md"));
}

#[test]
fn the_module_authors_page_does_what_it_says() {
    if gatepost_kit::host::has("python3") {
        read_and_run(&page("docs/module.md"));
    }
}

#[test]
fn the_page_of_services_does_what_it_says() {
    read_and_run(&page("docs/service.md"));
}

#[test]
fn every_other_page_does_what_it_says() {
    const OWN_TEST: [&str; 5] =
        ["README.md", "docs/operating.md", "docs/findings.md", "docs/module.md", "docs/service.md"];
    for page in pages().iter().filter(|page| !OWN_TEST.contains(&page.name.as_str())) {
        read_and_run(page);
    }
}

#[test]
fn every_link_of_a_page_leads_somewhere() {
    for page in pages() {
        let folder = repository().join(&page.name).parent().unwrap().to_path_buf();
        for link in page.prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            let is_outside = link.starts_with("http://") || link.starts_with("https://");
            assert!(
                is_outside || file.is_empty() || folder.join(file).exists(),
                "{} links to {link}",
                page.name
            );
        }
    }
}

#[test]
fn every_setting_has_its_row_in_the_operators_page_with_its_default() {
    let page = page("docs/operating.md").prose;
    let file = fs::read_to_string(repository().join("etc/gatepost.toml")).unwrap();
    let keys = keys_of(&file);
    assert!(keys.len() > 50, "{keys:?}");
    for (key, value) in keys {
        let row = format!("| `{key}` | `{value}` |");
        assert!(page.contains(&row), "docs/operating.md has no row that begins with {row}");
    }
}

/// Every key with its sections, and its default as it is written.
fn keys_of(file: &str) -> Vec<(String, String)> {
    let mut section = String::new();
    let mut keys = Vec::new();
    for line in file.lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = format!("{name}.");
        } else if let Some((key, value)) = line.split_once(" = ") {
            keys.push((format!("{section}{key}"), value.to_owned()));
        }
    }
    keys
}

#[test]
fn every_finding_has_its_place_with_its_cure() {
    let page = page("docs/findings.md").prose;
    for code in platform::FINDING_CODES {
        assert!(
            page.contains(&format!("### {code}\n")),
            "docs/findings.md has no heading `### {code}`"
        );
    }
    for heading in page.lines().filter_map(|line| line.strip_prefix("### ")) {
        assert!(
            platform::FINDING_CODES.contains(&heading),
            "docs/findings.md explains `{heading}`, which no code finds"
        );
    }
}

#[test]
fn every_command_of_the_control_tool_answers_help_and_is_in_a_page() {
    let host = Host::bare();
    let prose: String = pages().iter().map(|page| page.whole.as_str()).collect();
    let mut left = vec![Vec::<String>::new()];
    let mut found = 0;
    while let Some(words) = left.pop() {
        let line: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
        let help = host.gatepost(&line).ended(0).stdout;
        assert!(help.contains("Usage: gatepost"), "{words:?}: {help}");
        for command in commands_of(&help) {
            left.push(words.iter().cloned().chain([command]).collect());
        }
        let line = format!("gatepost {}", words.join(" "));
        assert!(prose.contains(line.trim_end()), "no page says `{line}`");
        found += 1;
    }
    assert!(found > 50, "{found}");
}

/// The names under `Commands:`; `help` is clap's own.
fn commands_of(help: &str) -> Vec<String> {
    let Some((_, list)) = help.split_once("\nCommands:\n") else { return Vec::new() };
    let lines = list.lines().take_while(|line| line.starts_with(' '));
    let names = lines
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn an_ellipsis_stands_for_what_changes() {
    assert!(is_like("a … c\n", "a b c\n"));
    assert!(is_like("x\n…\nz\n", "x\ny\ny\nz\n"));
    assert!(is_like("…\n", ""));
    assert!(!is_like("a …d\n", "a b c\n"));
    assert!(!is_like("a\n", "a\nb\n"));
    assert!(Path::new("/bin/bash").is_file());
}
