"""The database of this installation."""

import os
import sqlite3

from billmgr import HOME
from billmgr.config import get_param
from billmgr.exception import XmlException

#: Longest wait for another writer, seconds.
BUSY_SECONDS = 5


class Record(dict):
    """A row: a dict with the readings the ancestor's programs use."""

    def as_int(self, name):
        return int(self[name] or 0)

    def as_str(self, name):
        return "" if self[name] is None else str(self[name])

    def as_bool(self, name):
        return str(self[name]).lower() in ("on", "yes", "1", "true")


def _connect():
    place = get_param("database", "sqlite:var/gatepost.db")
    kind, _, path = place.partition(":")
    if kind != "sqlite":
        raise XmlException("database", kind, "only sqlite is known here")
    uri = "file:" + os.path.join(HOME, path) + "?mode=rw"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS)
    connection.row_factory = lambda cursor, row: Record(zip((column[0] for column in cursor.description), row))
    return connection


def db_query(query, *args):
    """Every row of a query as a Record; none for a statement that gives none. `args` fill its `?`."""
    try:
        connection = _connect()
        try:
            with connection:
                return connection.execute(query, args).fetchall()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise XmlException("database", "query", error) from error


def get_first_record(query, *args):
    """The first row; None when there is none."""
    rows = db_query(query, *args)
    return rows[0] if rows else None


def get_first_record_unwrap(query, *args):
    """The first row; an error when there is none."""
    row = get_first_record(query, *args)
    if row is None:
        raise XmlException("missed", "record")
    return row


def db_escape(text):
    """For a text between single quotes; better give it as an argument."""
    return str(text).replace("'", "''")
