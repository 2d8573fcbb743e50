"""The tables for a test database, made from the models: quicker than the migrations, which have tests of their own."""

from __future__ import annotations

from storage.database import Database
from storage.models import Base


def create_schema(url: str) -> None:
    """Make all tables in the empty database at `url`."""
    database = Database(url)
    try:
        with database.write() as conn:
            Base.metadata.create_all(conn)
    finally:
        database.dispose()
