"""Delivery: what is decided reaches Slack once, shows the newest state, and is told of; and the loop it runs in.

Its pace and its lists are in `test_deliver_pace.py`, its failures in `test_deliver_bad_day.py`.
"""

from __future__ import annotations

import asyncio

from bot.gateways.slack import SlackBusy
from bot.services.deliver_types import Drop, Rendered
from storage import outbox
from tests.services.deliver_kit import NOON, Office

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
    assert [method for method, _, _ in office.slack.calls] == ["home"]  # once a second
    await office.pass_time(1)
    assert office.slack.homes["Uann"]["text"] == "more"
    assert office.sent == []


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
