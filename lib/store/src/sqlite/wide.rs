//! Tables that grow by columns: `user` (fields from `etc/sql`) and `project`. Names are checked before they
//! enter a statement; nothing else is ever put into SQL as text.

use super::session::{Session, text};
use crate::{Result, StoreError};
use notice::Fields;
use rusqlite::types::Value;
use rusqlite::{Row, params_from_iter};

/// Columns a table may grow to.
const COLUMNS_LIMIT: usize = 200;
/// Bytes of a column's name.
const NAME_LIMIT: usize = 64;

/// A table that grows.
#[derive(Clone, Copy)]
pub(super) struct Wide {
    pub(super) table: &'static str,
    /// Columns that are no fields.
    pub(super) fixed: &'static [&'static str],
    /// What a failed write is called.
    pub(super) operation: &'static str,
}

pub(super) const PROJECT: Wide =
    Wide { table: "project", fixed: &["id"], operation: "save a project" };
pub(super) const USER: Wide =
    Wide { table: "user", fixed: &["id", "project", "external_id"], operation: "save a user" };

impl Wide {
    /// Every field of a row, in the order of the columns.
    pub(super) fn fields(&self, row: &Row<'_>) -> rusqlite::Result<Fields> {
        let mut fields = Fields::new();
        for name in row.as_ref().column_names() {
            if !self.fixed.contains(&name) {
                fields.set(name, text(row, name)?);
            }
        }
        Ok(fields)
    }

    /// The columns that are fields.
    pub(super) fn columns(&self, session: &Session<'_>) -> Result<Vec<String>> {
        let named = |error: rusqlite::Error| session.errors.name(self.operation, &error);
        let sql = format!("SELECT * FROM {} WHERE id=0", self.table);
        let mut statement = session.connection.prepare_cached(&sql).map_err(named)?;
        // Run once: only then has the engine seen columns that another process added.
        statement.query([]).and_then(|mut rows| rows.next().map(|_| ())).map_err(named)?;
        let names = statement.column_names();
        Ok(names.filter(|name| !self.fixed.contains(name)).map(str::to_owned).collect())
    }

    /// Adds a column, text, empty by default; nothing if it is there.
    pub(super) fn add_column(&self, session: &Session<'_>, name: &str) -> Result<()> {
        let columns = self.columns(session)?;
        if columns.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            return Ok(());
        }
        let reserved = self.fixed.iter().any(|known| known.eq_ignore_ascii_case(name));
        if reserved || !is_column_name(name) {
            return Err(self.refused(format!("`{name}` can't be the name of a column")));
        }
        if columns.len() >= COLUMNS_LIMIT {
            return Err(self.refused(format!("there are {COLUMNS_LIMIT} columns already")));
        }
        let sql =
            format!("ALTER TABLE {} ADD COLUMN \"{name}\" TEXT NOT NULL DEFAULT ''", self.table);
        let added = session.connection.execute_batch(&sql);
        added.map_err(|error| session.errors.name(self.operation, &error))
    }

    /// Inserts (id 0) or rewrites a row: `first` are its columns that are no fields.
    pub(super) fn save(
        &self,
        session: &Session<'_>,
        id: i64,
        first: &[(&str, Value)],
        fields: &Fields,
    ) -> Result<i64> {
        let columns = self.columns(session)?;
        let unknown = fields.iter().find(|(name, _)| !columns.iter().any(|known| known == name));
        if let Some((name, _)) = unknown {
            return Err(self.refused(format!("there is no field `{name}`")));
        }
        let mut names: Vec<&str> = first.iter().map(|(name, _)| *name).collect();
        let mut values: Vec<Value> = first.iter().map(|(_, value)| value.clone()).collect();
        for name in &columns {
            names.push(name);
            values.push(Value::Text(fields.text(name).to_owned()));
        }
        if id != 0 {
            values.push(Value::Integer(id));
        }
        let sql = if id == 0 { self.insert(&names) } else { self.update(&names) };
        let run = || session.connection.prepare_cached(&sql)?.execute(params_from_iter(values));
        let changed = run().map_err(|error| self.name(session, &error))?;
        match (id, changed) {
            (0, _) => Ok(session.last_id()),
            (_, 0) => Err(self.refused(format!("there is no {} {id}", self.table))),
            _ => Ok(id),
        }
    }

    fn insert(&self, names: &[&str]) -> String {
        let marks = vec!["?"; names.len()].join(",");
        format!("INSERT INTO {}(\"{}\") VALUES({marks})", self.table, names.join("\",\""))
    }

    fn update(&self, names: &[&str]) -> String {
        format!("UPDATE {} SET \"{}\"=? WHERE id=?", self.table, names.join("\"=?,\""))
    }

    fn refused(&self, reason: String) -> StoreError {
        StoreError::Refused { operation: self.operation, reason }
    }

    fn name(&self, session: &Session<'_>, error: &rusqlite::Error) -> StoreError {
        let said = error.to_string();
        if said.contains("UNIQUE") {
            return self.refused("this external id is taken in the project".to_owned());
        }
        if said.contains("FOREIGN KEY") {
            return self.refused("there is no such project".to_owned());
        }
        session.errors.name(self.operation, error)
    }
}

/// A letter or `_`, then letters, digits and `_`.
pub(crate) fn is_column_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= NAME_LIMIT
        && bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
