//! A person at a terminal: a program of an installation under util-linux's `script`, what it shows, what is typed.

use crate::host::Host;
use crate::tools::comes_true;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// A program shows what is waited for within that.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program on a terminal of its own, 120 columns wide; ended when the value is dropped.
pub struct Terminal {
    child: Child,
    keys: ChildStdin,
    shown: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
    /// Bytes shown before the part that is waited for next.
    seen: usize,
}

impl Terminal {
    /// Starts a shell line in ROOT, programs named as they stand there: `bin/gatepost status`.
    pub fn start(host: &Host, line: &str) -> Self {
        let line = format!("stty cols 120 rows 40; exec {line}");
        let words = ["--quiet", "--return", "--flush", "--echo", "always", "--command", &line];
        let mut command = host.command("/usr/bin/script", &words);
        command.arg("/dev/null").env("TERM", "xterm").env("SHELL", "/bin/sh");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let keys = child.stdin.take().unwrap();
        let mut screen = child.stdout.take().unwrap();
        let shown = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&shown);
        let reader = std::thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut part) {
                shared.lock().unwrap().extend(&part[..count]);
            }
        });
        Self { child, keys, shown, reader: Some(reader), seen: 0 }
    }

    /// Waits until this is shown behind what was waited for before.
    pub fn shows(&mut self, text: &str) {
        let mut end = None;
        let is_shown = || {
            let screen = self.shown.lock().unwrap();
            let rest = &screen[self.seen..];
            end = rest.windows(text.len()).position(|part| part == text.as_bytes());
            end.is_some()
        };
        assert!(comes_true(PATIENCE, is_shown), "`{text}` is not shown in:\n{}", self.screen());
        self.seen += end.unwrap_or_default() + text.len();
    }

    /// Types a line and Enter.
    pub fn types(&mut self, line: &str) {
        self.keys.write_all(format!("{line}\n").as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Everything that was shown so far.
    pub fn screen(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).replace("\r\n", "\n")
    }

    /// Waits for the end; the exit code and everything that was shown.
    pub fn ends(mut self) -> (i32, String) {
        let mut code = None;
        let has_ended = || {
            code = self.child.try_wait().unwrap().and_then(|status| status.code());
            code.is_some()
        };
        assert!(comes_true(PATIENCE, has_ended), "it goes on after:\n{}", self.screen());
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        (code.unwrap_or_default(), self.screen())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // the terminal goes with it, and the program gets SIGHUP
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
