"""The tick: fires what is due, gives waiting leads to free reps, and decides when to look again. APScheduler only
rings the bell.

Its job store loses jobs after a one-second pause and cannot be shared, so the one job is re-armed at the next due
time, at most a second away; a commit that armed a timer rings too. What is not here: what a step does (`fire_timers`),
who gets what (`release_waiting`), which touches still wait for their lead (`waiting_touches`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger

from bot.services.act_once import forget_old
from bot.services.fire_timers import BATCH, fire_due, until_next_due
from bot.services.keep_watch import Watch, keep_watch
from bot.services.release_waiting import Release
from bot.services.runtime import Runtime
from handlers.waiting_touches import WaitingTouches

log = logging.getLogger(__name__)

LONGEST_SLEEP = timedelta(seconds=1)
SHORTEST_SLEEP = timedelta(milliseconds=20)
#: How often notes of clicks that nobody needs any more are cleared away.
CLEAR_EVERY = timedelta(minutes=10)
_JOB = "tick"


class Ticker:
    """Ticks until stopped. `on_tick` gets what the watch found (for health, a changed playbook)."""

    def __init__(
        self, runtime: Runtime, *, worker: str, on_watch: Callable[[Watch], Awaitable[None]]
    ) -> None:
        self._runtime = runtime
        self._worker = worker
        self._on_watch = on_watch
        self._scheduler = AsyncIOScheduler(
            timezone="UTC",
            # More than one: a tick that arms the next one still counts as running when that is looked at, and a
            # job that is skipped is gone for good, so nothing would ever ring again. `_running` keeps ticks apart.
            job_defaults={"coalesce": True, "max_instances": 3, "misfire_grace_time": None},
        )
        self._running = asyncio.Lock()
        self._ringing = False
        self._again = False
        self._stopped = False
        self._release = Release()
        self._touches = WaitingTouches(runtime)
        self._clear_at = runtime.clock.real() + CLEAR_EVERY
        self._loop: asyncio.AbstractEventLoop | None = None
        #: Real time of the last tick that ended well, for health.
        self.ticked_at: datetime | None = None

    def start(self) -> None:
        """Begin; needs the running loop."""
        self._loop = asyncio.get_running_loop()
        self._scheduler.start()
        self._arm(self._runtime.clock.real())

    def stop(self) -> None:
        """Ring no more. What a tick under way has begun to write, it writes; the rest is for the next start."""
        self._stopped = True
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def wake(self) -> None:
        """Something is due sooner, maybe now. From any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ring_now)

    async def tick(self) -> int:
        """Fire all that is due now, then give waiting leads away; how many timers were settled, and leads given."""
        async with self._running:
            watch = await self._runtime.write(lambda work: keep_watch(work, self._worker))
            fired = 0
            while True:
                some = await self._runtime.write(fire_due)
                fired += some
                if some < BATCH:
                    break
            self.ticked_at = self._runtime.clock.real()
            fired += await self._give_waiting()
        self._touches.look_if_due()
        await self._clear_away()
        await self._on_watch(watch)
        return fired

    async def _give_waiting(self) -> int:
        given = 0
        try:
            for step in await self._runtime.read(self._release.plan):
                given += await self._runtime.write(step)
        except (
            Exception
        ):  # imported leads can wait: what fires on time, and health, must not wait for them
            log.exception("waiting leads could not be released")
        return given

    async def _clear_away(self) -> None:
        now = self._runtime.clock.real()
        if now < self._clear_at:
            return
        self._clear_at = now + CLEAR_EVERY
        try:
            await self._runtime.write(forget_old)
        except Exception:  # the next time does
            log.exception("old notes could not be cleared away")

    def _ring_now(self) -> None:
        # Ringing during a tick is noted and done right after it.
        if self._ringing or self._running.locked():
            self._again = True
        else:
            self._arm(self._runtime.clock.real())

    async def _ring(self) -> None:
        try:
            await self._tick_and_arm()
        except asyncio.CancelledError:
            # The scheduler cancels what rings when it is stopped: no error then.
            if not self._stopped:
                raise

    async def _tick_and_arm(self) -> None:
        self._ringing = True
        try:
            await self.tick()
        except Exception:  # the next tick tries again; a tick must not be the last
            log.exception("a tick failed")
        finally:
            following = await self._next()
            again, self._again = self._again, False
            self._ringing = False
            if self._scheduler.running:
                self._arm(self._runtime.clock.real() if again else following)

    async def _next(self) -> datetime:
        now = self._runtime.clock.real()
        try:
            due = await self._runtime.read(until_next_due)
        except Exception:
            log.exception("could not read the next due time")
            due = None
        ahead = LONGEST_SLEEP if due is None else max(due, SHORTEST_SLEEP)
        return now + min(ahead, LONGEST_SLEEP)

    def _arm(self, at: datetime) -> None:
        if not self._scheduler.running:
            return
        job = self._scheduler.get_job(_JOB)
        if job is not None and job.next_run_time is not None and job.next_run_time <= at:
            return
        self._scheduler.add_job(self._ring, DateTrigger(at), id=_JOB, replace_existing=True)
