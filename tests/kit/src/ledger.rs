//! The crash ledger: a row for each way a message can go and each point where something dies or fails on it. The
//! scenarios of the suite keep their rows here, `cargo xtask` prints and judges them.
//!
//! `GATEPOST_LEDGER` names the file the rows go to; without it they go nowhere. `GATEPOST_KILL_ROUNDS` is how many
//! kills a scenario makes at each named point.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;

/// The file that takes the rows.
pub const FILE: &str = "GATEPOST_LEDGER";
/// Kills at each point of each path.
pub const ROUNDS: &str = "GATEPOST_KILL_ROUNDS";
/// That many where nobody says anything: what continuous integration runs.
pub const SHORT_ROUNDS: u32 = 4;
/// A scenario that is more than one kill is played once for so many.
const A_REPEAT: u32 = 25;

/// The way of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeliveryPath {
    /// One gate process for each message.
    OneShot,
    /// A gate in serve mode, many messages in its hands.
    Serve,
    /// gwsmtp in serve mode, over kept connections to a mail server.
    Smtp,
}

impl DeliveryPath {
    /// All.
    pub const ALL: [Self; 3] = [Self::OneShot, Self::Serve, Self::Smtp];

    /// Its name in the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::OneShot => "one-shot",
            Self::Serve => "serve",
            Self::Smtp => "SMTP",
        }
    }
}

/// Where the worker kills itself (queue 4.4), as the environment names the points.
pub const KILL_POINTS: [&str; 8] = [
    "before_claim",
    "in_claim",
    "after_claim",
    "mid_send",
    "after_send",
    "in_finish",
    "after_finish",
    "random",
];

/// A worker that is stopped past its leases, and goes on.
pub const STOPPED: &str = "SIGSTOP past the lease";
/// A worker that is asked to leave.
pub const TERMINATED: &str = "SIGTERM under load";
/// The gate dies with messages in its hands.
pub const GATE_KILLED: &str = "gate killed in its window";
/// The mail server goes in the middle of what it was told.
pub const DROPPED: &str = "server drops mid-pipeline";
/// The k-th write of the database fails.
pub const WRITE_FAILS: &str = "k-th write fails (EIO)";
/// The same, for want of room.
pub const DISK_FULL: &str = "k-th write fails (ENOSPC)";
/// The k-th fsync of the database fails.
pub const SYNC_FAILS: &str = "k-th fsync fails (EIO)";
/// The k-th hand-over note can't be written.
pub const NOTE_FAILS: &str = "k-th note fails (ENOSPC)";
/// What was not synced is gone.
pub const POWER_NORMAL: &str = "power cut, normal";
/// The same, where each turn is synced.
pub const POWER_FULL: &str = "power cut, full";

/// The scenarios that are more than one kill, and the paths each is played on.
const SCENARIOS: [(&str, &[DeliveryPath]); 10] = [
    (STOPPED, &DeliveryPath::ALL),
    (TERMINATED, &DeliveryPath::ALL),
    (GATE_KILLED, &DeliveryPath::ALL),
    (DROPPED, &[DeliveryPath::Smtp]),
    (WRITE_FAILS, &DeliveryPath::ALL),
    (DISK_FULL, &DeliveryPath::ALL),
    (SYNC_FAILS, &DeliveryPath::ALL),
    (NOTE_FAILS, &DeliveryPath::ALL),
    (POWER_NORMAL, &DeliveryPath::ALL),
    (POWER_FULL, &DeliveryPath::ALL),
];

/// Every row there must be, in the order of the table.
fn expected() -> Vec<(DeliveryPath, &'static str)> {
    let points = KILL_POINTS.iter().map(|point| (*point, &DeliveryPath::ALL[..])).chain(SCENARIOS);
    let rows = points.flat_map(|(point, paths)| paths.iter().map(move |path| (*path, point)));
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by_key(|(path, _)| *path);
    rows
}

/// Kills at each point of each path.
pub fn rounds() -> u32 {
    let given = std::env::var(ROUNDS).ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(SHORT_ROUNDS)
}

/// How often a scenario is played that is more than one kill.
pub fn repeats() -> u32 {
    (rounds() / A_REPEAT).max(1)
}

/// What came of all rounds of a scenario on a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The way of the messages.
    pub path: DeliveryPath,
    /// What died or failed, and where.
    pub point: String,
    /// How often.
    pub rounds: usize,
    /// Messages that were accepted.
    pub messages: usize,
    /// Of these, such as nobody ever got.
    pub lost: usize,
    /// Hand-overs beyond the first of a message.
    pub doubled: usize,
    /// Hand-overs that may be doubled: what was in doubt.
    pub window: usize,
    /// Messages that were doubled and not in doubt, or whose second hand-over did not say that it is one.
    pub outside: usize,
}

impl Row {
    /// Adds it to the file that the environment names, if it names one.
    pub fn keep(&self) {
        let Some(file) = std::env::var_os(FILE) else { return };
        let point = KILL_POINTS.iter().chain(SCENARIOS.iter().map(|(point, _)| point));
        assert!(point.into_iter().any(|known| *known == self.point), "{} is no point", self.point);
        // one write: tests run beside each other
        let mut file = OpenOptions::new().create(true).append(true).open(file).unwrap();
        file.write_all(self.line().as_bytes()).unwrap();
    }

    fn line(&self) -> String {
        let Self { path, point, rounds, messages, lost, doubled, window, outside } = self;
        let path = path.word();
        format!("{path}\t{point}\t{rounds}\t{messages}\t{lost}\t{doubled}\t{window}\t{outside}\n")
    }

    fn read(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split('\t').collect();
        let number = |at: usize| words.get(at)?.parse().ok();
        Some(Self {
            path: DeliveryPath::ALL.into_iter().find(|path| path.word() == words[0])?,
            point: (*words.get(1)?).to_owned(),
            rounds: number(2)?,
            messages: number(3)?,
            lost: number(4)?,
            doubled: number(5)?,
            window: number(6)?,
            outside: number(7)?,
        })
    }

    /// What is wrong with it.
    fn fault(&self) -> Option<String> {
        let Self { path, point, rounds, lost, doubled, window, outside, .. } = self;
        let name = format!("{} / {point}", path.word());
        match (rounds, lost, outside) {
            (0, _, _) => Some(format!("{name}: nothing happened")),
            (_, 1.., _) => Some(format!("{name}: {lost} lost")),
            (_, _, 1..) => Some(format!("{name}: {outside} doubled outside the declared window")),
            _ if doubled > window => Some(format!("{name}: {doubled} doubled, {window} in doubt")),
            _ => None,
        }
    }
}

/// The rows of one run.
pub struct Ledger {
    rows: Vec<Row>,
}

impl Ledger {
    /// From the text of the file; a line that is no row counts as none.
    pub fn read(text: &str) -> Self {
        Self { rows: text.lines().filter_map(Row::read).collect() }
    }

    fn row(&self, (path, point): (DeliveryPath, &str)) -> Option<&Row> {
        self.rows.iter().find(|row| row.path == path && row.point == point)
    }

    /// The table, in Markdown.
    pub fn table(&self) -> String {
        let mut table = "| path | point | rounds | messages | lost | doubled | declared window | outside it |\n\
                         |---|---|---:|---:|---:|---:|---:|---:|\n"
            .to_owned();
        for place in expected() {
            let (path, point) = (place.0.word(), place.1);
            let figures = self.row(place).map_or_else(
                || "did not run | | | | |".to_owned(),
                |row| {
                    let Row { rounds, messages, lost, doubled, window, outside, .. } = row;
                    format!("{rounds} | {messages} | {lost} | {doubled} | {window} | {outside}")
                },
            );
            let _ = writeln!(table, "| {path} | {point} | {figures} |");
        }
        table
    }

    /// In one line.
    pub fn sum(&self) -> String {
        let sum = |of: fn(&Row) -> usize| self.rows.iter().map(of).sum::<usize>();
        format!(
            "{} rounds, {} messages, {} lost, {} doubled, {} in doubt",
            sum(|row| row.rounds),
            sum(|row| row.messages),
            sum(|row| row.lost),
            sum(|row| row.doubled),
            sum(|row| row.window)
        )
    }

    /// What is wrong: a loss, a double outside of the window, a scenario that did not run.
    pub fn faults(&self) -> Vec<String> {
        let missing = expected().into_iter().filter(|place| self.row(*place).is_none());
        let missing =
            missing.map(|(path, point)| format!("{} / {point}: did not run", path.word()));
        missing.chain(self.rows.iter().filter_map(Row::fault)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Vec<Row> {
        let row = |(path, point): (DeliveryPath, &str)| Row {
            path,
            point: point.to_owned(),
            rounds: 4,
            messages: 32,
            lost: 0,
            doubled: 2,
            window: 3,
            outside: 0,
        };
        expected().into_iter().map(row).collect()
    }

    #[test]
    fn a_row_is_read_as_it_was_kept() {
        let text: String = good().iter().map(Row::line).collect();
        let ledger = Ledger::read(&text);
        assert_eq!(ledger.rows, good());
        assert_eq!(ledger.faults(), Vec::<String>::new());
        assert!(ledger.table().contains("| SMTP | mid_send | 4 | 32 | 0 | 2 | 3 | 0 |\n"));
    }

    #[test]
    fn a_loss_a_double_too_many_and_a_row_that_is_missing_are_faults() {
        let with = |change: fn(&mut Vec<Row>)| {
            let mut rows = good();
            change(&mut rows);
            Ledger { rows }.faults()
        };
        assert_eq!(with(|rows| rows[0].lost = 1), ["one-shot / before_claim: 1 lost"]);
        assert_eq!(
            with(|rows| rows[1].doubled = 4),
            ["one-shot / in_claim: 4 doubled, 3 in doubt"]
        );
        assert_eq!(
            with(|rows| rows[2].outside = 1),
            ["one-shot / after_claim: 1 doubled outside the declared window"]
        );
        assert_eq!(with(|rows| drop(rows.remove(3))), ["one-shot / mid_send: did not run"]);
        assert_eq!(with(|rows| rows[4].rounds = 0), ["one-shot / after_send: nothing happened"]);
        let again = |rows: &mut Vec<Row>| rows.push(Row { lost: 1, ..rows[0].clone() });
        assert_eq!(with(again), ["one-shot / before_claim: 1 lost"], "a second time");
    }
}
