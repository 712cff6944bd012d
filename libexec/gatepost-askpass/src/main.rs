//! gatepost-askpass - tells ssh the password it was started with
//!
//! Started by ssh (`SSH_ASKPASS`) when a server wants the password of root. It reads the password from its
//! stderr, which is a socket inherited through ssh from the program that started ssh, and prints it to ssh.
//! So the password stands in no argument, no environment and no file. It is told once: whoever asks
//! again gets nothing and exit code 1. It never waits.

use rustix::net::RecvFlags;
use std::io::Write;
use std::process::ExitCode;

/// A longer password is none.
const LONGEST_BYTES: usize = 4096;

fn main() -> ExitCode {
    let mut line = [0; LONGEST_BYTES];
    let received = rustix::net::recv(std::io::stderr(), &mut line[..], RecvFlags::DONTWAIT);
    let Ok((length, _)) = received else { return ExitCode::FAILURE };
    match std::io::stdout().lock().write_all(&line[..length]) {
        Ok(()) if length > 0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
