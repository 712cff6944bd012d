//! What was measured: printed as it comes, kept for `--json` and for `docs/benchmarks.md`.

use crate::options::Options;
use crate::rounds::{Case, table};
use gatepost_kit::page::{self, commit, machine, today};
use serde_json::{Value, json};
use std::fs;

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
            let now = format!("{}, {}, {}", today(), commit(), self.machine);
            let sections: Vec<_> = self.sections.iter().map(|one| one.on_the_page(&now)).collect();
            page::write(PAGE, &sections);
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
    /// Its mark and its text.
    fn on_the_page(&self, now: &str) -> (String, String) {
        let text = format!(
            "## {}\n\n{}.\n\n{}\n\n({now})",
            self.name,
            capitalised(self.what),
            self.blocks.join("\n\n")
        );
        (format!("bench {}", self.name), text)
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost_kit::host::repository;

    #[test]
    fn a_section_says_what_it_is_and_when_it_was_made() {
        let blocks = vec!["| a |".to_owned()];
        let section = Section { name: "mail", what: "what it is", blocks, tables: Vec::new() };
        let text = "## mail\n\nWhat it is.\n\n| a |\n\n(today)".to_owned();
        assert_eq!(section.on_the_page("today"), ("bench mail".to_owned(), text));
    }

    #[test]
    fn the_page_has_a_place_for_mail_and_sms() {
        let page = fs::read_to_string(repository().join(PAGE)).unwrap();
        for name in ["mail", "sms"] {
            assert_eq!(page.matches(&format!("<!-- bench {name} -->")).count(), 1);
        }
    }
}
