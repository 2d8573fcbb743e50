"""The one place that reads the time. Everybody else is given an instant, or this object.

`real()` is for what the world outside sees: leases, backoff, pacing, signatures, trigger ids,
sessions. `business()` is for what the playbook speaks of: clocks, wake dates, reports. The two
differ by an offset that only the sandbox moves. A wall clock that jumps is not believed at once
(`SteadyTime`). What is not here: storing the offset, ticking, asking others what time it is.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

#: Gives the current instant, aware.
TimeSource = Callable[[], dt.datetime]
#: Seconds since some moment; nobody can set it.
Counter = Callable[[], float]

#: A jump this far, either way, is told. One further than `DOUBTED` is not believed at once, but after `HOLD` at the
#: latest, unless somebody outside goes on saying that it is wrong. One further than `ABSURD` is never believed before
#: somebody outside confirms it: what is armed ten years ahead is lost for ten years.
TOLD = dt.timedelta(seconds=30)
DOUBTED = dt.timedelta(minutes=5)
HOLD = dt.timedelta(seconds=60)
ABSURD = dt.timedelta(days=7)
_KEPT = 20


def _system_time() -> dt.datetime:
    # Looked up on the module at each call, so that a frozen clock in a test is seen here too.
    return dt.datetime.now(dt.UTC)


def elapsed() -> float:
    """Seconds that nobody sets back or forth; where the system can, they count on while the machine sleeps."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


@dataclass(frozen=True, slots=True)
class Jump:
    """The wall clock moved by `by` more than the time that passed. `at`: the time as it was held until then."""

    at: dt.datetime
    by: dt.timedelta


@dataclass(slots=True)
class _Doubt:
    """A jump that is not believed. `until`: when it is, by the counter."""

    by: dt.timedelta
    until: float


class SteadyTime:
    """The wall clock, as long as it goes on as steadily as the machine's counter. A time source; any thread's.

    A jump of up to five minutes is followed. After a further one time goes on as it did before, for at most a minute
    or until `heard` says who is right: a machine that slept is believed as soon as Slack says so, a clock that
    somebody set ten years ahead never makes ten years of steps due while Slack says otherwise.
    """

    def __init__(self, wall: TimeSource = _system_time, counter: Counter = elapsed) -> None:
        self._wall, self._counter = wall, counter
        self._lock = threading.Lock()
        self._at, self._count = wall(), counter()
        self._doubt: _Doubt | None = None
        self._jumps: list[Jump] = []

    def __call__(self) -> dt.datetime:
        """The instant now."""
        with self._lock:
            wall, count, steady = self._look()
            off = wall - steady
            if abs(off) <= DOUBTED:
                if self._doubt is None:
                    self._note(steady, off)
                self._doubt = None
                return self._follow(wall, count)
            if self._doubt is None or abs(off - self._doubt.by) > TOLD:
                self._note(steady, off)
                hold = HOLD.total_seconds() if abs(off) <= ABSURD else float("inf")
                self._doubt = _Doubt(off, count + hold)
            if count >= self._doubt.until:
                self._doubt = None
                return self._follow(wall, count)
            return steady

    def wall(self) -> dt.datetime:
        """What the machine's clock shows, believed or not."""
        return self._wall()

    @property
    def doubted(self) -> dt.timedelta | None:
        """How far the wall clock is from what is held now; None: it is believed."""
        return self._doubt.by if self._doubt is not None else None

    @property
    def jumps(self) -> tuple[Jump, ...]:
        """The latest jumps of more than `TOLD`, oldest first."""
        return tuple(self._jumps)

    def heard(self, at: dt.datetime) -> None:
        """Somebody outside says that it is `at` now. Counts only while there is a doubt: it may be seconds off."""
        with self._lock:
            if self._doubt is None:
                return
            wall, count, steady = self._look()
            if abs(at - wall) < abs(at - steady):
                self._doubt = None
                self._follow(wall, count)
            else:
                self._doubt.until = max(self._doubt.until, count + HOLD.total_seconds())

    def _look(self) -> tuple[dt.datetime, float, dt.datetime]:
        wall, count = self._wall(), self._counter()
        return wall, count, self._at + dt.timedelta(seconds=count - self._count)

    def _follow(self, wall: dt.datetime, count: float) -> dt.datetime:
        self._at, self._count = wall, count
        return wall

    def _note(self, at: dt.datetime, by: dt.timedelta) -> None:
        if abs(by) > TOLD:
            self._jumps = [*self._jumps[1 - _KEPT :], Jump(at, by)]


class Clock:
    """Aware UTC instants.

    Safe to share between threads: reading and replacing one attribute is atomic.
    """

    def __init__(self, source: TimeSource = _system_time) -> None:
        self._source = source
        self._offset = dt.timedelta()

    @property
    def steady(self) -> SteadyTime | None:
        """The guard against jumps, where there is one: not in tests and demos, which move time themselves."""
        return self._source if isinstance(self._source, SteadyTime) else None

    @property
    def offset(self) -> dt.timedelta:
        """How far `business()` is ahead of `real()`; zero but in the sandbox."""
        return self._offset

    def set_offset(self, offset: dt.timedelta) -> None:
        """Move business time to `real() + offset`."""
        self._offset = offset

    def real(self) -> dt.datetime:
        """The instant now, UTC."""
        return self._source().astimezone(dt.UTC)

    def wall(self) -> dt.datetime:
        """What the machine's clock shows, believed or not: for whoever waits by that clock, as a scheduler does."""
        return self.steady.wall() if self.steady is not None else self.real()

    def business(self) -> dt.datetime:
        """The instant now by the agreement's time, UTC."""
        return self.real() + self._offset
