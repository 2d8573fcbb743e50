"""Engines, transactions and the rules of each database. What is not here: any table.

SQLite: WAL, `synchronous=FULL`, writers `BEGIN IMMEDIATE` (a deferred transaction that reads, then writes
fails at once with SQLITE_BUSY_SNAPSHOT, whatever the busy timeout). PostgreSQL: `synchronous_commit` must be on.
Both: an error's text never holds the values of its statement, because errors are logged and values are leads.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError

_MODE = "baton_mode"


class DatabaseUnfit(Exception):
    """The database cannot be used as it is; the message says what to do."""


class Database:
    """One database: `write()` and `read()` give a connection inside one transaction."""

    def __init__(self, url: str, *, pool_size: int = 8) -> None:
        parsed = make_url(url)
        if parsed.drivername in ("postgres", "postgresql"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        self.url = parsed
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if self.is_sqlite:
            self.engine = _sqlite_engine(parsed.render_as_string(hide_password=False))
        else:
            self.engine = create_engine(
                parsed,
                pool_size=pool_size,
                max_overflow=2,
                pool_pre_ping=True,
                pool_timeout=5,
                hide_parameters=True,
            )
        self._reader = self.engine.execution_options(**{_MODE: "read"})

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may write; committed at the end, rolled back on any exception."""
        with self.engine.begin() as conn:
            yield conn

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads (a consistent view on SQLite)."""
        with self._reader.begin() as conn:
            yield conn

    def check(self) -> None:
        """Refuse settings under which an acknowledged lead could be lost. Raises `DatabaseUnfit`."""
        if self.is_sqlite:
            return
        with self.read() as conn:
            if conn.execute(text("SHOW synchronous_commit")).scalar() == "off":
                raise DatabaseUnfit(
                    "PostgreSQL runs with synchronous_commit=off: acknowledged leads could be lost. Turn it on."
                )

    def dispose(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def is_passing(error: DBAPIError) -> bool:
    """Whether the same transaction may succeed when tried again (lost connection, class 40, busy)."""
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return str(state)[:2] in {"40", "57", "08"} or str(state) == "55P03"
    return isinstance(error, OperationalError) and "locked" in str(error.orig)


def _sqlite_engine(url: str) -> Engine:
    engine = create_engine(
        url, connect_args={"timeout": 10, "check_same_thread": False}, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def _connect(dbapi: sqlite3.Connection, _record: Any) -> None:
        dbapi.isolation_level = None  # the driver's own transactions are lazy; ours are explicit
        cursor = dbapi.cursor()
        for pragma in (
            "busy_timeout = 10000",  # first: journal_mode takes a lock too
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(conn: Connection) -> None:
        mode = conn.get_execution_options().get(_MODE)
        conn.exec_driver_sql("BEGIN DEFERRED" if mode == "read" else "BEGIN IMMEDIATE")

    return engine
