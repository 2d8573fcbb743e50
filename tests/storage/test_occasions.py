"""Occasions as stored: one row for each, one winner of several workers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest

from bot.domain.occasion import Planned
from storage import occasions
from storage.database import Database

NOW = datetime(2026, 3, 23, 8, tzinfo=UTC)
WEEK = Planned("weekly", 0, "2026-W12", NOW)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.dispose()


def test_an_occasion_is_noted_once_and_settled_once(database: Database) -> None:
    with database.write() as conn:
        assert occasions.insert_occasion(conn, WEEK)
        assert not occasions.insert_occasion(conn, WEEK)
        assert occasions.claim_due(conn, NOW - timedelta(seconds=1), ["weekly"], 9) == []
        assert occasions.claim_due(conn, NOW, ["board"], 9) == []
        (row,) = occasions.claim_due(conn, NOW, ["weekly"], 9)
        assert row.key == WEEK.key
        assert occasions.next_due_at(conn) == NOW
        assert occasions.next_due_at(conn, NOW) is None
        assert occasions.settle(conn, row.id, "fired", NOW)
        assert not occasions.settle(conn, row.id, "skipped", NOW)
        assert not occasions.cancel(conn, row.id)
        assert not occasions.rearm(conn, WEEK)
        assert not occasions.move(conn, WEEK)
        assert occasions.next_due_at(conn) is None


def test_of_two_workers_one_fires_it(database: Database) -> None:
    with database.write() as conn:
        for n in range(20):
            occasions.insert_occasion(conn, Planned("board", n, "2026-03-23", NOW))
    fired: list[int] = []
    together = Barrier(2)

    def worker() -> None:
        together.wait()
        while True:
            with database.write() as conn:
                mine = occasions.claim_due(conn, NOW, ["board"], 3)
                fired.extend(row.id for row in mine if occasions.settle(conn, row.id, "fired", NOW))
            if not mine:
                return

    threads = [Thread(target=worker) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(fired) == len(set(fired)) == 20


def test_who_holds_a_row_keeps_others_from_it(database: Database) -> None:
    if database.is_sqlite:
        pytest.skip("one writer at a time")
    with database.write() as conn:
        occasions.insert_occasion(conn, WEEK)
    with database.write() as first, database.write() as second:
        assert occasions.claim_due(first, NOW, ["weekly"], 9)
        assert occasions.claim_due(second, NOW, ["weekly"], 9) == []
