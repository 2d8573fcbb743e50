"""When delivery may send: one post a second per conversation, so many calls a minute of each method, pauses that Slack
asks for, and a breaker. All of it real time.

One process remembers this by itself. Where several deliver (PostgreSQL), the same is written to `paces`, and `learn`
takes over what is there: `deliver_claim` does so in the transaction that claims. A conversation gets no burst, although
Slack allows small ones: it gives no guarantee, and the 429 for one conversation is a pause for all. What is not here:
backoff of single rows (`deliver_rules`), reading and writing `paces` (`storage`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bot.services.deliver_rules import Method
from storage.claims import Kind, Quota, Wanted, capped
from storage.paces import BREAKER, PaceRow

#: So many failures without an answer in a row open the breaker.
BREAKS_AT = 3
#: Seconds: the first time and the longest between two questions whether Slack is back (the first is short: three
#: failures in a row may be bad luck); how long one process has for asking.
FIRST_WAIT = 0.25
LONGEST_WAIT = 15.0
PROBE_LEASE = 15.0
#: Of Slack's calls a minute, and of the calls in flight, this share is kept for escalations.
KEPT_FOR_ESCALATIONS = 0.1
#: And this share for conversations that Slack had no trouble with for so long: else a few that it keeps choking on use
#: up with their repetitions what the others need, and those wait for the rest of the minute.
KEPT_FOR_CALM, TROUBLE_LASTS = 0.2, timedelta(seconds=60)
#: A call counts for a minute, and is counted by the second in which it was claimed.
_COUNTS_FOR = 61
_SECONDS = 64
REST = timedelta(seconds=2)
#: An answer that takes longer than this is not waited for before something else is tried.
_PATIENCE = timedelta(seconds=1)
#: No pause is longer (the gateway cuts Retry-After there): what lies further ahead was written by a wrong clock.
LONGEST_PAUSE = timedelta(hours=1)

METHOD_OF = {Kind.POST: Method.POST, Kind.EDIT: Method.EDIT, Kind.HOME: Method.HOME}
_ALL = "all"
_NO_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be sent. `per_minute`: calls of a method by all processes together; not listed: as many as you like.

    Slack's own figures (docs.slack.dev/apis/web-api/rate-limits): a post a second a conversation, "several hundred" a
    minute; chat.update is tier 3, views.publish tier 4.
    """

    spacing: timedelta = timedelta(seconds=1)
    per_minute: Mapping[str, int] = field(
        default_factory=lambda: {Method.POST: 300, Method.EDIT: 50, Method.HOME: 100}
    )

    @classmethod
    def of_a_stand_in(cls, spacing: timedelta) -> Limits:
        """For a Slack that counts nothing."""
        return cls(spacing, {})


class Breaker:
    """Open: Slack gave no answer several times in a row. Then one call at a time asks whether it is back."""

    def __init__(self) -> None:
        self.failures = 0
        self.until: datetime | None = None
        #: The others know. Only then their silence means that one of them was answered.
        self.is_told = False
        #: When a message was answered last, as far as we know. What is in doubt since before is not this outage's.
        self.answered_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether Slack is taken to be down."""
        return self.failures >= BREAKS_AT

    def failed(self, real: datetime) -> None:
        """One more call without an answer."""
        self.failures += 1
        if self.is_open:
            wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(self.failures - BREAKS_AT, 10))
            self.until = real + timedelta(seconds=wait)

    def tried(self, real: datetime) -> None:
        """A message is on its way to find out whether Slack is back. When it hangs, another may try."""
        self.until = max(self.until or real, real + _PATIENCE)

    def rest(self, until: datetime) -> None:
        """Slack is back as it seems, but there is nothing to try it with: look again then."""
        self.until = until

    def close(self) -> None:
        """Slack answered."""
        self.failures, self.until, self.is_told = 0, None, False

    def waits(self, real: datetime) -> bool:
        """Whether it is too early to ask again."""
        return self.until is not None and real < self.until <= real + LONGEST_PAUSE


class Pace:
    """What must wait until when. For any thread."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.breaker = Breaker()
        self._lock = threading.RLock()
        self._bars: dict[str, datetime] = {}  # by the names of `storage.paces`
        self._calls: dict[str, PaceRow] = {}
        self._returned: list[PaceRow] = []
        self._troubled: dict[str, datetime] = {}

    # ------------------------------------------------------------ pauses and conversations

    def note_post(self, lane: str, real: datetime) -> PaceRow:
        """A post goes to this lane now."""
        return self._bar(f"lane:{lane}", real + self.limits.spacing)

    def pause(self, method: Method, until: datetime) -> PaceRow:
        """No calls of this method before `until`."""
        return self._bar(f"method:{method}", until)

    def pause_all(self, until: datetime) -> PaceRow:
        """No calls at all before `until`."""
        return self._bar(_ALL, until)

    def closed_until(self, method: Method, real: datetime, lane: str = "") -> datetime | None:
        """Until when this method must not be called (a post: to this lane); None when it may be."""
        names = [_ALL, f"method:{method}"]
        if method is Method.POST and lane:
            names.append(f"lane:{lane}")
        with self._lock:
            found = [self._bars[name] for name in names if name in self._bars]
        return max((bar for bar in found if _in_force(bar, real)), default=None)

    def paced_lanes(self, real: datetime) -> frozenset[str]:
        """Lanes that must not get a post yet."""
        with self._lock:
            self._bars = {name: bar for name, bar in self._bars.items() if _in_force(bar, real)}
            return frozenset(n.removeprefix("lane:") for n in self._bars if n.startswith("lane:"))

    def note_trouble(self, lane: str, real: datetime) -> None:
        """Slack told this lane to wait, or gave no answer. Not shared: each process finds out soon enough."""
        with self._lock:
            self._troubled[lane] = real + TROUBLE_LASTS

    def troubled_lanes(self, real: datetime) -> frozenset[str]:
        """Lanes that Slack choked on lately."""
        with self._lock:
            self._troubled = {k: until for k, until in self._troubled.items() if until > real}
            return frozenset(self._troubled)

    # ------------------------------------------------------------ how much

    def room(self, real: datetime, in_flight: int, most: int) -> Quota:
        """How many more calls may be started; some of them by escalations alone."""
        with self._lock:
            bar = self._bars.get(_ALL)
        if (bar is not None and _in_force(bar, real)) or self.breaker.waits(real):
            return Quota(0, 0)
        free = max(0, most - in_flight)
        if self.breaker.is_open:  # calls that hang since before must not keep us from asking
            return Quota(min(1, free), min(1, free))
        return _shared_out(free, most)

    def wanted(self, real: datetime, room: Quota) -> Wanted:
        """What may be claimed now."""
        kinds = {
            kind: Quota(0, 0)
            if self.closed_until(method, real) is not None
            else capped(self._left(method, real), room.most)
            for kind, method in METHOD_OF.items()
        }
        return Wanted(room, kinds, self.paced_lanes(real), troubled=self.troubled_lanes(real))

    def reserve(self, kinds: Iterable[Kind], real: datetime) -> list[PaceRow]:
        """Count these calls as made; what is to be written where others count, too."""
        made: dict[str, int] = {}
        for kind in kinds:
            method = METHOD_OF[kind]
            if method in self.limits.per_minute:
                made[method] = made.get(method, 0) + 1
        rows = [_counted(method, real, many) for method, many in made.items()]
        with self._lock:
            self._count(rows)
            returned, self._returned = self._returned, []
        return [*returned, *rows]

    def give_back(self, method: Method, claimed_at: datetime) -> None:
        """The call was not made after all."""
        if method in self.limits.per_minute:
            row = _counted(method, claimed_at, -1)
            with self._lock:
                self._count([row])
                self._returned.append(row)

    def wait(self, real: datetime, most: float) -> float:
        """Seconds until something may go again that may not now, at most `most`."""
        with self._lock:
            times = [*self._bars.values(), *([self.breaker.until] if self.breaker.until else [])]
        ahead = [(t - real).total_seconds() for t in times if t > real]
        return min([most, *ahead])

    # ------------------------------------------------------------ others

    def learn(self, rows: Sequence[PaceRow], real: datetime) -> None:
        """What all processes know. What only this one knows stays: it is on its way there."""
        with self._lock:
            self._calls = {row.name: row for row in rows if row.name.startswith("calls:")}
            self._count(self._returned)
            for row in rows:
                if row.name == _ALL or row.name.startswith(("method:", "lane:")):
                    self._bar(row.name, row.until_at)
            shared = next((row for row in rows if row.name == BREAKER), None)
            if shared is not None:
                self.breaker.failures = max(BREAKS_AT, int(shared.tokens))
                self.breaker.until = shared.until_at
                self.breaker.is_told = True
            elif self.breaker.is_told:
                self.breaker.close()
                self.breaker.answered_at = real

    def breaker_row(self) -> PaceRow | None:
        """The breaker, for the others; None while it is closed."""
        if not self.breaker.is_open or self.breaker.until is None:
            return None
        return PaceRow(BREAKER, self.breaker.until, float(self.breaker.failures))

    def _bar(self, name: str, until: datetime) -> PaceRow:
        with self._lock:
            self._bars[name] = max(until, self._bars.get(name, until))
            return PaceRow(name, self._bars[name])

    def _left(self, method: Method, real: datetime) -> Quota:
        most = self.limits.per_minute.get(method)
        if most is None:
            return Quota(_NO_LIMIT, _NO_LIMIT)
        with self._lock:
            used = sum(
                row.tokens
                for row in self._calls.values()
                if row.name.startswith(f"calls:{method}:")
                and real < row.until_at <= real + timedelta(seconds=_COUNTS_FOR + 1)
            )
        free = most - max(0, int(used))
        return _shared_out(max(0, free), most)

    def _count(self, rows: Iterable[PaceRow]) -> None:
        for row in rows:
            known = self._calls.get(row.name)
            if known is not None and known.until_at == row.until_at:
                row = PaceRow(row.name, row.until_at, known.tokens + row.tokens)
            self._calls[row.name] = row


def _shared_out(free: int, most: int) -> Quota:
    """Of `most`, so many are free: who may have them."""
    rest = free - int(most * KEPT_FOR_ESCALATIONS)
    return Quota(free, max(0, rest), max(0, rest - int(most * KEPT_FOR_CALM)))


def _counted(method: str, at: datetime, many: int) -> PaceRow:
    second = int(at.timestamp())
    until = datetime.fromtimestamp(second + _COUNTS_FOR, UTC)
    return PaceRow(f"calls:{method}:{second % _SECONDS}", until, float(many))


def _in_force(bar: datetime, real: datetime) -> bool:
    return real < bar <= real + LONGEST_PAUSE
