"""Which revision of the tables a database has, and which one this Baton needs. One SELECT at start, no Alembic.

What is not here: moving a database from one to the other (`schema`).
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Column, MetaData, String, Table, inspect, select

from storage.database import Database

#: The newest step in `migrations/versions`: the one that `models` describes.
HEAD = "0003"

# Alembic makes and keeps this table; it is none of our models.
_version = Table("alembic_version", MetaData(), Column("version_num", String(32)))


class SchemaMismatch(Exception):
    """The tables are not those this Baton works with; the message says what to do."""


def current(database: Database) -> str | None:
    """The revision the database is at; None: it has no tables of ours yet."""
    if not _is_there(database):
        return None
    with database.read() as conn:
        if not inspect(conn).has_table(_version.name):
            return None
        return conn.execute(select(_version.c.version_num)).scalar_one_or_none()


def require_head(database: Database) -> None:
    """Refuse to work on other tables than ours. Raises `SchemaMismatch`."""
    found = current(database)
    if found == HEAD:
        return
    if found is None:
        raise SchemaMismatch("The database has no tables yet; run: baton migrate")
    if found < HEAD:
        raise SchemaMismatch(
            f"The database is at revision {found}, this Baton needs {HEAD}; run: baton migrate"
        )
    raise SchemaMismatch(
        f"The database is at revision {found}, this Baton knows only {HEAD}: "
        "a newer Baton has migrated it; run that one"
    )


def _is_there(database: Database) -> bool:
    """Asking a SQLite file that does not exist would make it."""
    name = database.url.database
    if not database.is_sqlite or not name or name == ":memory:" or name.startswith("file:"):
        return True
    return Path(name).exists()
