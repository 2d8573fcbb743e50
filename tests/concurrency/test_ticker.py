"""The bell must never fall silent: a timer that nobody rings for is a lead that is forgotten.

What is not here: what a tick does.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, tzinfo

import apscheduler.schedulers.base
import pytest

import handlers.ticks
from bot.clock import Clock, SteadyTime
from bot.services.keep_watch import Watch
from bot.services.runtime import Runtime
from chaos.playbooks import agreement_of, playbook_text
from handlers.ticks import Ticker
from storage.database import Database


async def test_a_ring_during_a_tick_is_followed_by_another_tick(database_url: str) -> None:
    runtime = Runtime(Database(database_url), Clock(), agreement_of(playbook_text(1)))
    ticks = 0
    enough = asyncio.Event()

    async def something_commits_meanwhile(_: Watch) -> None:
        nonlocal ticks
        ticks += 1
        if ticks == 5:
            enough.set()
        else:
            ticker.wake()

    ticker = Ticker(runtime, worker="w", on_watch=something_commits_meanwhile)
    ticker.start()
    try:
        await asyncio.wait_for(enough.wait(), 20)
    finally:
        ticker.stop()
        await asyncio.sleep(0.2)
        runtime.close()
    assert ticks >= 5


async def test_a_quiet_house_ticks_every_second(database_url: str) -> None:
    runtime = Runtime(Database(database_url), Clock(), agreement_of(playbook_text(1)))
    ticks = 0
    enough = asyncio.Event()

    async def nothing_happens(_: Watch) -> None:
        nonlocal ticks
        ticks += 1
        if ticks == 3:
            enough.set()

    ticker = Ticker(runtime, worker="w", on_watch=nothing_happens)
    ticker.start()
    ticker.wake()
    try:
        await asyncio.wait_for(enough.wait(), 20)
    finally:
        ticker.stop()
        await asyncio.sleep(0.2)
        runtime.close()
    assert ticks >= 3


@pytest.mark.parametrize("by", [timedelta(hours=-1), timedelta(hours=1)])
async def test_a_clock_that_is_set_neither_silences_the_bell_nor_makes_it_storm(
    database_url: str, monkeypatch: pytest.MonkeyPatch, by: timedelta
) -> None:
    off = timedelta(0)

    class Wall(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + off

    monkeypatch.setattr(apscheduler.schedulers.base, "datetime", Wall)
    monkeypatch.setattr(handlers.ticks, "LONGEST_SLEEP", timedelta(seconds=0.1))
    clock = Clock(SteadyTime(lambda: datetime.now(UTC) + off))
    runtime = Runtime(Database(database_url), clock, agreement_of(playbook_text(1)))
    ticked = asyncio.Semaphore(0)
    ticks = 0

    async def count(_: Watch) -> None:
        nonlocal ticks
        ticks += 1
        ticked.release()

    ticker = Ticker(runtime, worker="w", on_watch=count)
    ticker.start()
    try:
        await asyncio.wait_for(ticked.acquire(), 20)
        off, before = by, ticks
        await asyncio.sleep(1.5)
        off, during = timedelta(0), ticks - before
        await asyncio.sleep(1.0)
        after = ticks - before - during
    finally:
        ticker.stop()
        await asyncio.sleep(0.1)
        runtime.close()
    assert 1 <= during <= 20
    assert 1 <= after <= 20
