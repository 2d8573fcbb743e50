"""The tick: fires what is due, gives waiting leads to free reps, and decides when to look again. APScheduler only
rings the bell.

Its job store loses jobs after a one-second pause and cannot be shared, so the one job is re-armed at the next due
time, at most a second away; a commit that armed a timer rings too. It waits by the machine's clock, whoever sets that:
a count that nobody can set sees that it rings. What is not here: what a step does (`fire_timers`), reports and boards
(`fire_occasions`), who gets what (`release_waiting`), which touches still wait for their lead (`waiting_touches`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger

from bot.clock import elapsed
from bot.services.act_once import forget_old
from bot.services.fire_occasions import Almanac
from bot.services.fire_timers import BATCH, fire_due, until_next_due
from bot.services.keep_watch import Presence, Watch, keep_watch
from bot.services.purge_leads import purge_at_night
from bot.services.release_waiting import Release
from bot.services.runtime import Runtime
from handlers.waiting_touches import WaitingTouches

log = logging.getLogger(__name__)

LONGEST_SLEEP = timedelta(seconds=1)
SHORTEST_SLEEP = timedelta(milliseconds=20)
#: A bell that is rung again and again rings so long after the last tick: fifty clicks a second are not fifty ticks.
REST = timedelta(milliseconds=250)
#: A bell that has been silent for so much longer than it was armed for hangs on a clock that was set.
SILENT_AFTER = timedelta(milliseconds=500)
#: How often notes of clicks that nobody needs any more are cleared away.
CLEAR_EVERY = timedelta(minutes=10)
NOW = timedelta(0)
#: While one batch is decided, the database writes another. Only when many are due: one alone is fired by one.
LANES = 2
_JOB = "tick"


async def fire_all(runtime: Runtime) -> int:
    """Fire all that is due: a batch, and while there are full ones two at a time. How many timers were settled."""
    fired = await runtime.write(fire_due)
    if fired < BATCH:
        return fired
    # Each is waited for, also when the other fails: a tick ends when nothing of it is under way any more.
    lanes = await asyncio.gather(
        *(_fire_lane(runtime) for _ in range(LANES)), return_exceptions=True
    )
    for lane in lanes:
        if isinstance(lane, BaseException):
            raise lane
        fired += lane
    return fired


async def _fire_lane(runtime: Runtime) -> int:
    fired = 0
    while True:
        some = await runtime.write(fire_due)
        fired += some
        if some < BATCH:
            return fired


class Ticker:
    """Ticks until stopped. `on_tick` gets what the watch found (for health, a changed playbook)."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        worker: str | Presence,
        on_watch: Callable[[Watch], Awaitable[None]],
    ) -> None:
        self._runtime = runtime
        self._me = Presence(worker) if isinstance(worker, str) else worker
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
        self._almanac = Almanac()
        self._touches = WaitingTouches(runtime)
        self._clear_at = runtime.clock.real() + CLEAR_EVERY
        self._loop: asyncio.AbstractEventLoop | None = None
        self._guard: asyncio.TimerHandle | None = None
        #: When the last tick ended well, by the counter that nobody sets: for health.
        self.ticked_at: float | None = None

    def start(self) -> None:
        """Begin; needs the running loop."""
        self._loop = asyncio.get_running_loop()
        self._scheduler.start()
        self._arm(NOW)

    def stop(self) -> None:
        """Ring no more. What a tick under way has begun to write, it writes; the rest is for the next start."""
        self._stopped = True
        self._guard_until(None)
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def wake(self) -> None:
        """Something is due sooner, maybe now. From any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ring_now)

    async def tick(self) -> int:
        """Fire all that is due now, then give waiting leads away; how many timers and occasions were settled, and leads
        given."""
        async with self._running:
            watch = await self._runtime.write(lambda work: keep_watch(work, self._me))
            fired = await fire_all(self._runtime)
            self.ticked_at = elapsed()
            fired += await self._keep_occasions()
            fired += await self._give_waiting()
        self._touches.look_if_due()
        await self._clear_away()
        await self._on_watch(watch)
        return fired

    async def _keep_occasions(self) -> int:
        """Reports and boards. On an idle tick nothing is read for them."""
        runtime = self._runtime
        fired = 0
        try:
            while self._almanac.is_due(runtime.clock.business(), runtime.agreement):
                some = await runtime.write(self._almanac.keep)
                fired += some
                if not some:
                    break
        except Exception:  # a report can wait: what fires on time, and health, must not wait for it
            log.exception("occasions could not be kept")
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
            await self._runtime.write(purge_at_night)
        except Exception:  # the next time does
            log.exception("what is old could not be cleared away")

    def _ring_now(self, anew: bool = False) -> None:
        # Ringing during a tick is noted and done right after it.
        if self._ringing or self._running.locked():
            self._again = True
        else:
            self._arm(NOW if anew else self._rest(), anew=anew)

    def _rest(self) -> timedelta:
        """What is left of the pause after the last tick."""
        if self.ticked_at is None:
            return NOW
        return max(NOW, REST - timedelta(seconds=elapsed() - self.ticked_at))

    async def _ring(self) -> None:
        try:
            await self._tick_and_arm()
        except asyncio.CancelledError:
            # The scheduler cancels what rings when it is stopped: no error then.
            if not self._stopped:
                raise

    async def _tick_and_arm(self) -> None:
        self._ringing = True
        self._guard_until(None)
        try:
            await self.tick()
        except Exception:  # the next tick tries again; a tick must not be the last
            log.exception("a tick failed")
        finally:
            following = await self._next()
            again, self._again = self._again, False
            self._ringing = False
            self._arm(min(REST, following) if again else following)

    async def _next(self) -> timedelta:
        try:
            due = await self._runtime.read(until_next_due)
        except Exception:
            log.exception("could not read the next due time")
            due = None
        occasion = self._almanac.until_next(self._runtime.clock.business())
        soonest = min((each for each in (due, occasion) if each is not None), default=LONGEST_SLEEP)
        return min(max(soonest, SHORTEST_SLEEP), LONGEST_SLEEP)

    def _arm(self, ahead: timedelta, *, anew: bool = False) -> None:
        """Ring so far ahead, or sooner if that is armed. `anew`: whatever is armed, it does not ring."""
        if not self._scheduler.running:
            return
        at = self._runtime.clock.wall() + ahead
        job = self._scheduler.get_job(_JOB)
        sooner = job is not None and job.next_run_time is not None and job.next_run_time <= at
        if anew or not sooner:
            self._scheduler.add_job(self._ring, DateTrigger(at), id=_JOB, replace_existing=True)
            self._guard_until(ahead + SILENT_AFTER)

    def _guard_until(self, ahead: timedelta | None) -> None:
        if self._guard is not None:
            self._guard.cancel()
        self._guard = None
        if ahead is not None and self._loop is not None:
            self._guard = self._loop.call_later(ahead.total_seconds(), self._ring_now, True)
