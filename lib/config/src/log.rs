//! `var/gatepost.log`: one line, one write (ancestor-facts 3.3, queue 3.12).

use crate::{Config, ConfigError, Root};
use jiff::{Timestamp, Zoned, tz::TimeZone};
use notice::{Clock, Mask, Secret, SystemClock};
use rustix::fs::OFlags;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};

/// How grave a line is. The numbers are those of `etc/debug.conf`, 1 to 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// The program ends.
    Fatal = 1,
    /// Something was not done.
    Error = 2,
    /// Something is wrong, all was done.
    Warning = 3,
    /// The usual course.
    Info = 4,
    /// What other programs were told and said.
    Ext = 5,
    /// The same with details.
    ExtInfo = 6,
    /// For us.
    Debug = 7,
    /// Everything.
    Trace = 9,
}

impl Level {
    /// The word in the line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fatal => "FATAL",
            Self::Error => "ERROR",
            Self::Warning => "WARNING",
            Self::Info => "INFO",
            Self::Ext => "EXT",
            Self::ExtInfo => "EXTINFO",
            Self::Debug => "DEBUG",
            Self::Trace => "TRACE",
        }
    }
}

/// The log of one program. Lines never fail: what can't be written is dropped, delivery goes on.
pub struct Log {
    path: PathBuf,
    component: String,
    highest: u8,
    line_bytes: usize,
    mask: RwLock<Mask>,
    /// None: something else than a file is in its place.
    file: Mutex<Option<File>>,
}

impl Log {
    /// Opens `var/gatepost.log` (0600) for this component, and makes the link `var/billmgr.log`. The level
    /// is that of `etc/debug.conf`, else `log.level`.
    pub fn open(root: &Root, config: &Config, component: &str) -> Result<Self, ConfigError> {
        Self::open_at(root, config, (component, Level::Fatal))
    }

    /// The same; where `etc/debug.conf` says nothing of this component, lines up to that level are written
    /// even if `log.level` is lower.
    pub fn open_at(
        root: &Root,
        config: &Config,
        (component, usual): (&str, Level),
    ) -> Result<Self, ConfigError> {
        let path = root.path("var/gatepost.log");
        let file = match append_to(&path) {
            Ok(file) => Some(file),
            Err(_) if is_no_file(&path) => {
                let words = "is no regular file: nothing is logged until it is gone";
                let _ = writeln!(std::io::stderr(), "{component}: `{}` {words}", path.display());
                None
            }
            Err(error) => return Err(ConfigError::file("open", path.clone())(error)),
        };
        let link = root.path("var/billmgr.log");
        if link.symlink_metadata().is_err() {
            // Another program may have made it this moment; a log without the link is a log.
            let _ = symlink("gatepost.log", link);
        }
        let wanted = crate::read_regular_text(&root.path("etc/debug.conf")).unwrap_or_default();
        Ok(Self {
            path,
            component: component.to_owned(),
            highest: level_in(&wanted, &config.manager_names, component)
                .unwrap_or(config.log.level.max(usual as u8)),
            line_bytes: config.log.line_bytes,
            mask: RwLock::default(),
            file: Mutex::new(file),
        })
    }

    /// From now on this value is never written.
    pub fn hide(&self, secret: &Secret) {
        self.mask.write().unwrap_or_else(PoisonError::into_inner).add(secret);
    }

    /// True when lines of this level are written: ask before a costly text is made.
    pub fn writes(&self, level: Level) -> bool {
        level as u8 <= self.highest
    }

    /// One line: `<Mon dd hh:mm:ss> [pid] <component> <LEVEL> text`. Line ends and other control
    /// characters in the text are written as escapes, so that nobody can forge a line.
    pub fn line(&self, level: Level, text: &str) {
        if !self.writes(level) {
            return;
        }
        let text = self.mask.read().unwrap_or_else(PoisonError::into_inner).apply(text);
        let head = Head { now: local_now(), component: &self.component, level };
        let line = line_of(&head, &text, self.line_bytes);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if file.as_ref().is_none_or(|file| was_rotated(file, &self.path))
            && let Ok(new) = append_to(&self.path)
        {
            *file = Some(new);
        }
        if let Some(file) = file.as_mut() {
            // A full disk must not end a drain.
            let _ = file.write_all(&line);
        }
    }

    /// A line of level ERROR.
    pub fn error(&self, text: &str) {
        self.line(Level::Error, text);
    }

    /// A line of level WARNING.
    pub fn warning(&self, text: &str) {
        self.line(Level::Warning, text);
    }

    /// A line of level INFO.
    pub fn note(&self, text: &str) {
        self.line(Level::Info, text);
    }

    /// A line of level DEBUG.
    pub fn debug(&self, text: &str) {
        self.line(Level::Debug, text);
    }
}

/// What a gate printed on stderr, into `var/GATE.log` (0600): a line for each of its own, with the command in front,
/// all of them in one write. What can't be written is dropped. The text is masked already.
pub fn log_of_gate(root: &Path, (gate, command): (&str, &str), (text, line_bytes): (&str, usize)) {
    let (now, level) = (local_now(), Level::Ext);
    let head = Head { now, component: gate, level };
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let lines: Vec<u8> =
        lines.flat_map(|line| line_of(&head, &format!("{command}: {line}"), line_bytes)).collect();
    if lines.is_empty() {
        return;
    }
    if let Ok(mut file) = append_to(&root.join("var").join(format!("{gate}.log"))) {
        let _ = file.write_all(&lines);
    }
}

fn append_to(path: &Path) -> std::io::Result<File> {
    // The folder may belong to a group too: a link in the log's place would lead lines into another file.
    // A pipe there would wait for a reader, and a device is no log.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let flags = flags.bits().cast_signed();
    let file =
        OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is no regular file"))
}

fn is_no_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|there| !there.is_file())
}

fn was_rotated(file: &File, path: &Path) -> bool {
    let (Ok(ours), Ok(there)) = (file.metadata(), path.metadata()) else { return true };
    (ours.dev(), ours.ino()) != (there.dev(), there.ino())
}

fn local_now() -> Zoned {
    let now = Timestamp::from_millisecond(SystemClock.now().0).unwrap_or_default();
    now.to_zoned(TimeZone::system())
}

struct Head<'a> {
    now: Zoned,
    component: &'a str,
    level: Level,
}

/// A control character, an end of a line, or a mark that turns or hides the text around it: what a terminal or a reader
/// of lines would obey. The joiners that letters of some scripts need are none.
pub fn is_obeyed(c: char) -> bool {
    let is_mark = matches!(
        c,
        '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    is_mark || c.is_control()
}

fn line_of(head: &Head<'_>, text: &str, most_bytes: usize) -> Vec<u8> {
    let now = head.now.strftime("%b %e %H:%M:%S");
    let mut line =
        format!("{now} [{}] {} {} ", std::process::id(), head.component, head.level.word());
    for letter in text.trim_end().chars() {
        if line.len() + 8 > most_bytes {
            line.push('…');
            break;
        }
        match letter {
            letter if is_obeyed(letter) && letter != '\t' => line.extend(letter.escape_default()),
            letter => line.push(letter),
        }
    }
    line.push('\n');
    line.into_bytes()
}

/// The level of a component in `debug.conf`: lines `<manager>.<component> <level>`, component `*` is any,
/// a component by name wins, the last line wins.
fn level_in(text: &str, managers: &[String], component: &str) -> Option<u8> {
    let (mut own, mut any) = (None, None);
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some(place), Some(level)) = (words.next(), words.next()) else { continue };
        let Some((manager, name)) = place.split_once('.') else { continue };
        let Some(level) = level.parse().ok().filter(|level| (1..=9).contains(level)) else {
            continue;
        };
        if !managers.iter().any(|known| known == manager) && manager != "*" {
            continue;
        }
        match name {
            "*" => any = Some(level),
            name if name == component => own = Some(level),
            _ => {}
        }
    }
    own.or(any)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn made() -> (tempfile::TempDir, Root, Config) {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::at(folder.path()).unwrap();
        fs::create_dir(root.path("var")).unwrap();
        fs::create_dir(root.path("etc")).unwrap();
        let config = Config::defaults(&root).unwrap();
        (folder, root, config)
    }

    #[test]
    fn a_line_has_the_known_form_and_can_not_be_forged() {
        let head = Head {
            now: "2026-11-02T03:04:05[UTC]".parse().unwrap(),
            component: "ntemail",
            level: Level::Warning,
        };
        let line = String::from_utf8(line_of(&head, "a\nNov  2 b\u{1b}[0m\n", 400)).unwrap();
        let pid = std::process::id();
        assert_eq!(
            line,
            format!("Nov  2 03:04:05 [{pid}] ntemail WARNING a\\nNov  2 b\\u{{1b}}[0m\n")
        );
        assert!(line_of(&head, &"x".repeat(9999), 300).len() <= 300);
    }

    #[test]
    fn secrets_and_quiet_levels_are_not_written() {
        let (_folder, root, config) = made();
        let log = Log::open(&root, &config, "ntemail").unwrap();
        log.hide(&Secret::new("hunter2"));
        log.note("password hunter2");
        log.debug("not at level 4");
        let text = fs::read_to_string(root.path("var/billmgr.log")).unwrap();
        assert!(text.contains("INFO password ***"), "{text}");
        assert_eq!(text.lines().count(), 1);
        assert_eq!(fs::metadata(root.path("var/gatepost.log")).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_gate_has_a_log_of_its_own_and_its_lines_can_not_be_forged() {
        let (_folder, root, _) = made();
        log_of_gate(root.folder(), ("gwx", "outgoing"), ("one\n\n two\r\x1b[0m\n", 400));
        log_of_gate(root.folder(), ("gwx", "outgoing"), ("\n", 400));
        let text = fs::read_to_string(root.path("var/gwx.log")).unwrap();
        let ends: Vec<_> =
            text.lines().map(|line| line.split_once("gwx EXT ").unwrap().1).collect();
        assert_eq!(ends, ["outgoing: one", "outgoing:  two\\r\\u{1b}[0m"]);
        assert_eq!(fs::metadata(root.path("var/gwx.log")).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_link_in_the_place_of_the_log_is_not_followed() {
        let (_folder, root, config) = made();
        fs::write(root.path("etc/other"), "kept").unwrap();
        symlink("../etc/other", root.path("var/gatepost.log")).unwrap();
        Log::open(&root, &config, "x").unwrap().note("nowhere");
        assert_eq!(fs::read_to_string(root.path("etc/other")).unwrap(), "kept");
        // Nor is it followed when it comes later.
        fs::remove_file(root.path("var/gatepost.log")).unwrap();
        let log = Log::open(&root, &config, "x").unwrap();
        fs::rename(root.path("var/gatepost.log"), root.path("var/gatepost.log.1")).unwrap();
        symlink("../etc/other", root.path("var/gatepost.log")).unwrap();
        log.note("a line");
        assert_eq!(fs::read_to_string(root.path("etc/other")).unwrap(), "kept");
    }

    #[test]
    fn a_pipe_or_a_folder_in_the_place_of_a_log_is_never_waited_for() {
        let (_folder, root, config) = made();
        let paths = [root.path("var/gatepost.log"), root.path("var/gwx.log")];
        for path in &paths {
            let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
            let kind = rustix::fs::FileType::Fifo;
            rustix::fs::mknodat(rustix::fs::CWD, path, kind, mode, 0).unwrap();
        }
        let log = Log::open(&root, &config, "x").unwrap();
        log.note("nowhere");
        log_of_gate(root.folder(), ("gwx", "outgoing"), ("nowhere\n", 400));
        // a reader makes it no better
        let mut reader = OpenOptions::new();
        let nonblock = OFlags::NONBLOCK.bits().cast_signed();
        let mut there = reader.read(true).custom_flags(nonblock).open(&paths[0]).unwrap();
        log.note("nowhere");
        let mut read = Vec::new();
        std::io::Read::read_to_end(&mut there, &mut read).unwrap();
        assert!(read.is_empty());
        fs::remove_file(&paths[0]).unwrap();
        fs::create_dir(&paths[0]).unwrap();
        Log::open(&root, &config, "x").unwrap().note("nowhere");
        // it is logged again when the place is free
        fs::remove_dir(&paths[0]).unwrap();
        log.note("here");
        assert!(fs::read_to_string(&paths[0]).unwrap().contains("here"));
    }

    #[test]
    fn a_rotated_log_is_begun_anew() {
        let (_folder, root, config) = made();
        let log = Log::open(&root, &config, "x").unwrap();
        log.note("one");
        fs::rename(root.path("var/gatepost.log"), root.path("var/gatepost.log.1")).unwrap();
        log.note("two");
        let text = fs::read_to_string(root.path("var/gatepost.log")).unwrap();
        assert!(text.contains("two") && !text.contains("one"));
    }

    #[test]
    fn debug_conf_sets_the_level_of_a_component() {
        let managers = ["gatepost".to_owned(), "billmgr".to_owned()];
        let level = |text| level_in(text, &managers, "ntemail");
        assert_eq!(level("billmgr.* 9\n"), Some(9));
        assert_eq!(level("gatepost.ntemail 2\nbillmgr.* 9\n"), Some(2));
        assert_eq!(level("dnsmgr.* 9\ngatepost.ntemail 12\nnonsense\n"), None);
    }
}
