//! What is known of an idle queue, so that the next run need not open the database: most of what cron starts finds it as
//! it was the minute before.
//!
//! `var/run/idle-MODULE` holds the stamp of the database that was looked at, and what ends the idle time while nobody
//! changes it. A run that finds the same stamp asks the clock and the `DoNothing` files alone. The note only saves time:
//! one that is lost or torn, of another boot, another version, or a clock that was set since, is no note; and it never
//! says that there is work.

use crate::notes::make_anew;
use crate::owner::boot_id;
use crate::plan::Pause;
use notice::{Clock, ModuleName, Ms};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use store::Stamp;

/// A clock that was set by more than this may repeat a time that a stamp holds; a file counts as settled after more.
const SET_MS: i64 = 1_000;
/// No note is longer.
const NOTE_BYTES: u64 = 1_024;

/// What ends an idle time while nobody changes the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lull {
    /// What the database says of the pause; claims were looked for accordingly.
    pub(crate) pause: Pause,
    /// The earliest time written in the queue.
    pub(crate) next_due: Option<Ms>,
}

/// What a run saw that found nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Idle {
    pub(crate) lull: Lull,
    /// When what is too old was deleted last.
    pub(crate) pruned: Ms,
}

/// The note of one module in this boot, by this clock.
pub(crate) struct IdleNote {
    path: PathBuf,
    /// The next one, until it is whole.
    new: PathBuf,
    boot_id: String,
    /// Milliseconds between the wall clock and the time since boot, which nobody can set.
    clock_ms: i64,
}

impl Lull {
    /// Whether it lasts until then.
    pub(crate) fn lasts(&self, pause: Pause, until: Ms) -> bool {
        self.pause == pause && self.next_due.is_none_or(|due| due > until)
    }
}

impl Idle {
    /// Whether it holds now, nothing falls due until `soon`, and what is too old was deleted not longer ago than that.
    pub(crate) fn lasts(&self, pause: Pause, (now, soon): (Ms, Ms), prune: Duration) -> bool {
        self.lull.lasts(pause, soon) && !is_prune_due(self.pruned, now, prune)
    }

    fn read(facts: &str) -> Option<(Self, i64)> {
        let mut words = facts.strip_prefix(' ')?.strip_suffix('\n')?.split(' ');
        let clock_ms = words.next()?.parse().ok()?;
        let pause = match words.next()? {
            "paused" => Pause::On,
            "open" => Pause::Off,
            _ => return None,
        };
        let next_due = match words.next()? {
            "never" => None,
            due => Some(Ms(due.parse().ok()?)),
        };
        let pruned = Ms(words.next()?.parse().ok()?);
        let seen = Self { lull: Lull { pause, next_due }, pruned };
        words.next().is_none().then_some((seen, clock_ms))
    }
}

/// Whether what is too old was deleted so long ago.
pub(crate) fn is_prune_due(pruned: Ms, now: Ms, every: Duration) -> bool {
    let every_ms = i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
    now.since(pruned) >= every_ms
}

impl IdleNote {
    pub(crate) fn of(run: &Path, module: &ModuleName, clock: &dyn Clock) -> Self {
        let path = run.join(format!("idle-{module}"));
        let new = run.join(format!("idle-{module}.new"));
        Self { path, new, boot_id: boot_id(), clock_ms: clock.now().since(clock.since_boot()) }
    }

    /// What was seen in that database.
    pub(crate) fn read(&self, stamp: &Stamp) -> Option<Idle> {
        let mut text = String::new();
        config::open_own(&self.path).ok()?.take(NOTE_BYTES).read_to_string(&mut text).ok()?;
        let (seen, clock_ms) = Idle::read(text.strip_prefix(&self.head(stamp)?)?)?;
        (self.clock_ms.abs_diff(clock_ms) <= SET_MS.unsigned_abs()).then_some(seen)
    }

    /// Notes it, whole or not at all.
    pub(crate) fn write(&self, stamp: &Stamp, seen: &Idle) {
        let Some(head) = self.head(stamp) else { return };
        let pause = match seen.lull.pause {
            Pause::On => "paused",
            Pause::Off => "open",
        };
        let due = seen.lull.next_due.map_or_else(|| "never".to_owned(), |due| due.to_string());
        let text = format!("{head} {} {pause} {due} {}\n", self.clock_ms, seen.pruned);
        // without a note the next run looks for itself
        let _ = make_anew(&self.new)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .and_then(|()| std::fs::rename(&self.new, &self.path));
    }

    /// What must be the same. None: nobody knows which boot this is.
    fn head(&self, stamp: &Stamp) -> Option<String> {
        let version = env!("CARGO_PKG_VERSION");
        (!self.boot_id.is_empty()).then(|| format!("{version} {} {stamp}", self.boot_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use notice::ManualClock;
    use store::{Order, sqlite};

    const NOW: Ms = Ms(32_503_680_000_000);
    const SEEN: Idle = Idle {
        lull: Lull { pause: Pause::Off, next_due: Some(Ms(NOW.0 + 60_000)) },
        pruned: Ms(NOW.0 - 3_600_000),
    };

    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Self {
            let place = Self(tempfile::tempdir().unwrap());
            let var = place.0.path().join("var");
            std::fs::create_dir(&var).unwrap();
            store::create("sqlite:var/x.db", &var, Order::Ageing).unwrap();
            place
        }

        fn stamp(&self) -> Stamp {
            store::stamp(("sqlite:var/x.db", &self.0.path().join("var")), NOW).unwrap()
        }

        fn note(&self, module: &str) -> IdleNote {
            let module = ModuleName::new(module).unwrap();
            IdleNote { clock_ms: 0, ..IdleNote::of(self.0.path(), &module, &ManualClock::at(NOW)) }
        }
    }

    #[test]
    fn what_was_noted_is_read_by_its_module_while_the_database_is_the_same() {
        let place = Place::new();
        let (note, stamp) = (place.note("ntemail"), place.stamp());
        assert_eq!(note.read(&stamp), None);
        for pause in [Pause::On, Pause::Off] {
            for next_due in [None, Some(Ms(-5)), Some(NOW)] {
                let seen = Idle { lull: Lull { pause, next_due }, ..SEEN };
                note.write(&stamp, &seen);
                assert_eq!(note.read(&stamp), Some(seen));
            }
        }
        assert_eq!(place.note("ntsms").read(&stamp), None);
        let path = place.0.path().join("var/x.db");
        let mut store = sqlite::Sqlite::open(&path, sqlite::Options::default()).unwrap();
        let change = |tx: &mut dyn store::Tx| tx.set_setting("x", "y");
        store::write(&mut store, store::Durability::Crash, change).unwrap();
        drop(store);
        let changed = place.stamp();
        assert_eq!(note.read(&changed), None);
        note.write(&changed, &SEEN);
        assert_eq!((note.read(&stamp), note.read(&changed)), (None, Some(SEEN)));
    }

    #[test]
    fn a_note_of_another_boot_or_of_a_clock_that_was_set_since_is_none() {
        let place = Place::new();
        let (note, stamp) = (place.note("ntemail"), place.stamp());
        note.write(&stamp, &SEEN);
        let at = |clock_ms| IdleNote { clock_ms, ..place.note("ntemail") };
        assert_eq!(at(1_000).read(&stamp), Some(SEEN));
        assert_eq!((at(1_001).read(&stamp), at(-1_001).read(&stamp)), (None, None));
        let booted = |boot_id: &str| IdleNote { boot_id: boot_id.into(), ..place.note("ntemail") };
        assert_eq!(booted("another").read(&stamp), None);
        let nobody_knows = booted("");
        nobody_knows.write(&stamp, &SEEN);
        assert_eq!(nobody_knows.read(&stamp), None);
    }

    #[test]
    fn a_note_that_is_torn_at_any_place_or_has_more_at_its_end_is_none() {
        let place = Place::new();
        let (note, stamp) = (place.note("ntemail"), place.stamp());
        note.write(&stamp, &SEEN);
        let whole = std::fs::read(&note.path).unwrap();
        for end in 0..whole.len() {
            std::fs::write(&note.path, &whole[..end]).unwrap();
            assert_eq!(note.read(&stamp), None, "{end}");
        }
        for more in ["\n", " ", "7\n", "\0"] {
            std::fs::write(&note.path, [&whole, more.as_bytes()].concat()).unwrap();
            assert_eq!(note.read(&stamp), None, "{more:?}");
        }
        std::fs::write(&note.path, [0; 80]).unwrap();
        assert_eq!(note.read(&stamp), None);
        std::fs::write(&note.path, &whole).unwrap();
        assert_eq!(note.read(&stamp), Some(SEEN));
    }

    #[test]
    fn what_was_seen_lasts_until_something_is_due_and_while_the_pause_is_the_same() {
        let prune = Duration::from_hours(2);
        let lasts = |ms: i64, pause| {
            let now = NOW.plus(ms);
            SEEN.lasts(pause, (now, now.plus(1_000)), prune)
        };
        assert!(lasts(0, Pause::Off) && !lasts(0, Pause::On));
        assert!(lasts(58_999, Pause::Off) && !lasts(59_000, Pause::Off));
        let never = Idle { lull: Lull { next_due: None, ..SEEN.lull }, ..SEEN };
        let lasts = |ms: i64| never.lasts(Pause::Off, (NOW.plus(ms), NOW.plus(ms)), prune);
        assert!(lasts(3_599_999) && !lasts(3_600_000));
    }
}
