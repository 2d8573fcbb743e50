"""Statements that go past SQLAlchemy say and mean the same as through it, also when they fail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from storage import people
from storage.database import Database
from storage.models import Outbox, People
from storage.outbox import PRIORITY_EDIT, Edit, enqueue_edits
from storage.prepared import Prepared
from storage.rows import insert, table_of

_people = table_of(People)
_outbox = table_of(Outbox)
NOON = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)


def test_an_error_is_sqlalchemys_and_tells_no_value(database_url: str) -> None:
    database = Database(database_url)
    try:
        with database.write() as conn:
            insert(conn, _people, email="jana@acme.example", name="Jana Novak")
        with pytest.raises(IntegrityError) as caught, database.write() as conn:
            insert(conn, _people, email="jana@acme.example", name="Jana Novak")
        with database.read() as conn:
            assert [one.email for one in people.list_people(conn)] == ["jana@acme.example"]
    finally:
        database.dispose()
    assert "INSERT" in str(caught.value)
    assert "Novak" not in str(caught.value)


def test_a_value_comes_back_as_through_sqlalchemy(database_url: str) -> None:
    database = Database(database_url)
    vienna = NOON.astimezone(timezone(timedelta(hours=1)))
    data = {"codes": ["ü", None, 1.5]}
    edit = Edit("home", "home:1", "home:1", data=data)
    columns = (_outbox.c.data, _outbox.c.edits, _outbox.c.created_at, _outbox.c.lease_until)
    reading = Prepared(lambda _dialect: select(*columns), columns)
    try:
        with database.write() as conn:
            assert enqueue_edits(conn, [edit], now=vienna, real=NOON) == 1
            found = reading.fetch(conn, {})
            assert found == [tuple(row) for row in conn.execute(select(*columns))]
            with pytest.raises(ValueError, match="naive"):
                enqueue_edits(conn, [edit], now=NOON.replace(tzinfo=None), real=NOON)
    finally:
        database.dispose()
    assert found == [(data, True, NOON, None)]
    assert found[0][2].tzinfo is UTC


def test_edits_that_wait_are_joined_and_an_earlier_one_hurries_them(database_url: str) -> None:
    database = Database(database_url)
    home, card = Edit("home", "home:1", "home:1", priority=4), Edit("lead_card", "card:a", "dm:1")
    try:
        with database.write() as conn:
            assert enqueue_edits(conn, [home], now=NOON, real=NOON) == 1
            assert enqueue_edits(conn, [card, home], now=NOON, real=NOON) == 1
            soon = Edit("lead_card", "card:a", "dm:1", priority=PRIORITY_EDIT - 1)
            assert enqueue_edits(conn, [soon], now=NOON, real=NOON) == 0
            rows = conn.execute(select(_outbox.c.card_key, _outbox.c.priority).order_by("card_key"))
            assert [tuple(row) for row in rows] == [("card:a", 2), ("home:1", 4)]
    finally:
        database.dispose()


def test_people_are_who_the_database_says_they_are(database_url: str) -> None:
    database = Database(database_url)
    try:
        with database.write() as conn:
            ann = insert(conn, _people, email="ann@acme.example", name="Ann")
            first = people.list_people(conn)
            assert people.list_people(conn)[0] is first[0]
            people.save_person(conn, ann, home_seen_at=NOON)
            assert people.list_people(conn)[0].home_seen_at == NOON
            assert first[0].home_seen_at is None
    finally:
        database.dispose()
