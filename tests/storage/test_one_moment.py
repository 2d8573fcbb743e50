"""Whoever reads several times in one transaction sees one moment, so that figures agree with each other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from storage import people
from storage.database import Database


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    yield made
    made.dispose()


def test_a_reader_does_not_see_what_came_meanwhile(database: Database) -> None:
    count = text("SELECT count(*) FROM people")
    with database.read() as conn:
        assert conn.execute(count).scalar_one() == 0
        with database.write() as other:
            people.ensure_person(other, "ann@acme.example", "Ann")
        assert conn.execute(count).scalar_one() == 0
    with database.read() as conn:
        assert conn.execute(count).scalar_one() == 1
