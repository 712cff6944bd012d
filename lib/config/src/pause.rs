//! The `DoNothing` files (S3-32): while one exists, only forced tasks go out.

use crate::Root;
use std::io::ErrorKind;
use std::path::PathBuf;

/// The file that pauses delivery, if there is one. Its existence is all that counts, a dangling link
/// pauses too, and so does a folder we can't look into: doubt never sends. Two `lstat`, no allocation
/// unless paused: it is asked before each hand-over.
pub fn paused(root: &Root) -> Option<PathBuf> {
    let is_there = |path: &&PathBuf| match rustix::fs::lstat(path.as_path()) {
        Ok(_) => true,
        Err(error) => !matches!(
            std::io::Error::from(error).kind(),
            ErrorKind::NotFound | ErrorKind::NotADirectory
        ),
    };
    root.pauses().iter().find(is_there).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn either_name_pauses_and_its_end_resumes() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::at(folder.path()).unwrap();
        assert_eq!(paused(&root), None);
        fs::create_dir(root.path("etc")).unwrap();
        for name in ["etc/gatepost.DoNothing", "etc/billmgr.DoNothing"] {
            fs::write(root.path(name), "").unwrap();
            assert_eq!(paused(&root), Some(root.path(name))); // S3-32
            fs::remove_file(root.path(name)).unwrap();
            assert_eq!(paused(&root), None);
        }
    }

    #[test]
    fn a_dangling_link_pauses() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::at(folder.path()).unwrap();
        fs::create_dir(root.path("etc")).unwrap();
        std::os::unix::fs::symlink("nowhere", root.path("etc/gatepost.DoNothing")).unwrap();
        assert!(paused(&root).is_some());
    }
}
