//! `docs/conformance.md` names a test for every item of the notification document, and each of them exists.

use crate::house::repository;
use std::fs;

const ITEMS: u32 = 78;

#[test]
fn every_item_of_the_document_names_tests_that_exist() {
    let page = fs::read_to_string(repository().join("docs/conformance.md")).unwrap();
    let mut next = 1;
    for line in page.lines().filter(|line| line.starts_with("| S3-")) {
        assert!(line.starts_with(&format!("| S3-{next} |")), "expected S3-{next}: {line}");
        next += 1;
        let named: Vec<&str> = line.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "{line}");
        for test in named {
            let (file, name) = test.split_once("::").unwrap();
            let source = fs::read_to_string(repository().join(file)).unwrap_or_default();
            assert!(source.contains(&format!("fn {name}(")), "{test} is not there");
        }
    }
    assert_eq!(next, ITEMS + 1);
}
