//! `gatepost check`: reads everything, says what is wrong and what to do.
//!
//! It changes nothing but what any program notes: what programs answered to `features` (`var/run/features`). The
//! database is opened as always, with the right to write, and no row of it is written.

use crate::arguments::Format;
use crate::failure::{Failure, Result, code};
use crate::output::{self, Paint, Table, Tone};
use crate::session::{Session, root_of};
use config::{Config, Root};
use host::{Caller, End, Folder, Programs};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// A line of the report.
struct Line {
    what: String,
    problem: Option<(String, String)>,
}

/// Runs every check that can be run; exit 0 if nothing is wrong, 78 if something is.
pub(crate) fn run(argument: Option<&Path>, format: Option<Format>) -> Result<ExitCode> {
    let root = root_of(argument)?;
    let config = Config::load(&root)?;
    let mut lines = vec![ok("owner and modes of the tree"), ok("etc/gatepost.toml")];
    for name in config.strange_names() {
        lines.push(wrong(
            "environment",
            format!("`{name}` is no key of ours"),
            "unset it, or see `gatepost config list`",
        ));
    }
    programs(&Caller::new(&root, &config), &mut lines);
    isolation(&Caller::new(&root, &config), &mut lines);
    database(&root, &mut lines)?;
    report(&lines, format)
}

fn ok(what: &str) -> Line {
    Line { what: what.to_owned(), problem: None }
}

fn wrong(what: &str, problem: String, cure: &str) -> Line {
    Line { what: what.to_owned(), problem: Some((problem, cure.to_owned())) }
}

fn programs(caller: &Caller, lines: &mut Vec<Line>) {
    let programs = Programs::new(caller);
    for folder in [Folder::Notify, Folder::Gate, Folder::Processing] {
        for found in programs.list(folder) {
            let what = format!("{}/{}", folder.name(), found.name);
            lines.push(match &found.features {
                Ok(_) => ok(&what),
                Err(why) => wrong(
                    &what,
                    why.clone(),
                    "mend it or take it away; others are used all the same",
                ),
            });
        }
    }
}

/// Whether the kernel lets templates be shut off from files and network.
fn isolation(caller: &Caller, lines: &mut Vec<Line>) {
    let path = caller.dir().join("libexec/gatepost-render");
    let mut program = caller.command_within(&path, "isolation", Duration::from_secs(10));
    program.environment = host::Environment::default();
    let ran = caller.run(&program, b"");
    let said = String::from_utf8_lossy(&ran.stdout).trim().replace('\n', "; ");
    lines.push(if ran.end == End::Exited(0) {
        ok("isolation of templates")
    } else {
        let words = String::from_utf8_lossy(&ran.stderr_tail).trim().to_owned();
        wrong(
            "isolation of templates",
            format!("{said} {words}"),
            "use a kernel with seccomp and Landlock (Linux 5.13)",
        )
    });
}

/// The database, the rows, the files: what `status` finds too.
fn database(root: &Root, lines: &mut Vec<Line>) -> Result<()> {
    let mut session = Session::open(Some(root.folder()), None)?;
    lines.push(ok("database"));
    for notice in session.ask("notice", &[])?.rows() {
        let error = notice.child_text("error");
        let what = format!("templates/{}", notice.child_text("name"));
        lines.push(if error.is_empty() {
            ok(&what)
        } else {
            wrong(&what, error, "mend its notice.toml")
        });
    }
    for finding in session.platform.status()?.findings {
        lines.push(Line {
            what: finding.code.to_owned(),
            problem: Some((finding.text, finding.cure)),
        });
    }
    Ok(())
}

fn report(lines: &[Line], format: Option<Format>) -> Result<ExitCode> {
    let problems = lines.iter().filter(|line| line.problem.is_some()).count();
    if format.is_some() {
        let mut table = Table::new(&["what", "problem", "cure"], 3);
        for line in lines {
            let (problem, cure) = line.problem.clone().unwrap_or_default();
            table.rows.push(vec![line.what.clone(), problem, cure]);
        }
        output::table(&table, format)?;
    } else {
        let paint = Paint::new(config::colours());
        for line in lines {
            match &line.problem {
                None => {
                    let what = output::clean(&line.what);
                    output::exactly(&format!("{}  {what}\n", paint.say(Tone::Good, "ok   ")))?;
                }
                Some((problem, cure)) => {
                    let words = format!("{}: {problem}\n       {cure}", line.what);
                    let words = output::clean(&words);
                    output::exactly(&format!("{}  {words}\n", paint.say(Tone::Bad, "wrong")))?;
                }
            }
        }
    }
    if problems > 0 {
        return Err(Failure::new(
            code::CONFIG,
            format!("{problems} of {} checks found something", lines.len()),
        ));
    }
    Ok(ExitCode::SUCCESS)
}
