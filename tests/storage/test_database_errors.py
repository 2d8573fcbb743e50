"""What others get to see of the database: in a log, and as a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from storage.database import Database


def test_an_error_does_not_tell_the_values_of_its_statement(database_url: str) -> None:
    database = Database(database_url)
    try:
        with pytest.raises(DBAPIError) as caught, database.write() as conn:
            conn.execute(text("INSERT INTO nowhere (name) VALUES (:name)"), {"name": "Jana Novak"})
    finally:
        database.dispose()
    assert "INSERT" in str(caught.value)
    assert "Jana" not in str(caught.value)


def test_a_new_file_can_be_read_by_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "new.db"
    before = os.umask(0o022)
    try:
        database = Database(f"sqlite:///{file}")
        with database.write() as conn:
            conn.execute(text("CREATE TABLE leads (name TEXT)"))
            assert {path.stat().st_mode & 0o077 for path in tmp_path.iterdir()} == {0}
        database.dispose()
    finally:
        os.umask(before)
