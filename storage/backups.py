"""Copies of the whole database in one file, taken while Baton runs: SQLite by `VACUUM INTO`, PostgreSQL as an archive.

A copy is written under another name, checked, synced and only then named; it never replaces a file, and only its owner
may read it (it holds personal data). Also: which nights have their backup, so that many workers make one. What is not
here: what an archive looks like (`archives`), putting a copy back (`restoring`).
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import psycopg
from sqlalchemy import ColumnElement, Connection, func, select

from storage.archives import BackupFault, write_archive
from storage.database import Database
from storage.models import Timers
from storage.rows import insert_if_new, table_of

_timers = table_of(Timers)

#: A nightly backup is a timer that `fire_timers` never sees: (what, day) is unique, the generation counts attempts.
KIND = "backup"
_STEP = "nightly"
ATTEMPTS = 3
#: Whoever takes longer is taken for dead; the next one begins anew.
LEASE = timedelta(hours=1)
AGAIN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Copied:
    """A backup: its file, bytes, rows in all tables together, the revision of its tables, how long it took."""

    path: Path
    size: int
    rows: int
    revision: str
    seconds: float


def suffix_of(database: Database) -> str:
    """What a backup's file name ends with."""
    return ".db" if database.is_sqlite else ".zip"


def copy_database(database: Database, path: Path, *, made_at: datetime) -> Copied:
    """Copy everything to the new file `path`. Raises `BackupFault`."""
    began = time.monotonic()
    if path.exists():
        raise BackupFault(f"{path} is there already; a backup never replaces a file.")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        # Made here: with whose rights it is readable is decided before the first byte of it is written.
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        if database.is_sqlite:
            rows, revision = _vacuum_into(database, part)
        else:
            rows, revision = write_archive(database, part, made_at=made_at)
        with part.open("rb") as handle:
            os.fsync(handle.fileno())
            size = os.fstat(handle.fileno()).st_size
        _name(part, path)
    except OSError as error:
        raise BackupFault(f"{path} cannot be written: {error.strerror or error}.") from None
    except psycopg.Error as error:  # its text may quote a row
        raise BackupFault(f"PostgreSQL ended the copy: {error.sqlstate or 'no line'}.") from None
    finally:
        for left in (part, part.with_name(f"{part.name}-journal")):
            with suppress(OSError):
                left.unlink()
    return Copied(path, size, rows, revision, time.monotonic() - began)


def _name(part: Path, path: Path) -> None:
    """Give the finished file its name; never one that is taken."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise BackupFault(f"{path} is there already; a backup never replaces a file.") from None
    except OSError:  # a file system without hard links
        if path.exists():
            raise BackupFault(f"{path} is there already.") from None
        part.rename(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Names in it last, too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _vacuum_into(database: Database, part: Path) -> tuple[int, str]:
    name = database.url.database
    if not name or name == ":memory:":
        raise BackupFault("A database in memory has no backup.")
    if not Path(name).exists():
        raise BackupFault(f"There is no database {name}.")
    try:
        # A connection of its own, without a transaction: it reads, so it keeps nobody from writing.
        with closing(sqlite3.connect(name, timeout=10, isolation_level=None)) as conn:
            conn.execute("VACUUM INTO ?", (str(part),))
        return examine_copy(part)
    except sqlite3.Error as error:
        raise BackupFault(f"SQLite could not copy {name}: {error}.") from None


def examine_copy(path: Path) -> tuple[int, str]:
    """Rows and revision of a copied SQLite file that is whole. Raises `BackupFault`."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as conn:
            said = [str(row[0]) for row in conn.execute("PRAGMA integrity_check")]
            if said != ["ok"]:
                raise BackupFault(f"The copy is damaged: {said[0]}.")
            revision = conn.execute("SELECT version_num FROM alembic_version").fetchone()
            tables = [
                str(row[0])
                for row in conn.execute(
                    "SELECT name FROM sqlite_master WHERE type = 'table' "
                    "AND name NOT LIKE 'leads_search%' AND name NOT LIKE 'sqlite%'"
                )
            ]
            counting = 'SELECT count(*) FROM "{}"'  # names that the file itself just gave
            quoted = [name.replace('"', '""') for name in tables]
            rows = sum(int(conn.execute(counting.format(t)).fetchone()[0]) for t in quoted)
    except sqlite3.Error as error:
        raise BackupFault(f"{path} is no backup of Baton: {error}.") from None
    if revision is None:
        raise BackupFault(f"{path} is no backup of Baton: its tables have no revision.")
    return rows, str(revision[0])


# ------------------------------------------------------------------ the nightly one


def claim_night(conn: Connection, day: date, *, real: datetime) -> int | None:
    """Take the backup of this day upon oneself: the number of the attempt, None when it is made or being made."""
    rows = conn.execute(
        select(_timers.c.state, _timers.c.generation, _timers.c.due_at).where(*_of(day))
    ).all()
    if any(row.state == "fired" or row.due_at > real for row in rows) or len(rows) >= ATTEMPTS:
        return None
    attempt = len(rows) + 1
    # `cancelled`: nobody fires it; that it was made turns it into `fired`.
    new = insert_if_new(
        conn, _timers, lead_id=None, subject_kind=KIND, subject_id=day.toordinal(), step=_STEP,
        generation=attempt, due_at=real + LEASE, state="cancelled",
    )  # fmt: skip
    return attempt if new else None


def is_made(conn: Connection, day: date) -> bool:
    """Whether the backup of this day is made."""
    query = select(_timers.c.id).where(*_of(day), _timers.c.state == "fired")
    return conn.execute(query).first() is not None


def settle_night(conn: Connection, day: date, attempt: int, *, made: bool, real: datetime) -> None:
    """It was made, or this attempt has failed and the next may begin."""
    values = {"state": "fired", "fired_at": real} if made else {"due_at": real + AGAIN}
    conn.execute(
        _timers.update().where(*_of(day), _timers.c.generation == attempt).values(**values)
    )


def last_night(conn: Connection) -> datetime | None:
    """When the newest nightly backup was made (real time); None: never."""
    return conn.execute(
        select(func.max(_timers.c.fired_at)).where(
            _timers.c.subject_kind == KIND, _timers.c.state == "fired"
        )
    ).scalar_one_or_none()


def _of(day: date) -> tuple[ColumnElement[bool], ...]:
    return (
        _timers.c.subject_kind == KIND, _timers.c.subject_id == day.toordinal(), _timers.c.step == _STEP,
    )  # fmt: skip
