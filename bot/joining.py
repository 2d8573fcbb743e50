"""One process among the others on its database: it wakes them, is woken by them, says that it is there, and watches
its clock.

What is not here: what a process does (`wiring`), how a ring travels (`storage.waking`).
"""

from __future__ import annotations

import asyncio
import logging
import secrets

from bot.clock import elapsed
from bot.gateways.slack import SlackFailure, SlackGateway
from bot.services.keep_time import Timekeeper
from bot.services.keep_watch import WEB_BEAT_EVERY, Presence, beat
from bot.services.runtime import Runtime
from storage.waking import Bell, Ear

log = logging.getLogger(__name__)

#: Seconds: between looks at the clock, between measuring it against the database server's, and between questions to
#: Slack while a jump is in doubt.
LOOK_EVERY = 1.0
MEASURE_EVERY = 60.0
ASK_EVERY = 5.0
#: Others ring up to fifty times a second. Messages go at once; a timer that somebody else armed is never due so soon
#: that a tick each time would be worth it.
TICK_EVERY = 0.25


class Joined:
    """This process beside the others, between `start()` and `stop()`. `time`: what it knows about its clock."""

    def __init__(
        self, runtime: Runtime, gateway: SlackGateway, me: Presence, *, worker: bool
    ) -> None:
        self.time = Timekeeper(runtime.clock, me)
        self._runtime, self._gateway, self._me = runtime, gateway, me
        self._ticks = worker
        self._bell: Bell | None = None
        self._ear: Ear | None = None
        self._tick_from = 0.0
        self._loop: asyncio.Task[None] | None = None
        if not runtime.database.is_sqlite:
            # Not the process's name alone: two containers may share it.
            name = f"{me.name}:{secrets.token_hex(4)}"
            self._bell = Bell(runtime.database.url, name)
            runtime.wakers.others = self._bell.ring
            if worker:
                self._ear = Ear(runtime.database.url, name, self._on_ring)
        gateway.on_date = self.time.heard_from_slack

    def start(self) -> None:
        """Begin; needs the running loop."""
        self._me.started_at = self._runtime.clock.real()
        for part in (self._bell, self._ear):
            if part is not None:
                part.start()
        self._loop = asyncio.create_task(self._watch_clock())

    async def stop(self) -> None:
        """Be alone again: no thread, no line and no loop is left."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
        for part in (self._ear, self._bell):
            if part is not None:
                await asyncio.to_thread(part.stop)

    def _on_ring(self) -> None:
        """In the ear's thread."""
        wakers = self._runtime.wakers
        wakers.delivery()
        wakers.hooks()
        if elapsed() >= self._tick_from:
            self._tick_from = elapsed() + TICK_EVERY
            wakers.tick()

    async def _watch_clock(self) -> None:
        measure_at = ask_at = 0.0
        while True:
            try:
                if self.time.look():
                    measure_at = 0.0
                if self.time.doubts and elapsed() >= ask_at:
                    ask_at = elapsed() + ASK_EVERY
                    await self._ask_slack()
                # A time that tests and demos move themselves says nothing about anybody's clock.
                if elapsed() >= measure_at and self._runtime.clock.steady is not None:
                    measure_at = elapsed() + MEASURE_EVERY
                    await self._runtime.in_thread(lambda: self.time.measure(self._runtime.database))
                if not self._ticks and self._me.is_due(self._runtime.clock.real(), WEB_BEAT_EVERY):
                    await self._runtime.write(lambda work: beat(work, self._me))
            except Exception as error:  # the database is away: the next look is soon enough
                log.warning("the clock could not be compared: %s", type(error).__name__)
            await asyncio.sleep(LOOK_EVERY)

    async def _ask_slack(self) -> None:
        try:
            await self._gateway.auth_test()
        except SlackFailure as failure:
            log.warning("Slack could not be asked for the time: %s", type(failure).__name__)
