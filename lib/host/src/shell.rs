//! A conversation with a shell that reads its commands from stdin: `sh -s`, here or at the other end of
//! an ssh connection.
//!
//! Each command is followed by a mark with its exit code, and the mark is a random word no script knows.
//! So a command that ran to its end is told apart from one that nobody knows anything about, exactly:
//! there is a mark or there is none. Nothing of a command is written before the one in front of it has
//! its mark; who asks a harmless one first knows whether anything of the second was ever written.

use crate::child::{Child, Stream, Streams, spawn};
use crate::exchange::{Event, Tail, poll_for};
use crate::quote::quoted;
use crate::{End, Program, Stop};
use notice::Secret;
use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{ChildStdin, ChildStdout};
use std::sync::Arc;
use std::time::{Duration, Instant};

const READ_BYTES: usize = 16 << 10;
/// A connection that has ended is given so long to say why.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// A shell that was told to leave is given so long.
const PATIENCE: Duration = Duration::from_secs(1);
/// And so long when we are told to leave ourselves: whoever tells us waits two seconds.
const ON_STOP: Duration = Duration::from_millis(500);

/// A command that ran to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replied {
    /// Its exit code; 128 and more for a signal, as shells have it.
    pub code: i32,
    /// What it printed.
    pub stdout: Vec<u8>,
    /// The end of what it, or the connection, complained about.
    pub stderr_tail: Vec<u8>,
}

/// A command without a mark: it ran, or ran in part, or never ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// How the conversation ended: `Exited` and `Signalled` speak of the local program (`ssh`, `sh`).
    pub end: End,
    /// What it printed so far.
    pub stdout: Vec<u8>,
    /// The end of what it, or the connection, complained about.
    pub stderr_tail: Vec<u8>,
}

/// How a command ended.
pub type Reply = Result<Replied, Lost>;

/// A running shell. Dropped, its local program is killed.
pub struct Shell {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: OwnedFd,
    mark: String,
    asked: u32,
    stdout_bytes: usize,
    complaint: Option<Tail>,
    stderr_bytes: usize,
    stop: Option<Arc<Stop>>,
}

impl Shell {
    /// Starts the program that is, or brings us to, `sh -s`. Its stderr is a socket, on which the secret
    /// waits for whom the program asks for it (`libexec/gatepost-askpass`): ssh closes every descriptor
    /// but the first three, and this one its children inherit. Fails with the reason in words.
    pub fn start(program: &Program, secret: Option<&Secret>) -> Result<Self, String> {
        let in_words = |error: std::io::Error| format!("can't talk to a shell: {error}");
        let (ours, theirs) = UnixStream::pair().map_err(in_words)?;
        if let Some(secret) = secret {
            (&ours).write_all(format!("{}\n", secret.expose()).as_bytes()).map_err(in_words)?;
        }
        let stderr = Stream::File(OwnedFd::from(theirs).into());
        let streams = Streams { stdin: Stream::Piped, stdout: Stream::Piped, stderr };
        let mut child = spawn(program, streams)?;
        let stdin = child.take_stdin();
        if let Some(stdin) = &stdin {
            // Only our end.
            let _ = rustix::io::ioctl_fionbio(stdin, true);
        }
        let stdout = child.take_stdout();
        Ok(Self {
            child,
            stdin,
            stdout,
            stderr: ours.into(),
            mark: random_word().map_err(in_words)?,
            asked: 0,
            stdout_bytes: program.limits.stdout_bytes,
            complaint: None,
            stderr_bytes: program.limits.stderr_bytes,
            stop: None,
        })
    }

    /// The same; once `stop` is raised the command that runs is lost, and its program's group is ended with it.
    #[must_use]
    pub fn until(self, stop: Arc<Stop>) -> Self {
        Self { stop: Some(stop), ..self }
    }

    /// Runs one command, with nothing on its stdin, and waits for its end at most `within`. After a `Lost`
    /// there is no shell any more: each further command is lost too.
    pub fn run(&mut self, words: &[&str], within: Duration) -> Reply {
        self.asked += 1;
        let mark = format!("{}-{}", self.mark, self.asked);
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        // In braces: a shell that gets half of it runs nothing.
        let line = format!(
            "{{ {} </dev/null; set -- \"$?\"; echo {mark} >&2; printf '\\n%s %s\\n' {mark} \"$1\"; }}\n",
            words.join(" ")
        );
        self.complaint = Some(Tail::new(self.stderr_bytes));
        let mut talk = Talk {
            input: line.as_bytes(),
            output: Vec::new(),
            mark: format!("\n{mark} ").into_bytes(),
            seen: 0,
        };
        let ended = self.talk(&mut talk, Instant::now() + within);
        if ended.is_ok() {
            self.hear_the_rest(mark.as_bytes());
        }
        let complaint = self.complaint.take().map(Tail::into_tail).unwrap_or_default();
        let stderr_tail = before(complaint, mark.as_bytes());
        match ended {
            Ok(code) => Ok(Replied { code, stdout: talk.output, stderr_tail }),
            Err(end) => {
                self.stdin = None;
                self.stdout = None;
                if end == End::Stopped {
                    self.child.end_group(ON_STOP);
                }
                Err(Lost { end, stdout: talk.output, stderr_tail })
            }
        }
    }

    /// Ends it: its stdin is closed, and after a second it is killed.
    pub fn close(self) {
        let Self { child, stdin, stdout, stderr, .. } = self;
        drop((stdin, stdout, stderr));
        child.finish(PATIENCE);
    }

    fn talk(&mut self, talk: &mut Talk<'_>, until: Instant) -> Result<i32, End> {
        loop {
            if let Some(code) = talk.code() {
                return Ok(code);
            }
            if talk.output.len() > self.stdout_bytes {
                return Err(End::OutputLimit);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(End::Deadline);
            }
            let Some(stdout) = &self.stdout else { return Err(self.last_words()) };
            let stdin = self.stdin.as_ref().filter(|_| !talk.input.is_empty());
            let ready = poll_for(
                [
                    (self.stop.as_ref().map(|stop| stop.as_fd()), Event::Stop),
                    (stdin.map(AsFd::as_fd), Event::Stdin),
                    (Some(stdout.as_fd()), Event::Stdout),
                    (Some(self.stderr.as_fd()), Event::Stderr),
                ],
                left,
            );
            if ready.has(Event::Stop) {
                return Err(End::Stopped);
            }
            if ready.has(Event::Stdout) && !read_into(stdout, &mut talk.output) {
                self.stdout = None;
            }
            if ready.has(Event::Stderr) {
                self.hear_complaint();
            }
            if ready.has(Event::Stdin) {
                self.feed(talk);
            }
        }
    }

    /// What was complained about may come later than the end of stdout: up to its own mark, for a while.
    fn hear_the_rest(&mut self, mark: &[u8]) {
        let until = Instant::now() + LAST_WORDS;
        loop {
            let heard = self.complaint.as_ref().is_some_and(|heard| heard.holds(mark));
            let left = until.saturating_duration_since(Instant::now());
            if heard || left.is_zero() {
                return;
            }
            let ready = poll_for([(Some(self.stderr.as_fd()), Event::Stderr)], left);
            if ready.has(Event::Stderr) && !self.hear_complaint() {
                return;
            }
        }
    }

    fn feed(&mut self, talk: &mut Talk<'_>) {
        let Some(stdin) = &self.stdin else { return };
        match rustix::io::write(stdin, talk.input) {
            Ok(written) => talk.input = &talk.input[written..],
            Err(Errno::INTR | Errno::AGAIN) => {}
            // Nobody reads any more: the end of stdout will tell.
            Err(_) => self.stdin = None,
        }
    }

    /// True while more may come.
    fn hear_complaint(&mut self) -> bool {
        let Some(complaint) = &mut self.complaint else { return false };
        match rustix::io::read(&self.stderr, complaint.room()) {
            Err(Errno::INTR | Errno::AGAIN) => true,
            Ok(0) | Err(_) => false,
            Ok(_) => {
                complaint.trim();
                true
            }
        }
    }

    /// The connection is gone: why, and what was said on the way.
    fn last_words(&mut self) -> End {
        self.stdin = None;
        let end = self.child.wait_for(LAST_WORDS).unwrap_or(End::Stopped);
        loop {
            let heard = poll_for([(Some(self.stderr.as_fd()), Event::Stderr)], Duration::ZERO);
            if !heard.has(Event::Stderr) || !self.hear_complaint() {
                return end;
            }
        }
    }
}

/// One command under way.
struct Talk<'a> {
    input: &'a [u8],
    output: Vec<u8>,
    mark: Vec<u8>,
    seen: usize,
}

impl Talk<'_> {
    /// The exit code behind the mark, once its line is whole; the output is then what stood before it.
    fn code(&mut self) -> Option<i32> {
        let from = self.seen.saturating_sub(self.mark.len());
        let found = self.output[from..].windows(self.mark.len()).position(|it| it == self.mark);
        let Some(found) = found else {
            self.seen = self.output.len();
            return None;
        };
        let at = from + found;
        let rest = &self.output[at + self.mark.len()..];
        let line = &rest[..rest.iter().position(|byte| *byte == b'\n')?];
        let code = String::from_utf8_lossy(line).trim().parse().ok()?;
        self.output.truncate(at);
        Some(code)
    }
}

/// What stands before the mark.
fn before(mut text: Vec<u8>, mark: &[u8]) -> Vec<u8> {
    if let Some(at) = text.windows(mark.len()).position(|it| it == mark) {
        text.truncate(at);
    }
    text
}

/// False at the end of the stream.
fn read_into(stream: &ChildStdout, output: &mut Vec<u8>) -> bool {
    output.reserve(READ_BYTES);
    match rustix::io::read(stream, spare_capacity(output)) {
        Err(Errno::INTR | Errno::AGAIN) => true,
        Ok(0) | Err(_) => false,
        Ok(_) => true,
    }
}

fn random_word() -> std::io::Result<String> {
    use std::fmt::Write as _;
    use std::io::Read as _;
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().fold("gatepost-".to_owned(), |mut word, byte| {
        let _ = write!(word, "{byte:02x}");
        word
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Environment, Limits};

    const SOON: Duration = Duration::from_secs(20);

    fn shell_within(stdout_bytes: usize) -> Shell {
        let program = Program {
            path: "/bin/sh".into(),
            args: vec!["-s".into()],
            dir: "/".into(),
            environment: Environment::default(),
            limits: Limits { stdout_bytes, ..Limits::default() },
        };
        Shell::start(&program, None).unwrap()
    }

    fn shell() -> Shell {
        shell_within(1 << 20)
    }

    fn run(shell: &mut Shell, words: &[&str]) -> (i32, String, String) {
        let replied = shell.run(words, SOON).unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (replied.code, text(&replied.stdout), text(&replied.stderr_tail))
    }

    #[test]
    fn one_command_after_the_other_each_with_its_own_end() {
        let mut shell = shell();
        assert_eq!(run(&mut shell, &["true"]).0, 0);
        assert_eq!(run(&mut shell, &["false"]).0, 1);
        let both = ["sh", "-c", "printf no-newline; echo bad >&2; exit 255"];
        for _ in 0..50 {
            assert_eq!(run(&mut shell, &both), (255, "no-newline".into(), "bad\n".into()));
        }
        assert_eq!(run(&mut shell, &["echo", "a"]), (0, "a\n".into(), String::new()));
        assert_eq!(run(&mut shell, &["/no/such"]).0, 127);
        shell.close();
    }

    #[test]
    fn every_value_arrives_byte_by_byte() {
        // S1-31
        let mut shell = shell();
        let long = "я".repeat(200_000);
        for value in [
            "p w",
            "it's \"q\"",
            "$(touch /tmp/never) `id` $HOME",
            "a\nb\n",
            "-n",
            "--",
            "\\",
            "!x",
            "*",
            "~",
            "a;b&c|d>e",
            "\u{1}\u{7f}\u{81}",
            "пароль",
            "",
            &long,
        ] {
            let (code, stdout, _) = run(&mut shell, &["printf", "%s", value]);
            assert_eq!((code, stdout.as_str()), (0, value));
        }
    }

    #[test]
    fn a_command_gets_nothing_of_the_next_one() {
        let mut shell = shell();
        assert_eq!(run(&mut shell, &["cat"]), (0, String::new(), String::new()));
        assert_eq!(run(&mut shell, &["echo", "still here"]).1, "still here\n");
    }

    #[test]
    fn a_command_that_takes_the_shell_with_it_is_lost_and_so_is_the_next() {
        let mut shell = shell();
        run(&mut shell, &["true"]);
        let kill = ["sh", "-c", "echo begun; echo words >&2; kill -9 $PPID"];
        let lost = shell.run(&kill, SOON).unwrap_err();
        assert_eq!(lost.end, End::Signalled(9));
        assert_eq!(
            (lost.stdout.as_slice(), lost.stderr_tail.as_slice()),
            (&b"begun\n"[..], &b"words\n"[..])
        );
        assert!(shell.run(&["true"], SOON).is_err());
    }

    #[test]
    fn a_command_that_does_not_end_is_lost_in_time() {
        let mut slow = shell();
        let lost = slow.run(&["sleep", "100"], Duration::from_millis(100)).unwrap_err();
        assert_eq!(lost.end, End::Deadline);
        let mut loud = shell_within(1000);
        assert_eq!(loud.run(&["yes"], SOON).unwrap_err().end, End::OutputLimit);
    }

    #[test]
    fn a_stop_ends_what_runs_and_whatever_it_has_started() {
        let stop = Arc::new(Stop::new().unwrap());
        let mut shell = shell().until(Arc::clone(&stop));
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let script = format!(
            "trap '' TERM; echo $$ > '{0}.new'; mv '{0}.new' '{0}'; sleep 100",
            pid.display()
        );
        let raised = std::thread::spawn(move || {
            let began = || std::fs::read_to_string(&pid).ok();
            let pid = loop {
                if let Some(pid) = began() {
                    break pid;
                }
                std::thread::yield_now();
            };
            stop.raise();
            pid
        });
        let lost = shell.run(&["sh", "-c", &script], SOON).unwrap_err();
        assert_eq!(lost.end, End::Stopped);
        let pid = raised.join().unwrap();
        let stat = || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        let until = Instant::now() + SOON;
        while stat().is_ok_and(|stat| !stat.contains(") Z")) {
            assert!(Instant::now() < until, "the script lives on");
            std::thread::yield_now();
        }
        assert!(shell.run(&["true"], SOON).is_err());
    }

    #[test]
    fn who_holds_the_output_open_is_not_waited_for() {
        let mut shell = shell();
        let (code, stdout, _) = run(&mut shell, &["sh", "-c", "sleep 100 & echo $!"]);
        assert_eq!(code, 0);
        shell.close();
        let pid = stdout.trim().parse().ok().and_then(rustix::process::Pid::from_raw).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }

    #[test]
    fn a_secret_waits_on_the_stderr_of_the_program() {
        let program = Program {
            path: "/bin/sh".into(),
            args: vec!["-c".into(), "read -r it <&2; printf '%s' \"$it\"; exec sh -s".into()],
            dir: "/".into(),
            environment: Environment::default(),
            limits: Limits::default(),
        };
        let mut shell = Shell::start(&program, Some(&Secret::new("p w $x"))).unwrap();
        assert_eq!(run(&mut shell, &["true"]).1, "p w $x");
    }
}
