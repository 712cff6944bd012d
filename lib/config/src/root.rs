//! Where Gatepost stands: the one folder everything else is relative to (DESIGN 1).

use crate::{ConfigError, names, variable};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where ROOT is when nothing says otherwise.
const USUAL_ROOT: &str = "/usr/local/gatepost";
/// What makes a folder a ROOT.
const MARK: &str = "etc/gatepost.toml";

/// The installed tree. The path is absolute, since programs are started with it as their folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    folder: PathBuf,
    pauses: [PathBuf; 2],
}

impl Root {
    /// `--root`, else `GATEPOST_ROOT`, else the parent of the folder this program stands in, else the
    /// current folder if it is the caller's own and nobody else may write it, else
    /// `/usr/local/gatepost`. The last three count only with an `etc/gatepost.toml`, the current folder
    /// with a `var` too. Where none has one, it is where this program is installed: `gatepost init` is wanted there.
    pub fn find(argument: Option<&Path>) -> Result<Self, ConfigError> {
        let named = variable(names::ROOT).filter(|value| !value.is_empty());
        if let Some(folder) = argument.map(Path::to_path_buf).or(named.map(PathBuf::from)) {
            return Self::at(&folder);
        }
        let program = std::env::current_exe().ok();
        let around = program.as_deref().and_then(Path::parent).and_then(Path::parent);
        if let Some(folder) = around.filter(|folder| folder.join(MARK).is_file()) {
            return Self::at(folder);
        }
        if let Some(folder) = std::env::current_dir().ok().filter(|folder| is_ours_alone(folder)) {
            return Self::at(&folder);
        }
        Self::at(last_resort(around, Path::new(USUAL_ROOT)))
    }

    /// This folder, whether it is a ROOT yet or not (`gatepost init` makes it one).
    pub fn at(folder: &Path) -> Result<Self, ConfigError> {
        let folder = std::path::absolute(folder).map_err(ConfigError::file("find", folder))?;
        let pauses =
            ["etc/gatepost.DoNothing", "etc/billmgr.DoNothing"].map(|name| folder.join(name));
        Ok(Self { folder, pauses })
    }

    /// The folder itself, absolute.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A path of the tree: `root.path("var/run")`.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.folder.join(relative)
    }

    /// The user's own `etc/…` or `templates/…` where it exists, else the shipped one under `share/`.
    pub fn overlay(&self, relative: impl AsRef<Path>) -> PathBuf {
        let own = self.path(&relative);
        if own.symlink_metadata().is_ok() {
            return own;
        }
        let shipped = self.folder.join("share").join(relative);
        if shipped.symlink_metadata().is_ok() { shipped } else { own }
    }

    /// True when the folder has its `etc/gatepost.toml`.
    pub fn is_made(&self) -> bool {
        self.path(MARK).is_file()
    }

    pub(crate) fn settings_file(&self) -> PathBuf {
        self.path(MARK)
    }

    pub(crate) fn pauses(&self) -> &[PathBuf; 2] {
        &self.pauses
    }
}

/// The usual place if it is a ROOT; else, where `gatepost init` is wanted: the place this program is installed in.
fn last_resort<'a>(around: Option<&'a Path>, usual: &'a Path) -> &'a Path {
    let is_installed = |folder: &&Path| folder.join("share").join(MARK).is_file();
    around.filter(|folder| is_installed(folder) && !usual.join(MARK).is_file()).unwrap_or(usual)
}

fn is_ours_alone(folder: &Path) -> bool {
    const WRITE_OF_OTHERS: u32 = 0o022;
    let Ok(found) = folder.metadata() else { return false };
    found.uid() == rustix::process::geteuid().as_raw()
        && found.mode() & WRITE_OF_OTHERS == 0
        && folder.join(MARK).is_file()
        && folder.join("var").is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn made() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in ["etc", "var", "share/templates/x", "share/templates/y", "templates/x"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join(MARK), "").unwrap();
        folder
    }

    #[test]
    fn what_is_ours_under_root_wins_over_share() {
        let folder = made();
        let root = Root::at(folder.path()).unwrap();
        assert_eq!(root.overlay("templates/x"), root.path("templates/x"));
        assert_eq!(root.overlay("templates/y"), root.path("share/templates/y"));
        assert_eq!(
            root.overlay("templates/z"),
            root.path("templates/z"),
            "a missing one is named under ROOT"
        );
    }

    #[test]
    fn a_folder_others_may_write_is_no_root_by_standing_in_it() {
        let folder = made();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(is_ours_alone(folder.path()));
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(!is_ours_alone(folder.path()));
    }

    #[test]
    fn a_source_tree_without_var_is_no_root() {
        let folder = made();
        fs::remove_dir(folder.path().join("var")).unwrap();
        assert!(!is_ours_alone(folder.path()));
    }

    #[test]
    fn without_any_root_it_is_where_the_program_is_installed() {
        let (place, usual) = (made(), tempfile::tempdir().unwrap());
        assert_eq!(last_resort(Some(place.path()), usual.path()), usual.path(), "no installation");
        fs::create_dir_all(place.path().join("share/etc")).unwrap();
        fs::write(place.path().join("share").join(MARK), "").unwrap();
        assert_eq!(last_resort(Some(place.path()), usual.path()), place.path());
        assert_eq!(last_resort(None, usual.path()), usual.path());
        let made = made();
        assert_eq!(last_resort(Some(place.path()), made.path()), made.path(), "it is one");
    }

    #[test]
    fn an_argument_wins_and_is_made_absolute() {
        let root = Root::find(Some(Path::new("."))).unwrap();
        assert!(root.folder().is_absolute());
        assert_eq!(root.folder(), std::env::current_dir().unwrap());
    }
}
