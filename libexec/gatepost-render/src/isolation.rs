//! `--command isolation`: shuts the process as for templates, tries every way out, and tells how each ended.

use std::fs::{File, OpenOptions, read_dir};
use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use rustix::process::{Pid, getppid, test_kill_process};
use wire::xml::Element;

use crate::shut::{self, Landlock, Seccomp, Shut};
use crate::{complain, print};

/// Exit code: something was open.
const OPEN: u8 = 1;

/// Prints the report.
pub(crate) fn report() -> ExitCode {
    let parent = getppid();
    let landlock = shut::first_half();
    let shut = shut::second_half(landlock);
    let attempts = attempts(parent);
    let all_shut = attempts.iter().all(|(_, ended)| ended.is_err());
    let printed = print(&document(shut, &attempts));
    if all_shut || printed != ExitCode::SUCCESS {
        printed
    } else {
        complain(OPEN, "something was open")
    }
}

type Attempt = (&'static str, io::Result<()>);

fn attempts(parent: Option<Pid>) -> Vec<Attempt> {
    let written =
        || OpenOptions::new().append(true).create(true).open("gatepost-render.open").map(drop);
    vec![
        ("open", File::open("/etc/passwd").map(drop)),
        ("open-proc", File::open("/proc/self/environ").map(drop)),
        ("list", read_dir("/").map(drop)),
        ("create", written()),
        ("remove", std::fs::remove_file("gatepost-render.open")),
        ("socket-tcp", TcpStream::connect(("127.0.0.1", 9)).map(drop)),
        ("socket-listen", TcpListener::bind(("127.0.0.1", 0)).map(drop)),
        ("socket-udp", UdpSocket::bind(("127.0.0.1", 0)).map(drop)),
        ("socket-unix", UnixStream::pair().map(drop)),
        ("thread", std::thread::Builder::new().spawn(|| {}).map(drop)),
        ("signal", signal(parent)),
        ("raise-limit", raise_limit()),
    ]
}

/// A signal that does nothing, to the process that started us.
fn signal(parent: Option<Pid>) -> io::Result<()> {
    let parent = parent.ok_or(io::ErrorKind::NotFound)?;
    Ok(test_kill_process(parent)?)
}

fn raise_limit() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    Ok(setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum: Some(64) })?)
}

fn document(shut: Shut, attempts: &[Attempt]) -> Element {
    let landlock = match shut.landlock {
        Landlock::Full => "full",
        Landlock::Partial => "partial",
        Landlock::Absent => "absent",
    };
    let seccomp = match shut.seccomp {
        Seccomp::Full => "full",
        Seccomp::Absent => "absent",
    };
    let variables = std::env::vars_os().count().to_string();
    let mut doc = Element::new("doc")
        .with_child(Element::new("landlock").with_attribute("state", landlock))
        .with_child(Element::new("seccomp").with_attribute("state", seccomp))
        .with_child(Element::new("environment").with_attribute("variables", variables));
    for (name, ended) in attempts {
        let (state, why) = match ended {
            Ok(()) => ("open", String::new()),
            Err(error) => ("shut", error.to_string()),
        };
        doc.push(
            Element::new("attempt")
                .with_attribute("name", *name)
                .with_attribute("state", state)
                .with_text(why),
        );
    }
    doc
}
