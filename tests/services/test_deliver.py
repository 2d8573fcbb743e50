"""Delivery: what is decided reaches Slack once, in order, at Slack's pace, and nothing is lost on a bad day."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import OperationalError

from bot.clock import Clock
from bot.domain.agreement import Agreement, Lapses, Marketing
from bot.domain.business_time import Calendar
from bot.gateways.slack import (
    Posted,
    SlackBusy,
    SlackFailure,
    SlackInDoubt,
    SlackRefused,
    SlackUnreachable,
)
from bot.services.deliver import Deliverer
from bot.services.deliver_rules import backoff
from bot.services.deliver_types import Drop, Rendered
from bot.services.work import Work
from storage import cards, outbox
from storage.cards import CardRow
from storage.database import Database
from storage.deliveries import LEASE, OutboxRow
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
        self.gate: asyncio.Event | None = None
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
        if thread_ts:
            self.threads[ts] = (thread_ts, broadcast)
        return Posted(channel, ts)

    async def update(self, channel: str, ts: str, message: Mapping[str, Any]) -> Posted:
        await self._take("update", channel, message["text"])
        self.messages[channel, ts] = dict(message)
        return Posted(channel, ts)

    async def publish_home(self, user: str, view: Mapping[str, Any]) -> None:
        await self._take("home", user, str(view))
        self.homes[user] = dict(view)

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

    def another(self, **more: Any) -> Deliverer:
        return Deliverer(
            **{
                "database": self.database, "gateway": self.slack, "render": self.render,
                "make_work": self.work, "clock": self.clock, "run_in_thread": asyncio.to_thread,
                "after_sent": self.after_sent, "after_failure": self.after_failure,
                "worker": "w1", **more,
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


@pytest.fixture
async def office(database_url: str) -> AsyncIterator[Office]:
    office = Office(database_url)
    yield office
    await office.deliverer.stop()
    office.database.dispose()


# The plain way


async def test_a_card_is_posted_noted_and_told(office: Office) -> None:
    office.decide("card:1")
    assert await office.deliverer.drain() == 1

    assert office.slack.texts("Dann") == ["card:1"]
    row, card = office.row("card:1"), office.card("card:1")
    assert (row.state, row.slack_channel, row.slack_ts) == ("sent", "Dann", "1.0")
    assert card is not None
    assert (card.slack_channel, card.slack_ts, card.posted_at) == ("Dann", "1.0", NOON)
    assert office.sent == ["card:1"]
    assert await office.deliverer.drain() == 0


async def test_a_change_edits_the_card_and_only_what_changed_is_sent(office: Office) -> None:
    office.decide("card:1")
    await office.deliverer.drain()
    office.change("card:1", "accepted")
    await office.deliverer.drain()
    office.change("card:1", "accepted")
    await office.deliverer.drain()

    assert office.slack.texts("Dann") == ["accepted"]
    assert [method for method, _, _ in office.slack.calls] == ["post", "update"]
    assert (office.row("card:1").state, office.row("card:1").reason) == ("superseded", "unchanged")


async def test_many_changes_while_slack_is_slow_become_one_edit_with_the_newest_state(
    office: Office,
) -> None:
    office.decide("card:1")
    await office.deliverer.drain()
    office.slack.next = [SlackBusy(30)]
    for text in ("a", "b", "c", "d"):
        office.change("card:1", text)
        await office.deliverer.drain()
    await office.pass_time(31)
    assert [text for _, _, text in office.slack.calls] == ["card:1", "a", "d"]


async def test_an_edit_before_its_post_is_dropped_since_the_post_shows_it(office: Office) -> None:
    office.change("card:1", "the newest")
    await office.deliverer.drain()
    assert office.row("card:1").reason.startswith("not posted yet")
    office.decide("card:1")
    await office.deliverer.drain()
    assert office.slack.texts("Dann") == ["the newest"]


async def test_a_card_that_shows_its_end_is_left_alone(office: Office) -> None:
    office.decide("card:1")
    office.views["card:1"] = Rendered({"text": "lapsed"}, closed=True)
    await office.deliverer.drain()
    del office.views["card:1"]
    office.change("card:1", "something else")
    await office.deliverer.drain()
    assert office.slack.texts("Dann") == ["lapsed"]
    assert office.row("card:1").reason == "closed"


async def test_what_is_not_wanted_any_more_is_not_sent(office: Office) -> None:
    office.decide("card:1")
    office.views["card:1"] = Drop("offer ended")
    await office.deliverer.drain()
    assert office.slack.calls == []
    assert (office.row("card:1").state, office.row("card:1").reason) == (
        "superseded",
        "offer ended",
    )
    assert office.sent == []


async def test_a_reminder_goes_into_the_thread_of_its_card(office: Office) -> None:
    office.decide("card:1")
    await office.deliverer.drain()
    view = Rendered({"text": "12 minutes left"}, thread_of="card:1", broadcast=True)
    office.views["remind:1"] = view
    office.decide("remind:1", template="reminder", priority=outbox.PRIORITY_REST)
    await office.pass_time(1)
    assert office.slack.threads == {"2.0": ("1.0", True)}


async def test_a_reminder_whose_card_is_not_there_is_posted_all_the_same(office: Office) -> None:
    office.views["remind:1"] = Rendered({"text": "!"}, thread_of="card:1", broadcast=True)
    office.decide("remind:1", template="reminder")
    await office.deliverer.drain()
    assert office.slack.texts("Dann") == ["!"]
    assert office.slack.threads == {}


async def test_a_home_tab_is_published_when_it_changed(office: Office) -> None:
    for _ in range(2):
        office.refresh_home(office.ann)
        await office.deliverer.drain()
    assert [method for method, _, _ in office.slack.calls] == ["home"]
    office.says[f"home:{office.ann}"] = "more"
    office.refresh_home(office.ann)
    await office.deliverer.drain()
    assert office.slack.homes["Uann"]["text"] == "more"
    assert office.sent == []


# Pace


async def test_a_conversation_gets_a_post_a_second_and_edits_at_once(office: Office) -> None:
    for n in range(3):
        office.decide(f"card:{n}")
    office.decide("card:b", office.ben)
    await office.deliverer.drain()
    assert (len(office.slack.texts("Dann")), len(office.slack.texts("Dben"))) == (1, 1)
    office.change("card:0", "accepted")
    await office.deliverer.drain()
    assert office.slack.texts("Dann") == ["accepted"]
    office.time += timedelta(seconds=0.9)
    await office.deliverer.drain()
    assert len(office.slack.texts("Dann")) == 1
    office.time += timedelta(seconds=0.1)
    await office.deliverer.drain()
    assert office.slack.texts("Dann") == ["accepted", "card:1"]
    await office.pass_time(1)
    assert office.slack.texts("Dann") == ["accepted", "card:1", "card:2"]


async def test_what_was_dropped_costs_no_pause(office: Office) -> None:
    office.decide("card:1")
    office.views["card:1"] = Drop("offer ended")
    office.decide("card:2")
    await office.deliverer.drain()
    assert office.slack.texts("Dann") == ["card:2"]


async def test_told_to_wait_the_method_waits_and_the_others_go_on(office: Office) -> None:
    office.decide("card:1")
    await office.deliverer.drain()
    office.slack.next = [SlackBusy(30)]
    office.decide("card:2", office.ben)
    await office.deliverer.drain()
    office.decide("card:3", office.dana)
    office.change("card:1", "accepted")
    await office.pass_time(29)
    assert [method for method, _, _ in office.slack.calls] == ["post", "post", "update"]
    await office.pass_time(1)
    assert office.slack.texts("Dben") == ["card:2"]
    assert office.slack.texts("Ddana") == ["card:3"]
    assert office.row("card:2").attempts == 1


async def test_claimed_calls_wait_too_when_another_was_told_to(office: Office) -> None:
    """Sixteen may be on their way when the first hears of it."""
    posted: list[str] = []

    async def one_by_one(call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        result = await asyncio.to_thread(call, *args, **kwargs)
        if (
            getattr(call, "__name__", "") == "_plan"
        ):  # the second is rendered after the first's call
            await asyncio.sleep(0.05 * len(posted))
            posted.append("rendered")
        return result

    office.deliverer = office.another(run_in_thread=one_by_one)
    office.slack.next = [SlackBusy(10)]
    for n, person in enumerate((office.ann, office.ben, office.dana)):
        office.decide(f"card:{n}", person)
    await office.deliverer.drain()
    assert len(office.slack.calls) == 1
    await office.pass_time(10)
    assert len(office.slack.messages) == 3


async def test_no_more_calls_at_a_time_than_allowed(office: Office) -> None:
    office.deliverer = office.another(in_flight=4)
    office.slack.gate = asyncio.Event()
    for n in range(12):
        office.decide(f"card:{n}", lane=f"ch:C{n}")
    task = asyncio.create_task(office.deliverer.drain())
    while office.slack.running < 4:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    office.slack.gate.set()
    assert await task == 12
    assert office.slack.most_running == 4


# A bad day


async def test_without_an_answer_it_is_tried_again_later_and_later(office: Office) -> None:
    office.slack.always["Dann"] = SlackUnreachable("refused")
    office.decide("card:1")
    office.decide("card:b", office.ben)
    await office.pass_time(20)
    assert office.slack.texts("Dben") == ["card:b"]
    assert 3 <= office.row("card:1").attempts <= 6
    office.slack.always.clear()
    await office.pass_time(70)
    assert office.slack.texts("Dann") == ["card:1"]
    assert "unreachable" in office.row("card:1").reason


def test_backoff_doubles_to_a_minute_with_some_jitter() -> None:
    assert [backoff(n, 0.5) for n in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert (backoff(3, 0.0), backoff(3, 1.0)) == (3.0, 5.0)


async def test_a_post_in_doubt_is_sent_again_and_counted(office: Office) -> None:
    office.slack.next = [SlackInDoubt("no answer in time"), SlackInDoubt("http 500"), SlackBusy(1)]
    office.decide("card:1")
    await office.pass_time(10)
    assert office.slack.texts("Dann") == ["card:1"]
    assert (office.row("card:1").state, office.row("card:1").reason) == (
        "sent",
        "in doubt 2: http 500",
    )


async def test_a_worker_that_died_is_replaced_and_cannot_settle_late(office: Office) -> None:
    office.slack.gate = asyncio.Event()
    office.decide("card:1")
    stalled = asyncio.create_task(office.deliverer.drain())
    while not office.slack.running:
        await asyncio.sleep(0.01)
    office.time += LEASE + timedelta(seconds=1)
    gate, office.slack.gate = office.slack.gate, None
    await office.another(worker="w2").drain()
    taken_over = office.row("card:1")
    gate.set()
    await stalled
    assert office.row("card:1") == taken_over
    assert (taken_over.state, taken_over.claimed_by) == ("sent", "w2")
    assert office.sent == ["card:1"]


async def test_an_offer_is_never_given_up_a_note_is(office: Office) -> None:
    office.slack.always["Dann"] = SlackUnreachable("refused")
    office.decide("card:1")
    office.decide("news:1", template="news_line", priority=outbox.PRIORITY_REST)
    for _ in range(60):
        office.time += timedelta(seconds=61)
        await office.deliverer.drain()
    assert office.row("card:1").state == "pending"
    assert office.row("news:1").state == "dead"
    assert office.failed == [("news:1", "given up: refused")]


async def test_when_slack_is_down_one_call_at_a_time_asks_whether_it_is_back(
    office: Office,
) -> None:
    office.slack.always = {f"C{n}": SlackInDoubt("no answer") for n in range(40)}
    for n in range(40):
        office.decide(f"card:{n}", lane=f"ch:C{n}")
    await office.deliverer.drain()
    first = len(office.slack.calls)
    assert first <= 16 + 1
    assert office.deliverer.trouble
    await office.pass_time(600)
    assert len(office.slack.calls) - first <= 20
    office.slack.always.clear()
    await office.pass_time(130)
    assert len(office.slack.messages) == 40
    assert office.deliverer.trouble == ""


async def test_what_can_never_be_delivered_is_told_once(office: Office) -> None:
    office.slack.always["Dann"] = SlackRefused("user_disabled")
    office.decide("card:1")
    await office.pass_time(100)
    assert office.failed == [("card:1", "user_disabled")]
    assert (office.row("card:1").state, office.row("card:1").reason) == ("dead", "user_disabled")
    assert len(office.slack.calls) == 1


async def test_a_person_without_a_conversation_cannot_be_reached(office: Office) -> None:
    office.decide("card:1", lane="dm:999")
    await office.deliverer.drain()
    assert office.failed == [("card:1", "no_conversation")]


async def test_a_failure_that_could_not_be_told_is_not_settled(office: Office) -> None:
    def break_down(work: Work) -> None:
        raise RuntimeError("a bug")

    office.slack.always["Dann"] = SlackRefused("channel_not_found")
    office.on_failure = break_down
    office.decide("card:1")
    await office.deliverer.drain()
    assert office.row("card:1").state == "pending"
    office.on_failure = lambda work: None
    await office.pass_time(61)
    assert office.row("card:1").state == "dead"


async def test_what_was_sent_stays_sent_when_telling_of_it_fails(office: Office) -> None:
    def break_down(work: Work) -> None:
        raise RuntimeError("a bug")

    office.on_sent = break_down
    office.decide("card:1")
    await office.pass_time(70)
    assert office.slack.texts("Dann") == ["card:1"]
    assert office.row("card:1").state == "sent"


async def test_what_cannot_be_rendered_is_tried_again_and_stops_nobody(office: Office) -> None:
    def break_down(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
        if row.card_key == "card:1":
            raise ValueError("a bug")
        return office.render(work, row, card)

    office.deliverer = office.another(render=break_down)
    office.decide("card:1")
    office.decide("card:2")
    await office.deliverer.drain()
    assert office.slack.texts("Dann") == ["card:2"]
    assert (office.row("card:1").state, office.row("card:1").reason) == (
        "pending",
        "not rendered: ValueError",
    )


async def test_a_message_that_is_gone_closes_the_card_and_nobody_is_told(office: Office) -> None:
    office.decide("card:1")
    await office.deliverer.drain()
    office.slack.next = [SlackRefused("message_not_found")]
    office.change("card:1", "accepted")
    await office.deliverer.drain()
    card = office.card("card:1")
    assert card is not None
    assert card.closed
    assert office.row("card:1").state == "dead"
    assert office.failed == []


async def test_blocks_that_slack_refuses_are_replaced_by_the_text(office: Office) -> None:
    office.slack.next = [SlackRefused("invalid_blocks")]
    office.decide("card:1")
    await office.deliverer.drain()
    assert office.slack.messages == {("Dann", "1.0"): {"text": "card:1"}}
    assert office.row("card:1").state == "sent"


async def test_a_bad_token_stops_everything_for_a_while_and_kills_nothing(office: Office) -> None:
    office.slack.next = [SlackRefused("token_revoked")]
    office.decide("card:1")
    await office.deliverer.drain()
    office.decide("card:2", office.ben)
    await office.pass_time(29)
    assert len(office.slack.calls) == 1
    assert "token_revoked" in office.deliverer.trouble
    await office.pass_time(2)
    assert len(office.slack.messages) == 2
    assert office.deliverer.trouble == ""
    assert office.failed == []


async def test_what_happened_is_written_down_once_the_database_is_back(office: Office) -> None:
    away = 2

    def be_away(work: Work) -> None:
        nonlocal away
        away -= 1
        if away >= 0:
            raise OperationalError("", {}, Exception("database is locked"))

    office.on_sent = be_away
    office.decide("card:1")
    await office.deliverer.drain()
    assert office.row("card:1").state == "sent"
    assert office.slack.texts("Dann") == ["card:1"]
    assert office.sent == ["card:1"]


# Floods


async def test_six_offers_come_as_one_list_and_each_counts_as_delivered(office: Office) -> None:
    for n in range(6):
        office.decide(f"card:{n}")
    await office.deliverer.drain()
    assert office.slack.texts("Dann") == [", ".join(f"card:{n}" for n in range(6))]
    assert [k for k in office.sent if k.startswith("card:")] == [f"card:{n}" for n in range(6)]


async def test_offers_that_join_a_list_count_as_delivered_when_the_edit_is(office: Office) -> None:
    for n in range(6):
        office.decide(f"card:{n}")
    await office.deliverer.drain()
    office.sent.clear()
    office.slack.next = [SlackUnreachable("refused")]
    office.decide("card:6")
    await office.deliverer.drain()
    assert office.sent == []
    await office.pass_time(3)
    assert office.sent == ["card:6"]
    assert len(office.slack.texts("Dann")) == 1
    assert office.slack.texts("Dann")[0].endswith("card:6")


async def test_a_list_that_cannot_be_edited_gives_its_new_offers_back(office: Office) -> None:
    for n in range(6):
        office.decide(f"card:{n}")
    await office.deliverer.drain()
    office.slack.next = [SlackRefused("message_not_found")]
    office.decide("card:6")
    await office.pass_time(5)
    assert len(office.slack.messages) == 2
    assert office.slack.texts("Dann")[-1] == "card:6"
    assert "card:6" in office.sent


async def test_a_list_that_can_never_be_delivered_is_told_for_each_offer(office: Office) -> None:
    office.slack.always["Dann"] = SlackRefused("user_disabled")
    for n in range(6):
        office.decide(f"card:{n}")
    await office.deliverer.drain()
    assert office.failed == [(f"card:{n}", "user_disabled") for n in range(6)]


# The loop


async def test_it_runs_until_stopped_woken_by_commits(office: Office) -> None:
    running = asyncio.create_task(office.deliverer.run())
    await asyncio.sleep(0.05)
    office.decide("card:1")
    await asyncio.to_thread(office.deliverer.wake)
    async with asyncio.timeout(0.8):  # below the second between looks
        while not office.sent:
            await asyncio.sleep(0.01)
    office.decide("card:2", office.ben)  # nobody wakes it
    async with asyncio.timeout(3):
        while len(office.sent) < 2:
            await asyncio.sleep(0.01)
    await office.deliverer.stop()
    await asyncio.wait_for(running, 2)


async def test_stopping_finishes_what_is_on_its_way(office: Office) -> None:
    running = asyncio.create_task(office.deliverer.run())
    office.slack.gate = asyncio.Event()
    office.decide("card:1")
    office.decide("card:2")
    while not office.slack.running:
        await asyncio.sleep(0.01)
    stopping = asyncio.create_task(office.deliverer.stop())
    await asyncio.sleep(0.02)
    office.slack.gate.set()
    await stopping
    await running
    assert office.row("card:1").state == "sent"
    assert office.row("card:2").state == "pending"
