"""Delivery at Slack's pace: a post a second a conversation, pauses when told to wait, lists instead of floods."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from bot.gateways.slack import SlackBusy, SlackRefused, SlackUnreachable
from bot.services.deliver_types import Drop
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
