"""The tables for a test database: the steps that production takes, once a session, so that all guards are there."""

from __future__ import annotations

from storage.database import Database
from storage.schema import migrate


def create_schema(url: str) -> None:
    """Make all tables in the empty database at `url`."""
    database = Database(url)
    try:
        migrate(database)
    finally:
        database.dispose()
