//! What was measured: printed as it comes, kept for `--json` and for `docs/benchmarks.md`.

use crate::options::Options;
use crate::rounds::{Case, table};
use gatepost_kit::host::repository;
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

/// The page that `--write` writes.
const PAGE: &str = "docs/benchmarks.md";

/// All of one run.
pub(crate) struct Report {
    /// What was asked for.
    pub(crate) options: Options,
    machine: String,
    sections: Vec<Section>,
}

/// One bench.
struct Section {
    name: &'static str,
    what: &'static str,
    /// Sentences and tables, Markdown.
    blocks: Vec<String>,
    tables: Vec<Value>,
}

impl Report {
    /// Nothing is measured yet.
    pub(crate) fn new(options: Options) -> Self {
        let machine = machine();
        println!("machine: {machine}");
        Self { options, machine, sections: Vec::new() }
    }

    /// What comes now belongs to this bench.
    pub(crate) fn begin(&mut self, name: &'static str, what: &'static str) {
        println!("\n## {name}: {what}\n");
        self.sections.push(Section { name, what, blocks: Vec::new(), tables: Vec::new() });
    }

    /// A sentence, or several.
    pub(crate) fn say(&mut self, text: &str) {
        println!("{text}\n");
        self.last().blocks.push(text.to_owned());
    }

    /// A table, and the same for programs.
    pub(crate) fn table(&mut self, markdown: &str, value: Value) {
        self.say(markdown);
        self.last().tables.push(value);
    }

    /// Cases beside each other.
    pub(crate) fn cases(&mut self, cases: &[Case], unit: &str) {
        let row = |case: &Case| json!({"name": case.name, "figures": case.json()});
        let rows: Vec<Value> = cases.iter().map(row).collect();
        self.table(&table(cases, unit), json!({"unit": unit, "rows": rows}));
    }

    /// For who waits; it is not kept.
    #[expect(clippy::unused_self, reason = "reads as one of the report's doors")]
    #[expect(clippy::print_stderr, reason = "stdout is the report")]
    pub(crate) fn progress(&self, text: &str) {
        eprintln!("{text}");
    }

    fn last(&mut self) -> &mut Section {
        self.sections.last_mut().unwrap()
    }

    /// Writes what `--json` and `--write` ask for.
    pub(crate) fn finish(&self) {
        if let Some(file) = &self.options.json {
            fs::write(file, format!("{:#}\n", self.json())).unwrap();
            println!("written: {}", file.display());
        }
        if self.options.writes_page {
            let path = repository().join(PAGE);
            let page = fs::read_to_string(&path).unwrap();
            let now = format!("{}, {}, {}", today(), commit(), self.machine);
            let page = self.sections.iter().fold(page, |page, one| one.placed(&page, &now));
            fs::write(path, page).unwrap();
            println!("written: {PAGE}");
        }
    }

    fn json(&self) -> Value {
        let sections: Vec<Value> = self
            .sections
            .iter()
            .map(|one| {
                let notes: Vec<_> =
                    one.blocks.iter().filter(|text| !text.starts_with('|')).collect();
                json!({"bench": one.name, "what": one.what, "notes": notes, "tables": one.tables})
            })
            .collect();
        json!({
            "machine": self.machine,
            "commit": commit(),
            "date": today(),
            "sections": sections,
        })
    }
}

impl Section {
    /// The page with this section in its place: between its marks, or at the end when it has none.
    fn placed(&self, page: &str, now: &str) -> String {
        let (begin, end) = (format!("<!-- bench {} -->", self.name), "<!-- end -->");
        let text = format!(
            "{begin}\n## {}\n\n{}.\n\n{}\n\n({now})\n{end}",
            self.name,
            capitalised(self.what),
            self.blocks.join("\n\n")
        );
        match page.split_once(&begin) {
            None => format!("{}\n\n{text}\n", page.trim_end()),
            Some((before, rest)) => {
                let (_, after) = rest.split_once(end).unwrap();
                format!("{before}{text}{after}")
            }
        }
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// The machine in words.
fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or(": unknown processor");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = read("/proc/meminfo");
    let kib: u64 = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok())
        .unwrap_or(0);
    let kernel = read("/proc/sys/kernel/osrelease");
    format!(
        "{}, {cores} cores, {} GiB, Linux {}, database on {}",
        model.trim_start_matches([' ', '\t', ':']),
        kib >> 20,
        kernel.trim(),
        file_system()
    )
}

/// Of the folder where the installations are made.
fn file_system() -> String {
    let folder = std::env::temp_dir();
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let kinds = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (at, kind) = (words.next()?, words.next()?);
        folder.starts_with(at).then_some((at.len(), kind.to_owned()))
    });
    kinds.max_by_key(|(length, _)| *length).map_or_else(|| "?".to_owned(), |(_, kind)| kind)
}

fn today() -> String {
    asked("date", &["-u", "+%F"])
}

fn commit() -> String {
    match asked("git", &["rev-parse", "--short", "HEAD"]).as_str() {
        "" => "no commit".to_owned(),
        commit => format!("commit {commit}"),
    }
}

fn asked(program: &str, words: &[&str]) -> String {
    let output = Command::new(program).args(words).current_dir(repository()).output();
    let text = output.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&text).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(name: &'static str) -> Section {
        Section { name, what: "what it is", blocks: vec!["| a |".to_owned()], tables: Vec::new() }
    }

    #[test]
    fn a_section_takes_its_own_place_and_leaves_the_others() {
        let page = "# Page\n<!-- bench mail -->\nold\n<!-- end -->\n\n<!-- bench sms -->\nkept\n<!-- end -->\n";
        let page = section("mail").placed(page, "today");
        assert!(page.starts_with("# Page\n<!-- bench mail -->\n## mail\n\nWhat it is.\n\n| a |"));
        assert!(page.contains("(today)\n<!-- end -->\n\n<!-- bench sms -->\nkept\n<!-- end -->\n"));
        assert!(!page.contains("old"));
        assert_eq!(section("mail").placed(&page, "today"), page);
    }

    #[test]
    fn a_section_without_a_place_comes_last() {
        let page = section("cold").placed("# Page\n", "today");
        assert!(page.starts_with("# Page\n\n<!-- bench cold -->\n## cold"));
        assert!(page.ends_with("(today)\n<!-- end -->\n"));
    }

    #[test]
    fn the_page_has_a_place_for_mail_and_sms() {
        let page = fs::read_to_string(repository().join(PAGE)).unwrap();
        for name in ["mail", "sms"] {
            assert_eq!(page.matches(&format!("<!-- bench {name} -->")).count(), 1);
        }
    }
}
