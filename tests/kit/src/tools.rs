//! Outside tools: found, missed aloud, run to their end.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// A real server answers within that, on a busy machine too.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// True when the tool is there. Else says so on stderr, for the test to skip; in CI the test fails.
pub fn is_here(tool: &str) -> bool {
    if find(tool).is_some() {
        return true;
    }
    missing(&format!("`{tool}`"))
}

/// The tool's place: in PATH, `/usr/sbin` or `/usr/lib`.
pub fn find(tool: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(["/usr/sbin", "/usr/bin", "/sbin", "/usr/local/go/bin"].map(PathBuf::from));
    folders.into_iter().map(|folder| folder.join(tool)).find(|file| file.is_file())
}

/// True for uid 0: only root can start servers, change owners, mount. Else says so, as [`is_here`] does.
pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    if std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
        return true;
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "CI must run as root");
    skipped("only root can run this test")
}

/// What a test can't do here: said aloud, and in CI a failure. False.
pub fn missing(what: &str) -> bool {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "CI must have {what}");
    skipped(&format!("{what} is missing"))
}

/// Says past the test runner, which keeps what passing tests print, that something was not run. False.
pub fn skipped(why: &str) -> bool {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
    false
}

/// Runs a tool to its end, which must be a good one, and gives its stdout.
pub fn run(tool: &str, args: &[&str]) -> String {
    let program = find(tool).unwrap_or_else(|| panic!("no `{tool}`"));
    let output = Command::new(program).args(args).output().unwrap();
    assert!(
        output.status.success(),
        "{tool} {args:?}: {}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A port of 127.0.0.1 that nobody listens on.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Looks every few milliseconds until it is so; false when it never came true in that time.
pub fn comes_true(at_most: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + at_most;
    while !is_so() {
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

/// True when a server on that port of 127.0.0.1 speaks first.
pub fn greets(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    matches!(stream.read(&mut [0; 64]), Ok(1..))
}

/// The processes below one, so many generations down, children first.
pub fn descendants(of: u32, generations: u32) -> Vec<u32> {
    let mut parents: Vec<(u32, u32)> = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // `PID (NAME) STATE PPID …`
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1));
        let pid = entry.file_name().to_string_lossy().parse();
        if let (Ok(pid), Some(Ok(parent))) = (pid, parent.map(str::parse)) {
            parents.push((parent, pid));
        }
    }
    let mut found = Vec::new();
    let mut last = vec![of];
    for _ in 0..generations {
        let is_next = |(parent, _): &&(u32, u32)| last.contains(parent);
        last = parents.iter().filter(is_next).map(|(_, pid)| *pid).collect();
        if last.is_empty() {
            break;
        }
        found.extend(&last);
    }
    found
}

/// The messages of a Maildir, oldest name first; none when it is not there.
pub fn maildir(folder: &Path) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> = ["new", "cur"]
        .iter()
        .filter_map(|part| std::fs::read_dir(folder.join(part)).ok())
        .flatten()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.iter().filter_map(|file| std::fs::read(file).ok()).collect()
}
