"""Two workers keep Slack's pace together, as they do on PostgreSQL; and what a restart must not forget."""

from __future__ import annotations

from datetime import timedelta

from bot.gateways.slack import SlackBusy, SlackInDoubt, SlackUnreachable
from bot.services.deliver import Deliverer
from bot.services.deliver_types import Drop
from bot.services.pacing import Limits
from storage import outbox
from tests.services.deliver_kit import Office

DOWN = SlackUnreachable("refused")


def two_workers(office: Office, limits: Limits | None = None) -> tuple[Deliverer, Deliverer]:
    one, other = (
        office.another(worker=name, alone=False, limits=limits or Limits()) for name in ("w1", "w2")
    )
    return one, other


async def drain(office: Office, workers: tuple[Deliverer, Deliverer], seconds: int = 0) -> None:
    for second in range(seconds + 1):
        office.time += timedelta(seconds=1 if second else 0)
        for worker in workers:
            await worker.drain()


async def test_a_pause_that_one_was_asked_for_holds_for_the_other(office: Office) -> None:
    workers = two_workers(office)
    office.slack.next = [SlackBusy(30)]
    office.decide("card:1")
    await workers[0].drain()
    office.decide("card:2", office.ben)
    await drain(office, workers, 29)
    assert len(office.slack.calls) == 1
    await drain(office, workers, 1)
    assert len(office.slack.messages) == 2


async def test_a_pause_outlives_a_restart(office: Office) -> None:
    office.slack.next = [SlackBusy(30)]
    office.decide("card:1")
    await office.deliverer.drain()
    office.time += timedelta(seconds=29)
    await office.another().drain()
    assert len(office.slack.calls) == 1


async def test_a_conversation_gets_a_post_a_second_from_both(office: Office) -> None:
    workers = two_workers(office)
    for n in range(3):
        office.decide(f"card:{n}")
    seen = []
    for _ in range(3):
        await drain(office, workers)
        seen.append(len(office.slack.texts("Dann")))
        office.time += timedelta(seconds=1)
    assert seen == [1, 2, 3]


async def test_calls_a_minute_are_counted_together_and_some_are_kept_for_escalations(
    office: Office,
) -> None:
    workers = two_workers(office, Limits(per_minute={"chat.postMessage": 20}))
    for n in range(30):
        office.decide(f"card:{n}", lane=f"ch:C{n}", template="news_line")
    await drain(office, workers, 30)
    assert len(office.slack.messages) == 18
    for n in range(4):
        office.decide(
            f"breach:{n}", lane=f"ch:E{n}", template="news_line",
            priority=outbox.PRIORITY_ESCALATION,
        )  # fmt: skip
    await drain(office, workers, 20)
    assert len(office.slack.messages) == 20
    await drain(office, workers, 12)
    assert len(office.slack.messages) == 34


async def test_a_call_that_was_not_made_is_not_counted(office: Office) -> None:
    workers = two_workers(office, Limits(per_minute={"chat.postMessage": 10}))
    for n in range(30):
        office.decide(f"card:{n}", lane=f"ch:C{n}", template="news_line")
        if n < 21:
            office.views[f"card:{n}"] = Drop("offer ended")
    await drain(office, workers, 5)
    assert len(office.slack.messages) == 9


async def test_a_wrong_clock_leaves_no_pause_behind(office: Office) -> None:
    """Somebody a year ahead was told to wait. His pause is over a year later for him, and now for all others."""
    office.time += timedelta(days=365)
    office.slack.next = [SlackBusy(30)]
    office.decide("card:1", show_at=office.time - timedelta(days=400))
    await office.deliverer.drain()
    office.time -= timedelta(days=365)
    office.decide("card:2", office.ben)
    await drain(office, two_workers(office))
    assert office.slack.texts("Dben") == ["card:2"]


async def test_while_slack_is_down_one_of_both_asks_and_then_both_go_on(office: Office) -> None:
    workers = two_workers(office)
    office.slack.down = DOWN
    office.slack.always = {f"C{n}": SlackInDoubt("no answer") for n in range(60)}
    for n in range(60):
        office.decide(f"card:{n}", lane=f"ch:C{n}", template="news_line")
    await drain(office, workers)
    calls = len(office.slack.calls)
    assert calls <= 2 * 16
    await drain(office, workers, 200)
    assert len(office.slack.calls) == calls
    assert 10 <= office.slack.probes <= 25
    office.slack.down = None
    office.slack.always.clear()
    await drain(office, workers, 17)
    assert len(office.slack.messages) == 60 - calls  # the others are in doubt, and looked for


async def test_a_slack_that_answers_but_takes_no_messages_gets_no_more_into_doubt(
    office: Office,
) -> None:
    office.slack.always = {f"C{n}": SlackInDoubt("no answer") for n in range(60)}
    for n in range(60):
        office.decide(f"card:{n}", lane=f"ch:C{n}", template="news_line")
    await office.pass_time(200)
    assert len([call for call in office.slack.calls if call[0] == "post"]) <= 16
    assert office.slack.probes > 8
