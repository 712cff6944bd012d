//! What a run writes into a page of `docs/`: a section between its marks, and the words that say where and when.

use crate::host::repository;
use std::fs;
use std::process::Command;

/// The page with this section in its place: between `<!-- MARK -->` and the next `<!-- end -->`, or at the end when
/// it has none.
pub fn placed(page: &str, mark: &str, section: &str) -> String {
    let (begin, end) = (format!("<!-- {mark} -->"), "<!-- end -->");
    let text = format!("{begin}\n{section}\n{end}");
    match page.split_once(&begin) {
        None => format!("{}\n\n{text}\n", page.trim_end()),
        Some((before, rest)) => {
            let (_, after) = rest.split_once(end).unwrap();
            format!("{before}{text}{after}")
        }
    }
}

/// Writes sections, each with its mark, into a page of the repository.
pub fn write(page: &str, sections: &[(String, String)]) {
    let path = repository().join(page);
    let text = fs::read_to_string(&path).unwrap();
    let put = |text: String, (mark, section): &(String, String)| placed(&text, mark, section);
    fs::write(path, sections.iter().fold(text, put)).unwrap();
}

/// Date, commit and machine of a run that starts now.
pub fn now() -> String {
    format!("{}, {}, {}", today(), commit(), machine())
}

/// The machine in words.
pub fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or(": unknown processor");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = read("/proc/meminfo");
    let kib: u64 = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok())
        .unwrap_or(0);
    let kernel = read("/proc/sys/kernel/osrelease");
    format!(
        "{}, {cores} cores, {} GiB, Linux {}, database on {}",
        model.trim_start_matches([' ', '\t', ':']),
        kib >> 20,
        kernel.trim(),
        file_system()
    )
}

/// Of the folder where the installations are made.
fn file_system() -> String {
    let folder = std::env::temp_dir();
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let kinds = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (at, kind) = (words.next()?, words.next()?);
        folder.starts_with(at).then_some((at.len(), kind.to_owned()))
    });
    kinds.max_by_key(|(length, _)| *length).map_or_else(|| "?".to_owned(), |(_, kind)| kind)
}

/// The day, in UTC.
pub fn today() -> String {
    asked("date", &["-u", "+%F"])
}

/// What the repository stands at.
pub fn commit() -> String {
    match asked("git", &["rev-parse", "--short", "HEAD"]).as_str() {
        "" => "no commit".to_owned(),
        commit => format!("commit {commit}"),
    }
}

fn asked(program: &str, words: &[&str]) -> String {
    let output = Command::new(program).args(words).current_dir(repository()).output();
    let text = output.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&text).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_takes_its_own_place_and_leaves_the_others() {
        let page = "# Page\n<!-- bench mail -->\nold\n<!-- end -->\n\n<!-- bench sms -->\nkept\n<!-- end -->\n";
        let page = placed(page, "bench mail", "new");
        assert!(page.starts_with("# Page\n<!-- bench mail -->\nnew\n<!-- end -->\n\n"));
        assert!(page.contains("<!-- bench sms -->\nkept\n<!-- end -->\n"));
        assert!(!page.contains("old"));
        assert_eq!(placed(&page, "bench mail", "new"), page);
    }

    #[test]
    fn a_section_without_a_place_comes_last() {
        let page = placed("# Page\n", "ledger", "new");
        assert_eq!(page, "# Page\n\n<!-- ledger -->\nnew\n<!-- end -->\n");
    }
}
