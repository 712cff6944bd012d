//! Hostile children, written in sh and python (extensions 1.6; S3-55, S3-76).

use super::*;
use crate::{Environment, Limits};
use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;

const SECOND: Duration = Duration::from_secs(1);

/// A folder with programs in it, and how they are run.
struct Place {
    folder: tempfile::TempDir,
    limits: Limits,
}

impl Place {
    fn new() -> Self {
        let limits = Limits { deadline: 20 * SECOND, kill_after: SECOND, ..Limits::default() };
        Self { folder: tempfile::tempdir().unwrap(), limits }
    }

    fn within(mut self, deadline: Duration) -> Self {
        self.limits.deadline = deadline;
        self
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("gate")
    }

    fn written(&self, text: &str) -> Program {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o700)
            .open(self.path())
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
        drop(file);
        self.program(self.path())
    }

    fn program(&self, path: PathBuf) -> Program {
        Program {
            path,
            args: vec!["--command".into(), "outgoing".into()],
            dir: self.folder.path().to_path_buf(),
            environment: Environment::new(vec![("PATH".into(), "/usr/bin:/bin".into())]),
            limits: self.limits,
        }
    }

    fn sh(&self, script: &str) -> Program {
        self.written(&format!("#!/bin/sh\n{script}\n"))
    }

    fn python(&self, script: &str) -> Program {
        self.written(&format!("#!/usr/bin/env python3\nimport os, signal, sys, time\n{script}\n"))
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// True when the process is gone or a zombie of somebody else.
fn is_gone(pid: &str) -> bool {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat.rsplit(')').next().unwrap().trim_start().starts_with('Z'),
        Err(_) => true,
    }
}

fn has_zombies() -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let own = std::process::id();
    let children =
        fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
    children.split_whitespace().any(|pid| {
        let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
        matches!(rustix::process::waitid(WaitId::Pid(pid), options), Ok(Some(_)))
    })
}

#[test]
fn input_and_output_pass_at_the_same_time() {
    // S0-66: a megabyte each way through a program that copies.
    let place = Place::new();
    let input = "Привет & <мир>\n".repeat(100_000);
    let ran = run(&place.sh("cat"), input.as_bytes());
    assert_eq!(ran.end, End::Exited(0));
    assert!(ran.stdout == input.as_bytes() && ran.input_written);
}

#[test]
fn a_program_that_writes_before_it_reads_does_not_block() {
    let place = Place::new();
    let program =
        place.python("sys.stdout.write('x' * 3000000); sys.stdout.flush(); sys.stdin.read()");
    let ran = run(&program, "y".repeat(3_000_000).as_bytes());
    assert_eq!((ran.end, ran.stdout.len(), ran.input_written), (End::Exited(0), 3_000_000, true));
}

#[test]
fn a_program_that_never_reads_is_fine() {
    let place = Place::new();
    let input = vec![b'x'; 10 << 20];
    let ran = run(&place.sh("echo '<doc/>'"), &input);
    assert_eq!((ran.end, text(&ran.stdout)), (End::Exited(0), "<doc/>\n"));
    let ran = run(&place.sh("exec 0<&-; echo '<doc/>'; exec 1>&-; sleep 0.2"), &input);
    assert_eq!(
        (ran.end, ran.input_written),
        (End::Exited(0), true),
        "it closed its stdin: it had enough"
    );
}

#[test]
fn every_exit_code_is_a_fact() {
    let place = Place::new();
    let program = place.sh("read code; exit $code");
    for code in 0..256 {
        assert_eq!(run(&program, format!("{code}\n").as_bytes()).end, End::Exited(code));
    }
}

#[test]
fn a_death_by_signal_is_a_fact() {
    let place = Place::new();
    let program = place.python(
        "number = int(sys.stdin.read())\nimport resource\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n\
         if number not in (9, 19): signal.signal(number, signal.SIG_DFL)\nos.kill(os.getpid(), number)\ntime.sleep(9)",
    );
    for number in [1, 2, 3, 4, 6, 7, 8, 9, 11, 13, 14, 15, 24, 25, 31] {
        assert_eq!(run(&program, number.to_string().as_bytes()).end, End::Signalled(number));
    }
}

#[test]
fn endless_output_is_cut_and_the_program_killed() {
    // A gate that prints 1 GB and more.
    let place = Place::new();
    let ran = run(&place.sh("exec yes '<doc>'"), b"<doc/>");
    assert_eq!((ran.end, ran.stdout.len()), (End::OutputLimit, 8 << 20));
    assert!(ran.took < 10 * SECOND);
}

#[test]
fn output_up_to_the_limit_is_taken_whole() {
    let mut place = Place::new();
    place.limits.stdout_bytes = 100_000;
    let at_limit = run(&place.python("sys.stdout.write('x' * 100000)"), b"");
    assert_eq!((at_limit.end, at_limit.stdout.len()), (End::Exited(0), 100_000));
    let over = run(
        &place.python("sys.stdout.write('x' * 100001); sys.stdout.flush(); time.sleep(9)"),
        b"",
    );
    assert_eq!((over.end, over.stdout.len()), (End::OutputLimit, 100_000));
}

#[test]
fn of_endless_stderr_the_end_is_kept() {
    let mut place = Place::new();
    place.limits.stderr_bytes = 1000;
    let ran =
        run(&place.python("sys.stderr.write('x' * 5000000); sys.stderr.write('the end')"), b"");
    assert_eq!((ran.end, ran.stderr_tail.len()), (End::Exited(0), 1000));
    assert!(ran.stderr_tail.ends_with(b"xthe end"));
    let lines = run(&place.python("sys.stderr.write('secret\\n' * 100000)"), b"").stderr_tail;
    assert!(lines.starts_with(b"secret\n"), "it begins with a whole line");
}

#[test]
fn a_sleeper_is_ended_at_its_deadline() {
    let place = Place::new().within(SECOND / 5);
    let ran = run(&place.sh("exec sleep 100"), b"<doc/>");
    assert_eq!((ran.end, ran.input_written), (End::Deadline, true));
    assert!(ran.took < 5 * SECOND && ran.took >= SECOND / 5);
}

#[test]
fn input_that_nobody_took_is_known_as_such() {
    let place = Place::new().within(SECOND / 5);
    let ran = run(&place.sh("sleep 100"), &vec![b'x'; 10 << 20]);
    assert_eq!((ran.end, ran.input_written), (End::Deadline, false));
    let ran = run(&place.sh("kill -9 $$"), &vec![b'x'; 10 << 20]);
    assert_eq!((ran.end, ran.input_written), (End::Signalled(9), false));
    let place = Place::new().within(2 * SECOND);
    let ran = run(&place.sh("exec 0<&-; sleep 100"), &vec![b'x'; 10 << 20]);
    assert_eq!((ran.end, ran.input_written), (End::Deadline, true), "it had enough and lived on");
}

#[test]
fn who_ignores_sigterm_is_killed_with_all_of_its_group() {
    let mut place = Place::new().within(2 * SECOND);
    place.limits.kill_after = SECOND / 5;
    let program =
        place.sh("trap '' TERM; sleep 100 & echo $! > pid; echo $$ >> pid; while :; do wait; done");
    let ran = run(&program, b"");
    assert_eq!(ran.end, End::Deadline);
    let pids = fs::read_to_string(place.folder.path().join("pid")).unwrap();
    assert_eq!(pids.lines().count(), 2);
    let until = Instant::now() + 10 * SECOND;
    while !pids.lines().all(is_gone) {
        assert!(Instant::now() < until, "{pids} live on");
        std::thread::yield_now();
    }
}

#[test]
fn who_leaves_its_group_is_killed_too() {
    let place = Place::new().within(2 * SECOND);
    let program = place.python(
        "child = os.fork()\nif child == 0:\n    os.setpgid(0, 0); time.sleep(10); os._exit(0)\n\
         while os.getpgid(child) != child: pass\nos.setpgid(0, child)\n\
         signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('left', flush=True)\ntime.sleep(100)",
    );
    let ran = run(&program, b"");
    assert_eq!((ran.end, text(&ran.stdout)), (End::Deadline, "left\n"));
    assert!(ran.took < 9 * SECOND, "{:?}", ran.took);
}

#[test]
fn what_is_printed_just_before_the_end_is_read_whole() {
    let place = Place::new();
    let program = place.python("os.write(1, b'x' * 65536); os.write(2, b'y' * 60000); os._exit(0)");
    for _ in 0..10 {
        let ran = run(&program, b"");
        assert_eq!((ran.stdout.len(), ran.stderr_tail.len()), (65536, 60000));
    }
}

#[test]
fn what_is_printed_on_sigterm_is_still_taken() {
    let place = Place::new().within(2 * SECOND);
    let program =
        place.sh("trap 'echo \"<doc/>\"; exit 0' TERM; echo; while :; do sleep 0.05; done");
    let ran = run(&program, b"");
    assert_eq!((ran.end, text(&ran.stdout)), (End::Deadline, "\n<doc/>\n"));
}

#[test]
fn a_grandchild_that_holds_stdout_is_not_waited_for() {
    let place = Place::new();
    let ran = run(&place.sh("sleep 30 & echo $! > pid; echo '<doc/>'"), b"");
    assert_eq!((ran.end, text(&ran.stdout)), (End::Exited(0), "<doc/>\n"));
    assert!(ran.took < 10 * SECOND, "{:?}", ran.took);
    let pid = fs::read_to_string(place.folder.path().join("pid")).unwrap();
    assert!(!is_gone(pid.trim()), "a program may leave somebody behind");
    rustix::process::kill_process(
        Pid::from_raw(pid.trim().parse().unwrap()).unwrap(),
        Signal::KILL,
    )
    .unwrap();
}

#[test]
fn a_grandchild_that_prints_for_ever_is_not_waited_for() {
    let place = Place::new();
    let ran =
        run(&place.sh("echo '<doc/>'; (while sleep 0.01; do echo x; done) & echo $! > pid"), b"");
    assert_eq!(ran.end, End::Exited(0));
    assert!(ran.stdout.starts_with(b"<doc/>\n") && ran.took < 5 * SECOND);
    let pid = fs::read_to_string(place.folder.path().join("pid")).unwrap();
    rustix::process::kill_process(
        Pid::from_raw(pid.trim().parse().unwrap()).unwrap(),
        Signal::KILL,
    )
    .unwrap();
}

#[test]
fn what_can_not_be_started_says_why_and_what_to_do() {
    let place = Place::new();
    let missing = run(&place.program(place.path()), b"x");
    let End::NotStarted(why) = missing.end else { panic!("{:?}", missing.end) };
    assert_eq!(why, "can't start `gate`: there is no such file");
    assert!(!missing.input_written);

    let plain = place.sh("true");
    fs::set_permissions(place.path(), Permissions::from_mode(0o600)).unwrap();
    let why = |program: &Program| match run(program, b"").end {
        End::NotStarted(why) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(why(&plain), "can't start `gate`: it is not executable for us; try `chmod +x gate`");
    let no_interpreter = place.written("#!/no/such/perl -w\n");
    fs::set_permissions(place.path(), Permissions::from_mode(0o700)).unwrap();
    assert!(why(&no_interpreter).contains("`/no/such/perl` named in its first line is missing"));
    let windows = place.written("#!/bin/sh\r\ntrue\r\n");
    assert!(why(&windows).contains("`/bin/sh\\r`"), "{}", why(&windows));
    assert!(why(&place.written("just text\n")).contains("#!/bin/sh"));
    assert!(why(&place.program(place.folder.path().to_path_buf())).contains("it is a folder"));
    let nowhere = Program { dir: "/no/such/root".into(), ..place.sh("true") };
    assert!(why(&nowhere).contains("its folder `/no/such/root` is missing"));
}

#[test]
fn a_program_that_is_being_written_is_tried_again() {
    // ETXTBSY
    let place = Place::new();
    fs::copy("/bin/true", place.path()).unwrap();
    let writer = OpenOptions::new().write(true).open(place.path()).unwrap();
    let program = place.program(place.path());
    let ran = std::thread::scope(|scope| {
        let running = scope.spawn(|| run(&program, b""));
        let mut nothing = [];
        poll(&mut nothing, Timespec::try_from(SECOND / 10).ok().as_ref()).unwrap();
        drop(writer);
        running.join().unwrap()
    });
    assert_eq!(ran.end, End::Exited(0));
}

#[test]
fn a_program_has_root_as_its_folder_and_only_the_given_environment() {
    // S3-69, S3-76
    let place = Place::new();
    let mut program = place.sh("pwd -P; env | sort; echo $#:$1:$2");
    program.environment = program.environment.with([("HTTP_PROXY", "http://127.0.0.1:1")]);
    let ran = run(&program, b"");
    let shown = text(&ran.stdout);
    let folder = place.folder.path().canonicalize().unwrap();
    assert!(shown.starts_with(&format!("{}\n", folder.display())), "{shown}");
    assert!(
        shown.contains("\nHTTP_PROXY=http://127.0.0.1:1\n")
            && shown.ends_with("2:--command:outgoing\n")
    );
    assert!(!shown.contains("CARGO") && !shown.contains("HOME="), "{shown}");
}

#[test]
fn a_raised_stop_ends_runs_that_watch_it() {
    let place = Place::new();
    let stop = Stop::new().unwrap();
    let program = place.sh("echo begun > begun; exec sleep 100");
    std::thread::scope(|scope| {
        let running = scope.spawn(|| run_until(&program, b"<doc/>", &stop));
        while !place.folder.path().join("begun").exists() {
            std::thread::yield_now();
        }
        stop.raise();
        let ran = running.join().unwrap();
        assert_eq!((ran.end, ran.input_written), (End::Stopped, true));
    });
    assert_eq!(run_until(&program, b"", &stop).end, End::Stopped, "it stays raised");
}

#[test]
fn many_at_once_are_all_reaped() {
    let place = Place::new();
    let program = place.sh("cat");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for number in 0..20 {
                    let input = number.to_string();
                    assert_eq!(text(&run(&program, input.as_bytes()).stdout), input);
                }
            });
        }
    });
    assert!(!has_zombies());
}

#[test]
fn nothing_is_left_open_by_a_run() {
    let place = Place::new();
    let program = place.sh("cat >&2");
    let open = || fs::read_dir("/proc/self/fd").unwrap().count();
    run(&program, b"x");
    let before = open();
    for _ in 0..50 {
        run(&program, b"x");
    }
    // Other tests of this process open descriptors meanwhile; 50 runs would leave 200.
    assert!(open() < before + 100);
}
