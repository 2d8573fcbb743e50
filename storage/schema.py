"""Moves a database to another revision of the tables: all steps in one transaction, one process at a time.

Alembic is set up here, in code. Whoever only asks which revision there is imports `revisions`, which does without it.
What is not here: the steps themselves (`migrations/versions`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from storage import search_index
from storage.database import Database
from storage.revisions import (
    HEAD,
    OLDEST,
    SchemaMismatch,
    admit,
    current,
    read_revision,
    require_fit,
)

__all__ = ["HEAD", "SchemaMismatch", "current", "downgrade", "migrate", "require_fit"]

_STEPS = Path(__file__).parent / "migrations"

# Any number, but always the same one: whoever migrates this database holds it.
_LOCK = 4_150_001

_Move = Callable[[Config, str], None]


def migrate(database: Database) -> list[str]:
    """Bring the tables to `HEAD`. The steps taken, in order; empty when there was nothing to do.

    Raises `SchemaMismatch` when a newer Baton was here already, unless its tables admit this one.
    """
    found = current(database)
    if found is not None and found > HEAD:
        require_fit(database)
        return []
    with alone(database) as conn:
        return upgrade_within(conn)


def downgrade(database: Database, revision: str) -> list[str]:
    """Take steps back until the tables are at `revision`, `"base"` for none. The steps taken back, newest first.

    Raises `SchemaMismatch` when the tables are none of this Baton's, or there is no such revision behind them.
    """
    with alone(database) as conn:
        found = read_revision(conn)
        if revision != "base" and revision not in known_revisions():
            raise SchemaMismatch(f"There is no revision {revision}.")
        if found is None or found > HEAD or (revision != "base" and found < revision):
            at = f"at revision {found}" if found else "empty"
            raise SchemaMismatch(
                f"The database is {at}: this Baton cannot take it back to {revision}."
            )
        taken = _move(conn, command.downgrade, revision)
        if revision != found:
            admit(conn, revision)  # only the Baton that these tables were made for knows them
    return taken


def upgrade_within(conn: Connection, revision: str = HEAD) -> list[str]:
    """`migrate` in a transaction of the caller, which must be alone; not necessarily all the way."""
    taken = _move(conn, command.upgrade, revision)
    if revision == HEAD:
        search_index.ensure(conn)  # lost, or without the means for it until now
    admit(conn, OLDEST if revision == HEAD else revision)
    return taken


def known_revisions() -> list[str]:
    """Every revision this Baton can bring tables to, oldest first."""
    return sorted(path.name[:4] for path in (_STEPS / "versions").glob("[0-9][0-9][0-9][0-9]_*.py"))


def _move(conn: Connection, move: _Move, revision: str) -> list[str]:
    taken: list[str] = []

    def note(*, step: Any, **_: Any) -> None:
        taken.append(str(step.up_revision_id))

    config = Config()
    # Config reads its values as templates, in which % is special.
    config.set_main_option("script_location", str(_STEPS).replace("%", "%%"))
    config.attributes.update(connection=conn, on_version_apply=note)
    move(config, revision)
    return taken


@contextmanager
def alone(database: Database) -> Iterator[Connection]:
    """One transaction in which nobody else migrates, and which does not make the living wait for long."""
    if not database.is_sqlite:
        with database.write() as conn:
            conn.execute(text("SET LOCAL lock_timeout = '60s'"))  # for another migration to end
            conn.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            # A step that waits for a table makes all others queue behind it: rather give up and come again.
            conn.execute(text("SET LOCAL lock_timeout = '5s'"))
            yield conn
        return
    with database.engine.connect() as conn:
        # Steps that copy a table drop the old one, which foreign keys would forbid. Outside a transaction, or it is
        # ignored; past SQLAlchemy, which would begin one.
        raw = conn.connection.driver_connection
        assert raw is not None  # noqa: S101 - a connection just opened has one
        raw.execute("PRAGMA foreign_keys = OFF")
        try:
            with conn.begin():  # BEGIN IMMEDIATE: nobody else writes meanwhile
                yield conn
                if conn.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                    raise SchemaMismatch("A row points to one that is gone; nothing was migrated.")
        finally:
            raw.execute("PRAGMA foreign_keys = ON")
