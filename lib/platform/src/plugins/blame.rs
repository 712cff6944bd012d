//! Which plugin made an end of the worker. Pure: what is known of the end goes in.

use std::path::Path;

/// What is known of the end of a worker.
pub(super) struct Traces<'a> {
    /// The plugin that overran its limit, if one did, and whether the worker answered anything at all then.
    pub(super) overran: Option<(&'a str, Stalled)>,
    /// The end of stderr, with the dump that the interpreter made.
    pub(super) stderr: &'a str,
    /// Plugins whose code was being waited for.
    pub(super) asked: Vec<&'a str>,
    /// Plugins that were loaded.
    pub(super) loaded: Vec<&'a str>,
    /// The folder of plugins.
    pub(super) folder: &'a Path,
}

/// Whether the worker as a whole stood still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stalled {
    /// It answered: only the one that was asked hangs.
    No,
    /// It did not: some thread holds the interpreter.
    Yes,
}

/// The plugin to charge; None where nobody can tell.
pub(super) fn culprit(traces: &Traces<'_>) -> Option<String> {
    let by_dump = match traces.overran {
        Some((plugin, Stalled::No)) => return Some(plugin.to_owned()),
        Some((_, Stalled::Yes)) => busy_plugins(traces),
        None => fatal_plugins(traces),
    };
    let of_asked = traces.overran.map(|(plugin, _)| plugin.to_owned());
    let by_dump = match by_dump.as_slice() {
        [] => of_asked,
        [one] => Some(one.clone()),
        [..] => return None,
    };
    by_dump.or_else(|| only(&traces.asked)).or_else(|| only(&traces.loaded))
}

/// Plugins in whose code a thread is at work: not in one of the places where threads wait.
fn busy_plugins(traces: &Traces<'_>) -> Vec<String> {
    const WAITS: [&str; 5] =
        ["threading.py\"", "queue.py\"", "selectors.py\"", "socket.py\"", "subprocess.py\""];
    let mut names = Vec::new();
    for thread in threads_of(traces.stderr) {
        let innermost = thread.lines().find(|line| line.contains("File \"")).unwrap_or_default();
        if !WAITS.iter().any(|wait| innermost.contains(wait)) {
            names.extend(first_plugin(thread, traces.folder));
        }
    }
    names.sort();
    names.dedup();
    names
}

/// The plugin in the backtrace of the thread that met a fatal signal or left.
fn fatal_plugins(traces: &Traces<'_>) -> Vec<String> {
    let current = threads_of(traces.stderr)
        .into_iter()
        .find(|thread| thread.starts_with("Current thread") || thread.starts_with("Stack"));
    current.and_then(|thread| first_plugin(thread, traces.folder)).into_iter().collect()
}

fn threads_of(dump: &str) -> Vec<&str> {
    const HEADS: [&str; 3] = ["Current thread 0x", "Thread 0x", "Stack (most recent call first)"];
    let mut starts: Vec<usize> =
        HEADS.iter().flat_map(|head| dump.match_indices(head).map(|(at, _)| at)).collect();
    starts.sort_unstable();
    let ends = starts.iter().copied().skip(1).chain([dump.len()]);
    starts.iter().zip(ends).map(|(from, to)| &dump[*from..to]).collect()
}

fn first_plugin(thread: &str, folder: &Path) -> Option<String> {
    let head = format!("File \"{}/", folder.display());
    let (_, rest) = thread.split_once(&head)?;
    let (name, _) = rest.split_once(".py\"")?;
    Some(name.to_owned())
}

fn only(names: &[&str]) -> Option<String> {
    let first = names.first()?;
    names.iter().all(|name| name == first).then(|| (*first).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = "noise\nThread 0x0001 (most recent call first):\n  File \"/usr/lib/python3.11/threading.py\", line 1 in wait\n  \
        File \"/r/plugins/idle.py\", line 3 in run\n\nThread 0x0002 (most recent call first):\n  \
        File \"/usr/lib/python3.11/re/__init__.py\", line 1 in match\n  File \"/r/plugins/greedy.py\", line 9 in run\n\n\
        Current thread 0x0003 (most recent call first):\n  File \"<gatepost plugins>\", line 1 in main\n";

    fn traces(stderr: &'static str) -> Traces<'static> {
        Traces {
            overran: None,
            stderr,
            asked: Vec::new(),
            loaded: vec!["a", "b"],
            folder: Path::new("/r/plugins"),
        }
    }

    #[test]
    fn who_overran_is_charged_unless_another_held_the_interpreter() {
        let overran = |stalled| Traces { overran: Some(("b", stalled)), ..traces(DUMP) };
        assert_eq!(culprit(&overran(Stalled::No)).as_deref(), Some("b"));
        assert_eq!(culprit(&overran(Stalled::Yes)).as_deref(), Some("greedy"));
        let silent = Traces { overran: Some(("b", Stalled::Yes)), ..traces("") };
        assert_eq!(culprit(&silent).as_deref(), Some("b"));
    }

    #[test]
    fn who_crashed_is_read_from_the_dump_else_from_what_was_asked() {
        let fatal = "Fatal Python error: Segmentation fault\n\nCurrent thread 0x01 (most recent call first):\n  \
            File \"/usr/lib/python3.11/ctypes/__init__.py\", line 5 in string_at\n  File \"/r/plugins/bad.py\", line 2 in hook\n";
        assert_eq!(culprit(&traces(fatal)).as_deref(), Some("bad"));
        assert_eq!(culprit(&traces("")), None);
        let asked = |names: &[&'static str]| Traces { asked: names.to_vec(), ..traces("") };
        assert_eq!(culprit(&asked(&["a", "a"])).as_deref(), Some("a"));
        assert_eq!(culprit(&asked(&["a", "b"])), None);
        let alone = Traces { loaded: vec!["a"], ..traces("") };
        assert_eq!(culprit(&alone).as_deref(), Some("a"));
    }
}
