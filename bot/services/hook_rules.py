"""When a webhook is tried again, when it is given up, when the receiver is left alone. Pure; all times are real.

What is not here: sending (`deliver_hooks`), writing it down (`hook_settle`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.gateways.webhook_answers import Answer

GONE = 410
#: Refusals that speak of the receiver (its address, keys, load), not of what was sent.
_ABOUT_RECEIVER = frozenset({401, 402, 403, 404, 405, 407, 408, 410, 421, 423, 425, 429})
#: So many leads must have been refused before "it takes nothing for a day" is not about a single lead.
SEVERAL = 3


@dataclass(frozen=True, slots=True)
class HookRules:
    """The whole schedule. Waits in seconds. Experiments shorten it."""

    first_wait: float = 2.0  # doubled after each try
    longest_wait: float = 3600.0
    gives_up_after: timedelta = timedelta(days=3)
    disabled_after: timedelta = timedelta(days=1)
    breaks_at: int = 5  # failures in a row: then one probe at a time
    first_probe: float = 2.0  # doubled after each probe
    longest_probe: float = 300.0
    longest_pause: float = 3600.0  # whatever Retry-After says

    def backoff(self, attempts: int, jitter: float) -> float:
        """Seconds to wait after so many tries, up to a quarter off either way. `jitter`: 0 to 1."""
        doubled = self.first_wait * 2.0 ** min(max(0, attempts - 1), 20)
        return float(min(self.longest_wait, doubled) * (0.75 + jitter / 2))

    def pause(self, answer: Answer) -> float | None:
        """Seconds for which the receiver asks to be left alone; None when it does not."""
        if answer.retry_after is None or answer.status not in (429, 503):
            return None
        return min(answer.retry_after, self.longest_pause)

    def gives_up(self, first_try_at: datetime | None, real: datetime) -> bool:
        """Whether a row was tried for long enough."""
        return first_try_at is not None and real - first_try_at >= self.gives_up_after

    def is_gone(self, answer: Answer, failing_since: datetime | None, tried: int, real: datetime) -> bool:  # fmt: skip
        """Whether the receiver is to be left alone until somebody mends it. `tried`: leads that wait for a retry."""
        if answer.status == GONE:
            return True
        if failing_since is None or real - failing_since < self.disabled_after:
            return False
        return not is_about_message(answer) or tried >= SEVERAL


def is_about_message(answer: Answer) -> bool:
    """The receiver works, and does not want this one: others may do better."""
    status = answer.status
    return status is not None and 400 <= status < 500 and status not in _ABOUT_RECEIVER


class HookPace:
    """How much may be sent now. In memory: about this process's calls. One event loop's; not for threads."""

    def __init__(self, rules: HookRules) -> None:
        self._rules = rules
        self._failures = 0
        self._probes = 0
        self._probe_at: datetime | None = None
        self._paused_until: datetime | None = None

    @property
    def is_broken(self) -> bool:
        """So many failures in a row that only probes are sent."""
        return self._failures >= self._rules.breaks_at

    def failed(self, real: datetime) -> None:
        """The receiver did not do its part."""
        self._failures += 1
        if self.is_broken and (self._probe_at is None or self._probe_at <= real):
            wait = self._rules.first_probe * 2.0 ** min(self._probes, 20)
            self._probes += 1
            self._probe_at = real + timedelta(seconds=min(wait, self._rules.longest_probe))

    def answered(self) -> None:
        """The receiver did its part."""
        self._failures = self._probes = 0
        self._probe_at = None

    def pause(self, until: datetime) -> None:
        """It asked to be left alone until then."""
        self._paused_until = max(until, self._paused_until or until)

    def start_anew(self) -> None:
        """Somebody says that it is mended."""
        self.answered()
        self._paused_until = None

    def closed_until(self, real: datetime) -> datetime | None:
        """Until when nothing may be sent; None when something may."""
        bars = (self._probe_at, self._paused_until)
        return max((bar for bar in bars if bar is not None and bar > real), default=None)

    def room(self, real: datetime, in_flight: int, most: int) -> int:
        """How many more calls may be started."""
        if self.closed_until(real) is not None:
            return 0
        return max(0, (1 if self.is_broken else most) - in_flight)

    def wait(self, real: datetime, most: float) -> float:
        """Seconds until something may be sent that may not now, at most `most`."""
        until = self.closed_until(real)
        return most if until is None else min(most, (until - real).total_seconds())
