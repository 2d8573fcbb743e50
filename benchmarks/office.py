"""What the rows about leads share: a Baton with its people over a fresh database, and leads as they come in.

What is not here: HTTP (`clicks`), what is measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from bot.domain.lead import LeadFacts
from bot.services.receive_leads import Incoming, Message
from tests.services.desk_kit import Desk


@contextmanager
def office(url: str) -> Iterator[Desk]:
    """Services over the database `url`; everybody may hold as many leads as come."""
    desk = Desk(url)
    agreement = desk.agreement
    people = {email: replace(one, open_cap=None) for email, one in agreement.people.items()}
    desk.agreement = replace(agreement, people=people)
    try:
        yield desk
    finally:
        desk.database.dispose()


def facts_of(n: int) -> LeadFacts:
    """The n-th lead: an MQL with what a form usually says, for one of two teams."""
    return LeadFacts(
        source="webinar",
        external_id=f"w-{n}",
        email=f"person.{n}@company{n % 997}.example",
        first_name="Jana",
        last_name=f"Novak {n}",
        title="VP Operations",
        company=f"Company {n % 997} GmbH",
        phone="+43 1 555 0100",
        country="AT" if n % 2 else "US",
        language="de",
        employees=n % 5000,
        message="We need to replace our dialler before March.",
        source_score=60,
        campaign="spring",
        extra={"plan": "team"},
    )


def message_of(first: int, many: int) -> Message:
    """A message with the leads from the `first` on."""
    items = tuple(Incoming(place, facts_of(first + place)) for place in range(many))
    return Message("bench", f"m-{first}", "0" * 64, b"[]", items)
