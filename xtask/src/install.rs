//! Lays the installed tree out (DESIGN 1): programs, shipped defaults under `share/`, the sources for gate authors.

use crate::steps;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// How the programs are built.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build {
    /// Optimised: for use.
    Release,
    /// The profile that `demo` and `test` share.
    Dev,
}

/// Where the programs of each source folder go.
const PROGRAMS: &[(&str, &str)] = &[
    ("notify", "notify"),
    ("gate", "gate"),
    ("processing", "processing"),
    ("admin", "bin"),
    ("libexec", "libexec"),
];

/// What a gate author gets: the crates that `gatepost-gate` consists of.
const SDK: &[&str] = &["lib/gate", "lib/wire", "lib/notice"];

/// Folders that are installed as they are. Samples of handlers and plugins wait under `share/`.
const SHIPPED: [(&str, &str); 7] = [
    ("etc", "share/etc"),
    ("templates", "share/templates"),
    ("addon", "share/addon"),
    ("plugins", "share/plugins"),
    ("docs", "share/doc"),
    ("sdk/php", "include/php"),
    ("sdk/python", "lib/python"),
];

/// The gate to copy.
const EXAMPLE: &str = "gate/gwfile";

/// Builds and lays out.
pub(crate) fn run(prefix: &Path, build: Build) -> Result<()> {
    let programs = programs()?;
    compile(&programs, build)?;
    let prefix = std::path::absolute(prefix)?;
    let target = steps::repository().join("target").join(if build == Build::Release {
        "release"
    } else {
        "debug"
    });
    for program in &programs {
        let folder = prefix.join(program.folder);
        fs::create_dir_all(&folder)?;
        replace(&target.join(&program.name), &folder.join(&program.name))?;
    }
    link("../bin/gatepost", &prefix.join("sbin/mgrctl"))?;
    for (from, to) in SHIPPED {
        copy_folder(&steps::repository().join(from), &prefix.join(to))?;
    }
    lay_out_sdk(&prefix.join("sdk/rust"))?;
    for folder in ["addon", "plugins", "processing", "gate", "notify", "etc"] {
        fs::create_dir_all(prefix.join(folder))?;
    }
    Ok(())
}

/// The crates a gate in Rust needs and the gate to copy, as a workspace of their own with the versions of this
/// one. What tests them here stays here: it stands on the whole repository.
fn lay_out_sdk(to: &Path) -> Result<()> {
    for (from, at) in SDK.iter().map(|part| (*part, *part)).chain([(EXAMPLE, "examples/gwfile")]) {
        let tests = to.join(at).join("tests");
        copy_folder(&steps::repository().join(from), &to.join(at))?;
        fs::remove_dir_all(&tests).or_else(nothing_there)?;
    }
    let example = to.join("examples/gwfile/Cargo.toml");
    fs::write(&example, without_section(&fs::read_to_string(&example)?, "[dev-dependencies]"))?;
    let manifest = fs::read_to_string(steps::repository().join("Cargo.toml"))?;
    fs::write(to.join("Cargo.toml"), sdk_manifest(&manifest))?;
    fs::copy(steps::repository().join("Cargo.lock"), to.join("Cargo.lock"))?;
    // takes out of the lock what this workspace is without
    let mut lock = steps::cargo();
    lock.args(["update", "--workspace", "--offline", "--quiet", "--manifest-path"]);
    steps::run(lock.arg(to.join("Cargo.toml")))
}

/// The workspace's manifest with the members that are shipped, and of our crates those alone.
fn sdk_manifest(manifest: &str) -> String {
    let is_shipped = |line: &str| {
        let path = line.split_once("path = \"").and_then(|(_, rest)| rest.split('"').next());
        path.is_none_or(|path| SDK.contains(&path))
    };
    let line = |line: &str| match line.split_once(" = ") {
        Some(("members", _)) => "members = [\"lib/*\", \"examples/*\"]\n".to_owned(),
        _ => format!("{line}\n"),
    };
    manifest.lines().filter(|line| is_shipped(line)).map(line).collect()
}

/// A manifest without one of its sections.
fn without_section(manifest: &str, head: &str) -> String {
    let mut is_in = false;
    let mut kept = String::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            is_in = line == head;
        }
        if !is_in {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

fn nothing_there(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

struct Program {
    name: String,
    folder: &'static str,
}

/// A program is a folder with a manifest; its package has the folder's name.
fn programs() -> Result<Vec<Program>> {
    let mut found = Vec::new();
    for (from, folder) in PROGRAMS {
        let Ok(entries) = fs::read_dir(steps::repository().join(from)) else { continue };
        for entry in entries {
            let entry = entry?;
            if entry.path().join("Cargo.toml").is_file() {
                found.push(Program {
                    name: entry.file_name().to_string_lossy().into_owned(),
                    folder,
                });
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn compile(programs: &[Program], build: Build) -> Result<()> {
    let mut cargo = steps::cargo();
    cargo.args(["build", "--locked"]).args(steps::hush());
    if build == Build::Release {
        cargo.arg("--release");
    }
    for program in programs {
        cargo.args(["--package", &program.name]);
    }
    steps::run(&mut cargo)
}

/// Copies beside and renames, so that a running program keeps its file; a hard link where that is possible.
fn replace(from: &Path, to: &Path) -> Result<()> {
    let beside = to.with_extension("new");
    let _ = fs::remove_file(&beside);
    if fs::hard_link(from, &beside).is_err() {
        fs::copy(from, &beside).with_context(|| format!("can't copy `{}`", from.display()))?;
    }
    fs::rename(&beside, to).with_context(|| format!("can't write `{}`", to.display()))?;
    // a rename between two links of one file does nothing: the program has not changed since
    let _ = fs::remove_file(&beside);
    Ok(())
}

fn link(target: &str, at: &Path) -> Result<()> {
    fs::create_dir_all(at.parent().unwrap_or(at))?;
    let _ = fs::remove_file(at);
    std::os::unix::fs::symlink(target, at)
        .with_context(|| format!("can't make the link `{}`", at.display()))
}

/// Copies a folder; what stands there already is overwritten, nothing else is touched.
fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path: PathBuf = entry?.path();
        let Some(name) = path.file_name().filter(|name| *name != "__pycache__") else { continue };
        if path.is_dir() {
            copy_folder(&path, &to.join(name))?;
        } else {
            fs::copy(&path, to.join(name))
                .with_context(|| format!("can't copy `{}`", path.display()))?;
        }
    }
    Ok(())
}
