//! Plugins that are not running, for `gatepost status`: a small file each in `var/run/plugin/`, so that every process
//! of the installation sees it, and nothing is kept of a plugin that runs.

use super::standing::Standing;
use config::Root;
use std::fs;
use std::path::PathBuf;

const FOLDER: &str = "var/run/plugin";
/// Longest reason that is shown, bytes.
const REASON_BYTES: usize = 500;

/// Where it is said.
pub(super) struct Reports {
    folder: PathBuf,
}

impl Reports {
    pub(super) fn new(root: &Root) -> Self {
        Self { folder: root.path(FOLDER) }
    }

    /// How it stands now. A full disk costs the report, nothing else.
    pub(super) fn note(&self, name: &str, standing: &Standing) {
        match standing {
            Standing::Failed(_) | Standing::LeftOut => {
                let _ = fs::create_dir_all(&self.folder);
                let _ = fs::write(self.folder.join(name), standing.to_string());
            }
            Standing::Wanted | Standing::Loaded(_) | Standing::Skipped => self.forget(name),
        }
    }

    /// It is not wanted any more.
    pub(super) fn forget(&self, name: &str) {
        let _ = fs::remove_file(self.folder.join(name));
    }
}

/// Plugins that should run and do not: name and reason. One whose file was taken away is wanted no more.
pub(crate) fn broken(root: &Root) -> Vec<(String, String)> {
    let reports = Reports::new(root);
    let names = super::files::names(&root.path("plugins")).into_iter();
    let with_reason = names.filter_map(|name| {
        let text = config::read_regular_text(&reports.folder.join(&name)).ok()?;
        let reason = text[..text.floor_char_boundary(REASON_BYTES)].to_owned();
        Some((name, reason))
    });
    with_reason.collect()
}
