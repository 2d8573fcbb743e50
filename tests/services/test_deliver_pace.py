"""Delivery at Slack's pace: a post a second a conversation, pauses when told to wait, lists instead of floods."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import text

from bot.clock import Clock
from bot.gateways.slack import SlackBusy, SlackRefused, SlackUnreachable
from bot.services.deliver_types import Drop, Rendered
from bot.services.pacing import Pace
from bot.services.work import Work
from storage.cards import CardRow
from storage.claims import Kind, Quota
from storage.deliveries import OutboxRow
from tests.services.deliver_kit import Office

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
    """The answer to one call may come while the next ones are being claimed."""
    claims: list[int] = []

    async def in_thread(call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        result = await asyncio.to_thread(call, *args, **kwargs)
        if getattr(call, "__name__", "") == "take":
            claims.append(len(result))
            if len(claims) == 1:
                office.decide("card:1", office.ben)
                office.decide("card:2", office.dana)
            elif len(claims) == 2:  # claimed, and the first call is answered before they go
                gate.set()
                await asyncio.sleep(0.05)
        return result

    office.deliverer = office.another(run_in_thread=in_thread)
    gate = office.slack.gate = asyncio.Event()
    office.slack.next = [SlackBusy(10)]
    office.decide("card:0")
    await office.deliverer.drain()
    assert claims[:2] == [1, 2]
    assert len(office.slack.calls) == 1
    await office.pass_time(10)
    assert len(office.slack.messages) == 3


async def test_one_that_cannot_be_rendered_spoils_no_other(office: Office) -> None:
    """They are rendered in one transaction, which PostgreSQL gives up at the first error."""

    def render(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
        if row.card_key == "card:1":
            work.conn.execute(text("SELECT * FROM no_such_table"))
        return office.render(work, row, card)

    office.deliverer = office.another(render=render)
    for n, person in enumerate((office.ann, office.ben, office.dana)):
        office.decide(f"card:{n}", person)
    await office.deliverer.drain()
    assert office.row("card:1").reason.startswith("not rendered: ")
    assert [office.row(f"card:{n}").state for n in range(3)] == ["sent", "pending", "sent"]


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


def test_what_troubled_conversations_may_not_use_up_of_a_minute() -> None:
    now, pace = Clock().real(), Pace()
    pace.note_trouble("dm:1", now)
    pace.reserve([Kind.POST] * 210, now)
    wanted = pace.wanted(now, pace.room(now, 12, 16))
    assert wanted.troubled == {"dm:1"}
    assert wanted.calls == Quota(4, 3, 0)
    left = wanted.kinds[Kind.POST]
    assert (left.lets(urgent=False), left.lets(urgent=False, troubled=True)) == (True, False)
    later = now + timedelta(seconds=61)
    assert not pace.wanted(later, pace.room(later, 0, 16)).troubled


def test_a_call_that_hangs_does_not_keep_us_from_asking_whether_slack_is_back() -> None:
    now, pace = Clock().real(), Pace()
    for _ in range(3):
        pace.breaker.failed(now)
    now += timedelta(seconds=0.5)
    assert pace.room(now, 13, 16) == Quota(1, 1)
    pace.breaker.tried(now)
    assert pace.room(now, 14, 16) == Quota(0, 0)
    assert pace.room(now + timedelta(seconds=1), 14, 16) == Quota(1, 1)


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
