//! Names of public items use the words of the house (HOUSE 2), and none of those it bans.

use crate::house::sources;

/// Never part of a public name.
const BANNED: &[&str] = &[
    "util",
    "utils",
    "common",
    "helper",
    "helpers",
    "manager",
    "data",
    "info",
    "misc",
    "types",
    "job",
    "tenant",
    "recipient",
    "recipients",
    "trigger",
];

/// Words of a contract that contain a banned part, each with where it comes from.
const CONTRACT: &[(&str, &str)] = &[
    ("manager_names", "DESIGN 1: the key of gatepost.toml"),
    ("mgrdata", "S0-11: the root of a description"),
    ("of_manager", "S0-6: a call of the ancestor's form names the manager"),
];

#[test]
fn public_names_use_the_words_of_the_house() {
    for (path, text) in sources("lib") {
        for name in public_names(&text) {
            if CONTRACT.iter().any(|(word, _)| *word == name) {
                continue;
            }
            for part in parts_of(&name) {
                assert!(!BANNED.contains(&part.as_str()), "{path}: `{name}` contains `{part}`");
            }
        }
    }
}

#[test]
fn the_words_test_sees_a_banned_word() {
    let names = public_names(
        "pub struct MailHelper;\n    pub fn load_data() {}\nfn data() {}\npub(crate) fn info() {}",
    );
    assert_eq!(names, ["MailHelper", "load_data"]);
    assert_eq!(parts_of("MailHelper"), ["mail", "helper"]);
    assert_eq!(parts_of("load_data"), ["load", "data"]);
}

/// Names of `pub` items, one a line.
fn public_names(text: &str) -> Vec<String> {
    let kinds = ["fn", "struct", "enum", "trait", "mod", "type", "const", "static"];
    let mut names = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        if words.next() != Some("pub") {
            continue;
        }
        let Some(kind) = words.next() else { continue };
        if let (true, Some(rest)) = (kinds.contains(&kind), words.next()) {
            let name: String = rest
                .chars()
                .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
                .collect();
            names.push(name);
        }
    }
    names
}

/// `MailHelper` and `mail_helper` alike become `mail`, `helper`.
fn parts_of(name: &str) -> Vec<String> {
    let mut parts: Vec<String> = vec![String::new()];
    let mut last_lower = false;
    for letter in name.chars() {
        if letter == '_' || letter.is_uppercase() && last_lower {
            parts.push(String::new());
        }
        last_lower = letter.is_lowercase() || letter.is_numeric();
        if let (true, Some(part)) = (letter != '_', parts.last_mut()) {
            part.extend(letter.to_lowercase());
        }
    }
    parts
}
