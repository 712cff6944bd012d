//! What stands in `notify/`, `gate/` and `processing/`, and what each program says it can do.
//!
//! Every executable there is asked `--command features`; there is no list to edit (DESIGN 1). Answers
//! are kept in `var/run/features` by path, size and time of change.

mod cache;

use crate::Caller;
use crate::outcome::{CallFailure, document_of};
use cache::{Cache, Print};
use notice::{Mask, ModuleName};
use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use wire::features::Features;

/// Programs asked at once, when none has been asked before.
const ASKED_AT_ONCE: usize = 4;

/// A folder of programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Folder {
    /// Modules.
    Notify,
    /// Gates.
    Gate,
    /// Service processing.
    Processing,
}

impl Folder {
    /// Its name under ROOT.
    pub fn name(self) -> &'static str {
        match self {
            Self::Notify => "notify",
            Self::Gate => "gate",
            Self::Processing => "processing",
        }
    }
}

/// A program, and what it can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its file name.
    pub name: String,
    /// Where it stands.
    pub folder: Folder,
    /// The file.
    pub path: PathBuf,
    /// What it says of itself; else why it is not used (S3-21). Others are used all the same.
    pub features: Result<Features, String>,
}

impl Listed {
    /// True when its features list the command.
    pub fn offers(&self, command: &str) -> bool {
        self.features.as_ref().is_ok_and(|features| features.has(command))
    }

    /// Refuses a command its features do not list: such a one is never called (S3-44).
    pub fn must_offer(&self, command: &'static str) -> Result<(), CallFailure> {
        match &self.features {
            Ok(features) if features.has(command) => Ok(()),
            Ok(_) => Err(CallFailure::NotOffered { program: self.name.clone(), command }),
            Err(reason) => {
                Err(CallFailure::NotUsed { program: self.name.clone(), reason: reason.clone() })
            }
        }
    }
}

/// The programs of one ROOT. Ask it anew now and then: a program may be added or replaced at any time.
pub struct Programs {
    caller: Caller,
    cache: Mutex<Cache>,
    /// What [`Programs::one`] found last: it is asked once a message.
    recent: Mutex<HashMap<(Folder, String), Recent>>,
}

struct Recent {
    file: Stamp,
    listed: Arc<Listed>,
}

/// What says that a file is still the one that was looked at, its rights included.
#[derive(PartialEq, Eq)]
struct Stamp {
    place: (u64, u64),
    size: u64,
    changed: [(i64, i64); 2],
}

impl Stamp {
    fn of(found: &Metadata) -> Self {
        Self {
            place: (found.dev(), found.ino()),
            size: found.len(),
            // the second changes with the rights too
            changed: [(found.mtime(), found.mtime_nsec()), (found.ctime(), found.ctime_nsec())],
        }
    }
}

impl Programs {
    /// Nothing is asked yet.
    pub fn new(caller: &Caller) -> Self {
        let cache = Cache::read(&caller.dir().join("var/run/features"));
        Self { caller: caller.clone(), cache: Mutex::new(cache), recent: Mutex::default() }
    }

    /// Every program of a folder, by name. One that is not used says why.
    pub fn list(&self, folder: Folder) -> Vec<Listed> {
        let names = program_names(&self.caller.dir().join(folder.name()));
        let mut listed = Vec::with_capacity(names.len());
        for few in names.chunks(ASKED_AT_ONCE) {
            std::thread::scope(|scope| {
                let asked: Vec<_> =
                    few.iter().map(|name| (name, self.known(folder, name))).collect();
                let running: Vec<_> = asked
                    .into_iter()
                    .map(|(name, known)| match known {
                        Some(known) => Ok(known),
                        None => Err(scope.spawn(move || self.asked(folder, name))),
                    })
                    .collect();
                listed.extend(
                    running
                        .into_iter()
                        .filter_map(|one| one.or_else(std::thread::ScopedJoinHandle::join).ok()),
                );
            });
        }
        self.save();
        listed
    }

    /// One program by name. A name that is no file name, or names no program, is listed with the reason.
    pub fn one(&self, folder: Folder, name: &str) -> Arc<Listed> {
        let place = (folder, name.to_owned());
        let file = fs::metadata(self.path_of(folder, name)).ok().map(|found| Stamp::of(&found));
        if let Some(known) = self.recent().get(&place)
            && file.as_ref() == Some(&known.file)
        {
            return Arc::clone(&known.listed);
        }
        let listed = Arc::new(self.look_up(folder, name));
        if let (Some(file), Ok(_)) = (file, &listed.features) {
            let mut recent = self.recent();
            // who asked at the same time has the same answer: it stays the same one for all
            if let Some(known) = recent.get(&place)
                && known.file == file
            {
                return Arc::clone(&known.listed);
            }
            recent.insert(place, Recent { file, listed: Arc::clone(&listed) });
        }
        listed
    }

    fn look_up(&self, folder: Folder, name: &str) -> Listed {
        if let Err(error) = ModuleName::new(name) {
            let features = Err(error.to_string());
            return Listed { name: name.to_owned(), folder, path: PathBuf::new(), features };
        }
        if let Some(known) = self.known(folder, name) {
            return known;
        }
        let listed = self.asked(folder, name);
        self.save();
        listed
    }

    /// What is known without starting anything.
    fn known(&self, folder: Folder, name: &str) -> Option<Listed> {
        let path = self.path_of(folder, name);
        let features = match fitness(&path) {
            Err(reason) => Err(reason),
            Ok(found) => self.cache().get(&Print::of(&path, &found))?,
        };
        Some(Listed { name: name.to_owned(), folder, path, features })
    }

    fn asked(&self, folder: Folder, name: &str) -> Listed {
        let path = self.path_of(folder, name);
        let print = fs::metadata(&path).map(|found| Print::of(&path, &found));
        let features = self.ask(&path);
        if let Ok(print) = print {
            self.cache().put(print, features.clone());
        }
        Listed { name: name.to_owned(), folder, path, features }
    }

    fn ask(&self, path: &Path) -> Result<Features, String> {
        let ran = self.caller.run(&self.caller.command(path, "features"), b"");
        let (document, _) =
            document_of(&ran, &Mask::default()).map_err(|failure| match failure {
                CallFailure::Refused(error) => {
                    format!("features: it answered with an error: {}", error.plain_text())
                }
                other => format!("features: {other}"),
            })?;
        Features::parse(&document.to_bytes()).map_err(|error| error.to_string())
    }

    fn path_of(&self, folder: Folder, name: &str) -> PathBuf {
        self.caller.dir().join(folder.name()).join(name)
    }

    fn recent(&self) -> std::sync::MutexGuard<'_, HashMap<(Folder, String), Recent>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn save(&self) {
        self.cache().save();
    }
}

/// Names of the programs in a folder, in order: what is executable, and what looks like a program whose
/// mode was forgotten. A folder that is missing has none.
fn program_names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_program = |name: &String| {
        let path = folder.join(name);
        let is_executable = path.metadata().is_ok_and(|found| found.is_file() && may_run(&found));
        ModuleName::new(name).is_ok() && (is_executable || begins_like_a_program(&path))
    };
    let mut names: Vec<_> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(is_program);
    names.sort();
    names
}

fn begins_like_a_program(path: &Path) -> bool {
    use std::io::Read;
    let mut start = [0; 4];
    let is_file = path.metadata().is_ok_and(|found| found.is_file());
    let read =
        is_file && fs::File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok();
    read && (start.starts_with(b"#!") || start == *b"\x7fELF")
}

fn may_run(found: &Metadata) -> bool {
    found.permissions().mode() & 0o111 != 0
}

/// What can be said of a file without starting it.
fn fitness(path: &Path) -> Result<Metadata, String> {
    const OTHERS_WRITE: u32 = 0o002;
    let found = match path.metadata() {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(format!("there is no program `{}`", path.display()));
        }
        Err(error) => return Err(format!("can't look at `{}`: {error}", path.display())),
    };
    if !found.is_file() {
        return Err(format!("`{}` is no file", path.display()));
    }
    if !may_run(&found) {
        return Err(format!("it is not executable: `chmod +x {}`", path.display()));
    }
    if found.permissions().mode() & OTHERS_WRITE != 0 {
        return Err(format!("others may write it: `chmod o-w {}`", path.display()));
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
