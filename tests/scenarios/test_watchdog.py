"""The watchdog at work: what it mends nobody hears of, what it cannot mend the admins hear once, by two ways."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from bot.gateways.alerts import Alert, Outcome
from bot.gateways.webhook_answers import Answer
from bot.services.watch_house import Audit, Watchdog
from storage import clocks
from tests.story import Story


class Outside:
    """The second way and whoever waits for the heartbeat."""

    configured = ("mail",)

    def __init__(self) -> None:
        self.alerts: list[tuple[Alert, Sequence[str]]] = []
        self.pings = 0

    async def send(self, alert: Alert, at: datetime, to: Sequence[str] = ()) -> Outcome:
        self.alerts.append((alert, to))
        return Outcome(("mail",))

    async def ping(self, at: datetime) -> Answer:
        self.pings += 1
        return Answer("http_200", "", 200)


async def change(story: Story, sql: str, **values: Any) -> None:
    def run() -> None:
        with story.house.runtime.database.write() as conn:
            conn.execute(text(sql), values)

    await story.house.runtime.in_thread(run)


async def look(story: Story, watchdog: Watchdog) -> Audit | None:
    story.time.instant += timedelta(minutes=1)
    audit = await watchdog.audit()
    await story.settle()
    return audit


async def test_a_lost_timer_is_armed_again_and_nobody_hears_of_it(story: Story) -> None:
    outside = Outside()
    watchdog = Watchdog(story.house.runtime, worker="w1", ways=outside, pulse=outside)
    other = Watchdog(story.house.runtime, worker="w2", ways=outside, pulse=outside)
    await story.lead_arrives("Initech")
    await story.expect_dm("ann", "Initech")
    assert await look(story, watchdog) == Audit(0, 0, 0, well=True)
    assert await other.audit() is None  # it is not its turn
    assert outside.pings == 1

    await change(story, "DELETE FROM timers WHERE lead_id = 1 AND step LIKE '100:breach%'")
    audit = await look(story, watchdog)
    assert audit is not None
    assert (audit.found, audit.repaired, audit.well) == (2, 2, True)  # accept and shelf life
    assert await look(story, watchdog) == Audit(0, 0, 0, well=True)
    armed = story.house.runtime.read_now(lambda work: clocks.list_timers(work.conn, 1))
    assert {"75:remind", "100:reoffer", "100:breach"} <= {timer.step for timer in armed}
    assert outside.alerts == []
    assert "repaired" in [entry.kind for entry in story.journal("Initech")]
    await story.expect_nothing_else()


async def test_what_cannot_be_mended_is_told_once_and_that_it_is_over(story: Story) -> None:
    outside = Outside()
    watchdog = Watchdog(story.house.runtime, worker="w1", ways=outside, pulse=outside)
    await story.lead_arrives("Initech")
    await story.expect_dm("ann", "Initech")
    whole = story.house.runtime.read_now(lambda work: clocks.list_clocks(work.conn, 1))
    await change(story, "DELETE FROM timers WHERE lead_id = 1 AND step LIKE '100:breach%'")
    # A clock that does not know how long it runs cannot be armed.
    await change(story, "UPDATE clocks SET kind = 'no such kind' WHERE id = :id", id=whole[-1].id)
    audit = await look(story, watchdog)
    assert audit is not None
    assert audit.repaired == 1
    for _ in range(3):
        audit = await look(story, watchdog)
        assert audit is not None
        assert not audit.well
    assert outside.pings == 1  # only while nothing was known to be left
    said = "a clock runs but nothing would happen at its end"
    told = await story.expect_dm("ops", f"Baton: {said} (lead #1).")
    assert told.text.lower().count(said) == 1
    ((alert, to),) = outside.alerts
    assert alert.subject == "Baton: A clock runs but nothing would happen at its end"
    assert to == ("ops@acme.example",)

    await change(
        story,
        "UPDATE clocks SET ended_at = started_at, kind = 'accept' WHERE id = :id",
        id=whole[-1].id,
    )
    audit = await look(story, watchdog)
    assert audit is not None
    await story.expect_dm("ops", "Over: ")
    assert len(outside.alerts) == 2
    await look(story, watchdog)
    await story.expect_nothing_else()
