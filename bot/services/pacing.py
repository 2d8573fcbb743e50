"""When delivery may send: one post a second per conversation, pauses that Slack asks for, and a breaker.

All of it real time, and in memory: it is about this process's calls; what another one sends too much of, Slack answers
with 429, which is honoured here. What is not here: backoff of single rows (`deliver_rules`).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.services.deliver_rules import LONGEST_BACKOFF, Method

#: So many failures without an answer in a row open the breaker: then one call at a time asks whether Slack is back.
BREAKS_AT = 3


class Pace:
    """What must wait until when. One event loop's; not for threads."""

    def __init__(self, spacing: timedelta = timedelta(seconds=1)) -> None:
        self._spacing = spacing
        self._lanes: dict[str, datetime] = {}
        self._methods: dict[Method, datetime] = {}
        self._all: datetime | None = None
        self._failures = 0

    def note_post(self, lane: str, real: datetime) -> None:
        """A post goes to this lane now."""
        self._lanes[lane] = real + self._spacing

    def paced_lanes(self, real: datetime) -> frozenset[str]:
        """Lanes that must not get a post yet."""
        self._lanes = {lane: until for lane, until in self._lanes.items() if until > real}
        return frozenset(self._lanes)

    def pause(self, method: Method, until: datetime) -> None:
        """No calls of this method before `until`."""
        self._methods[method] = max(until, self._methods.get(method, until))

    def closed_until(self, method: Method, real: datetime, lane: str = "") -> datetime | None:
        """Until when this method must not be called (a post: to this lane); None when it may be."""
        bars = [self._methods.get(method), self._all]
        if method is Method.POST:
            bars.append(self._lanes.get(lane))
        return max((bar for bar in bars if bar is not None and bar > real), default=None)

    def pause_all(self, until: datetime) -> None:
        """No calls at all before `until`."""
        self._all = until

    def failed(self, real: datetime) -> None:
        """Slack gave no answer."""
        self._failures += 1
        if self._failures >= BREAKS_AT:
            wait = min(LONGEST_BACKOFF, 2.0 ** min(self._failures - BREAKS_AT, 10))
            self._all = real + timedelta(seconds=wait)

    def answered(self) -> None:
        """Slack answered, whatever it said."""
        self._failures = 0

    @property
    def is_broken(self) -> bool:
        """The breaker is open: Slack has not answered several times in a row."""
        return self._failures >= BREAKS_AT

    def room(self, real: datetime, in_flight: int, most: int) -> int:
        """How many more calls may be started."""
        if self._all is not None and self._all > real:
            return 0
        return max(0, (1 if self.is_broken else most) - in_flight)

    def wait(self, real: datetime, most: float) -> float:
        """Seconds until something may go again that may not now, at most `most`."""
        times = [*self._lanes.values(), *self._methods.values()]
        if self._all is not None:
            times.append(self._all)
        ahead = [(t - real).total_seconds() for t in times if t > real]
        return min([most, *ahead])
