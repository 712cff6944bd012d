//! `gatepost gate list|test|new`: the programs in `gate/`.

use crate::arguments::Format;
use crate::failure::{Failure, Result, code};
use crate::output::{self, Paint, Table, Tone};
use crate::session::root_of;
use clap::Subcommand;
use config::Config;
use host::proof::{Finding, Subject, Verdict};
use host::{Caller, Folder, Programs};
use notice::{Fields, ModuleName};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

#[derive(Subcommand)]
pub(crate) enum Gate {
    /// List the programs in gate/ and what they can do
    List,
    /// Run the whole contract on a gate: good, hostile, slow and dying inputs
    Test {
        /// The program, by its path or by its name in gate/
        path: PathBuf,
    },
    /// Write a new gate that passes the test
    New {
        /// Its name
        name: String,
        /// sh, py, php, go, rust or js
        #[arg(long, value_parser = ["sh", "py", "php", "go", "rust", "js"])]
        lang: String,
    },
}

/// The name that stands in the files of a new gate for its own.
const EXAMPLE: &str = "gwexample";

/// How a new gate is written in a language: its files, and what has to be done with them.
struct Scaffold {
    lang: &'static str,
    /// Path (`gwexample` stands for the name) and text; the first is the program or its main source.
    files: &'static [(&'static str, &'static str)],
    /// The mode of the first file.
    mode: u32,
    /// What to do next, in ROOT.
    next: &'static str,
}

const SCRIPT: u32 = 0o755;
const SOURCE: u32 = 0o644;

const SCAFFOLDS: &[Scaffold] = &[
    Scaffold {
        lang: "sh",
        files: &[("gate/gwexample", include_str!("../scaffold/sh/gate"))],
        mode: SCRIPT,
        next: "",
    },
    Scaffold {
        lang: "py",
        files: &[("gate/gwexample", include_str!("../scaffold/py/gate"))],
        mode: SCRIPT,
        next: "",
    },
    Scaffold {
        lang: "php",
        files: &[("gate/gwexample", include_str!("../scaffold/php/gate"))],
        mode: SCRIPT,
        next: "",
    },
    Scaffold {
        lang: "js",
        files: &[("gate/gwexample", include_str!("../scaffold/js/gate"))],
        mode: SCRIPT,
        next: "",
    },
    Scaffold {
        lang: "go",
        files: &[("src/gwexample/main.go", include_str!("../scaffold/go/main.go"))],
        mode: SOURCE,
        next: "GO111MODULE=off go build -o gate/gwexample src/gwexample/main.go",
    },
    Scaffold {
        lang: "rust",
        files: &[
            ("src/gwexample/src/main.rs", include_str!("../scaffold/rust/src/main.rs")),
            ("src/gwexample/Cargo.toml", include_str!("../scaffold/rust/Cargo.toml")),
        ],
        mode: SOURCE,
        next: "cargo build --release --manifest-path src/gwexample/Cargo.toml && cp src/gwexample/target/release/gwexample gate/",
    },
];

const DESCRIPTION: (&str, &str) =
    ("etc/xml/gatepost_mod_gwexample.xml", include_str!("../scaffold/description.xml"));

/// Runs it.
pub(crate) fn run(root: Option<&Path>, format: Option<Format>, what: Gate) -> Result<ExitCode> {
    let root = root_of(root)?;
    match what {
        Gate::List => list(&Caller::new(&root, &Config::load(&root)?), format),
        Gate::Test { path } => {
            test(&Caller::new(&root, &Config::load(&root)?), &place_of(&root, &path)?, format)
        }
        Gate::New { name, lang } => new(&root, &name, &lang),
    }
}

fn list(caller: &Caller, format: Option<Format>) -> Result<ExitCode> {
    let mut table = Table::new(&["name", "module", "features", "problem", "path"], 4);
    for found in Programs::new(caller).list(Folder::Gate) {
        let (module, features, problem) = match &found.features {
            Ok(features) => (
                features.notify_module.clone().unwrap_or_default(),
                features.names.join(" "),
                String::new(),
            ),
            Err(why) => (String::new(), String::new(), why.clone()),
        };
        table.rows.push(vec![
            found.name.clone(),
            module,
            features,
            problem,
            found.path.display().to_string(),
        ]);
    }
    output::table(&table, format)?;
    Ok(ExitCode::SUCCESS)
}

/// The program that is meant: what stands there, else the gate of that name, or at that place, in ROOT.
fn place_of(root: &config::Root, path: &Path) -> Result<PathBuf> {
    let here = std::path::absolute(path)?;
    let in_root = [root.path("gate").join(path), root.path(path)];
    let found = in_root.into_iter().find(|place| !here.is_file() && place.is_file());
    Ok(found.unwrap_or(here))
}

/// Runs the whole contract; exit 1 if the gate breaks it.
fn test(caller: &Caller, path: &Path, format: Option<Format>) -> Result<ExitCode> {
    let subject = Subject {
        program: path,
        params: &Fields::new(),
        environment: caller.environment().clone(),
        deadline: Duration::from_secs(10),
    };
    let report = host::proof::prove(&subject)?;
    let failed = report.iter().filter(|finding| !finding.passed()).count();
    if format.is_some() {
        let mut table = Table::new(&["check", "verdict", "words"], 3);
        table.rows.extend(
            report.iter().map(|line| {
                vec![line.check.to_owned(), line.verdict.to_string(), line.words.clone()]
            }),
        );
        output::table(&table, format)?;
    } else {
        print_report(&report)?;
        output::tell(&format!("{} checks, {failed} failed", report.len()));
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_report(report: &[Finding]) -> Result<()> {
    let paint = Paint::new(config::colours());
    let width = report.iter().map(|line| line.check.chars().count()).max().unwrap_or_default();
    for line in report {
        let tone = match line.verdict {
            Verdict::Passed => Tone::Good,
            Verdict::Hint => Tone::Warning,
            Verdict::Failed => Tone::Bad,
        };
        let mark = paint.say(tone, &format!("{:<6}", line.verdict.to_string()));
        let words = paint.say(Tone::Plain, &line.words);
        output::exactly(&format!("{mark}  {:<width$}  {words}\n", line.check))?;
    }
    Ok(())
}

fn write_new(root: &config::Root, path: &Path, (text, mode): (&str, u32)) -> std::io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(root.folder()))?;
    let mut file = fs::File::create_new(path)?;
    file.write_all(text.as_bytes())?;
    file.set_permissions(fs::Permissions::from_mode(mode))
}

/// Writes a new gate; refuses to overwrite.
fn new(root: &config::Root, name: &str, lang: &str) -> Result<ExitCode> {
    ModuleName::new(name).map_err(|error| Failure::usage(error.to_string()))?;
    let scaffold = SCAFFOLDS.iter().find(|scaffold| scaffold.lang == lang);
    let scaffold =
        scaffold.ok_or_else(|| Failure::usage(format!("no gate is written in `{lang}`")))?;
    let files: Vec<(PathBuf, &str)> = scaffold
        .files
        .iter()
        .chain([&DESCRIPTION])
        .map(|(path, text)| (root.path(path.replace(EXAMPLE, name)), *text))
        .collect();
    // a link that leads nowhere is there too
    if let Some((path, _)) = files.iter().find(|(path, _)| path.symlink_metadata().is_ok()) {
        return Err(Failure::new(
            code::CANT_CREATE,
            format!("`{}` is there already; choose another name", path.display()),
        ));
    }
    for (at, (path, text)) in files.iter().enumerate() {
        let mode = if at == 0 { scaffold.mode } else { SOURCE };
        write_new(root, path, (&text.replace(EXAMPLE, name), mode)).map_err(|error| {
            let words = "run this as the owner of that folder, or root";
            Failure::new(
                code::CANT_CREATE,
                format!("can't write `{}`: {error}; {words}", path.display()),
            )
        })?;
    }
    let written = output::lines(files.iter().map(|(path, _)| format!("  {}", path.display())));
    let build = if scaffold.next.is_empty() {
        String::new()
    } else {
        format!("  {}\n", scaffold.next.replace(EXAMPLE, name))
    };
    output::print(&format!(
        "written:\n{written}next:\n{build}  gatepost gate test gate/{name}\n  gatepost gateway add {name}\n"
    ))?;
    Ok(ExitCode::SUCCESS)
}
