//! The `DoNothing` files (S3-32): while one exists, only forced tasks go out.

use crate::{Root, open_regular};
use notice::Ms;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

const UNTIL: &str = "until ";
const WORDS_BYTES: u64 = 65_536;

/// The file that pauses delivery, if there is one. Its existence is all that counts, a dangling link
/// pauses too, and so does a folder we can't look into: doubt never sends. Only one whose own words set it
/// an end ([`pause_words`]) and that nobody touched since then pauses no longer than that. Two `lstat`, no
/// allocation unless paused: it is asked before each hand-over.
pub fn paused(root: &Root, now: Ms) -> Option<PathBuf> {
    let is_there = |path: &&PathBuf| match rustix::fs::lstat(path.as_path()) {
        Ok(_) => !has_ended(path, now),
        Err(error) => !matches!(
            std::io::Error::from(error).kind(),
            ErrorKind::NotFound | ErrorKind::NotADirectory
        ),
    };
    root.pauses().iter().find(is_there).cloned()
}

/// The files that pause, or did until their end.
pub fn pause_files(root: &Root) -> &[PathBuf; 2] {
    root.pauses()
}

/// What such a file says: why, and when it ends by itself.
pub fn pause_words(reason: &str, until: Option<Ms>) -> String {
    let reason = reason.lines().next().unwrap_or_default();
    until.map_or_else(|| format!("{reason}\n"), |until| format!("{reason}\n{UNTIL}{until}\n"))
}

/// When a file of these words ends by itself.
pub fn pause_end(words: &str) -> Option<Ms> {
    words.lines().skip(1).find_map(|line| line.strip_prefix(UNTIL)?.trim().parse().ok()).map(Ms)
}

/// What such a file says; nothing if it is no small file: a link or a pipe is not read, and pauses.
pub fn pause_text(path: &Path) -> String {
    let is_link = path.symlink_metadata().map_or(true, |found| found.is_symlink());
    let mut text = String::new();
    let Some(file) = open_regular(path).ok().filter(|_| !is_link) else { return text };
    match file.take(WORDS_BYTES + 1).read_to_string(&mut text) {
        Ok(read) if read as u64 <= WORDS_BYTES => text,
        Ok(_) | Err(_) => String::new(),
    }
}

/// Pauses: a file of these words takes the place of whatever stands there, a link too, at once.
pub fn pause(root: &Root, words: &str) -> std::io::Result<()> {
    let [path, _] = root.pauses();
    let new = path.with_extension("new");
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = std::fs::File::create_new(&new)?;
    file.write_all(words.as_bytes())?;
    std::fs::rename(&new, path)
}

fn has_ended(path: &Path, now: Ms) -> bool {
    let end = pause_end(&pause_text(path)).filter(|end| *end <= now);
    let Some(end) = end.and_then(|end| u128::try_from(end.0).ok()) else { return false };
    let touched = path.symlink_metadata().and_then(|found| found.modified()).ok();
    let touched = touched.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    touched.is_some_and(|at| at.as_millis() <= end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const NOW: Ms = Ms(1_795_300_000_000);

    #[test]
    fn either_name_pauses_and_its_end_resumes() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::at(folder.path()).unwrap();
        assert_eq!(paused(&root, NOW), None);
        fs::create_dir(root.path("etc")).unwrap();
        for name in ["etc/gatepost.DoNothing", "etc/billmgr.DoNothing"] {
            fs::write(root.path(name), "").unwrap();
            assert_eq!(paused(&root, NOW), Some(root.path(name))); // S3-32
            fs::remove_file(root.path(name)).unwrap();
            assert_eq!(paused(&root, NOW), None);
        }
    }

    #[test]
    fn one_that_says_until_when_ends_by_itself_unless_it_was_touched_since() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::at(folder.path()).unwrap();
        fs::create_dir(root.path("etc")).unwrap();
        let path = root.path("etc/gatepost.DoNothing");
        fs::write(&path, pause_words("moving\nuntil 0", Some(NOW))).unwrap();
        let touch = |at: Ms| {
            let at = std::time::UNIX_EPOCH + std::time::Duration::from_millis(at.0.unsigned_abs());
            fs::File::open(&path).unwrap().set_modified(at).unwrap();
        };
        touch(NOW.plus(-5_000));
        assert!(paused(&root, NOW.plus(-1)).is_some());
        assert_eq!(paused(&root, NOW), None);
        touch(NOW.plus(5_000));
        assert!(paused(&root, NOW.plus(6_000)).is_some());
        for doubtful in ["until 1\n", "x\nuntil -9223372036854775808\n", "x\nuntil soon\n"] {
            fs::write(&path, doubtful).unwrap();
            touch(Ms(0));
            assert!(paused(&root, NOW).is_some(), "{doubtful}");
        }
        fs::write(folder.path().join("else"), "x\nuntil 1\n").unwrap();
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("../else", &path).unwrap();
        assert!(paused(&root, NOW).is_some(), "a link is not read");
        pause(&root, "y\n").unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("else")).unwrap(), "x\nuntil 1\n");
        assert_eq!(pause_text(&path), "y\n");
    }

    #[test]
    fn a_dangling_link_pauses() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::at(folder.path()).unwrap();
        fs::create_dir(root.path("etc")).unwrap();
        std::os::unix::fs::symlink("nowhere", root.path("etc/gatepost.DoNothing")).unwrap();
        assert!(paused(&root, NOW).is_some());
    }
}
