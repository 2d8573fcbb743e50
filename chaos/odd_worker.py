"""A real `baton worker` with another clock or shorter leases, and without Slack's limits: `python -m chaos.odd_worker
worker`.

CHAOS_SHIFT: seconds that its clock is ahead. CHAOS_LEASE: seconds that it keeps what it claimed. CHAOS_IDLE: seconds
after which the database ends a transaction that stands still. What is not here: what is done to it (`workers`,
`offsets`).
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta, tzinfo

from apscheduler.schedulers import base as scheduling

from bot import serving
from bot.clock import SteadyTime
from bot.commands.serving import serve
from chaos.unpaced import unpace
from storage import claims, database, deliveries, doubts


def main() -> int:
    """Serve until stopped."""
    shift = timedelta(seconds=float(os.environ.get("CHAOS_SHIFT", "0")))
    lease = timedelta(seconds=float(os.environ.get("CHAOS_LEASE", "60")))
    idle = os.environ.get("CHAOS_IDLE", "15")

    def shifted() -> SteadyTime:
        return SteadyTime(lambda: datetime.now(UTC) + shift)

    class Shifted(datetime):
        """The scheduler reads the machine's clock itself: it must not see another one than Baton does."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Shifted:
            return cls.fromtimestamp((datetime.now(UTC) + shift).timestamp(), tz)

    unpace()
    for module in (claims, deliveries, doubts):
        setattr(module, "LEASE", lease)  # noqa: B010 - a constant of theirs
    setattr(serving, "SteadyTime", shifted)  # noqa: B010
    setattr(scheduling, "datetime", Shifted)  # noqa: B010
    database._REACHABLE["options"] = f"-c idle_in_transaction_session_timeout={idle}s"
    return serve(serving.serve_worker)


if __name__ == "__main__":
    sys.exit(main())
