"""The journal only grows: whatever code does, what was written stays as it was written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from storage.database import Database
from storage.journal import JournalRow, insert_entry, list_entries

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    with database.write() as conn:
        for kind in ("applied", "left"):
            insert_entry(conn, subject_kind="person", subject_id=1, at=NOON, kind=kind)
    yield database
    database.dispose()


def entries(database: Database) -> list[JournalRow]:
    with database.read() as conn:
        return list_entries(conn, "person", 1)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE journal SET kind = 'never happened' WHERE seq = 1",
        "UPDATE journal SET at = at",
        "DELETE FROM journal WHERE seq = 2",
        "DELETE FROM journal",
    ],
)
def test_what_is_written_cannot_be_changed(database: Database, change: str) -> None:
    before = entries(database)

    with (
        pytest.raises(IntegrityError, match="the journal is append-only"),
        database.write() as conn,
    ):
        conn.execute(text(change))

    assert entries(database) == before


def test_the_journal_goes_on_after_a_refusal(database: Database) -> None:
    with database.write() as conn:
        savepoint = conn.begin_nested()
        with pytest.raises(IntegrityError):
            conn.execute(text("DELETE FROM journal"))
        savepoint.rollback()
        insert_entry(conn, subject_kind="person", subject_id=1, at=NOON, kind="back")

    assert [(e.seq, e.kind) for e in entries(database)] == [
        (1, "applied"),
        (2, "left"),
        (3, "back"),
    ]


def test_nor_can_it_be_emptied_at_once(database: Database) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite has no TRUNCATE")

    with (
        pytest.raises(IntegrityError, match="the journal is append-only"),
        database.write() as conn,
    ):
        conn.execute(text("TRUNCATE journal"))

    assert len(entries(database)) == 2
