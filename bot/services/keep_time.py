"""Whose clock is right: this process's against the database server's and Slack's, and what it did when it jumped.

Nothing here decides what fires: that is always `Clock`'s time. Measuring tells people that a clock is wrong, and helps
a jump of it to be believed or not (`bot.clock.SteadyTime`). What is not here: telling them (health).
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from bot.clock import Clock, Jump, elapsed
from bot.services.keep_watch import Presence
from storage import playbooks
from storage.database import Database

log = logging.getLogger(__name__)

#: Processes further apart than this are named: leases of 60 s are long against it.
MOST_SKEW = timedelta(seconds=2)
#: Slack tells full seconds, and its answer may have been on its way for ten.
MOST_OFF_SLACK = timedelta(seconds=15)


class Timekeeper:
    """What one process knows about its own clock. `faults()` for health."""

    def __init__(self, clock: Clock, me: Presence) -> None:
        self._clock = clock
        self._me = me
        self._told: tuple[Jump, ...] = ()
        self._off_slack = timedelta(0)
        self._heard_at: datetime | None = None
        self._said_skew = False

    @property
    def skew(self) -> timedelta:
        """This process's clock minus the database server's, when it was last measured."""
        return timedelta(milliseconds=self._me.skew_ms)

    @property
    def doubts(self) -> bool:
        """The wall clock jumped, and nobody has said yet who is right: ask Slack."""
        steady = self._clock.steady
        return steady is not None and steady.doubted is not None

    def measure(self, database: Database) -> None:
        """Compare with the database server's clock; in a worker thread. The best of three: a busy pool is no skew."""
        best: tuple[float, timedelta] | None = None
        for _ in range(3):
            with database.read() as conn:
                playbooks.server_time(conn)  # the connection, and its transaction, are there
                before, began = self._clock.real(), elapsed()
                server = playbooks.server_time(conn)
                took = elapsed() - began
            if server is None:
                return
            skew = before + timedelta(seconds=took / 2) - server
            if best is None or took < best[0]:
                best = (took, skew)
        assert best is not None  # noqa: S101 - the loop ran
        self._me.skew_ms = round(best[1] / timedelta(milliseconds=1))
        off = abs(best[1]) > MOST_SKEW
        if off and not self._said_skew:
            log.error("%s", self._skew_sentence())
        elif self._said_skew and not off:
            log.info("the clock of %s is right again", self._me.name)
        self._said_skew = off

    def heard_from_slack(self, date: str) -> None:
        """The `Date` header of an answer of Slack."""
        steady = self._clock.steady
        if steady is None:
            return
        try:
            at = parsedate_to_datetime(date).astimezone(UTC)
        except (ValueError, TypeError):
            return
        doubted = steady.doubted
        steady.heard(at)
        if doubted is not None and steady.doubted is None:
            log.warning("Slack's time agrees with the clock that jumped: it is followed")
        self._off_slack = self._clock.real() - at
        self._heard_at = at

    def look(self) -> bool:
        """Notice and log jumps; True when there was a new one."""
        steady = self._clock.steady
        if steady is None:
            return False
        self._clock.real()
        fresh = [jump for jump in steady.jumps if jump not in self._told]
        self._told = steady.jumps
        for jump in fresh:
            log.error(
                "the clock of this machine jumped by %+.0f seconds", jump.by.total_seconds(),
                extra={"held": self.doubts},
            )  # fmt: skip
        return bool(fresh)

    def faults(self) -> list[str]:
        """Sentences for `/readyz`: this process's clock is off, or has jumped."""
        found = []
        steady = self._clock.steady
        if steady is not None and steady.doubted is not None:
            found.append(
                f"The clock of {self._me.name} jumped by {_span(steady.doubted)} and is not believed yet."
            )
        if abs(self.skew) > MOST_SKEW:
            found.append(self._skew_sentence())
        if self._heard_at is not None and abs(self._off_slack) > MOST_OFF_SLACK:
            found.append(
                f"The clock of {self._me.name} is {_span(self._off_slack)} {_side(self._off_slack)} Slack's: set it."
            )
        return found

    def _skew_sentence(self) -> str:
        return (
            f"The clock of {self._me.name} is {_span(self.skew)} {_side(self.skew)} the database server's: "
            "set both by NTP."
        )


def _side(span: timedelta) -> str:
    return "ahead of" if span > timedelta(0) else "behind"


def _span(span: timedelta) -> str:
    seconds = abs(span.total_seconds())
    if seconds < 120:
        return f"{seconds:.1f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.0f} hours"
