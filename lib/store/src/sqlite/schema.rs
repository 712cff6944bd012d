//! The schema: numbered SQL files, and the worth of a step of priority that is written into one of them.

use crate::{Result, StoreError};
use rusqlite::Connection;
use std::path::Path;

/// What one step of priority is worth (queue 1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// A day of waiting: urgent first, bulk never starves. The default.
    #[default]
    Ageing,
    /// The documented plain descending priority (S3-29): only equals are taken by age.
    Strict,
}

impl Order {
    /// Milliseconds of waiting that outweigh one step of priority.
    fn slack_ms(self) -> i64 {
        match self {
            Self::Ageing => 86_400_000,
            Self::Strict => 1_000_000_000_000,
        }
    }

    /// The word of the control tool.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ageing => "ageing",
            Self::Strict => "strict",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Ageing, Self::Strict].into_iter().find(|order| order.word() == word)
    }
}

/// Every migration; the schema's version is the number of those applied.
const MIGRATIONS: [&str; 7] = [
    include_str!("../../sql/sqlite/0001_queue.sql"),
    include_str!("../../sql/sqlite/0002_platform.sql"),
    include_str!("../../sql/sqlite/0003_extensions.sql"),
    include_str!("../../sql/sqlite/0004_followed.sql"),
    include_str!("../../sql/sqlite/0005_refused.sql"),
    include_str!("../../sql/sqlite/0006_references.sql"),
    include_str!("../../sql/sqlite/0007_urgent.sql"),
];

/// The version this program reads and writes.
pub(super) const KNOWN: i64 = 7;
/// Marks the file as Gatepost's (`PRAGMA application_id`): "GPST".
pub(super) const APPLICATION_ID: i64 = 0x4750_5354;

/// The part of the schema that depends on the order, rebuilt by `gatepost queue order`.
const INDEXES_OF_ORDER: [&str; 3] = ["nt_ready", "nt_forced", "nt_bound"];

/// The version in the file.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("PRAGMA user_version")?.query_row([], |row| row.get(0))
}

/// Whether the file is ours, or empty.
pub(super) fn application_id(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA application_id", [], |row| row.get(0))
}

/// Refuses a version that is not ours; the path is for the words.
pub(super) fn check(found: i64, path: &Path) -> Result<()> {
    let path = || path.to_path_buf();
    if found > KNOWN {
        return Err(StoreError::NewerSchema { path: path(), found, known: KNOWN });
    }
    if found < KNOWN {
        return Err(StoreError::OlderSchema { path: path(), found, known: KNOWN });
    }
    Ok(())
}

/// Applies what is missing; runs inside a transaction that has the write lock.
pub(super) fn migrate(connection: &Connection, found: i64, order: Order) -> rusqlite::Result<()> {
    let applied = usize::try_from(found).unwrap_or(0);
    for sql in MIGRATIONS.iter().skip(applied) {
        connection.execute_batch(&with_order(sql, order))?;
    }
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", KNOWN)
}

/// The schema of an older version, for tests of what an old file gets.
#[cfg(test)]
pub(super) fn migrations(version: usize, order: Order) -> String {
    with_order(&MIGRATIONS[..version].concat(), order)
}

fn with_order(sql: &str, order: Order) -> String {
    sql.replace("{slack}", &order.slack_ms().to_string())
}

/// The order that the schema has: it is kept there and nowhere else.
pub(super) fn order(connection: &Connection) -> rusqlite::Result<Order> {
    let sql: String = connection.query_row(
        "SELECT sql FROM sqlite_schema WHERE type='table' AND name='notifytask'",
        [],
        |row| row.get(0),
    )?;
    let strict = sql.contains(&format!("{}*priority", Order::Strict.slack_ms()));
    Ok(if strict { Order::Strict } else { Order::Ageing })
}

/// Rebuilds `ord` and its indexes; runs inside a transaction.
pub(super) fn rebuild_order(connection: &Connection, order: Order) -> rusqlite::Result<()> {
    for index in INDEXES_OF_ORDER {
        connection.execute_batch(&format!("DROP INDEX {index}"))?;
    }
    connection.execute_batch(&format!(
        "ALTER TABLE notifytask DROP COLUMN ord;
         ALTER TABLE notifytask ADD COLUMN ord INTEGER
           GENERATED ALWAYS AS (ready_ms - {}*priority) VIRTUAL;",
        order.slack_ms()
    ))?;
    for index in INDEXES_OF_ORDER {
        let start = format!("CREATE INDEX {index} ");
        let sql = MIGRATIONS[0].lines().find(|line| line.starts_with(&start)).unwrap_or_default();
        connection.execute_batch(sql)?;
    }
    Ok(())
}
