"""Touches that wait for their lead: looked at when something new came in, and every few minutes by the tick.

A look only reads; a message is replayed when what it waits for is there. What is not here: what waits and for how long
(`bot.services.take_touches`).
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from bot.services.keep_message import PORTION
from bot.services.runtime import Runtime
from bot.services.take_touches import Parse, find_ready, replay_touches
from bot.services.work import Work
from handlers.intake_items import touches_of_stored

log = logging.getLogger(__name__)

LOOK_EVERY = timedelta(minutes=5)


class WaitingTouches:
    """One a process and purpose; looks do not overlap."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._fresh: set[str] = set()
        self._looking = self._looking_on = False
        self._next_at: datetime | None = None
        self._before: int | None = None

    def look_soon(self, fresh: frozenset[str]) -> None:
        """Something came that touches may wait for. In the background: the tick looks anyway."""
        if not fresh:
            return
        self._fresh |= fresh
        if not self._looking:
            self._looking = True
            self._runtime.in_background(self._look_for_fresh())

    def look_if_due(self) -> None:
        """The periodic look, for what the other way missed: an import, another process, a crash. In the background:
        after an import thousands may have found their lead, and the tick waits for none of them."""
        now = self._runtime.clock.real()
        resting = self._next_at is not None and now < self._next_at
        if self._looking_on or (resting and self._before is None):
            return
        if not resting:
            self._next_at = now + LOOK_EVERY
        self._looking_on = True
        self._runtime.in_background(self._look_on())

    async def _look_on(self) -> None:
        """One go of a look; the next tick goes on where it ended."""
        before, self._before = self._before, None
        try:
            self._before = await self._look(None, before)
        finally:
            self._looking_on = False

    async def _look_for_fresh(self) -> None:
        try:
            while self._fresh:
                fresh, self._fresh = frozenset(self._fresh), set()
                await self._look(fresh, None)
        finally:
            self._looking = False

    async def _look(self, fresh: frozenset[str] | None, before: int | None) -> int | None:
        found = await self._runtime.read(
            lambda work: find_ready(work, _parser(work), fresh=fresh, before=before)
        )
        for number in found.ready:
            await self._replay(number)
        return found.look_on_before

    async def _replay(self, number: int) -> None:
        try:
            while True:
                received = await self._runtime.write(
                    lambda work: replay_touches(work, number, _parser(work), most=PORTION)
                )
                if received is None or received.done:
                    return
        except Exception:  # it stays where it is; the others do not wait for it
            log.exception("a waiting message could not be replayed", extra={"inbox": number})


def _parser(work: Work) -> Parse:
    return lambda raw, source: touches_of_stored(raw, source, work.now)
