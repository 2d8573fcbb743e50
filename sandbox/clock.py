"""A business clock that only moves when it is told to: for a sandbox that runs without Baton."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

#: A Monday, 09:00 in Berlin.
START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


class ManualClock:
    """Stands still between two moves; nothing is ever armed on it."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start

    def now(self) -> datetime:
        """The time it was moved to."""
        return self._now

    async def advance(self, seconds: int) -> None:
        """Move it."""
        self._now += timedelta(seconds=seconds)

    def next_step_at(self) -> datetime | None:
        """Nothing."""
        return None
