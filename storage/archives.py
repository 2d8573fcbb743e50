"""A PostgreSQL database as one file: a zip with each table as COPY wrote it, and a manifest written last.

One snapshot, streamed: no table is ever in memory, no `pg_dump` needed. An archive without its manifest was cut off and
is none. What is not here: where it is written to (`backups`), what else a restore does (`restoring`).
"""

from __future__ import annotations

import hashlib
import json
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import psycopg
from psycopg import sql
from sqlalchemy import Connection, text

from storage.base import Base
from storage.database import Database
from storage.revisions import HEAD, read_revision

FORMAT = 1
_MANIFEST = "manifest.json"
_VERSION = "alembic_version"
_CHUNK = 1 << 20
#: Level 1: leads shrink to a fifth anyway, and the snapshot should not stand open for long.
_LEVEL = 1
#: What the migrations of the other side write themselves.
_MADE_BY_MIGRATION = frozenset({_VERSION, "admitted"})

#: What reading a file that is damaged, or was never ours, may end with.
_NO_ARCHIVE = (
    zipfile.BadZipFile, zlib.error, LookupError, ValueError, TypeError, EOFError, RuntimeError, lzma.LZMAError,
)  # fmt: skip


class BackupFault(Exception):
    """A backup cannot be made or used; the message says why, without any value."""


@dataclass(frozen=True, slots=True)
class ArchivedTable:
    """One table: its columns in the order of its rows, how many rows, the sha256 of what COPY wrote."""

    name: str
    columns: tuple[str, ...]
    rows: int
    sha256: str
    #: Where its counted key stands: (last value, whether it was given out); None: it has none.
    counted: tuple[int, bool] | None


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an archive holds."""

    revision: str
    made_at: datetime
    tables: tuple[ArchivedTable, ...]

    @property
    def rows(self) -> int:
        """In all tables together."""
        return sum(table.rows for table in self.tables)


def write_archive(database: Database, path: Path, *, made_at: datetime) -> tuple[int, str]:
    """Write the archive into the file `path`, which is there and empty; rows and revision. BackupFault, OSError."""
    with database.engine.connect().execution_options(
        isolation_level="REPEATABLE READ", postgresql_readonly=True
    ) as conn:
        revision = read_revision(conn)
        if revision is None:
            raise BackupFault("The database has no tables of Baton.")
        if revision > HEAD:
            raise BackupFault(
                f"The tables are at revision {revision}, this Baton knows {HEAD}: back up with the newer one."
            )
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
            tables = tuple(_copy_out(conn, archive, name) for name in _ours(conn))
            manifest = Manifest(revision, made_at, tables)
            archive.writestr(_MANIFEST, _as_json(manifest))
    return manifest.rows, revision


def read_manifest(path: Path) -> Manifest:
    """What the archive holds, every byte of it checked. Raises `BackupFault`."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(_MANIFEST).file_size > _CHUNK:  # packed, it may be of any size
                raise BackupFault(f"{path} is no whole backup of Baton: its manifest is too long.")
            manifest = _from_json(archive.read(_MANIFEST))
            for table in manifest.tables:
                with archive.open(_member(table.name)) as rows:
                    digest = hashlib.sha256()
                    for chunk in _chunks(rows):
                        digest.update(chunk)
                if digest.hexdigest() != table.sha256:
                    raise BackupFault(f"{path} is damaged: the rows of {table.name}.")
    except _NO_ARCHIVE as error:
        raise BackupFault(f"{path} is no whole backup of Baton: {error}.") from None
    except OSError as error:
        raise BackupFault(f"{path} cannot be read: {error.strerror or error}.") from None
    return manifest


def fill_tables(conn: Connection, path: Path, manifest: Manifest) -> int:
    """Write the rows of an archive into empty tables of its revision; how many. Raises `BackupFault`."""
    tables = [t for t in manifest.tables if t.name not in _MADE_BY_MIGRATION]
    if strange := {t.name for t in tables} - set(
        _ours(conn)
    ):  # another program's may stand beside ours
        raise BackupFault(f"{path} holds tables that Baton has not: {len(strange)}.")
    try:
        with zipfile.ZipFile(path) as archive, _unbound(conn):
            for table in tables:
                _copy_in(conn, archive, table)
    except psycopg.Error as error:  # its text quotes the row
        said = error.sqlstate or "no line"
        raise BackupFault(f"PostgreSQL does not take the rows of {path}: {said}.") from None
    return sum(table.rows for table in tables)


def _copy_in(conn: Connection, archive: zipfile.ZipFile, table: ArchivedTable) -> None:
    names = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.name), names)
    with archive.open(_member(table.name)) as rows, _driver(conn).cursor() as cursor:
        with cursor.copy(statement) as copy:
            for chunk in _chunks(rows):
                copy.write(chunk)
        if table.counted is not None:
            cursor.execute(
                "SELECT setval(pg_get_serial_sequence(%s, 'id'), %s, %s)",
                (table.name, *table.counted),
            )


@contextmanager
def _unbound(conn: Connection) -> Iterator[None]:
    """Our tables without foreign keys: checked in one go afterwards they cost less than row by row, and no order of
    the tables matters."""
    driver = _driver(conn)
    keys = driver.execute(
        "SELECT t.relname, k.conname, pg_get_constraintdef(k.oid) FROM pg_constraint k "
        "JOIN pg_class t ON t.oid = k.conrelid WHERE k.contype = 'f' "
        "AND t.relnamespace = current_schema()::regnamespace AND t.relname = ANY(%s)",
        [_ours(conn)],
    ).fetchall()
    change = "ALTER TABLE {} {} CONSTRAINT {}"
    for table, name, _ in keys:
        drop = sql.SQL(change).format(sql.Identifier(table), sql.SQL("DROP"), sql.Identifier(name))
        driver.execute(drop)
    yield
    for table, name, definition in keys:
        add = sql.SQL(change).format(sql.Identifier(table), sql.SQL("ADD"), sql.Identifier(name))
        # As PostgreSQL itself wrote it down, of tables that our migrations have just made.
        driver.execute(add.as_bytes(driver) + b" " + definition.encode())


def move_aside(conn: Connection, schema: str, *, keep: bool) -> None:
    """Put the tables that are there, with all they own, into a schema of their own; none is changed or lost, unless
    there is nothing in them to `keep`."""
    driver = _driver(conn)
    aside = sql.Identifier(schema)
    driver.execute(sql.SQL("CREATE SCHEMA {}").format(aside))
    for name in _ours(conn):
        driver.execute(sql.SQL("ALTER TABLE {} SET SCHEMA {}").format(sql.Identifier(name), aside))
    guards = conn.execute(
        text(
            "SELECT proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace "
            "AND prorettype = 'trigger'::regtype AND proname LIKE 'journal\\_%'"
        )
    ).scalars()
    for name in list(guards):
        driver.execute(
            sql.SQL("ALTER FUNCTION {}() SET SCHEMA {}").format(sql.Identifier(name), aside)
        )
    if not keep:
        driver.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(aside))


def _ours(conn: Connection) -> list[str]:
    """Our tables that are there, in one order; others may share the database."""
    there = conn.execute(
        text("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
    ).scalars()
    return sorted({*Base.metadata.tables, _VERSION} & set(there))


def _copy_out(conn: Connection, archive: zipfile.ZipFile, name: str) -> ArchivedTable:
    columns = tuple(
        conn.execute(
            text(
                "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(:name) AND attnum > 0 "
                "AND NOT attisdropped AND attgenerated = '' ORDER BY attnum"
            ),
            {"name": name},
        ).scalars()
    )
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("COPY {} ({}) TO STDOUT").format(sql.Identifier(name), names)
    rows, digest = 0, hashlib.sha256()
    with (
        archive.open(_member(name), "w", force_zip64=True) as member,
        _driver(conn).cursor() as cursor,
        cursor.copy(statement) as copy,
    ):
        for chunk in copy:
            member.write(chunk)
            digest.update(chunk)
            rows += bytes(chunk).count(b"\n")  # line ends inside of values are written as \n
    return ArchivedTable(name, columns, rows, digest.hexdigest(), _counted(conn, name, columns))


def _counted(conn: Connection, name: str, columns: tuple[str, ...]) -> tuple[int, bool] | None:
    if "id" not in columns:
        return None
    sequence = conn.execute(
        text("SELECT pg_get_serial_sequence(:name, 'id')"), {"name": name}
    ).scalar_one()
    if sequence is None:
        return None
    schema, _, last = str(sequence).partition(".")
    query = sql.SQL("SELECT last_value, is_called FROM {}").format(
        sql.Identifier(schema.strip('"'), last.strip('"'))
    )
    found = _driver(conn).execute(query).fetchone()
    return (int(found[0]), bool(found[1])) if found is not None else None


def _chunks(rows: IO[bytes]) -> Iterator[bytes]:
    while chunk := rows.read(_CHUNK):
        yield chunk


def _member(name: str) -> str:
    return f"tables/{name}.copy"


def _driver(conn: Connection) -> psycopg.Connection[Any]:
    driver = conn.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise TypeError("COPY is PostgreSQL's")
    return driver


def _as_json(manifest: Manifest) -> str:
    return json.dumps(
        {
            "format": FORMAT,
            "revision": manifest.revision,
            "made_at": manifest.made_at.isoformat(),
            "tables": [
                {"name": t.name, "columns": t.columns, "rows": t.rows, "sha256": t.sha256, "counted": t.counted}
                for t in manifest.tables
            ],
        },
        indent=1,
    )  # fmt: skip


def _from_json(body: bytes) -> Manifest:
    told = json.loads(body)
    if told["format"] != FORMAT:
        raise ValueError(f"format {told['format']} is not known")
    return Manifest(
        str(told["revision"]),
        datetime.fromisoformat(told["made_at"]),
        tuple(
            ArchivedTable(
                str(t["name"]),
                tuple(t["columns"]),
                int(t["rows"]),
                str(t["sha256"]),
                (int(t["counted"][0]), bool(t["counted"][1])) if t["counted"] else None,
            )
            for t in told["tables"]
        ),
    )
