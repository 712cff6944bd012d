//! `docs/conformance.md` names tests for every item of the five documents, and each of them exists and names it. An item that is left
//! out stands below its document's table with the decision that says why.

use crate::house::repository;
use std::fs;

/// A document of the contracts.
struct Contract {
    /// `S0` … `S4`.
    name: &'static str,
    /// Its items are numbered from 1 to that.
    items: u32,
    /// Items between two numbers.
    more: &'static [&'static str],
    /// Items that are errors or ambiguities: only these can be left out. What the document states, shows or does when it
    /// is run can't be.
    may_be_left_out: &'static [u32],
}

/// Documents whose every item must have its row by now; the rows of the others are checked all the same.
const COMPLETE: &[&str] = &["S0", "S1", "S2", "S3", "S4"];

/// So many items of a document can be left out at most.
const LEFT_OUT: usize = 5;

const CONTRACTS: [Contract; 5] = [
    Contract {
        name: "S0",
        items: 67,
        more: &[],
        may_be_left_out: &[23, 24, 25, 26, 28, 32, 42, 48, 49, 50, 55],
    },
    Contract {
        name: "S1",
        items: 45,
        more: &[],
        may_be_left_out: &[10, 11, 26, 27, 28, 29, 30, 34, 35],
    },
    Contract {
        name: "S2",
        items: 35,
        more: &["33a"],
        may_be_left_out: &[12, 15, 20, 22, 26, 27, 28, 29, 30, 34, 35],
    },
    Contract {
        name: "S3",
        items: 78,
        more: &[],
        may_be_left_out: &[7, 20, 31, 35, 47, 53, 55, 64, 66, 68],
    },
    Contract {
        name: "S4",
        items: 59,
        more: &[],
        may_be_left_out: &[9, 19, 21, 22, 33, 36, 41, 44, 50, 51],
    },
];

/// A row: `| S0-1 | … |`, its item, and what stands in the second column.
fn rows(page: &str) -> impl Iterator<Item = (&str, &str)> {
    page.lines().filter_map(|line| {
        let (item, shown) = line.strip_prefix("| ")?.split_once(" | ")?;
        is_item(item).then_some((item, shown))
    })
}

fn is_item(text: &str) -> bool {
    text.strip_prefix('S').is_some_and(|rest| {
        rest.split_once('-').is_some_and(|(document, number)| {
            document.len() == 1 && number.starts_with(|first: char| first.is_ascii_digit())
        })
    })
}

/// What stands between backquotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// A test as it stands in its file: what is written above it, its name, and its body.
fn text_of(test: &str) -> Option<String> {
    let (file, name) = test.split_once("::")?;
    let source = fs::read_to_string(repository().join(file)).ok()?;
    text_in(&source, name)
}

fn text_in(source: &str, name: &str) -> Option<String> {
    let lines: Vec<&str> = source.lines().collect();
    let head = lines.iter().position(|line| line.contains(&format!("fn {name}(")))?;
    let indent = lines[head].len() - lines[head].trim_start().len();
    let above =
        lines[..head].iter().rposition(|line| line.trim().is_empty() || line.ends_with('}'));
    let end = format!("{}}}", " ".repeat(indent));
    let below = lines[head..].iter().position(|line| *line == end)?;
    Some(lines[above.map_or(0, |line| line + 1)..=head + below].join("\n"))
}

/// True if a text names an item: by itself, or within `S3-45 … S3-47`.
fn names(text: &str, item: &str) -> bool {
    let Some((document, wanted)) = item.split_once('-') else { return false };
    let document = format!("{document}-");
    let named = text.split(&document).skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        rest.split_at(end)
    });
    let mut from = None;
    for (number, between) in named {
        let within = from.zip(number.parse::<u32>().ok()).zip(wanted.parse::<u32>().ok());
        if number == wanted || within.is_some_and(|((from, to), one)| from <= one && one <= to) {
            return true;
        }
        from = number.parse::<u32>().ok().filter(|_| between.trim() == "…");
    }
    false
}

#[test]
fn an_item_counts_as_shown_only_where_its_test_names_it() {
    let source =
        "// S3-1\n#[test]\nfn a() {\n    x();\n}\n\n// S3-45 … S3-47, S2-33a\nfn b() {\n}\n";
    let [a, b] = ["a", "b"].map(|name| text_in(source, name).unwrap());
    assert!(names(&a, "S3-1") && !names(&a, "S3-45") && !names(&a, "S3-11"));
    assert!(names(&b, "S3-46") && names(&b, "S2-33a") && !names(&b, "S2-33"), "{b}");
    assert!(!names(&b, "S3-1") && !names(&b, "S3-48"));
    assert_eq!(text_in(source, "c"), None);
}

fn page() -> String {
    fs::read_to_string(repository().join("docs/conformance.md")).unwrap()
}

impl Contract {
    fn expected(&self) -> Vec<String> {
        let numbers = (1..=self.items).map(|number| number.to_string());
        let mut all: Vec<String> = Vec::new();
        for number in numbers {
            let more = self.more.iter().filter(|more| more.strip_suffix('a') == Some(&number));
            all.push(format!("{}-{number}", self.name));
            all.extend(more.map(|more| format!("{}-{more}", self.name)));
        }
        all
    }

    fn check(&self, page: &str) {
        let prefix = format!("{}-", self.name);
        let mine: Vec<(&str, &str)> =
            rows(page).filter(|(item, _)| item.starts_with(&prefix)).collect();
        let expected = self.expected();
        let (left_out, shown): (Vec<_>, Vec<_>) =
            mine.iter().partition(|(_, text)| text.starts_with("left out"));
        self.check_left_out(&left_out);
        let mut places = Vec::new();
        for (item, tests) in &mine {
            let place = expected.iter().position(|known| known == item);
            places.push(place.unwrap_or_else(|| panic!("{item} is no item of its document")));
            assert!(!quoted(tests).is_empty(), "{item} names nothing");
        }
        for (item, tests) in &shown {
            for test in quoted(tests) {
                let text = text_of(test).unwrap_or_else(|| panic!("{item}: no test {test}"));
                assert!(names(&text, item), "{item}: {test} does not name it");
            }
        }
        assert!(places.is_sorted_by(|a, b| a < b), "{}: items stand once, in order", self.name);
        if COMPLETE.contains(&self.name) {
            let missing: Vec<_> = (0..expected.len())
                .filter(|at| !places.contains(at))
                .map(|at| &expected[at])
                .collect();
            assert!(missing.is_empty(), "no row for {missing:?}");
        }
    }

    fn check_left_out(&self, rows: &[&(&str, &str)]) {
        assert!(rows.len() <= LEFT_OUT, "{}: {} items are left out", self.name, rows.len());
        for (item, text) in rows {
            let number = item.split('-').nth(1).and_then(|number| number.parse().ok());
            let may = number.is_some_and(|number| self.may_be_left_out.contains(&number));
            assert!(may, "{item} can't be left out: the document states or shows it");
            let is_decision = |path: &str| {
                path.starts_with("docs/decisions/") && repository().join(path).is_file()
            };
            assert!(quoted(text).into_iter().any(is_decision), "{item}: which decision says so?");
        }
    }
}

#[test]
fn every_item_of_the_documents_names_tests_that_exist() {
    let page = page();
    for contract in &CONTRACTS {
        contract.check(&page);
    }
}

#[test]
fn a_row_is_seen_as_one() {
    let page = "| item | shown by |\n|---|---|\n| S0-1 | `a::b` · `c::d` |\n| S2-33a | left out: `x` |\nS0-2";
    let found: Vec<_> = rows(page).collect();
    assert_eq!(found, [("S0-1", "`a::b` · `c::d` |"), ("S2-33a", "left out: `x` |")]);
    assert_eq!(quoted(found[0].1), ["a::b", "c::d"]);
    assert!(text_of("tests/suite/conformance.rs::a_row_is_seen_as_one").is_some());
    assert!(text_of("tests/suite/conformance.rs::a_row_that_is_not_there").is_none());
    assert_eq!(CONTRACTS[2].expected()[33], "S2-33a");
}
