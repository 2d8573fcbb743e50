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
from storage.revisions import HEAD, SchemaMismatch, current, require_head

__all__ = ["HEAD", "SchemaMismatch", "current", "downgrade", "migrate", "require_head"]

_STEPS = Path(__file__).parent / "migrations"

# Any number, but always the same one: whoever migrates this database holds it.
_LOCK = 4_150_001

_Move = Callable[[Config, str], None]


def migrate(database: Database) -> list[str]:
    """Bring the tables to `HEAD`. The steps taken, in order; empty when there was nothing to do.

    Raises `SchemaMismatch` when a newer Baton was here already.
    """
    found = current(database)
    if found is not None and found > HEAD:
        require_head(database)
    return _move(database, command.upgrade, HEAD)


def downgrade(database: Database, revision: str) -> list[str]:
    """Take steps back until the tables are at `revision`, `"base"` for none. The steps taken back, newest first."""
    return _move(database, command.downgrade, revision)


def _move(database: Database, move: _Move, revision: str) -> list[str]:
    taken: list[str] = []

    def note(*, step: Any, **_: Any) -> None:
        taken.append(str(step.up_revision_id))

    with _alone(database) as conn:
        config = Config()
        # Config reads its values as templates, in which % is special.
        config.set_main_option("script_location", str(_STEPS).replace("%", "%%"))
        config.attributes.update(connection=conn, on_version_apply=note)
        move(config, revision)
        if move is command.upgrade:
            search_index.ensure(conn)  # lost, or without the means for it until now
    return taken


@contextmanager
def _alone(database: Database) -> Iterator[Connection]:
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
