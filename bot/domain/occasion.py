"""An occasion: something that is due on a day of the calendar, once for what it is about.

What is not here: which there are and what happens then (`bot.services.fire_occasions`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Planned:
    """`kind`: weekly, digest, board …; `subject_id`: a person or a challenge, 0 for the company; `period`: what it is
    about, at most 40 characters (2026-W12). `due_at`: aware UTC, business time."""

    kind: str
    subject_id: int
    period: str
    due_at: datetime

    @property
    def key(self) -> tuple[str, int, str]:
        """What there is but once."""
        return (self.kind, self.subject_id, self.period)
