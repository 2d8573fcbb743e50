"""What a manager reads by mail, or a receiver by webhook, while Slack is down: initials, what is overdue, a link.

No personal data: mail leaves the house. What is not here: when it is sent (`bot.services.tell_otherwise`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_OVERDUE = {
    "accept": "nobody has accepted it in time",
    "first_touch": "nobody has contacted them in time",
    "follow_up": "the agreed touches were not made in time",
    "decide": "it was not decided in time",
    "stalled": "it has not moved for too long",
    "shelf_life": "its shelf life is over",
    "review": "marketing has not decided in time",
    "scrub": "it was not cleaned in time",
    "route": "nobody could be found for it in time",
}


@dataclass(frozen=True, slots=True)
class Breach:
    """One lead: `lead` its number, `kind` the clock's, "" when nobody is left to take it."""

    lead: int
    initials: str
    kind: str


def breach_mail(breaches: Sequence[Breach], link: str) -> tuple[str, tuple[str, ...]]:
    """The subject and the lines. `link`: where to act once Slack is back; "" when there is none."""
    many = len(breaches)
    subject = (
        f"Baton: {'a lead is' if many == 1 else f'{many} leads are'} overdue, and Slack is down"
    )
    lines = ["Baton cannot reach Slack at the moment, so it tells you this way:", ""]
    lines += [f"• {b.initials} (lead #{b.lead}): {_said(b)}" for b in breaches]
    lines += ["", "The card with the buttons comes in Slack as soon as it is back."]
    if link:
        lines.append(link)
    return subject, tuple(lines)


def _said(breach: Breach) -> str:
    return _OVERDUE.get(breach.kind, "nobody is left to take it")
