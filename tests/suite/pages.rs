//! README.md and docs/*.md as the tests read them: prose, and blocks with what each is for.
//!
//! | a fence says | and the block |
//! |---|---|
//! | `sh`, `sh exit=N` | runs in ROOT, all of a page in one installation, by `bash -e` |
//! | `output` | is what the block before it printed |
//! | `LANG file=PATH`, `LANG file=PATH mode=755` | is written under ROOT |
//! | `sh root` | is for root on a real system: read by bash, its files under share/ are there |
//! | `sh clone` | is for a clone of the repository: read by bash, its tasks exist |
//! | `LANG sample` | is a fragment or sample output; XML, JSON and TOML are well-formed |
//! | `LANG test=…` in docs/gate.md | is run by `lib/host/tests/authors.rs` |

use crate::house::repository;
use std::fs;

/// A page.
pub(crate) struct Page {
    /// Its path in the repository.
    pub(crate) name: String,
    /// All of it.
    pub(crate) whole: String,
    /// Its text without the blocks.
    pub(crate) prose: String,
    /// Its blocks in order.
    pub(crate) blocks: Vec<Block>,
}

/// A fenced block.
pub(crate) struct Block {
    /// Page and line, for a failure.
    pub(crate) place: String,
    /// What it is for.
    pub(crate) kind: Kind,
    /// What it holds.
    pub(crate) text: String,
}

/// What a block is for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Run { exit: i32 },
    Output,
    File { path: String, mode: Option<String> },
    Root,
    Clone,
    Sample { language: String },
    ElsewhereTested,
}

/// Every page but the decisions.
pub(crate) fn pages() -> Vec<Page> {
    let docs = fs::read_dir(repository().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<String> = docs
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .map(|path| path.strip_prefix(repository()).unwrap().display().to_string())
        .chain(["README.md".to_owned()])
        .collect();
    names.sort();
    names.into_iter().map(|name| read(&name)).collect()
}

fn read(name: &str) -> Page {
    let whole = fs::read_to_string(repository().join(name)).unwrap();
    let mut page = Page {
        name: name.to_owned(),
        prose: String::new(),
        blocks: Vec::new(),
        whole: String::new(),
    };
    let mut open: Option<Block> = None;
    for (number, line) in whole.lines().enumerate() {
        let place = format!("{name}:{}", number + 1);
        match (line.strip_prefix("```"), open.take()) {
            (Some(info), None) => {
                let kind = kind_of(name, info)
                    .unwrap_or_else(|| panic!("{place}: what is a block `{info}` for?"));
                open = Some(Block { place, kind, text: String::new() });
            }
            (Some(_), Some(block)) => page.blocks.push(block),
            (None, Some(mut block)) => {
                block.text.push_str(line);
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => {
                assert!(
                    !line.trim_start().starts_with("```"),
                    "{place}: a fence stands at the start of its line"
                );
                page.prose.push_str(line);
                page.prose.push('\n');
            }
        }
    }
    if let Some(block) = open {
        panic!("{}: the block has no end", block.place);
    }
    Page { whole, ..page }
}

fn kind_of(page: &str, info: &str) -> Option<Kind> {
    let words: Vec<&str> = info.split_whitespace().collect();
    match words.as_slice() {
        ["sh"] => Some(Kind::Run { exit: 0 }),
        ["sh", "root"] => Some(Kind::Root),
        ["sh", "clone"] => Some(Kind::Clone),
        ["output"] => Some(Kind::Output),
        [language, "sample"] => Some(Kind::Sample { language: (*language).to_owned() }),
        ["sh", word] if word.starts_with("exit=") => {
            Some(Kind::Run { exit: word[5..].parse().ok()? })
        }
        [_, word] if word.starts_with("test=") && page == "docs/gate.md" => {
            Some(Kind::ElsewhereTested)
        }
        [_, file] => Some(Kind::File { path: file.strip_prefix("file=")?.to_owned(), mode: None }),
        [_, file, mode] => Some(Kind::File {
            path: file.strip_prefix("file=")?.to_owned(),
            mode: Some(mode.strip_prefix("mode=").filter(|mode| *mode == "755")?.to_owned()),
        }),
        _ => None,
    }
}

#[test]
fn a_block_says_what_it_is_for() {
    let kind = |info| kind_of("docs/x.md", info);
    assert_eq!(kind("sh exit=2"), Some(Kind::Run { exit: 2 }));
    assert_eq!(
        kind("python file=notify/nt mode=755"),
        Some(Kind::File { path: "notify/nt".into(), mode: Some("755".into()) })
    );
    for unknown in ["", "sh exit=x", "bash", "xml test=xml", "sh file=x mode=777"] {
        assert_eq!(kind(unknown), None, "{unknown}");
    }
    assert_eq!(kind_of("docs/gate.md", "xml test=xml"), Some(Kind::ElsewhereTested));
}
