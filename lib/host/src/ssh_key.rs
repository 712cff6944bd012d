//! ROOT's own key pair: made once, its public half for the servers' `authorized_keys` (S1-5, S1-10).

use crate::ssh::{FOLDER, KEY, find_tool};
use crate::{End, Environment, Limits, Program, run};
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// The public key as a line of `authorized_keys`; the pair is made when there is none. `dir` is ROOT.
/// Fails with the reason in words.
pub fn public_key(dir: &Path) -> Result<String, String> {
    if !dir.join(KEY).is_file() {
        make(dir)?;
    }
    ask(dir, &["-y", "-f", KEY]).map(|line| with_name(&line))
}

/// The public key, if there is a pair; nothing is made and nothing started: what stands beside it.
pub fn known_public_key(dir: &Path) -> Option<String> {
    let line = fs::read_to_string(dir.join(format!("{KEY}.pub"))).ok()?;
    Some(line.trim().to_owned()).filter(|line| !line.is_empty())
}

/// Made beside and linked to its place: two at once end with one pair.
fn make(dir: &Path) -> Result<(), String> {
    let in_words = |what: &str| {
        let what = what.to_owned();
        move |error: io::Error| format!("can't make `{what}`: {error}")
    };
    let folder = dir.join(FOLDER);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(in_words(FOLDER))?;
    let beside =
        tempfile::Builder::new().prefix(".new").tempdir_in(&folder).map_err(in_words(FOLDER))?;
    let path = beside.path().join("key");
    let file = path.to_string_lossy().into_owned();
    ask(dir, &["-q", "-t", "ed25519", "-N", "", "-C", "gatepost", "-f", &file])?;
    match fs::hard_link(&path, dir.join(KEY)) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(in_words(KEY)(error)),
        Err(_) => Ok(()),
        Ok(()) => {
            let name = format!("{KEY}.pub");
            fs::rename(path.with_extension("pub"), dir.join(&name)).map_err(in_words(&name))
        }
    }
}

fn ask(dir: &Path, arguments: &[&str]) -> Result<String, String> {
    let program = Program {
        path: find_tool("ssh-keygen").ok_or("there is no `ssh-keygen`: install openssh-client")?,
        args: arguments.iter().map(Into::into).collect(),
        dir: dir.to_path_buf(),
        environment: Environment::default(),
        limits: Limits::default(),
    };
    let ran = run(&program, b"");
    if ran.end != End::Exited(0) {
        let said = String::from_utf8_lossy(&ran.stderr_tail).trim().to_owned();
        return Err(format!("ssh-keygen: {said} ({:?})", ran.end));
    }
    Ok(String::from_utf8_lossy(&ran.stdout).trim().to_owned())
}

/// `ssh-keygen -y` may leave the name out.
fn with_name(line: &str) -> String {
    if line.split_whitespace().count() > 2 { line.to_owned() } else { format!("{line} gatepost") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_pair_is_made_once_and_only_we_read_it() {
        // S1-5, S1-10
        let root = tempfile::tempdir().unwrap();
        let made: Vec<String> = std::thread::scope(|scope| {
            let asked: Vec<_> = (0..3).map(|_| scope.spawn(|| public_key(root.path()))).collect();
            asked.into_iter().map(|one| one.join().unwrap().unwrap()).collect()
        });
        assert!(made[0].starts_with("ssh-ed25519 ") && made[0].ends_with(" gatepost"), "{made:?}");
        assert!(made.iter().all(|key| *key == made[0]), "{made:?}");
        assert_eq!(known_public_key(root.path()).as_ref(), Some(&made[0]));
        let mode = |path: &str| fs::metadata(root.path().join(path)).unwrap().permissions().mode();
        assert_eq!((mode(KEY) & 0o777, mode(FOLDER) & 0o777), (0o600, 0o700));
        let left: Vec<_> = fs::read_dir(root.path().join(FOLDER)).unwrap().collect();
        assert_eq!(left.len(), 2, "{left:?}");
    }
}
