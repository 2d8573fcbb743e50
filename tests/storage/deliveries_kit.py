"""A post office: an outbox that is filled, claimed, settled and folded in a word each.

The fixture `post` is in `conftest.py`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from storage import cards, claims, deliveries, doubts, foldings, outbox
from storage.claims import Wanted, of_one
from storage.database import Database
from storage.deliveries import OutboxRow
from storage.models import Leads, Outbox, People
from storage.rows import insert, table_of

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
_outbox = table_of(Outbox)
SECOND = timedelta(seconds=1)


class Post:
    """An outbox and two workers on it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = NOON  # business and real time alike

    def person(self, name: str) -> int:
        with self.database.write() as conn:
            return insert(conn, table_of(People), email=f"{name}@acme.example", name=name)

    def lead(self) -> int:
        with self.database.write() as conn:
            return insert(
                conn, table_of(Leads), status="offered", source="form", external_id="1",
                arrived_at=NOON, occurred_at=NOON, status_at=NOON, reasons=[], score_reasons=[],
                extra={},
            )  # fmt: skip

    def decide(self, key: str, lane: str = "dm:1", **more: Any) -> None:
        with self.database.write() as conn:
            values: dict[str, Any] = {
                "template": "lead_card", "priority": outbox.PRIORITY_OFFER, "card_key": key,
                "lane": lane, "now": self.now, "real": self.now, **more,
            }  # fmt: skip
            assert outbox.enqueue_post(conn, **values)

    def decide_edit(self, key: str, lane: str = "dm:1", **more: Any) -> bool:
        with self.database.write() as conn:
            return outbox.enqueue_edit(
                conn, template="lead_card", card_key=key, lane=lane, now=self.now, real=self.now,
                **more,
            )  # fmt: skip

    def claim(self, worker: str = "w1", **more: Any) -> list[OutboxRow]:
        with self.database.write() as conn:
            return claims.claim(
                conn, Wanted(**{"calls": of_one(16), **more}), now=self.now, real=self.now,
                worker=worker,
            )  # fmt: skip

    def claim_doubts(self, worker: str = "w1") -> list[OutboxRow]:
        with self.database.write() as conn:
            return doubts.claim_lane(conn, real=self.now, worker=worker)

    def claim_keys(self, **more: Any) -> list[str]:
        return [row.card_key for row in self.claim(**more)]

    def settle(self, row: OutboxRow) -> bool:
        with self.database.write() as conn:
            return deliveries.settle_sent(conn, row, channel="D1", ts="1.2", real=self.now)

    def put_off(self, row: OutboxRow, wait: timedelta = SECOND, reason: str = "no answer") -> bool:
        with self.database.write() as conn:
            return deliveries.settle_retry(
                conn, row, not_before=self.now + wait, reason=reason, real=self.now
            )

    def rows(self, **where: Any) -> list[Any]:
        query = select(_outbox).order_by(_outbox.c.id)
        for name, value in where.items():
            query = query.where(_outbox.c[name] == value)
        with self.database.read() as conn:
            return list(conn.execute(query))

    def lanes(self) -> set[str]:
        return {row.lane for row in self.rows()}

    def states(self) -> dict[str, str]:
        return {row.dedupe_key: row.state for row in self.rows(edits=False)}

    def fold(self) -> int:
        with self.database.write() as conn:
            floods = foldings.find_floods(conn, now=self.now, lanes=self.lanes())
            return sum(foldings.fold(conn, flood, now=self.now, real=self.now) for flood in floods)

    def posted(self, key: str, person: int, template: str, **more: Any) -> None:
        with self.database.write() as conn:
            cards.save_posted(
                conn, card_key=key, template=template, channel="D1", ts="1.1", rendered_hash="",
                now=self.now, closed=False, person_id=person, **more,
            )  # fmt: skip


def one_writer_is_enough(post: Post) -> None:
    if post.database.is_sqlite:
        pytest.skip("SQLite has one writer at a time: this cannot happen")
