//! What stands in `plugins/`: only that is ever loaded.

use crate::refusal::Refusal;
use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file that is longer is no plugin.
const SOURCE_BYTES: u64 = 4 << 20;
const ENDING: &str = ".py";

/// A plugin's file, read.
pub(super) struct Source {
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) text: Vec<u8>,
}

/// Names of all files of the folder that end in `.py`, but `__init__.py` and hidden ones, in order (S4-2).
pub(super) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter_map(|name| Some(name.strip_suffix(ENDING)?.to_owned()))
        .filter(|name| check_name(name).is_ok())
        .collect();
    names.sort();
    names
}

/// Reads `plugins/NAME.py`. Name, kind, place and mode are checked on the file that is read.
pub(super) fn read(folder: &Path, name: &str) -> Result<Source, Refusal> {
    check_name(name)?;
    let path = folder.join(format!("{name}{ENDING}"));
    let refused = |reason: String| Refusal::File { operation: "load", path: path.clone(), reason };
    let mut file = match config::open_regular(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(missing(name)),
        Err(error) => return Err(refused(error.to_string())),
    };
    let found = file.metadata().map_err(|error| refused(error.to_string()))?;
    let inside = |home: PathBuf| path.canonicalize().is_ok_and(|real| real.parent() == Some(&home));
    if !folder.canonicalize().is_ok_and(inside) {
        return Err(refused("it leads out of plugins/; copy the file there".to_owned()));
    }
    if !found.is_file() || found.len() > SOURCE_BYTES {
        return Err(refused(format!("it is no file of at most {SOURCE_BYTES} bytes")));
    }
    for (shown, mode) in
        [(folder, fs::metadata(folder).map_or(0, |is| is.mode())), (&path, found.mode())]
    {
        if mode & 0o002 != 0 {
            let cure = shown.display();
            return Err(refused(format!("others may write it: `chmod o-w {cure}`")));
        }
    }
    let mut text = Vec::new();
    let _ = file
        .by_ref()
        .take(SOURCE_BYTES)
        .read_to_end(&mut text)
        .map_err(|error| refused(error.to_string()))?;
    Ok(Source { name: name.to_owned(), path, text })
}

/// The refusal of a plugin that is not there.
pub(super) fn missing(name: &str) -> Refusal {
    Refusal::NotFound {
        noun: "plugin",
        value: name.to_owned(),
        remedy: "`gatepost plugin list` shows them; a plugin is a file of plugins/".to_owned(),
    }
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let is_plain = |letter: char| letter.is_alphanumeric() || "_-. +@".contains(letter);
    if name.is_empty()
        || name == "__init__"
        || name.starts_with('.')
        || name.len() > 200
        || !name.chars().all(is_plain)
    {
        return Err(Refusal::Value {
            field: "name".to_owned(),
            value: name.chars().filter(|letter| !letter.is_control()).take(80).collect(),
            reason: "name a file of plugins/, without folder".to_owned(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn only_python_files_of_the_folder_are_plugins() {
        // S4-2
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.py", "a.py", "__init__.py", "note.txt", ".#a.py", "pyc.pyc"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        fs::create_dir(folder.path().join("deep")).unwrap();
        fs::write(folder.path().join("deep/c.py"), "").unwrap();
        assert_eq!(names(folder.path()), ["a", "b"]);
        assert!(names(&folder.path().join("nowhere")).is_empty());
    }

    #[test]
    fn a_name_that_leaves_the_folder_is_refused() {
        // S4-19
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("x.py"), "").unwrap();
        let folder = outside.path().join("plugins");
        fs::create_dir(&folder).unwrap();
        symlink("../x.py", folder.join("link.py")).unwrap();
        fs::create_dir(folder.join("folder.py")).unwrap();
        for name in ["../x", "/etc/passwd", "a/b", "", "__init__", "a\0b", "a\nb"] {
            let refusal = read(&folder, name).err().unwrap();
            assert_eq!(refusal.kind(), "value", "{name:?}");
        }
        assert!(read(&folder, "link").err().unwrap().to_string().contains("leads out of plugins/"));
        assert!(read(&folder, "folder").err().unwrap().to_string().contains("no regular file"));
        assert_eq!(read(&folder, "nowhere").err().unwrap().kind(), "missed");
    }

    #[test]
    fn a_file_that_others_may_write_is_refused_with_its_cure() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.py");
        fs::write(&path, "x = 1").unwrap();
        assert_eq!(read(folder.path(), "a").unwrap().text, b"x = 1");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let words = read(folder.path(), "a").err().unwrap().to_string();
        assert!(words.contains("chmod o-w"), "{words}");
    }
}
