"""Messages that a restore held: what they are, letting them go, giving them up. An operator decides.

What is not here: looking in Slack before a released one is posted (`settle_doubts`).
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.services.work import Work
from storage import held
from storage.held import HeldRow

#: So many at once.
MOST = 500


def list_held(work: Work, most: int = MOST) -> list[HeldRow]:
    """The oldest first."""
    return held.list_held(work.conn, most)


def release_held(work: Work, ids: Sequence[int]) -> int:
    """Let them go: a post to Slack is first looked for there, and posted only when it is not to be found. How many."""
    released = held.release(work.conn, ids, real=work.real)
    work.wake = work.wake or released > 0
    return released


def drop_held(work: Work, ids: Sequence[int]) -> int:
    """Give them up. How many."""
    return held.drop(work.conn, ids, real=work.real)
