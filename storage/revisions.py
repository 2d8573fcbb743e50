"""Which revision of the tables a database has, and whether this Baton may work on them. One look at start, no Alembic.

The rule (decision 0015): tables that are older than this Baton never fit, `baton migrate` comes first; newer ones fit
when they say so themselves, in `admitted`. A step that an older Baton can live with leaves `OLDEST` as it is, one that
it cannot live with raises it. What is not here: moving a database from one to the other (`schema`).
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, select

from storage.database import Database
from storage.models_running import Admitted
from storage.rows import table_of

#: The newest step in `migrations/versions`: the one that `models` describes.
HEAD = "0007"
#: The oldest Baton, by its `HEAD`, that may work on the tables of `HEAD`. Steps expand first and contract one release
#: later, so this is that release's `HEAD` or the one before.
OLDEST = "0007"

# Alembic makes and keeps this table; it is none of our models.
_version = Table("alembic_version", MetaData(), Column("version_num", String(32)))
_admitted = table_of(Admitted)


class SchemaMismatch(Exception):
    """The tables are not those this Baton works with; the message says what to do."""


def current(database: Database) -> str | None:
    """The revision the database is at; None: it has no tables of ours yet."""
    if not _is_there(database):
        return None
    with database.read() as conn:
        return read_revision(conn)


def read_revision(conn: Connection) -> str | None:
    """The revision the tables are at; None: there are none of ours."""
    if not inspect(conn).has_table(_version.name):
        return None
    return conn.execute(select(_version.c.version_num)).scalar_one_or_none()


def misfit(database: Database) -> str:
    """ "" when this Baton may work on the tables as they are now; else a sentence: why not, and what to do."""
    if not _is_there(database):
        return _MISSING
    with database.read() as conn:
        found = read_revision(conn)
        if found == HEAD:
            return ""
        if found is None:
            return _MISSING
        if found < HEAD:
            return (
                f"The database is at revision {found}, this Baton needs {HEAD}; run: baton migrate"
            )
        oldest = _oldest_admitted(conn)
    if oldest is not None and oldest <= HEAD:
        return ""
    return (
        f"The database is at revision {found}, this Baton knows only {HEAD}: "
        "a newer Baton has migrated it; run that one"
    )


def require_fit(database: Database) -> None:
    """Refuse to work on tables that do not fit. Raises `SchemaMismatch`."""
    if sentence := misfit(database):
        raise SchemaMismatch(sentence)


def admit(conn: Connection, oldest: str) -> None:
    """Write down which Batons may work on these tables; nothing on tables older than that rule."""
    if not inspect(conn).has_table(_admitted.name):
        return
    conn.execute(_admitted.delete())
    conn.execute(_admitted.insert().values(id=1, oldest=oldest))


def _oldest_admitted(conn: Connection) -> str | None:
    if not inspect(conn).has_table(_admitted.name):
        return None
    return conn.execute(select(_admitted.c.oldest)).scalar_one_or_none()


def _is_there(database: Database) -> bool:
    """Asking a SQLite file that does not exist would make it."""
    name = database.url.database
    if not database.is_sqlite or not name or name == ":memory:" or name.startswith("file:"):
        return True
    return Path(name).exists()


_MISSING = "The database has no tables yet; run: baton migrate"
