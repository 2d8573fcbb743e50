"""What an error of the database says when it ends in a log."""

from __future__ import annotations

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
