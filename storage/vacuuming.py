"""Giving back the space of what was deleted, so that it does not lie about in the files any more.

SQLite: the search index merged, the file written anew, the WAL emptied: after that nothing is left. PostgreSQL: VACUUM
marks the space as free, it is overwritten as it is used again; `full` writes the tables anew and locks each meanwhile.
What is not here: backups, PostgreSQL's archived WAL: see docs/privacy.md.
"""

from __future__ import annotations

import sqlite3
import time

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from storage.database import Database
from storage.search_index import NAME

#: Others read now and then for a moment; so often, so many seconds apart, it is tried to be alone.
TRIES = 20
PAUSE = 0.5

#: The tables that held something of a person.
_VACUUM = text(
    "VACUUM leads, lead_keys, notes, offers, histories, activities, inbox, outbox, cards"
)
_VACUUM_FULL = text(
    "VACUUM (FULL) leads, lead_keys, notes, offers, histories, activities, inbox, outbox, cards"
)

BUSY = (
    "Somebody else uses the database all the time: what was deleted may still lie in its files. "
    "Run later: baton erase --vacuum"
)


def vacuum(database: Database, *, full: bool = False) -> str:
    """Do it; "" when nothing of what was deleted is left, else a sentence that says what is. Waits some seconds for
    others, changes nothing that anybody can read."""
    return _on_sqlite(database) if database.is_sqlite else _on_postgres(database, full=full)


def _on_sqlite(database: Database) -> str:
    raw = database.engine.raw_connection()
    try:
        driver = raw.driver_connection
        if not isinstance(driver, sqlite3.Connection):
            raise TypeError("no connection of SQLite")
        has_index = driver.execute(
            "SELECT 1 FROM sqlite_master WHERE name = ? AND type = 'table'", (NAME,)
        ).fetchone()
        steps = ["VACUUM"]
        if has_index is not None:
            # Deleted texts stay in FTS5's segments until they are merged.
            steps.insert(0, "INSERT INTO leads_search (leads_search) VALUES ('optimize')")
        for step in steps:
            if not _patiently(driver, step):
                return BUSY
        for _ in range(TRIES):
            busy, *_ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if not busy:
                return ""
            time.sleep(PAUSE)
        return BUSY
    finally:
        raw.close()


def _patiently(driver: sqlite3.Connection, step: str) -> bool:
    for _ in range(TRIES):
        try:
            driver.execute(step)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) and "busy" not in str(error):
                raise
            time.sleep(PAUSE)
        else:
            return True
    return False


def _on_postgres(database: Database, *, full: bool) -> str:
    alone = database.engine.execution_options(isolation_level="AUTOCOMMIT")
    try:
        with alone.connect() as conn:
            conn.execute(text("SET lock_timeout = '10s'"))
            conn.execute(_VACUUM_FULL if full else _VACUUM)
            conn.execute(text("RESET lock_timeout"))
    except DBAPIError as error:
        if str(getattr(error.orig, "sqlstate", "")) != "55P03":
            raise
        return BUSY
    if full:
        return ""
    return (
        "PostgreSQL has marked the space as free; the old bytes stay in its files until they are overwritten. "
        "To write the tables anew now (each is locked meanwhile): baton erase --vacuum --full"
    )
