//! A transaction: the connection inside `BEGIN` … `COMMIT`, with its named statements.

use super::blobs::Blobs;
use super::statements::Statement;
use crate::{Hash, Result, StoreError};
use rusqlite::{Connection, ErrorCode, Params, Row, RowIndex};
use std::collections::HashSet;
use std::path::Path;

/// One transaction over one connection.
pub(super) struct Session<'a> {
    pub(super) connection: &'a Connection,
    pub(super) blobs: &'a mut Blobs,
    /// Blobs that this transaction has written already.
    pub(super) written: HashSet<Hash>,
    /// The installation's id, the first half of a key that no producer gave.
    pub(super) uuid: &'a str,
    pub(super) errors: &'a Errors,
}

/// What an error must name.
pub(super) struct Errors {
    pub(super) path: Box<Path>,
    pub(super) patience_secs: u64,
}

/// What a row is read into.
pub(super) type Read<T> = rusqlite::Result<T>;

impl Session<'_> {
    /// Runs a statement; the number of rows it changed.
    pub(super) fn change(&self, statement: Statement, params: impl Params) -> Result<usize> {
        let run = || self.connection.prepare_cached(statement.sql)?.execute(params);
        run().map_err(|error| self.errors.name(statement.name, &error))
    }

    /// The first row, if there is one. A statement that changes rows is run to its end.
    pub(super) fn one<T>(
        &self,
        statement: Statement,
        params: impl Params,
        mut read: impl FnMut(&Row<'_>) -> Read<T>,
    ) -> Result<Option<T>> {
        let mut first = None;
        self.each(statement, params, |row| {
            if first.is_none() {
                first = Some(read(row)?);
            }
            Ok(Next::Go)
        })?;
        Ok(first)
    }

    /// Every row.
    pub(super) fn all<T>(
        &self,
        statement: Statement,
        params: impl Params,
        mut read: impl FnMut(&Row<'_>) -> Read<T>,
    ) -> Result<Vec<T>> {
        let mut found = Vec::new();
        self.each(statement, params, |row| {
            found.push(read(row)?);
            Ok(Next::Go)
        })?;
        Ok(found)
    }

    /// Row by row, until told to stop.
    pub(super) fn each(
        &self,
        statement: Statement,
        params: impl Params,
        mut look: impl FnMut(&Row<'_>) -> Read<Next>,
    ) -> Result<()> {
        let run = || {
            let mut prepared = self.connection.prepare_cached(statement.sql)?;
            let mut rows = prepared.query(params)?;
            while let Some(row) = rows.next()? {
                if look(row)? == Next::Stop {
                    break;
                }
            }
            Ok(())
        };
        run().map_err(|error: rusqlite::Error| self.errors.name(statement.name, &error))
    }

    pub(super) fn last_id(&self) -> i64 {
        self.connection.last_insert_rowid()
    }
}

/// Whether more rows are wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Go,
    Stop,
}

impl Errors {
    /// The engine's error in our words.
    pub(super) fn name(&self, operation: &'static str, error: &rusqlite::Error) -> StoreError {
        let reason = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                StoreError::Locked { operation, waited_secs: self.patience_secs }
            }
            Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure) => {
                StoreError::Disk { operation, reason }
            }
            Some(
                ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::NotADatabase
                | ErrorCode::PermissionDenied
                | ErrorCode::DatabaseCorrupt,
            ) => StoreError::Open { path: self.path.to_path_buf(), reason },
            Some(ErrorCode::ConstraintViolation) => StoreError::Refused { operation, reason },
            _ => StoreError::Engine { operation, reason },
        }
    }
}

/// Text as it stands in the row; what is no UTF-8 (a foreign program may write anything) becomes U+FFFD,
/// so that one bad row can't stop a turn.
pub(super) fn text(row: &Row<'_>, column: impl RowIndex) -> Read<String> {
    use rusqlite::types::ValueRef;
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            String::from_utf8_lossy(bytes).into_owned()
        }
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Null => String::new(),
    })
}

/// The same, None for NULL.
pub(super) fn text_or_none(row: &Row<'_>, column: &str) -> Read<Option<String>> {
    let is_null = matches!(row.get_ref(column)?, rusqlite::types::ValueRef::Null);
    if is_null { Ok(None) } else { text(row, column).map(Some) }
}

/// A count that can't be negative; what is out of range is clamped.
pub(super) fn count(row: &Row<'_>, column: impl RowIndex) -> Read<u32> {
    let number: i64 = row.get(column)?;
    Ok(u32::try_from(number.max(0)).unwrap_or(u32::MAX))
}
