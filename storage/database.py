"""Engines, transactions and the rules of each database. What is not here: any table.

SQLite: WAL, `synchronous=FULL`, writers `BEGIN IMMEDIATE` (a deferred transaction that reads, then writes
fails at once with SQLITE_BUSY_SNAPSHOT, whatever the busy timeout). PostgreSQL: `synchronous_commit` must be on.
Both: an error's text never holds the values of its statement, because errors are logged and values are leads.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Dialect, Engine, create_engine, event, make_url, text
from sqlalchemy.engine.interfaces import ExceptionContext
from sqlalchemy.exc import DBAPIError, OperationalError

_MODE = "baton_mode"
_AWAY = "away: another thread is asking for it"
#: Seconds (the last one: milliseconds). A server that is gone without a word is noticed by whoever waits for it.
_REACHABLE: dict[str, Any] = {
    "connect_timeout": 2,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
    # A process that stands still in the middle of a transaction (stopped, swapped out) keeps its locks; not for long.
    "options": "-c idle_in_transaction_session_timeout=15s",
}


class DatabaseUnfit(Exception):
    """The database cannot be used as it is; the message says what to do."""


class Database:
    """One database: `write()` and `read()` give a connection inside one transaction.

    `durable` off (SQLite): not written through to the disk, for what can be made again.
    """

    def __init__(self, url: str, *, pool_size: int = 8, durable: bool = True) -> None:
        parsed = make_url(url)
        if parsed.drivername in ("postgres", "postgresql"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        self.url = parsed
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if self.is_sqlite:
            self.engine = _sqlite_engine(parsed.render_as_string(hide_password=False), durable)
        else:
            self.engine = create_engine(
                parsed,
                pool_size=pool_size,
                max_overflow=2,
                pool_pre_ping=True,
                pool_timeout=2,
                hide_parameters=True,
                connect_args={k: v for k, v in _REACHABLE.items() if k not in parsed.query},
            )
            _one_asks_while_it_is_away(self.engine)
        # Figures that are read by several statements have to agree with each other.
        view = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        self._reader = self.engine.execution_options(**{_MODE: "read"}, **view)
        #: Called, from whichever thread, when a write found no room on the disk.
        self.on_full: Callable[[], None] = lambda: None
        event.listen(self.engine, "handle_error", self._look_for_full)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may write; committed at the end, rolled back on any exception."""
        with self.engine.begin() as conn:
            yield conn

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads, all of it at one moment's state."""
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

    def _look_for_full(self, context: ExceptionContext) -> None:
        if is_full(context.original_exception):
            self.on_full()

    def dispose(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def is_full(error: BaseException) -> bool:
    """Whether there was no room on the disk: SQLITE_FULL, or PostgreSQL's disk_full."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
        return True
    return getattr(error, "sqlstate", None) == "53100"


def is_passing(error: DBAPIError) -> bool:
    """Whether the same transaction may succeed when tried again (lost connection, class 40, busy)."""
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return str(state)[:2] in {"40", "57", "08"} or str(state) == "55P03"
    # No state: SQLite is busy, or PostgreSQL did not answer the door.
    return isinstance(error, OperationalError) and ("locked" in str(error.orig) or is_away(error))


def concerns_all(error: BaseException) -> bool:
    """Whether it says something about the database, and nothing about what was tried: it may succeed later, or there is
    no room. Whoever tries one of many things in a savepoint gives up all of them then, and blames none."""
    if not isinstance(error, DBAPIError):
        return False
    return is_passing(error) or (error.orig is not None and is_full(error.orig))


def is_away(error: DBAPIError) -> bool:
    """Whether no connection could be opened: trying again at once helps nobody."""
    state = getattr(error.orig, "sqlstate", None)
    return state is None and str(error.orig).startswith(("connection", _AWAY))


def _one_asks_while_it_is_away(engine: Engine) -> None:
    """After a connection could not be opened, one thread at a time tries again; the others are told so at once.

    Else each of them would wait for `connect_timeout`, and whoever waits for a thread for several times that.
    """
    asking = threading.Lock()
    away = threading.Event()

    @event.listens_for(engine, "do_connect")
    def _connect(dialect: Dialect, _record: Any, args: list[Any], named: dict[str, Any]) -> Any:
        alone = away.is_set()
        if alone and not asking.acquire(blocking=False):
            raise dialect.loaded_dbapi.OperationalError(_AWAY)
        try:
            found = dialect.connect(*args, **named)
        except dialect.loaded_dbapi.Error:
            away.set()
            raise
        else:
            away.clear()
            return found
        finally:
            if alone:
                asking.release()


def _sqlite_engine(url: str, durable: bool) -> Engine:
    name = make_url(url).database or ""
    file = Path(name) if name not in ("", ":memory:") and not name.startswith("file:") else None
    # The writer takes the connection that it gave back last: what others wrote meanwhile, that one has to read again.
    last_first: dict[str, Any] = {"pool_use_lifo": True} if file is not None else {}
    engine = create_engine(
        url,
        connect_args={"timeout": 10, "check_same_thread": False},
        hide_parameters=True,
        **last_first,
    )

    @event.listens_for(engine, "connect")
    def _connect(dbapi: sqlite3.Connection, _record: Any) -> None:
        dbapi.isolation_level = None  # the driver's own transactions are lazy; ours are explicit
        if file is not None and file.exists() and file.stat().st_size == 0:
            file.chmod(
                0o600
            )  # just made, and personal data come in: nobody else of this machine reads them
        cursor = dbapi.cursor()
        for pragma in (
            "busy_timeout = 10000",  # first: journal_mode takes a lock too
            "journal_mode = WAL",
            f"synchronous = {'FULL' if durable else 'OFF'}",
            "foreign_keys = ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(conn: Connection) -> None:
        mode = conn.get_execution_options().get(_MODE)
        conn.exec_driver_sql("BEGIN DEFERRED" if mode == "read" else "BEGIN IMMEDIATE")

    return engine
