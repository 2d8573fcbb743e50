"""A real Baton that knows no limits of Slack's: `python -m chaos.unpaced worker`, or any other command of Baton's.

For experiments whose stand-in counts nothing: to wait for 300 posts a minute would take most of their time. Nothing
of the environment does that in production. What is not here: Slack's limits (`outage` keeps to them).
"""

from __future__ import annotations

import sys
from datetime import timedelta

from bot import wiring
from bot.cli import main
from bot.services.pacing import Limits


def _no_limits() -> Limits:
    return Limits.of_a_stand_in(timedelta(milliseconds=30))


def unpace() -> None:
    """For this process."""
    setattr(wiring, "Limits", _no_limits)  # noqa: B010 - what wiring takes when nobody says otherwise


if __name__ == "__main__":
    unpace()
    sys.exit(main())
