//! Starting: one `posix_spawn`, and words for what goes wrong.

use crate::Program;
use rustix::io::Errno;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A file that is still open for writing somewhere can't be started (ETXTBSY): a gate that is being
/// copied over. It is tried again so often, that long apart.
const BUSY_TRIES: u32 = 100;
const BUSY_WAIT: Duration = Duration::from_millis(10);

/// What the three streams are.
pub(crate) struct Pipes {
    pub(crate) stdin: Stdio,
    pub(crate) stdout: Stdio,
    pub(crate) stderr: Stdio,
}

/// Starts a program in its own process group. The text of a failure names the program and the cure.
///
/// Everything asked of `Command` here is within what `posix_spawn` can do: folder, process group,
/// environment and an absolute path.
pub(crate) fn start(program: &Program, pipes: Pipes) -> Result<Child, String> {
    #[expect(clippy::disallowed_methods, reason = "this crate is the door to processes")]
    let mut command = Command::new(&program.path);
    command
        .args(&program.args)
        .current_dir(&program.dir)
        .env_clear()
        .envs(program.environment.iter());
    command.process_group(0).stdin(pipes.stdin).stdout(pipes.stdout).stderr(pipes.stderr);
    for _ in 0..BUSY_TRIES {
        match command.spawn() {
            Err(error) if error.raw_os_error() == Some(Errno::TXTBSY.raw_os_error()) => {
                pause(BUSY_WAIT);
            }
            started => return started.map_err(|error| why_not(program, &error)),
        }
    }
    Err(format!("can't start `{}`: it is being written to", shown(program)))
}

fn pause(wait: Duration) {
    #[expect(
        clippy::disallowed_methods,
        reason = "nothing tells when a file is no longer written to"
    )]
    std::thread::sleep(wait);
}

fn why_not(program: &Program, error: &io::Error) -> String {
    let name = shown(program);
    let cause = match error.kind() {
        io::ErrorKind::NotFound if !program.dir.is_dir() => {
            format!("its folder `{}` is missing", program.dir.display())
        }
        io::ErrorKind::NotFound if !program.path.exists() => "there is no such file".to_owned(),
        io::ErrorKind::NotFound => match first_line_interpreter(&program.path) {
            Some(interpreter) => {
                format!("the interpreter `{interpreter}` named in its first line is missing")
            }
            None => "the loader it was built for is missing".to_owned(),
        },
        io::ErrorKind::PermissionDenied if program.path.is_dir() => "it is a folder".to_owned(),
        io::ErrorKind::PermissionDenied => {
            format!("it is not executable for us; try `chmod +x {name}`")
        }
        _ if error.raw_os_error() == Some(Errno::NOEXEC.raw_os_error()) => {
            "it is no program; a script needs a first line such as `#!/bin/sh`".to_owned()
        }
        _ => error.to_string(),
    };
    format!("can't start `{name}`: {cause}")
}

fn shown(program: &Program) -> std::path::Display<'_> {
    program.path.strip_prefix(&program.dir).unwrap_or(&program.path).display()
}

fn first_line_interpreter(path: &Path) -> Option<String> {
    use std::io::Read;
    let mut start = Vec::new();
    std::fs::File::open(path).ok()?.take(256).read_to_end(&mut start).ok()?;
    let line = start.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let text = String::from_utf8_lossy(line);
    Some(text.split_whitespace().next()?.to_owned() + if text.ends_with('\r') { "\\r" } else { "" })
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_is_asked_that_makes_the_system_fork() {
        // queue 3.12: fork costs 135 times posix_spawn in a large process.
        let source = include_str!("start.rs");
        for name in ["pre_exec", "uid", "gid", "groups", "arg0"] {
            assert!(!source.contains(&format!(".{name}(")), "`{name}` on a Command");
        }
        let others = [
            include_str!("exchange.rs"),
            include_str!("child.rs"),
            include_str!("caller.rs"),
            include_str!("programs.rs"),
        ];
        assert!(
            others.iter().all(|text| !text.contains("Command::new")),
            "one place starts programs"
        );
    }
}
