"""Putting a backup in the place of a database: checked first, brought to this Baton's tables, and only then in place.

The caller's last step (`finish`) runs before anybody can see the restored tables. Whatever fails leaves the database as
it was; what is replaced is kept beside: on SQLite as a file, on PostgreSQL as a schema. What is not here: making
backups (`backups`), what happens to messages and erased people (`bot.services.restore_backup`).
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, exc, inspect, select, text

from storage import search_index
from storage.archives import BackupFault, Manifest, fill_tables, move_aside, read_manifest
from storage.backups import examine_copy, sync_folder
from storage.database import Database
from storage.models import Inbox, Journal, Leads, People, Playbooks
from storage.revisions import HEAD
from storage.rows import table_of
from storage.schema import alone, known_revisions, migrate, upgrade_within

T = TypeVar("T")
Finish = Callable[[Connection], T]

_SIGNS_OF_LIFE = tuple(table_of(model) for model in (Leads, Inbox, Journal, People, Playbooks))
_SQLITE_HEAD = b"SQLite format 3\x00"


@dataclass(frozen=True, slots=True)
class Backup:
    """A file that was looked through and found whole."""

    path: Path
    revision: str
    rows: int
    manifest: Manifest | None  # of an archive


def examine_backup(database: Database, path: Path) -> Backup:
    """Look through a backup for this kind of database. Raises `BackupFault`."""
    try:
        with path.open("rb") as handle:
            head = handle.read(len(_SQLITE_HEAD))
    except OSError as error:
        raise BackupFault(f"{path} cannot be read: {error.strerror or error}.") from None
    of_sqlite = head == _SQLITE_HEAD
    if of_sqlite is not database.is_sqlite:
        made, wanted = ("SQLite", "PostgreSQL") if of_sqlite else ("PostgreSQL", "SQLite")
        if of_sqlite or head.startswith(b"PK"):
            raise BackupFault(f"{path} is a backup of {made}, DATABASE_URL names {wanted}.")
        raise BackupFault(f"{path} is no backup of Baton.")
    if of_sqlite:
        rows, revision = examine_copy(path)
        found = Backup(path, revision, rows, None)
    else:
        manifest = read_manifest(path)
        found = Backup(path, manifest.revision, manifest.rows, manifest)
    if found.revision not in known_revisions():
        raise BackupFault(
            f"{path} is at revision {found.revision}, this Baton knows {HEAD}: restore with the newer one."
        )
    return found


def is_empty(database: Database) -> bool:
    """Whether nothing would be replaced. A damaged file counts as something."""
    name = database.url.database
    if database.is_sqlite and name and not Path(name).exists():
        return True
    try:
        with database.read() as conn:
            return _is_blank(conn)
    except exc.DatabaseError:
        if not database.is_sqlite:
            raise
        return False


def _is_blank(conn: Connection) -> bool:
    there = set(inspect(conn).get_table_names())
    return not any(
        table.name in there and conn.execute(select(text("1")).select_from(table).limit(1)).first()
        for table in _SIGNS_OF_LIFE
    )


def put_back(database: Database, backup: Backup, *, aside: str, finish: Finish[T]) -> tuple[T, str]:
    """Put the backup in place; what `finish` gave, and where the former database is kept ("" when it was empty).

    `aside`: a name for that, letters, digits and `_`. Nobody else may work on the database. Raises `BackupFault`.
    """
    if database.is_sqlite:
        return _put_back_file(database, backup, aside, finish)
    with alone(database) as conn:
        blank = _is_blank(conn)
        move_aside(conn, aside, keep=not blank)
        upgrade_within(conn, backup.revision)
        search_index.drop(conn)  # made in one go afterwards
        assert backup.manifest is not None  # noqa: S101 - `examine_backup` read it
        fill_tables(conn, backup.path, backup.manifest)
        upgrade_within(conn)
        done = finish(conn)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("ANALYZE"))
    return done, "" if blank else f"the schema {aside}"


def _put_back_file(
    database: Database, backup: Backup, aside: str, finish: Finish[T]
) -> tuple[T, str]:
    name = database.url.database
    if not name or name == ":memory:":
        raise BackupFault("A database in memory cannot be restored.")
    place = Path(name)
    blank = is_empty(database)
    database.dispose()
    fresh = place.with_name(f".{place.name}.restoring")
    kept = place.with_name(f"{place.name}.{aside}")
    _remove(fresh)  # of a restore that was cut off
    try:
        os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        shutil.copyfile(backup.path, fresh)
        done = _made_ours(fresh, finish)
        with fresh.open("rb") as handle:
            os.fsync(handle.fileno())
        if place.exists():
            _close_journal(place, kept)
            fresh.chmod(place.stat().st_mode & 0o777)
            if not blank:
                os.link(place, kept)
        # One step: at no moment is there no database, which the next start would take for a new one.
        fresh.replace(place)
        sync_folder(place.parent)
    except OSError as error:
        raise BackupFault(f"{place} cannot be restored: {error.strerror or error}.") from None
    finally:
        _remove(fresh)
    return done, "" if blank else str(kept)


def _made_ours(fresh: Path, finish: Finish[T]) -> T:
    database = Database(f"sqlite:///{fresh}")
    try:
        migrate(database)
        with database.write() as conn:
            done = finish(conn)
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            raw = conn.connection.driver_connection
            assert raw is not None  # noqa: S101 - a connection just opened has one
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        database.dispose()
    return done


def _close_journal(place: Path, kept: Path) -> None:
    """Fold what the former file's journal still holds into it: the new file must not find it beside itself."""
    try:
        with closing(sqlite3.connect(place, timeout=2, isolation_level=None)) as conn:
            if conn.execute("PRAGMA journal_mode = DELETE").fetchone()[0] == "delete":
                return
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise BackupFault(f"Somebody else has {place} open. Stop it first.") from None
    except sqlite3.DatabaseError:
        pass
    for end in ("-wal", "-shm"):  # damaged: kept as it is, journal and all
        with suppress(FileNotFoundError):
            place.with_name(place.name + end).rename(kept.with_name(kept.name + end))


def _remove(fresh: Path) -> None:
    for end in ("", "-wal", "-shm", "-journal"):
        with suppress(FileNotFoundError):
            fresh.with_name(fresh.name + end).unlink()
