"""What is counted while Baton works: the names, and a meter that counts nothing. No names of people or leads, no ids.

What is not here: how it is shown (`handlers.metrics`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class Seen(StrEnum):
    """What happened; in brackets its labels. Values are seconds where the name says so, else 1."""

    TIMER_LATE = "timer_late_seconds"  # []
    DELIVERED = "delivered_seconds"  # [template]: from when it might be shown until Slack had it
    ACKED = "acked_seconds"  # [door]: from the request until the answer, after the commit
    SLACK_CALLED = "slack_called"  # [method, ok | busy | refused | unreachable | doubt]
    TAKEN_IN = "taken_in"  # [status]: accepted, updated, duplicate, quarantined
    REFUSED = "refused"  # [code]
    CLOCK_ENDED = "clock_ended"  # [kind, outcome]


class Meter(Protocol):
    """Takes note of what happened. From any thread; must not fail and must not take time."""

    def see(self, what: Seen, value: float, *labels: str) -> None: ...


class NoMeter:
    """Counts nothing."""

    def see(self, what: Seen, value: float, *labels: str) -> None:
        """Nothing."""


NO_METER: Meter = NoMeter()
