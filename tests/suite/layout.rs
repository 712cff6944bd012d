//! Layers and homes (HOUSE 1), read from the manifests.

use crate::house::{Crate, all_sources, crates, repository};

/// What a crate may use of ours: a library by its folder, a kind of program by its place.
const LAYERS: &[(&str, &[&str])] = &[
    ("lib/notice", &[]),
    ("lib/wire", &["notice"]),
    ("lib/xslt", &[]),
    ("lib/render", &["notice", "wire", "xslt"]),
    ("lib/config", &["notice", "wire"]),
    ("lib/store", &["notice", "wire"]),
    ("lib/host", &["notice", "wire", "config"]),
    ("lib/channel", &["notice"]),
    ("lib/gate", &["notice", "wire"]),
    ("lib/module", &["notice", "wire", "config", "store", "host"]),
    ("lib/platform", &["notice", "wire", "config", "store", "host"]),
    // it calls programs and addresses itself, so it uses the door to them
    ("notify/nthandler", &["notice", "gatepost-module", "platform", "host"]),
    ("notify/", &["notice", "gatepost-module", "platform"]),
    // decision 0003: mail servers are these two gates' alone
    ("gate/gwsmtp", &["notice", "wire", "channel", "gatepost-gate"]),
    ("gate/gwmailbox", &["notice", "wire", "channel", "gatepost-gate"]),
    ("gate/", &["notice", "wire", "gatepost-gate"]),
    ("processing/", &["notice", "wire", "host"]),
    ("admin/", &["notice", "wire", "config", "store", "host", "gatepost-module", "platform"]),
    ("libexec/", &["notice", "wire", "render"]),
];

/// Outside crates and their homes; those not listed are free: serde, thiserror, rustix, and what tests use.
const HOMES: &[(&str, &[&str])] = &[
    ("rusqlite", &["lib/store"]),
    ("sha2", &["lib/store", "lib/platform", "lib/module"]),
    ("quick-xml", &["lib/wire"]),
    ("encoding_rs", &["lib/wire"]),
    (
        "serde_json",
        &[
            "lib/wire",
            "lib/render",
            "lib/platform",
            "admin/gatepost",
            "admin/gatepostd",
            "gate/gwhttp",
            "libexec/gatepost-render",
        ],
    ),
    ("tera", &["lib/render"]),
    ("rquickjs", &["lib/render"]),
    ("html2text", &["lib/render"]),
    ("seccompiler", &["libexec/gatepost-render"]),
    ("landlock", &["libexec/gatepost-render"]),
    ("toml", &["lib/config", "lib/platform"]),
    ("chacha20poly1305", &["lib/config"]),
    ("mail-builder", &["gate/gwsmtp", "notify/ntemail"]),
    ("ring", &["gate/gwsmtp"]),
    ("memchr", &["gate/gwsmtp"]),
    ("imap", &["gate/gwmailbox"]),
    // in lib/gate behind a feature: what a failed exchange means is said once
    ("reqwest", &["gate/gwhttp", "gate/gwepochta", "lib/gate", "lib/host"]),
    ("rustls", &["lib/channel", "gate/gwhttp", "gate/gwepochta", "lib/host"]),
    ("phonenumber", &["lib/module"]),
    ("indicatif", &["lib/module"]),
    ("clap", &["admin/gatepost", "admin/gatepostd"]),
    ("clap_complete", &["admin/gatepost"]),
    ("clap_mangen", &["admin/gatepost"]),
    ("anyhow", &["admin/gatepost", "admin/gatepostd"]),
    ("argon2", &["lib/platform"]), // passwords of users
    ("sd-notify", &["admin/gatepostd"]),
    // gwhttp: requests at once without a thread for each
    ("tokio", &["admin/gatepostd", "gate/gwhttp"]),
    ("hyper", &["admin/gatepostd"]),
    ("hyper-util", &["admin/gatepostd"]),
    ("http-body-util", &["admin/gatepostd"]),
    ("bytes", &["admin/gatepostd"]),
    ("httparse", &["lib/host"]),
    ("httpdate", &["gate/gwhttp"]), // a date in Retry-After
    ("form_urlencoded", &["admin/gatepost", "admin/gatepostd"]),
];

const OURS: &[&str] = &[
    "notice",
    "wire",
    "xslt",
    "render",
    "config",
    "store",
    "host",
    "channel",
    "gatepost-gate",
    "gatepost-module",
    "platform",
];

fn programs_and_libraries() -> Vec<Crate> {
    crates().into_iter().filter(|found| !found.folder.starts_with("tests/")).collect()
}

#[test]
fn a_crate_uses_only_what_lies_below_it() {
    for found in programs_and_libraries() {
        let rule = LAYERS.iter().find(|(folder, _)| {
            *folder == found.folder || folder.ends_with('/') && found.folder.starts_with(folder)
        });
        let (_, allowed) =
            rule.unwrap_or_else(|| panic!("{} has no layer: add it to layout.rs", found.folder));
        for dependency in found.dependencies.iter().filter(|name| OURS.contains(&name.as_str())) {
            assert!(
                allowed.contains(&dependency.as_str()),
                "{} may not use {dependency}",
                found.folder
            );
        }
    }
}

#[test]
fn an_outside_crate_stays_in_its_home() {
    for found in programs_and_libraries() {
        for dependency in &found.dependencies {
            if let Some((_, homes)) = HOMES.iter().find(|(name, _)| name == dependency) {
                assert!(
                    homes.contains(&found.folder.as_str()),
                    "{dependency} has no home in {}",
                    found.folder
                );
            }
        }
    }
}

#[test]
fn libraries_have_no_main_and_programs_no_lib() {
    for found in programs_and_libraries() {
        let folder = repository().join(&found.folder).join("src");
        let is_library = found.folder.starts_with("lib/");
        assert_eq!(folder.join("main.rs").is_file(), !is_library, "{}", found.folder);
        assert_eq!(folder.join("lib.rs").is_file(), is_library, "{}", found.folder);
    }
}

#[test]
fn cron_runs_every_module_that_is_shipped() {
    let lines = std::fs::read_to_string(repository().join("etc/system/gatepost.cron")).unwrap();
    let lines: Vec<&str> = lines.lines().filter(|line| !line.starts_with('#')).collect();
    for found in crates().into_iter().filter(|found| found.folder.starts_with("notify/")) {
        let runs = format!("/{} --command process", found.folder);
        assert!(lines.iter().any(|line| line.ends_with(&runs)), "no line runs {}", found.folder);
    }
}

#[test]
fn every_crate_has_the_lints_of_the_house() {
    for found in crates() {
        let manifest =
            std::fs::read_to_string(repository().join(&found.folder).join("Cargo.toml")).unwrap();
        let own = found.folder == "lib/xslt";
        assert!(
            own || manifest.contains("[lints]\nworkspace = true"),
            "{} has no [lints]",
            found.folder
        );
    }
}

#[test]
fn only_xslt_says_unsafe() {
    for (path, text) in all_sources() {
        let inside = path.starts_with("lib/xslt/") || path.starts_with("tests/");
        assert!(inside || !text.contains("unsafe {"), "{path}");
    }
}

#[test]
fn a_file_has_under_800_lines() {
    for (path, text) in all_sources() {
        let lines = text.lines().count();
        assert!(lines < 800, "{path} has {lines} lines: split it by what it is about");
    }
}

#[test]
fn nothing_is_left_for_later_or_switched_off() {
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("#[", "ignore"),
        concat!("#[", "allow("),
        concat!("unimple", "mented!"),
    ];
    for (path, text) in all_sources() {
        for mark in marks {
            assert!(!text.contains(mark), "{path} says {mark}");
        }
    }
}
