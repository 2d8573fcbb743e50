"""A real Baton that knows no limits of Slack's: `python -m chaos.unpaced worker`, or any other command of Baton's.

For experiments whose stand-in counts nothing: to wait for 300 posts a minute would take most of their time. Nothing
of the environment does that in production. CHAOS_LEASE: seconds that it keeps what it claimed (in production 60), and
that it waits before it looks for what one that was killed had on its way (20): this stand-in answers in milliseconds.
What is not here: Slack's limits (`outage` keeps to them).
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from functools import partial

from bot import wiring
from bot.cli import main
from bot.services.pacing import Limits
from storage import claims, deliveries, doubts


def _no_limits() -> Limits:
    return Limits.of_a_stand_in(timedelta(milliseconds=30))


def unpace() -> None:
    """For this process."""
    setattr(wiring, "Limits", _no_limits)  # noqa: B010 - what wiring takes when nobody says otherwise


def shorten(lease: timedelta) -> None:
    """For this process: what a killed one held comes back so soon."""
    for module in (claims, deliveries, doubts):
        setattr(module, "LEASE", lease)  # noqa: B010 - a constant of theirs
    sooner = partial(deliveries.end_leases_of_the_dead, wait=lease)
    setattr(deliveries, "end_leases_of_the_dead", sooner)  # noqa: B010


if __name__ == "__main__":
    unpace()
    if "CHAOS_LEASE" in os.environ:
        shorten(timedelta(seconds=float(os.environ["CHAOS_LEASE"])))
    sys.exit(main())
