//! Gates in serve mode, good and hostile, written in python3.

use super::*;
use crate::Folder;
use config::{Config, Root};
use notice::{Answer, Secret};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use wire::features::Features;
use wire::frames::append_frame;
use wire::serve::append_ping;

const LONG: Duration = Duration::from_secs(20);
/// What every gate here begins with: frames from a stream that reads no more than it is asked for.
const HEAD: &str = r#"#!/usr/bin/python3 -IS
import os, struct, sys, time
def exactly(count):
    found = b""
    while len(found) < count:
        chunk = os.read(0, count - len(found))
        if not chunk:
            sys.exit(0)
        found += chunk
    return found
def read():
    return exactly(struct.unpack(">I", exactly(4))[0])
def frame(body):
    return struct.pack(">I", len(body)) + body
def write(*bodies):
    rest = b"".join(frame(body) for body in bodies)
    while rest:
        rest = rest[os.write(1, rest):]
"#;

struct Place {
    folder: tempfile::TempDir,
    bell: Bell,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("gate")).unwrap();
        fs::create_dir_all(folder.path().join("var")).unwrap();
        fs::create_dir_all(folder.path().join("etc")).unwrap();
        let settings = "[gate]\nkill_secs = 0.3\nstdout_bytes = 4194304\n";
        fs::write(folder.path().join("etc/gatepost.toml"), settings).unwrap();
        Self { folder, bell: Bell::new().unwrap() }
    }

    fn serve(&self, script: &str) -> Served {
        self.serve_masked(script, Mask::default())
    }

    fn serve_masked(&self, script: &str, mask: Mask) -> Served {
        let path = self.folder.path().join("gate/gw");
        fs::write(&path, format!("{HEAD}{script}")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let root = Root::at(self.folder.path()).unwrap();
        let config = Config::load(&root).unwrap();
        let listed = Listed {
            name: "gw".into(),
            folder: Folder::Gate,
            path,
            features: Ok(Features::of(["serve"])),
        };
        Served::start(&Caller::new(&root, &config), &listed, mask).unwrap()
    }

    /// Exchanges until so much was heard, or the conversation is broken.
    fn hear(&self, served: &mut Served, most: usize) -> (Vec<FromGate>, Option<Broken>) {
        let until = Instant::now() + LONG;
        let mut heard = Vec::new();
        while heard.len() < most {
            assert!(Instant::now() < until, "heard {heard:?}");
            match served.exchange(&self.bell, LONG) {
                Ok(more) => heard.extend(more),
                Err(broken) => return (heard, Some(broken)),
            }
        }
        (heard, None)
    }
}

fn sent(id: u64) -> FromGate {
    FromGate::Answer(id, Answer::sent(None))
}

fn message(id: u64, bytes: usize) -> Vec<u8> {
    format!("<doc command=\"outgoing\" id=\"{id}\"><message>{}</message></doc>", "x".repeat(bytes))
        .into_bytes()
}

fn give(served: &mut Served, ids: std::ops::RangeInclusive<u64>, bytes: usize) {
    for id in ids {
        append_frame(served.outbox(), &message(id, bytes)).unwrap();
    }
}

const ECHO: &str = r#"
while True:
    said = read()
    if b"ping" in said[:24]:
        write(b'<doc command="ping"/>')
    else:
        write(b'<doc id="' + said.split(b'"')[3] + b'"/>')
"#;

#[test]
fn frames_that_are_ready_go_out_in_one_write() {
    let place = Place::new();
    let mut served = place.serve(ECHO);
    append_ping(served.outbox()).unwrap();
    give(&mut served, 1..=50, 100);
    let (heard, broken) = place.hear(&mut served, 51);
    assert!(broken.is_none());
    assert_eq!((&heard[0], &heard[1], &heard[50]), (&FromGate::Ping, &sent(1), &sent(50)));
    give(&mut served, 51..=51, 100);
    assert_eq!(place.hear(&mut served, 1).0, [sent(51)]);
    let marked = served.mark();
    served.close();
    let remains = served.leave();
    assert_eq!((remains.writes, remains.read_bytes), (2, marked));
    assert_eq!(remains.end, End::Exited(0));
}

#[test]
fn neither_side_waits_for_the_other_however_much_there_is_to_say() {
    let place = Place::new();
    // It says far more than a pipe takes before it reads anything, and again while we write.
    let mut served = place.serve(
        r#"
for number in range(1, 9):
    write(b'<doc id="%d"><reference>%s</reference></doc>' % (number, b"y" * 200000))
for number in range(9, 17):
    read()
    write(b'<doc id="%d"><reference>%s</reference></doc>' % (number, b"y" * 200000))
"#,
    );
    give(&mut served, 1..=8, 400_000);
    let (heard, broken) = place.hear(&mut served, 16);
    assert!(broken.is_none());
    assert!(matches!(&heard[15], FromGate::Answer(16, answer)
        if answer.reference.as_ref().unwrap().len() == 200_000));
    assert_eq!(served.end().read_bytes, 8 * (4 + message(1, 400_000).len() as u64));
}

#[test]
fn what_has_no_place_in_the_conversation_breaks_it_after_what_came_before() {
    let table = [
        (r#"os.write(1, b"HTTP/1.1 200 OK\r\n\r\n")"#, "over the limit"),
        (
            r#"os.write(1, struct.pack(">I", 1 << 30) + b"<doc")"#,
            "1073741824 bytes, over the limit",
        ),
        ("write(b'sent')", "no document"),
        ("write(b'<doc/>')", "without a number"),
        (r#"write(b'<doc command="outgoing" id="3"/>')"#, "the command `outgoing`"),
    ];
    for (script, expected) in table {
        let place = Place::new();
        let mut served =
            place.serve(&format!("write(b'<doc id=\"1\"/>')\n{script}\ntime.sleep(60)\n"));
        let (heard, broken) = place.hear(&mut served, 9);
        assert_eq!(heard, [sent(1)], "{script}");
        let words = broken.unwrap().to_string();
        assert!(
            words.starts_with("the gate broke the protocol") && words.contains(expected),
            "{words}"
        );
        assert_eq!(served.end().end, End::Signalled(15));
    }
}

#[test]
fn a_death_tells_what_can_not_have_been_read() {
    let place = Place::new();
    let mut served =
        place.serve("read()\nread()\nprint('no disk', file=sys.stderr)\nos.kill(os.getpid(), 9)\n");
    give(&mut served, 1..=5, 10);
    let (heard, broken) = place.hear(&mut served, 1);
    assert!(heard.is_empty() && matches!(broken, Some(Broken::Left)));
    let remains = served.end();
    assert_eq!(remains.read_bytes, 2 * (4 + message(1, 10).len() as u64));
    assert_eq!(remains.words, "died by signal 9 (SIGKILL): no disk");
    assert_eq!(remains.end, End::Signalled(9));
}

#[test]
fn a_gate_that_never_reads_has_read_nothing() {
    let place = Place::new();
    let mut served = place.serve("time.sleep(60)\n");
    give(&mut served, 1..=64, 100_000);
    assert!(served.exchange(&place.bell, Duration::ZERO).unwrap().is_empty());
    let remains = served.end();
    assert_eq!((remains.read_bytes, remains.end), (0, End::Signalled(15)));
}

#[test]
fn who_ignores_the_end_and_sigterm_is_killed_with_its_group() {
    let place = Place::new();
    let mut served = place.serve(
        r#"
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child == 0:
    time.sleep(60)
write(b'<doc id="%d"/>' % child)
time.sleep(60)
"#,
    );
    let (heard, _) = place.hear(&mut served, 1);
    let FromGate::Answer(child, _) = heard[0] else { panic!("{heard:?}") };
    served.close();
    assert_eq!(served.leave().end, End::Signalled(9));
    let until = Instant::now() + LONG;
    let stat = || fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
    while !stat().is_empty() && !stat().contains(") Z") {
        assert!(Instant::now() < until, "{child} lives on");
        std::thread::yield_now();
    }
}

#[test]
fn what_it_complains_about_is_logged_by_line_and_masked() {
    let place = Place::new();
    let mask = Mask::new([&Secret::new("pa55word".to_owned())]);
    let script = r#"
for part in (b"login pa55", b"word is wrong\nsecond ", b"x" * 100000, b"\nthird\nlast pa55word"):
    os.write(2, part)
    time.sleep(0.01)
write(b'<doc id="1"><error type="later"><msg>pa55word again</msg></error></doc>')
sys.exit(3)
"#;
    let mut served = place.serve_masked(script, mask);
    let (heard, _) = place.hear(&mut served, 1);
    let FromGate::Answer(1, answer) = &heard[0] else { panic!("{heard:?}") };
    assert!(!answer.reason.contains("pa55word") && answer.reason.contains("again"));
    assert!(matches!(place.hear(&mut served, 1).1, Some(Broken::Left)));
    let remains = served.end();
    assert!(remains.words.starts_with("exit 3: ") && remains.words.ends_with("third | last ***"));
    let log = fs::read_to_string(place.folder.path().join("var/gw.log")).unwrap();
    let lines: Vec<&str> =
        log.lines().filter_map(|line| Some(line.split_once("serve: ")?.1)).collect();
    assert_eq!(
        lines,
        ["login *** is wrong", "third", "last ***"],
        "the long line is dropped whole"
    );
}
