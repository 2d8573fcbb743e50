"""An office: a database, delivery, and a Slack that takes everything down and has bad days on demand.

The fixture `office` is in `conftest.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from bot.clock import Clock
from bot.domain.agreement import Agreement, Lapses, Marketing
from bot.domain.business_time import Calendar
from bot.gateways.slack import Posted, SlackFailure, SlackInDoubt
from bot.gateways.slack_reading import Page, Seen
from bot.services.deliver import Deliverer
from bot.services.deliver_types import Drop, Rendered
from bot.services.settle_doubts import DoubtSettler
from bot.services.work import Work
from storage import cards, outbox
from storage.cards import CardRow
from storage.database import Database
from storage.deliveries import OutboxRow
from storage.models import Outbox, People
from storage.rows import insert, table_of

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
_outbox = table_of(Outbox)


class FakeSlack:
    """Takes messages down. `next` holds what it does instead with the next calls; None: nothing special."""

    def __init__(self) -> None:
        self.messages: dict[tuple[str, str], dict[str, Any]] = {}
        self.calls: list[tuple[str, str, str]] = []  # method, channel, text
        self.threads: dict[str, tuple[str, bool]] = {}  # ts -> thread_ts, broadcast
        self.homes: dict[str, dict[str, Any]] = {}
        self.next: list[SlackFailure | None] = []
        self.always: dict[str, SlackFailure] = {}  # by channel
        self.lose_answers = 0  # so many posts are taken down, and their answers get lost
        self.stands: dict[tuple[str, str], tuple[str, str]] = {}  # -> delivery id, thread
        self.unreadable: dict[str, SlackFailure] = {}  # by channel: its history
        self.at: datetime | None = None  # its clock; all that was posted is of then
        self.gate: asyncio.Event | None = None
        self.down: SlackFailure | None = None  # for the question whether Slack is back
        self.probes = 0
        self.running = 0
        self.most_running = 0

    async def _take(self, method: str, channel: str, text: str) -> None:
        self.calls.append((method, channel, text))
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        try:
            if self.gate is not None:
                await self.gate.wait()
            failure = self.next.pop(0) if self.next else self.always.get(channel)
            if failure is not None:
                raise failure
        finally:
            self.running -= 1

    async def post(
        self, channel: str, message: Mapping[str, Any], *, delivery_id: str,
        thread_ts: str | None = None, broadcast: bool = False,
    ) -> Posted:  # fmt: skip
        assert delivery_id
        await self._take("post", channel, message["text"])
        ts = f"{len(self.messages) + 1}.0"
        self.messages[channel, ts] = dict(message)
        self.stands[channel, ts] = (delivery_id, thread_ts or "")
        if thread_ts:
            self.threads[ts] = (thread_ts, broadcast)
        if self.lose_answers:
            self.lose_answers -= 1
            raise SlackInDoubt("no answer in time")
        return Posted(channel, ts)

    async def history(self, channel: str, oldest: datetime, cursor: str = "") -> Page:
        return await self._read("history", channel, "", oldest)

    async def replies(
        self, channel: str, thread_ts: str, oldest: datetime, cursor: str = ""
    ) -> Page:
        return await self._read("replies", channel, thread_ts, oldest)

    async def _read(self, method: str, channel: str, thread: str, oldest: datetime) -> Page:
        await self._take(method, channel, "")
        if channel in self.unreadable:
            raise self.unreadable[channel]
        seen = [
            Seen(ts, delivery_id)
            for (where, ts), (delivery_id, of) in self.stands.items()
            if (where, of) == (channel, thread) and (self.at is None or oldest <= self.at)
        ]
        return Page(tuple(reversed(seen)), "", self.at)

    async def delete(self, channel: str, ts: str) -> None:
        await self._take("delete", channel, "")
        del self.messages[channel, ts], self.stands[channel, ts]

    async def update(self, channel: str, ts: str, message: Mapping[str, Any]) -> Posted:
        await self._take("update", channel, message["text"])
        self.messages[channel, ts] = dict(message)
        return Posted(channel, ts)

    async def publish_home(self, user: str, view: Mapping[str, Any]) -> None:
        await self._take("home", user, str(view))
        self.homes[user] = dict(view)

    async def auth_test(self) -> None:
        self.probes += 1
        if self.down is not None:
            raise self.down

    def texts(self, channel: str) -> list[str]:
        return [m["text"] for (where, _), m in self.messages.items() if where == channel]


class Office:
    """A database, two reps and a manager, a clock that stands still, and delivery between them and Slack."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        self.time = NOON
        self.clock = Clock(source=lambda: self.time)
        self.slack = FakeSlack()
        self.says: dict[str, str] = {}  # card_key -> what is to be shown; default its key
        self.views: dict[str, Rendered | Drop] = {}
        self.sent: list[str] = []
        self.failed: list[tuple[str, str]] = []
        self.on_failure: Callable[[Work], None] = lambda work: None
        self.on_sent: Callable[[Work], None] = lambda work: None
        with self.database.write() as conn:
            self.ann, self.ben, self.dana = (
                insert(
                    conn, table_of(People), email=f"{name}@acme.example", name=name,
                    slack_user_id=f"U{name}", slack_channel_id=f"D{name}",
                )
                for name in ("ann", "ben", "dana")
            )  # fmt: skip
        self.deliverer = self.another()
        self.settler = self.another_settler()

    def another(self, **more: Any) -> Deliverer:
        return Deliverer(
            **{
                "database": self.database, "gateway": self.slack, "render": self.render,
                "make_work": self.work, "clock": self.clock, "run_in_thread": asyncio.to_thread,
                "after_sent": self.after_sent, "after_failure": self.after_failure,
                "worker": "w1", **more,
            }
        )  # fmt: skip

    def another_settler(self, **more: Any) -> DoubtSettler:
        return DoubtSettler(
            **{
                "database": self.database, "gateway": self.slack, "render": self.render,
                "make_work": self.work, "clock": self.clock, "run_in_thread": asyncio.to_thread,
                "settlement": self.deliverer.settlement, "worker": "w1", **more,
            }
        )  # fmt: skip

    def work(self, conn: Connection) -> Work:
        return Work(conn, self.clock.business(), self.clock.real(), NO_AGREEMENT)

    def render(self, work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
        if row.card_key in self.views:
            return self.views[row.card_key]
        if row.template in outbox.LISTS:
            data = card.data if card is not None else row.data
            return Rendered({"text": ", ".join(data["offer_ids"]), "blocks": []})
        return Rendered({"text": self.says.get(row.card_key, row.card_key), "blocks": [{}]})

    def after_sent(self, work: Work, row: OutboxRow) -> None:
        self.on_sent(work)
        self.sent.append(row.card_key)

    def after_failure(self, work: Work, row: OutboxRow, error: str) -> None:
        self.failed.append((row.card_key, error))
        self.on_failure(work)

    def decide(self, key: str, person: int | None = None, **more: Any) -> None:
        person = self.ann if person is None else person
        values: dict[str, Any] = {
            "template": "lead_card", "card_key": key, "lane": f"dm:{person}",
            "priority": outbox.PRIORITY_OFFER, "person_id": person, "offer_id": key,
            "now": self.time, "real": self.time, **more,
        }  # fmt: skip
        with self.database.write() as conn:
            assert outbox.enqueue_post(conn, **values)

    def change(self, key: str, text: str = "", person: int | None = None) -> None:
        if text:
            self.says[key] = text
        with self.database.write() as conn:
            outbox.enqueue_edit(
                conn, template="lead_card", card_key=key, lane=f"dm:{person or self.ann}",
                now=self.time, real=self.time,
            )  # fmt: skip

    def refresh_home(self, person: int) -> None:
        with self.database.write() as conn:
            outbox.enqueue_edit(
                conn, template="home", card_key=f"home:{person}", lane=f"home:{person}",
                now=self.time, real=self.time, person_id=person,
            )  # fmt: skip

    async def pass_time(self, seconds: float) -> None:
        """Second by second, delivering."""
        for _ in range(round(seconds)):
            self.time += timedelta(seconds=1)
            await self.settler.drain()
            await self.deliverer.drain()

    def row(self, key: str) -> Any:
        """The newest row of a card."""
        with self.database.read() as conn:
            query = select(_outbox).where(_outbox.c.card_key == key).order_by(_outbox.c.id.desc())
            return conn.execute(query).first()

    def card(self, key: str) -> CardRow | None:
        with self.database.read() as conn:
            return cards.read_card(conn, key)


_ALWAYS = Calendar.around_the_clock()
NO_AGREEMENT = Agreement(
    company="Acme", timezone="UTC", signer_sales="", signer_marketing="", mql=None,
    fast_lane=None, scoring=(), people={}, teams={},
    marketing=Marketing(members=(), above="", channel="C0REVIEW", calendar=_ALWAYS),
    routing=(), slas=(), marketing_slas={}, lapses=Lapses(), reject_reasons=(),
    turn_back_reasons=(), recycle_reasons=(), calendar=_ALWAYS,
)  # fmt: skip
