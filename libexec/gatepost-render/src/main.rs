//! Turns templates into text; started by the modules and by `gatepost template render`, never by a person.
//!
//! ```text
//! gatepost-render xslt|ejs|tera            frames on stdin and stdout (docs/templates.md)
//! gatepost-render --command features       which engines this build has
//! gatepost-render --command isolation      shuts itself off, tries to get out, reports; exit 0: nothing worked
//! ```
//!
//! One engine a process. Before the first template is read it limits its memory and shuts itself off from files,
//! network and other processes (Landlock, seccomp); it starts with an empty environment and keeps no store.
//! A template that takes too much time is stopped and answered as an error; then the process leaves, and its
//! parent starts another. Only this program links libxslt, libxml2 and `QuickJS`.
//!
//! Exit codes: 0 end of input, or everything shut; 1 something was open; 64 usage; 65 a frame that is no request;
//! 71 the kernel offers neither Landlock nor seccomp; 74 stdin or stdout broke.

mod child;
mod isolation;
mod shut;
mod watch;

use std::io::Write;
use std::process::ExitCode;

use wire::rendering::Engine;
use wire::xml::Element;

/// sysexits: how it was called is wrong.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--command", "features"] => print(&features()),
        ["--command", "isolation"] => isolation::report(),
        [engine] => match engine.parse::<Engine>() {
            Ok(engine) => child::run(engine),
            Err(error) => complain(USAGE, &error.to_string()),
        },
        _ => {
            complain(USAGE, "usage: gatepost-render xslt|ejs|tera, or --command features|isolation")
        }
    }
}

/// The engines of this build.
fn features() -> Element {
    let mut features = Element::new("features");
    for engine in Engine::ALL {
        if engine != Engine::Xslt || cfg!(feature = "xslt") {
            features.push(Element::new("feature").with_attribute("name", engine.word()));
        }
    }
    Element::new("doc").with_child(features)
}

fn print(document: &Element) -> ExitCode {
    match std::io::stdout().write_all((document.to_xml() + "\n").as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(child::BROKEN_PIPE),
    }
}

/// Says why on stderr.
fn complain(code: u8, why: &str) -> ExitCode {
    drop(std::io::stderr().write_all(format!("gatepost-render: {why}\n").as_bytes()));
    ExitCode::from(code)
}
