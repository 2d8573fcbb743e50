"""The bell must never fall silent: a timer that nobody rings for is a lead that is forgotten.

What is not here: what a tick does.
"""

from __future__ import annotations

import asyncio

from bot.clock import Clock
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
