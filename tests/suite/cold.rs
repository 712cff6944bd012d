//! What a start asks of the system: figures of any machine, of `process` on an empty queue above all, since cron starts
//! it for each module each minute. The first run after a change looks into the database, the next ones know.

use gatepost_kit::host::Host;
use gatepost_kit::strace;

/// A module on an empty queue, the loader and the runtime included: when it looks into the database.
const LOOK_CALLS: usize = 190;
/// When the database is as the last run has seen it.
const PROCESS_CALLS: usize = 140;
/// The log of a database that is new, with its folder; then that log and the database, once.
const WORK_SYNCS: usize = 4;
/// A program that says what it can do.
const FEATURES_CALLS: usize = 75;

/// Every system call of a program and of what it starts, one a line; None, said aloud, where there is no strace.
fn calls(host: &Host, program: &str, words: &[&str]) -> Option<Vec<String>> {
    let trace = strace::trace(&host.command(program, words), "all", &host.path("trace"))?;
    Some(trace.lines().map(str::to_owned).collect())
}

fn process(host: &Host, module: &str) -> Option<Vec<String>> {
    calls(host, &format!("notify/{module}"), &["--command", "process", "--force"])
}

fn count(calls: &[String], part: &str) -> usize {
    calls.iter().filter(|call| call.contains(part)).count()
}

fn opens_database(calls: &[String]) -> bool {
    count(calls, "gatepost.db\", O_") > 0
}

/// An installation whose database nobody has changed for a while. The first run of a day deletes what is too old.
fn settled() -> Host {
    let host = Host::new();
    host.process("ntemail").ended(0);
    host.let_settle();
    host
}

#[test]
fn an_empty_queue_costs_no_thread_no_program_and_few_system_calls() {
    let host = settled();
    for module in ["ntemail", "ntsms", "ntinternal", "nthandler"] {
        for most in [LOOK_CALLS, PROCESS_CALLS, PROCESS_CALLS] {
            let Some(calls) = process(&host, module) else { return };
            let all = calls.join("\n");
            assert!(calls.len() <= most, "{module} makes {} calls:\n{all}", calls.len());
            assert_eq!(opens_database(&calls), most == LOOK_CALLS, "{module}:\n{all}");
            assert_eq!(count(&calls, " execve("), 1, "{module} is all that runs:\n{all}");
            for call in [" clone(", " clone3(", " fork(", " vfork(", " fsync(", " fdatasync("] {
                assert_eq!(count(&calls, call), 0, "{module},{call}:\n{all}");
            }
            for file in ["/etc/passwd", "/etc/group", "secret.key", ".sent\"", "-shm\""] {
                assert_eq!(count(&calls, file), 0, "{module} opens {file}:\n{all}");
            }
        }
    }
    let left = std::fs::read_dir(host.path("var/run")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_str().unwrap().contains("-1")), "{left:?}");
}

#[test]
fn what_a_run_has_seen_of_a_database_is_not_believed_of_a_changed_one() {
    let host = settled();
    let looks = || process(&host, "ntemail").map(|calls| opens_database(&calls));
    if looks().is_none() {
        return;
    }
    assert_eq!(looks(), Some(false), "it is as it was");
    for change in
        ["INSERT INTO setting VALUES('x','y')", "UPDATE setting SET value='z' WHERE name='x'"]
    {
        host.sql(change);
        host.let_settle();
        assert_eq!((looks(), looks()), (Some(true), Some(false)), "{change}");
    }
    // as a copy does that keeps the time of writing
    let database = host.path("var/gatepost.db");
    let written = database.metadata().unwrap().modified().unwrap();
    let bytes = std::fs::read(&database).unwrap();
    std::fs::write(&database, bytes).unwrap();
    let file = std::fs::File::options().write(true).open(&database).unwrap();
    file.set_modified(written).unwrap();
    assert_eq!((looks(), looks()), (Some(true), Some(false)), "the same text, copied");
    let whole = host.read("var/run/idle-ntemail");
    let boot = whole.split(' ').nth(1).unwrap();
    for note in ["", &whole[..whole.len() - 1], &whole.replace(boot, "before")] {
        host.write("var/run/idle-ntemail", note);
        assert_eq!((looks(), looks()), (Some(true), Some(false)), "{note:?} is no note");
    }
}

#[test]
fn what_comes_to_a_queue_that_was_seen_empty_is_found() {
    let host = settled();
    let paused = || host.sql("SELECT count(*) FROM gatewaydown WHERE to_ms IS NULL");
    for _ in 0..2 {
        host.process("ntemail").ended(0);
        assert_eq!(paused(), "0");
    }
    host.write("etc/gatepost.DoNothing", "");
    host.process("ntemail").ended(0);
    assert_eq!(paused(), "1", "a file is no part of the database");
    host.let_settle();
    for _ in 0..2 {
        host.process("ntemail").ended(0);
    }
    std::fs::remove_file(host.path("etc/gatepost.DoNothing")).unwrap();
    host.process("ntemail").ended(0);
    assert_eq!(paused(), "0");
    for count in ["1", "2"] {
        host.let_settle();
        for _ in 0..2 {
            host.process("ntemail").ended(0);
        }
        assert!(host.path("var/run/idle-ntemail").exists());
        host.sql("INSERT INTO notifytask(modulename,filename) VALUES('ntemail','nowhere')");
        host.let_settle();
        host.process("ntemail").ended(0);
        assert_eq!(host.sql("SELECT sum(error_count) FROM notifytask"), count);
    }
}

#[test]
fn a_run_that_had_work_syncs_four_times_at_most() {
    let host = settled();
    host.sql("INSERT INTO notifytask(modulename,filename) VALUES('ntemail','nowhere')");
    let Some(calls) = process(&host, "ntemail") else { return };
    let syncs: Vec<_> = calls.iter().filter(|call| call.contains("sync(")).collect();
    assert!((1..=WORK_SYNCS).contains(&syncs.len()), "{syncs:#?}");
    assert_eq!(host.sql("SELECT error_count FROM notifytask"), "1");
}

#[test]
fn a_queue_with_a_task_is_not_taken_for_an_empty_one() {
    let host = Host::new();
    host.sql("INSERT INTO notifytask(modulename,filename) VALUES('ntemail','nowhere')");
    host.let_settle();
    let Some(calls) = process(&host, "ntemail") else { return };
    assert!(count(&calls, ".sent\"") > 0, "notes are made before the first claim");
    assert_eq!(host.sql("SELECT error_count FROM notifytask"), "1");
}

#[test]
fn features_look_at_nothing_of_the_installation() {
    let host = Host::new();
    for program in ["notify/ntemail", "notify/nthandler", "gate/gwfile"] {
        let Some(calls) = calls(&host, program, &["--command", "features"]) else { return };
        let all = calls.join("\n");
        assert!(calls.len() <= FEATURES_CALLS, "{program} makes {} calls:\n{all}", calls.len());
        let root = format!("\"{}", host.root().display());
        let is_own = |call: &&String| call.contains(" execve(") || call.contains(" read(");
        let of_root = calls.iter().filter(|call| call.contains(&root) && !is_own(call));
        assert_eq!(of_root.count(), 0, "{program}:\n{all}");
    }
}

/// Plans of all countries, and the expressions they are written in, are most of what a loader would have to relocate.
#[test]
fn only_the_module_that_reads_phone_numbers_has_the_plans_of_all_countries() {
    const OF_EXPRESSIONS: &[u8] = b"regex parse error";
    let host = Host::bare();
    for (module, has) in
        [("ntsms", true), ("ntemail", false), ("ntinternal", false), ("nthandler", false)]
    {
        let program = std::fs::read(host.path(&format!("notify/{module}"))).unwrap();
        let found = program.windows(OF_EXPRESSIONS.len()).any(|part| part == OF_EXPRESSIONS);
        assert_eq!(found, has, "{module}");
    }
}
