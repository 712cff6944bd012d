//! Hand-over notes, `var/run/OWNER.sent`: what a dead worker was doing (queue 3.1).
//!
//! `start TASK SEQ GATEWAY` before a hand-over, `end TASK SEQ OUTCOME REFERENCE REASON` after it, each
//! with one write to a file opened for append; no fsync, the page cache outlives a process. What was in
//! a gate's hands at a death is exactly the starts without an end.

use notice::{Answer, GatewayId, Outcome, Reach, TaskId};
use rustix::fs::OFlags;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use store::Lease;

/// The file is rewritten with what is still in hand when it passes this size.
const REWRITE_BYTES: u64 = 1 << 20;
/// `O_NOFOLLOW`: a link in the place of the file is an error.
const NO_LINK: i32 = OFlags::NOFOLLOW.bits().cast_signed();
/// So much of a reason is kept.
const REASON_BYTES: usize = 2_000;

/// The notes of one worker.
pub struct Notes {
    path: PathBuf,
    book: Mutex<Book>,
}

struct Book {
    file: File,
    bytes: u64,
    /// The lines of every hand-over that has not been settled.
    lines: HashMap<Lease, String>,
}

impl Notes {
    /// Makes the file, 0600. Something that stands there already is refused and stays as it is: the
    /// folder belongs to a group too, and a link would lead the notes into another file.
    pub fn create(path: &Path) -> io::Result<Self> {
        let book = Book { file: make(path)?, bytes: 0, lines: HashMap::new() };
        Ok(Self { path: path.to_owned(), book: Mutex::new(book) })
    }

    /// Notes that a gate gets these tasks now, in one write. No send may begin if this fails.
    pub fn start(&self, leases: &[(Lease, Option<GatewayId>)]) -> io::Result<()> {
        let line = |(lease, gateway): &(Lease, Option<GatewayId>)| {
            let gateway = gateway.map_or_else(|| "-".to_owned(), |id| id.to_string());
            (*lease, format!("start {} {} {gateway}\n", lease.task, lease.seq))
        };
        self.write(leases.iter().map(line).collect())
    }

    /// Notes how they ended, in one write.
    pub fn end<'a>(&self, ends: impl IntoIterator<Item = (Lease, &'a Answer)>) -> io::Result<()> {
        let line = |(lease, answer): (Lease, &Answer)| {
            let (task, seq) = (lease.task, lease.seq);
            let outcome = match answer.reach {
                Reach::Reached => answer.outcome.word(),
                Reach::Unreached => "unreached",
            };
            let reference = answer.reference.as_deref().map_or_else(|| "-".to_owned(), escape);
            let reason = escape(cut(&answer.reason, REASON_BYTES));
            (lease, format!("end {task} {seq} {outcome} {reference} {reason}\n"))
        };
        self.write(ends.into_iter().map(line).collect())
    }

    /// The outcome is in the database: its lines need not survive a rewrite.
    pub fn settled(&self, leases: impl IntoIterator<Item = Lease>) {
        let mut book = self.book();
        for lease in leases {
            book.lines.remove(&lease);
        }
    }

    /// Removes the file: a clean stop.
    pub fn remove(&self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, lines: Vec<(Lease, String)>) -> io::Result<()> {
        let text: String = lines.iter().map(|(_, line)| line.as_str()).collect();
        if text.is_empty() {
            return Ok(());
        }
        let mut book = self.book();
        if book.bytes > REWRITE_BYTES {
            self.rewrite(&mut book)?;
        }
        if let Err(error) = book.file.write_all(text.as_bytes()) {
            // the begin of a line may stand there, and would spoil the next one
            book.bytes = u64::MAX;
            return Err(error);
        }
        book.bytes += text.len() as u64;
        for (lease, line) in lines {
            book.lines.entry(lease).or_default().push_str(&line);
        }
        Ok(())
    }

    fn rewrite(&self, book: &mut Book) -> io::Result<()> {
        let beside = self.path.with_extension("sent.new");
        let mut file = make_anew(&beside)?;
        let kept: String = book.lines.values().map(String::as_str).collect();
        file.write_all(kept.as_bytes())?;
        std::fs::rename(&beside, &self.path)?;
        book.file = file;
        book.bytes = kept.len() as u64;
        Ok(())
    }
}

/// Makes a file that takes the place of another one when it is whole.
pub(crate) fn make_anew(path: &Path) -> io::Result<File> {
    // What a try that failed has left, or a stranger's link: the name goes, not what it points at.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    make(path)
}

fn make(path: &Path) -> io::Result<File> {
    OpenOptions::new().create_new(true).append(true).mode(0o600).custom_flags(NO_LINK).open(path)
}

/// What the notes of a dead worker say of one lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Noted {
    /// Handed over, and nobody knows how it ended.
    Started,
    /// It ended so.
    Ended(Answer),
}

/// Reads the notes of a dead worker. A last line that was cut off counts as not written.
pub fn read(path: &Path) -> io::Result<HashMap<Lease, Noted>> {
    let mut bytes = Vec::new();
    config::open_own(path)?.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut noted = HashMap::new();
    for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
        if let Some((lease, what)) = read_line(line) {
            noted.insert(lease, what);
        }
    }
    Ok(noted)
}

fn read_line(line: &str) -> Option<(Lease, Noted)> {
    let mut words = line.split(' ');
    let kind = words.next()?;
    let task: TaskId = words.next()?.parse().ok()?;
    let lease = Lease { task, seq: words.next()?.parse().ok()? };
    match kind {
        "start" => Some((lease, Noted::Started)),
        "end" => {
            let outcome = words.next()?;
            let reference = words.next().filter(|word| *word != "-").map(unescape);
            let reason = unescape(words.next().unwrap_or_default());
            Some((lease, Noted::Ended(answer(outcome, reference, reason)?)))
        }
        _ => None,
    }
}

fn answer(word: &str, reference: Option<String>, reason: String) -> Option<Answer> {
    let outcome = match word {
        "unreached" => return Some(Answer::unreached(reason)),
        "sent" => Outcome::Sent,
        "later" => Outcome::Later,
        "never" => Outcome::Never,
        "hold" => Outcome::Hold,
        "unknown" => Outcome::Unknown,
        _ => return None,
    };
    Some(Answer { reference, ..Answer::not_sent(outcome, reason) })
}

/// No blank and no line end: a note is words in a line.
fn escape(text: &str) -> String {
    text.replace('%', "%25").replace(' ', "%20").replace('\n', "%0A").replace('\r', "%0D")
}

fn unescape(text: &str) -> String {
    text.replace("%0D", "\r").replace("%0A", "\n").replace("%20", " ").replace("%25", "%")
}

fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(task: i64) -> Lease {
        Lease { task: TaskId(task), seq: 3 }
    }

    #[test]
    fn what_was_noted_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.sent");
        let notes = Notes::create(&path).unwrap();
        let bad = Answer {
            reference: Some("a b%20c".into()),
            ..Answer::not_sent(Outcome::Never, "550 no such\nuser 100%")
        };
        for task in 1..=3 {
            notes.start(&[(lease(task), Some(GatewayId(7)))]).unwrap();
        }
        notes.end([(lease(2), &Answer::sent(None))]).unwrap();
        notes.end([(lease(3), &bad)]).unwrap();
        let noted = read(&path).unwrap();
        assert_eq!(noted[&lease(1)], Noted::Started);
        assert_eq!(noted[&lease(2)], Noted::Ended(Answer::sent(None)));
        assert_eq!(noted[&lease(3)], Noted::Ended(bad));
    }

    #[test]
    fn after_a_note_that_failed_the_next_one_stands_on_a_line_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.sent");
        let notes = Notes::create(&path).unwrap();
        notes.start(&[(lease(1), None)]).unwrap();
        // as a full disk leaves it
        notes.book().file.write_all(b"start 2 ").unwrap();
        notes.book().file = File::open(&path).unwrap();
        assert!(notes.start(&[(lease(2), None)]).is_err());
        notes.start(&[(lease(3), None)]).unwrap();
        let noted = read(&path).unwrap();
        assert_eq!((&noted[&lease(1)], &noted[&lease(3)]), (&Noted::Started, &Noted::Started));
        assert!(!noted.contains_key(&lease(2)));
    }

    #[test]
    fn a_cut_off_end_leaves_the_task_in_doubt() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.sent");
        std::fs::write(&path, "start 1 3 7\nend 1 3 sent").unwrap();
        assert_eq!(read(&path).unwrap()[&lease(1)], Noted::Started);
    }

    #[test]
    fn a_link_in_the_place_of_the_notes_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (path, target) = (folder.path().join("w.sent"), folder.path().join("other"));
        std::fs::write(&target, "kept").unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        assert!(Notes::create(&path).is_err());
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "kept");
    }

    #[test]
    fn a_rewrite_does_not_follow_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (path, target) = (folder.path().join("w.sent"), folder.path().join("other"));
        let notes = Notes::create(&path).unwrap();
        notes.start(&[(lease(1), None)]).unwrap();
        std::fs::write(&target, "kept").unwrap();
        std::os::unix::fs::symlink(&target, folder.path().join("w.sent.new")).unwrap();
        notes.rewrite(&mut notes.book()).unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "kept");
        assert!(path.symlink_metadata().unwrap().is_file());
        assert_eq!(read(&path).unwrap()[&lease(1)], Noted::Started);
    }

    #[test]
    fn the_file_stays_small_and_keeps_what_is_not_settled() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.sent");
        let notes = Notes::create(&path).unwrap();
        notes.start(&[(lease(1), None)]).unwrap();
        notes.start(&[(lease(2), None)]).unwrap();
        notes.end([(lease(2), &Answer::sent(None))]).unwrap();
        let long = Answer::not_sent(Outcome::Later, "x".repeat(5_000));
        for task in 3..2_000 {
            notes.start(&[(lease(task), None)]).unwrap();
            notes.end([(lease(task), &long)]).unwrap();
            notes.settled([lease(task)]);
        }
        assert!(std::fs::metadata(&path).unwrap().len() < 2 * REWRITE_BYTES);
        let noted = read(&path).unwrap();
        assert_eq!(noted[&lease(1)], Noted::Started);
        assert_eq!(noted[&lease(2)], Noted::Ended(Answer::sent(None)));
    }
}
