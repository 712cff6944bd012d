//! What keeps the daemon from listening at `api.listen`: a note in `var/run`, for `gatepost status`.

use config::{Config, Root};

/// The address in its first line, the reason behind it; not there while all is well.
const NOTE: &str = "var/run/api.listen";

/// Notes that the daemon can't listen at that address. A note that can't be written is missed by nobody: the log
/// has the same words.
pub fn note_trouble(root: &Root, address: &str, reason: &str) {
    let _ = std::fs::write(root.path(NOTE), format!("{address}\n{reason}\n"));
}

/// Takes the note away.
pub fn forget_trouble(root: &Root) {
    let _ = std::fs::remove_file(root.path(NOTE));
}

/// The reason, while the settings still name that address.
pub(crate) fn trouble(root: &Root, config: &Config) -> Option<String> {
    let note = config::read_regular_text(&root.path(NOTE)).ok()?;
    let (address, reason) = note.split_once('\n')?;
    (address == config.api.listen).then(|| reason.trim().to_owned())
}
