//! The store on `SQLite`: one file in WAL, one connection a process, every statement prepared once.

#![expect(clippy::too_many_arguments, reason = "the receiver and four parameters")]

mod blobs;
mod call_statements;
mod calls;
mod disk;
mod ending;
mod enqueue;
mod glance;
mod looking;
mod platform;
mod platform_statements;
mod schema;
mod service_statements;
mod services;
mod session;
mod statements;
mod traits;
mod turn;
mod wake;
mod wide;

#[cfg(test)]
mod tests;

pub use glance::Stamp;
pub use schema::Order;

pub(crate) use calls::{event_fits, journal_fits};
pub(crate) use glance::glance;
pub(crate) use platform::{ASK_MS, fits};
pub(crate) use services::service_fits;
pub(crate) use turn::CLAIMS_A_TURN;
pub(crate) use wide::is_column_name;

use crate::{Durability, Result, Snapshot, Store, StoreError, Tx, Wake};
use blobs::Blobs;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use session::{Errors, Session};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Statements kept prepared; there are fewer.
const STATEMENTS_LIMIT: usize = 256;
/// A WAL longer than this is cut back when it has been written into the database, bytes.
const WAL_LIMIT_BYTES: i64 = 64 * 1024 * 1024;
/// Free pages given back to the disk by one [`Store::tidy`].
const VACUUM_PAGES: u32 = 1_000;

/// How to open a database.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long to wait for the write lock; then [`StoreError::Locked`]. 10 s.
    pub patience: Duration,
    /// Pages kept in memory, KiB. 64 MiB.
    pub cache_kib: u32,
    /// Where workers listen; None: `run/wake` beside the file.
    pub wake_folder: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self { patience: Duration::from_secs(10), cache_kib: 64 * 1024, wake_folder: None }
    }
}

/// An open database.
pub struct Sqlite {
    connection: Connection,
    blobs: Blobs,
    uuid: String,
    durability: Durability,
    errors: Errors,
    wake_folder: PathBuf,
    /// What [`Store::has_news`] found when it was last asked.
    version_of_others: Option<i64>,
}

/// Makes the database, or brings an older one up to date; safe to run again. The file gets mode 0660 before
/// it is opened. The order of a database that is there already stays: see [`Sqlite::rebuild_order`].
pub fn create(path: &Path, order: Order, options: Options) -> Result<Sqlite> {
    disk::refuse_network(path)?;
    let _alone = disk::alone(path)?;
    disk::make(path)?;
    let errors = errors(path, &options);
    let mut connection = connect(path, &options, &errors)?;
    let made = (|| {
        if schema::version(&connection)? == 0 {
            connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let found = schema::version(&transaction)?;
        if found < schema::KNOWN && is_ours(&transaction)? {
            schema::migrate(&transaction, found, order)?;
        }
        transaction.commit()
    })();
    made.map_err(|error| errors.name("make the database", &error))?;
    finish(connection, errors, options)
}

impl Sqlite {
    /// Opens the database of an installation. It must be there and have the schema of this program.
    pub fn open(path: &Path, options: Options) -> Result<Self> {
        disk::refuse_network(path)?;
        let errors = errors(path, &options);
        let connection = connect(path, &options, &errors)?;
        finish(connection, errors, options)
    }

    /// What a step of priority is worth here.
    pub fn order(&self) -> Result<Order> {
        schema::order(&self.connection)
            .map_err(|error| self.errors.name("read the order of the queue", &error))
    }

    /// Changes what a step of priority is worth: one transaction, some seconds a million rows.
    pub fn rebuild_order(&mut self, order: Order) -> Result<()> {
        let connection = &mut self.connection;
        let rebuilt = (|| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            schema::rebuild_order(&transaction, order)?;
            transaction.commit()
        })();
        rebuilt.map_err(|error| self.errors.name("rebuild the order of the queue", &error))
    }

    fn set_durability(&mut self, durability: Durability) -> Result<()> {
        if self.durability == durability {
            return Ok(());
        }
        let word = match durability {
            Durability::Crash => "NORMAL",
            Durability::Power => "FULL",
        };
        let set = self.connection.pragma_update(None, "synchronous", word);
        set.map_err(|error| self.errors.name("set the durability", &error))?;
        self.durability = durability;
        Ok(())
    }

    fn run(&self, operation: &'static str, sql: &str) -> Result<()> {
        let run = || self.connection.prepare_cached(sql)?.raw_execute();
        run().map(|_| ()).map_err(|error| self.errors.name(operation, &error))
    }

    /// Between `BEGIN` and `COMMIT`; an error, or a panic of the closure, rolls back.
    fn within(
        &mut self,
        begin: &str,
        inside: impl FnOnce(&mut Session<'_>) -> Result<()>,
    ) -> Result<()> {
        self.run("begin a transaction", begin)?;
        let mut session = Session {
            connection: &self.connection,
            blobs: &mut self.blobs,
            written: HashSet::new(),
            uuid: &self.uuid,
            errors: &self.errors,
        };
        let guard = RollBack(&self.connection);
        let done = inside(&mut session);
        let done = done.and_then(|()| {
            let run = || self.connection.prepare_cached("COMMIT")?.raw_execute();
            run().map(|_| ()).map_err(|error| self.errors.name("commit", &error))
        });
        drop(guard);
        done
    }
}

/// Rolls back what is still open when it goes.
struct RollBack<'a>(&'a Connection);

impl Drop for RollBack<'_> {
    fn drop(&mut self) {
        if !self.0.is_autocommit() {
            // A failed ROLLBACK leaves nothing to do: the engine has rolled back already.
            let _ = self.0.execute_batch("ROLLBACK");
        }
    }
}

impl Store for Sqlite {
    fn write(
        &mut self,
        durability: Durability,
        change: &mut dyn FnMut(&mut dyn Tx) -> Result<()>,
    ) -> Result<()> {
        self.set_durability(durability)?;
        self.within("BEGIN IMMEDIATE", |session| {
            let found = schema::version(session.connection)
                .map_err(|error| session.errors.name("read the schema's version", &error))?;
            schema::check(found, &session.errors.path)?;
            change(session)
        })
    }

    fn read(&mut self, look: &mut dyn FnMut(&mut dyn Snapshot) -> Result<()>) -> Result<()> {
        self.within("BEGIN", |session| look(session))
    }

    fn waker(&self) -> Result<Box<dyn Wake>> {
        let waker = wake::Waker::new(&self.errors.path, &self.wake_folder)?;
        Ok(Box::new(waker))
    }

    fn wake(&self) {
        wake::wake_all(&self.wake_folder);
    }

    fn has_news(&mut self) -> Result<bool> {
        // Counts the commits of every connection but this one.
        let ask = || {
            let mut statement = self.connection.prepare_cached("PRAGMA data_version")?;
            statement.query_row([], |row| row.get(0))
        };
        let version: i64 =
            ask().map_err(|error| self.errors.name("ask whether others have written", &error))?;
        Ok(self.version_of_others.replace(version) != Some(version))
    }

    fn tidy(&mut self) -> Result<()> {
        let vacuum = format!("PRAGMA incremental_vacuum({VACUUM_PAGES})");
        let tidy = || {
            let mut statement = self.connection.prepare_cached(&vacuum)?;
            let mut rows = statement.raw_query();
            // One page a step.
            while rows.next()?.is_some() {}
            // Takes what no reader needs any more; the rest the next time.
            self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
        };
        tidy().map_err(|error| self.errors.name("tidy the database", &error))
    }
}

fn errors(path: &Path, options: &Options) -> Errors {
    Errors { path: path.into(), patience_secs: options.patience.as_secs() }
}

fn connect(path: &Path, options: &Options, errors: &Errors) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = || {
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.busy_handler(Some(fair(options.patience)))?;
        // One plan for a statement, whatever is bound to it; else each new value has it prepared anew.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_LIMIT);
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "cache_size", -i64::from(options.cache_kib))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "wal_autocheckpoint", 4_000)?;
        connection.pragma_update(None, "journal_size_limit", WAL_LIMIT_BYTES)?;
        Ok(connection)
    };
    opened().map_err(|error| errors.name("open the database", &error))
}

/// Sees that the file is ours and of our schema, and in WAL.
fn finish(connection: Connection, errors: Errors, options: Options) -> Result<Sqlite> {
    let name = |error: rusqlite::Error| errors.name("open the database", &error);
    let found = schema::version(&connection).map_err(name)?;
    if found == 0 || !is_ours(&connection).map_err(name)? {
        let reason = "it is no database of Gatepost".to_owned();
        return Err(StoreError::Open { path: errors.path.to_path_buf(), reason });
    }
    schema::check(found, &errors.path)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(name)?;
    let read = "SELECT value FROM setting WHERE name='uuid'";
    let uuid = connection.query_row(read, [], |row| row.get(0)).map_err(name)?;
    let beside = || errors.path.parent().unwrap_or(Path::new(".")).join("run/wake");
    let wake_folder = options.wake_folder.unwrap_or_else(beside);
    Ok(Sqlite {
        connection,
        blobs: Blobs::default(),
        uuid,
        durability: Durability::Power,
        errors,
        wake_folder,
        version_of_others: None,
    })
}

/// An empty file may become ours; another program's may not.
fn is_ours(connection: &Connection) -> rusqlite::Result<bool> {
    let id = schema::application_id(connection)?;
    if id != 0 {
        return Ok(id == schema::APPLICATION_ID);
    }
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(tables == 0)
}

/// The busy handler: short equal pauses, so that an old waiter does not lose to new ones (queue 6.4).
fn fair(patience: Duration) -> impl FnMut(i32) -> bool + Send + 'static {
    let mut since = Instant::now();
    move |tries| {
        if tries == 0 {
            since = Instant::now();
        }
        let nanoseconds = if tries < 5 { 100_000 } else { 500_000 };
        let pause = rustix::thread::Timespec { tv_sec: 0, tv_nsec: nanoseconds };
        // An interrupted pause is a shorter one.
        let _ = rustix::thread::nanosleep(&pause);
        since.elapsed() < patience
    }
}
