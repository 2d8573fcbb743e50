"""Delivery on a bad day: whatever Slack, the database or our own code does, nothing is lost and nobody held up."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from sqlalchemy.exc import OperationalError

from bot.gateways.slack import SlackInDoubt, SlackRefused, SlackUnreachable
from bot.services.deliver_rules import backoff
from bot.services.deliver_types import Drop, Rendered
from bot.services.work import Work
from storage import outbox
from storage.cards import CardRow
from storage.deliveries import LEASE, OutboxRow
from tests.services.deliver_kit import Office


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


async def test_a_worker_that_stalled_is_replaced_and_its_late_message_removed(
    office: Office,
) -> None:
    office.slack.gate = asyncio.Event()
    office.decide("card:1")
    stalled = asyncio.create_task(office.deliverer.drain())
    while not office.slack.running:
        await asyncio.sleep(0.01)
    office.time += LEASE + timedelta(seconds=1)
    gate, office.slack.gate = office.slack.gate, None
    second = office.another(worker="w2")
    await second.drain()
    assert office.row("card:1").state == "doubt"
    await office.settler.drain()  # not there: it may go again
    await second.drain()
    taken_over = office.row("card:1")
    gate.set()
    await stalled
    assert office.row("card:1") == taken_over
    assert (taken_over.state, taken_over.claimed_by) == ("sent", "w2")
    assert office.sent == ["card:1"]

    assert office.slack.texts("Dann") == ["card:1", "card:1"]
    office.time += timedelta(minutes=5)
    await office.settler.drain()
    assert list(office.slack.messages) == [("Dann", "1.0")]
    card = office.card("card:1")
    assert card is not None
    assert card.slack_ts == "1.0"


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
