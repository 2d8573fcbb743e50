"""The one place that reads the time. Everybody else is given an instant, or this object.

`real()` is for what the world outside sees: leases, backoff, pacing, signatures, trigger ids,
sessions. `business()` is for what the playbook speaks of: clocks, wake dates, reports. The two
differ by an offset that only the sandbox moves. What is not here: storing the offset, ticking.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

#: Gives the current instant, aware.
TimeSource = Callable[[], dt.datetime]


def _system_time() -> dt.datetime:
    # Looked up on the module at each call, so that a frozen clock in a test is seen here too.
    return dt.datetime.now(dt.UTC)


class Clock:
    """Aware UTC instants.

    Safe to share between threads: reading and replacing one attribute is atomic.
    """

    def __init__(self, source: TimeSource = _system_time) -> None:
        self._source = source
        self._offset = dt.timedelta()

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

    def business(self) -> dt.datetime:
        """The instant now by the agreement's time, UTC."""
        return self.real() + self._offset
