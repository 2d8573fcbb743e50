"""How long what is kept. Pure; what is not here: deleting it (`bot.services.purge_leads`).

Real time for messages and alarms, business time for leads. Keys and hashes of what came in are kept for ever: by them
a message that comes again is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Retention:
    """`leads`: personal data after a lead was closed; `bodies`: messages that could not be used; `sent`: what was
    sent, and alarms that are over; `journal`: of leads whose personal data are gone; `figures`: about people, after a
    challenge is over."""

    leads: timedelta = timedelta(days=180)
    bodies: timedelta = timedelta(days=30)
    sent: timedelta = timedelta(days=90)
    journal: timedelta = timedelta(days=730)
    figures: timedelta = timedelta(days=365)

    @classmethod
    def of_days(
        cls, leads: int, bodies: int, sent: int, journal: int, figures: int = 365
    ) -> Retention:
        """Each as a number of days."""
        return cls(*(timedelta(days=days) for days in (leads, bodies, sent, journal, figures)))
