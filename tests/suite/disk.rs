//! A disk that loses what was not synced: plays what the shim has recorded, and says what is left after a power cut
//! (queue 4.5).
//!
//! Of a file's changes since its last sync each may have reached the disk or not, or in part, at the granularity of a
//! sector. Names (made, renamed, removed) get there in their order, as in a journal: any sync brings all before it along.

use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const SECTOR_BYTES: usize = 512;
/// Five numbers of eight bytes, see `struct record` in `tests/kit/faults.c`.
const HEAD_BYTES: usize = 40;
/// Stands above the kind of each record (`faults.c`).
const MARK: u64 = 0x6761_7465_706f_7300;

/// Files by their path under ROOT.
type Names = BTreeMap<String, usize>;

/// The files that are recorded.
#[derive(Default)]
pub(crate) struct Disk {
    root: String,
    files: Vec<Contents>,
    by_inode: HashMap<u64, usize>,
    names: Names,
    /// As of the last sync of anything.
    kept_names: Names,
}

#[derive(Default)]
struct Contents {
    kept: Vec<u8>,
    /// Since its last sync.
    changes: Vec<Change>,
}

enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Cut(usize),
}

/// What a power cut has left.
pub(crate) struct Left {
    /// Files by their path under ROOT.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// Changes that did not get to the disk.
    pub(crate) dropped: usize,
}

/// Numbers that look random and are the same in each run.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 8).unwrap() % most
    }
}

/// How much of what was not synced gets to the disk.
#[derive(Clone, Copy)]
pub(crate) enum Luck {
    Nothing,
    /// The first changes.
    Begin,
    /// Any of them, some in part.
    Any,
}

impl Luck {
    /// As it comes.
    pub(crate) fn any(chance: &mut Chance) -> Self {
        [Self::Nothing, Self::Begin, Self::Any][chance.below(3)]
    }
}

impl Disk {
    /// What stands under ROOT now is on the disk.
    pub(crate) fn of(root: &Path) -> Self {
        let mut disk = Self { root: format!("{}/", root.display()), ..Self::default() };
        for path in recorded(root) {
            let inode = std::fs::metadata(&path).unwrap().ino();
            let name = disk.name_of(&path.display().to_string());
            let file = disk.made(inode, name);
            disk.files[file].kept = std::fs::read(&path).unwrap();
        }
        disk.kept_names = disk.names.clone();
        disk
    }

    fn name_of(&self, path: &str) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).to_owned()
    }

    fn made(&mut self, inode: u64, name: String) -> usize {
        self.files.push(Contents::default());
        let file = self.files.len() - 1;
        self.by_inode.insert(inode, file);
        self.names.insert(name, file);
        file
    }

    fn forget(&mut self, file: usize) {
        self.by_inode.retain(|_, known| *known != file);
    }

    /// Does what was recorded. False where a record is torn, which the kill of who wrote it can do: then it is not
    /// known what the disk holds.
    pub(crate) fn play(&mut self, mut record: &[u8]) -> bool {
        while let Some((head, rest)) = record.split_first_chunk::<HEAD_BYTES>() {
            let number = |at: usize| u64::from_ne_bytes(head[at * 8..][..8].try_into().unwrap());
            let Ok(kind) = u8::try_from(number(0) ^ MARK) else { return false };
            let [offset, path, bytes] = [2, 3, 4].map(|at| usize::try_from(number(at)).unwrap());
            let Some((path, rest)) = rest.split_at_checked(path) else { return false };
            let Some((bytes, rest)) = rest.split_at_checked(bytes) else { return false };
            let name = self.name_of(std::str::from_utf8(path).unwrap());
            self.act(kind, (number(1), name, offset), bytes);
            record = rest;
        }
        record.is_empty()
    }

    fn act(&mut self, kind: u8, (inode, name, offset): (u64, String, usize), bytes: &[u8]) {
        let known = self.by_inode.get(&inode).copied();
        match kind {
            b'w' | b't' => {
                let file = known.unwrap_or_else(|| self.made(inode, name));
                self.files[file].changes.push(match kind {
                    b'w' => Change::Write { at: offset, bytes: bytes.to_vec() },
                    _ => Change::Cut(offset),
                });
            }
            b'r' => {
                if let Some(file) = self.names.remove(&name) {
                    let to = self.name_of(std::str::from_utf8(bytes).unwrap());
                    if let Some(replaced) = self.names.insert(to, file) {
                        self.forget(replaced);
                    }
                }
            }
            b'u' => {
                if let Some(file) = self.names.remove(&name) {
                    self.forget(file);
                }
            }
            b's' => {
                if let Some(file) = known {
                    self.files[file].sync();
                }
                self.kept_names = self.names.clone();
            }
            _ => panic!("{kind} is recorded"),
        }
    }

    /// The power goes.
    pub(crate) fn cut(&self, luck: Luck, chance: &mut Chance) -> Left {
        let names = if chance.below(2) == 0 { &self.kept_names } else { &self.names };
        let mut left = Left { files: BTreeMap::new(), dropped: 0 };
        for (name, file) in names {
            let (bytes, dropped) = self.files[*file].after_a_cut(luck, chance);
            left.files.insert(name.clone(), bytes);
            left.dropped += dropped;
        }
        left
    }
}

impl Contents {
    fn sync(&mut self) {
        for change in std::mem::take(&mut self.changes) {
            change.make(&mut self.kept);
        }
    }

    /// Its bytes, and how many changes are not among them.
    fn after_a_cut(&self, luck: Luck, chance: &mut Chance) -> (Vec<u8>, usize) {
        let (mut bytes, mut dropped) = (self.kept.clone(), 0);
        let begin = chance.below(self.changes.len() + 1);
        for (at, change) in self.changes.iter().enumerate() {
            match (luck, chance.below(4)) {
                (Luck::Begin, _) if at < begin => change.make(&mut bytes),
                (Luck::Any, 0 | 1) => change.make(&mut bytes),
                (Luck::Any, 2) => {
                    change.make_in_part(&mut bytes, chance);
                    dropped += 1;
                }
                (Luck::Nothing | Luck::Begin | Luck::Any, _) => dropped += 1,
            }
        }
        (bytes, dropped)
    }
}

impl Change {
    fn make(&self, file: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => put(file, *at, bytes),
            Self::Cut(size) => file.resize(*size, 0),
        }
    }

    /// As far as some sector.
    fn make_in_part(&self, file: &mut Vec<u8>, chance: &mut Chance) {
        if let Self::Write { at, bytes } = self {
            let sectors = bytes.len().div_ceil(SECTOR_BYTES);
            let end = (at / SECTOR_BYTES + chance.below(sectors + 1)) * SECTOR_BYTES;
            put(file, *at, &bytes[..end.saturating_sub(*at).min(bytes.len())]);
        }
    }
}

fn put(file: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if file.len() < at + bytes.len() {
        file.resize(at + bytes.len(), 0);
    }
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

impl Left {
    /// ROOT as it stands when the machine is up again: of what was written without a sync only this is there, and
    /// nothing of what only lives as long as a boot.
    pub(crate) fn lay_out(&self, root: &Path) {
        for path in recorded(root) {
            std::fs::remove_file(path).unwrap();
        }
        let _ = std::fs::remove_file(root.join("var/gatepost.db-shm"));
        for entry in std::fs::read_dir(root.join("var/run")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "sent" || ending == "lock") {
                std::fs::remove_file(path).unwrap();
            }
        }
        for (name, bytes) in &self.files {
            std::fs::write(root.join(name), bytes).unwrap();
        }
    }
}

/// The database with its log, and the queue files.
fn recorded(root: &Path) -> Vec<std::path::PathBuf> {
    let mut found: Vec<_> =
        ["var/gatepost.db", "var/gatepost.db-wal"].iter().map(|name| root.join(name)).collect();
    found.retain(|path| path.is_file());
    for day in std::fs::read_dir(root.join("var/notify")).into_iter().flatten() {
        let files = std::fs::read_dir(day.unwrap().path()).unwrap();
        found.extend(files.map(|file| file.unwrap().path()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, (inode, offset): (u64, u64), (path, bytes): (&str, &[u8])) -> Vec<u8> {
        let head = [
            MARK | u64::from(kind),
            inode,
            offset,
            path.len() as u64,
            u64::try_from(bytes.len()).unwrap(),
        ];
        let head = head.iter().flat_map(|number| number.to_ne_bytes());
        head.chain(path.bytes()).chain(bytes.iter().copied()).collect()
    }

    /// All that may be left, over many cuts.
    fn all_left(records: &[Vec<u8>]) -> std::collections::BTreeSet<Vec<(String, Vec<u8>)>> {
        let mut disk = Disk { root: "/r/".to_owned(), ..Disk::default() };
        assert!(disk.play(&records.concat()));
        let mut chance = Chance(7);
        let mut cut = || disk.cut(Luck::any(&mut chance), &mut chance);
        (0..200).map(|_| cut().files.into_iter().collect()).collect()
    }

    #[test]
    fn a_record_that_is_torn_is_seen_wherever_it_is() {
        let whole = record(
            b'w',
            (1, 0),
            ("/r/f", b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        );
        for length in 1..whole.len() {
            let torn = &whole[..length];
            for records in [torn.to_vec(), [&whole, torn].concat(), [torn, &whole].concat()] {
                let mut disk = Disk { root: "/r/".to_owned(), ..Disk::default() };
                assert!(!disk.play(&records), "{length}");
            }
        }
    }

    #[test]
    fn what_was_synced_stays_and_what_was_not_may_go() {
        let written = |offset, bytes: &'static [u8]| record(b'w', (1, offset), ("/r/f", bytes));
        let synced = [written(0, b"aa"), record(b's', (1, 0), ("/r/f", b""))];
        let is = |text: &str| vec![("f".to_owned(), text.as_bytes().to_vec())];
        assert_eq!(all_left(&synced), [is("aa")].into());
        let more = [&synced[..], &[written(1, b"b"), written(2, b"c")]].concat();
        let all = [is("aa"), is("ab"), is("aa\0"), is("aac"), is("abc")];
        assert!(all_left(&more).iter().all(|left| all.contains(left)));
        assert!(all_left(&more).contains(&is("aac")), "the later one without the first");
        let nothing: Vec<(String, Vec<u8>)> = Vec::new();
        assert!(all_left(&[written(0, b"aa")]).contains(&nothing), "nor is its name there");
    }

    #[test]
    fn a_rename_that_was_not_synced_may_be_undone_and_a_sync_of_another_file_keeps_it() {
        let made = [
            record(b'w', (1, 0), ("/r/f.part", b"x")),
            record(b's', (1, 0), ("/r/f.part", b"")),
            record(b'r', (0, 0), ("/r/f.part", b"/r/f")),
        ];
        let names = |left: std::collections::BTreeSet<Vec<(String, Vec<u8>)>>| {
            left.into_iter().flatten().map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(names(all_left(&made)), ["f", "f.part"]);
        let synced = [&made[..], &[record(b's', (9, 0), ("/r", b""))]].concat();
        assert_eq!(names(all_left(&synced)), ["f"]);
    }
}
