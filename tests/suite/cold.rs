//! What a start asks of the system: figures of any machine, of `process` on an empty queue above all, since cron starts
//! it for each module each minute.

use gatepost_kit::host::Host;
use gatepost_kit::strace;

/// A module on an empty queue, the loader and the runtime included.
const PROCESS_CALLS: usize = 190;
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

#[test]
fn an_empty_queue_costs_no_thread_no_program_no_file_and_few_system_calls() {
    let host = Host::new();
    // the first run of a day deletes what is too old
    host.process("ntemail").ended(0);
    host.let_settle();
    for module in ["ntemail", "ntsms", "ntinternal", "nthandler"] {
        let Some(calls) = process(&host, module) else { return };
        let all = calls.join("\n");
        assert!(calls.len() <= PROCESS_CALLS, "{module} makes {} calls:\n{all}", calls.len());
        assert_eq!(count(&calls, " execve("), 1, "{module} is all that runs:\n{all}");
        for call in [" clone(", " clone3(", " fork(", " vfork(", " fsync(", " fdatasync("] {
            assert_eq!(count(&calls, call), 0, "{module},{call}:\n{all}");
        }
        for file in ["/etc/passwd", "/etc/group", "secret.key", ".sent\"", "-shm\""] {
            assert_eq!(count(&calls, file), 0, "{module} opens {file}:\n{all}");
        }
    }
    let left = std::fs::read_dir(host.path("var/run")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_str().unwrap().contains("-1")), "{left:?}");
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
