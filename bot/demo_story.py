"""The first minute of the demo: a handful of sample leads, each in another state, told through the real program.

What is not here: the workspace and its page (`sandbox`), how the demo is put together (`demo`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, time, timedelta
from typing import Any, Protocol

from bot.domain.agreement import Agreement
from bot.domain.funnel import Status
from bot.services import answer_offer, work_lead
from bot.services.work import Member, Work
from bot.wiring import House
from storage import leads
from storage.leads import LeadRow

PostLead = Callable[[Mapping[str, Any]], Awaitable[tuple[int, dict[str, Any]]]]
Doing = Callable[[Work, Member, LeadRow, str], object]


class Moves(Protocol):
    """The clock, as far as the story moves it."""

    async def advance(self, seconds: int) -> None:
        """Move business time forward."""
        ...


def begin_at(agreement: Agreement, now: datetime) -> datetime:
    """A working morning in the company's zone: now when that is between 9:30 and 15:00, else the next 9:40."""
    calendar = agreement.calendar
    local = now.astimezone(calendar.zone)
    if calendar.is_open(now) and time(9, 30) <= local.time() <= time(15):
        return now
    ahead = calendar.next_open(now)
    if ahead == now or ahead.astimezone(calendar.zone).time() > time(9, 30):
        midnight = datetime.combine(local.date() + timedelta(days=1), time(0), tzinfo=calendar.zone)
        ahead = calendar.next_open(midnight)
    opening = ahead.astimezone(calendar.zone)
    return max(ahead, datetime.combine(opening.date(), time(9, 40), tzinfo=calendar.zone))


def _lead(number: int, name: str, company: str, **more: Any) -> dict[str, Any]:
    first, _, last = name.partition(" ")
    domain = "".join(c for c in company.lower() if c.isalnum())
    return {
        "source": "webinar",
        "external_id": f"demo-{number}",
        "first_name": first,
        "last_name": last,
        "company": company,
        "email": f"{first}.{last}@{domain}.example".lower(),
        "phone": f"+43 1 555 01{number:02d}",
        **more,
    }


ACCEPTED = _lead(
    1, "Petra Vogel", "Hooli AG", title="Head of Sales", country="DE", language="de", employees=310,
    source="pricing_page", visits=6, source_score=84, message="Which plan covers 40 reps?",
)  # fmt: skip
WORKED = _lead(
    2, "Tomas Kral", "Vandelay", title="Sales Director", country="AT", language="de", employees=260,
    source="pricing_page", visits=5, source_score=81, message="We compare three vendors this month.",
)  # fmt: skip
REJECTED = _lead(
    3, "Peter Dahl", "Initrode", title="Managing Director", country="SE", language="en", employees=240,
    visits=5, source_score=77, campaign="Webinar March", message="Just looking around.",
)  # fmt: skip
RECYCLED = _lead(
    4, "Maria Silva", "Umbra Lda", title="VP Sales", country="PT", language="en", employees=900,
    source="pricing_page", visits=4, source_score=88, message="Our budget starts in spring.",
)  # fmt: skip
COLD = _lead(
    5, "Sam Reed", "Tinyco", title="Student", country="US", employees=3, source="newsletter"
)
WAITING = _lead(
    6, "Lena Brandt", "Stark Logistik", title="VP Operations", country="DE", language="en",
    employees=700, source="pricing_page", visits=7, source_score=86,
    message="How do you count business hours?",
)  # fmt: skip
HAND_RAISER = _lead(
    7, "Jana Novak", "Globex GmbH", title="VP Operations", country="AT", language="de", employees=540,
    source="contact_me", source_score=92, message="We need to replace our dialler before March.",
)  # fmt: skip


async def tell_story(house: House, post: PostLead, clock: Moves) -> None:
    """Post the samples and let their reps answer; only in an empty workspace."""
    if await house.runtime.read(lambda work: bool(leads.search_leads(work.conn, [], limit=1))):
        return
    while (await post(ACCEPTED))[0] != 202:  # the server is starting, or people are being looked up
        await asyncio.sleep(0.2)
    await _as_rep(house, ACCEPTED, lambda w, who, lead, o: answer_offer.accept(w, who, o))
    await post(WORKED)
    await _as_rep(house, WORKED, lambda w, who, lead, o: answer_offer.accept(w, who, o))
    await clock.advance(8 * 60)
    await _as_rep(
        house, WORKED, lambda w, who, lead, o: work_lead.log_touch(w, who, o, "call", "reached")
    )
    await post(REJECTED)
    await _as_rep(
        house,
        REJECTED,
        lambda w, who, lead, o: answer_offer.reject(
            w, who, o, "not_our_kind", "Four people, no sales team."
        ),
    )
    await post(RECYCLED)
    await _as_rep(
        house,
        RECYCLED,
        lambda w, who, lead, o: answer_offer.recycle(w, who, o, "no_budget", None),
    )
    await post(COLD)
    await post(WAITING)
    await clock.advance(4 * 60)
    await post(HAND_RAISER)


async def _as_rep(house: House, sample: Mapping[str, Any], doing: Doing) -> None:
    """The rep who has a sample lead does something with it, once the card is there."""
    await house.deliverer.drain()

    def act(work: Work) -> None:
        lead_id = leads.find_by_key(work.conn, sample["source"], sample["external_id"])
        lead = leads.read_lead(work.conn, lead_id) if lead_id is not None else None
        if lead is None or lead.current_offer_id is None or lead.owner_id is None:
            return
        if Status(lead.status) in (Status.OFFERED, Status.ACCEPTED, Status.WORKING):
            doing(work, work.roster.by_id[lead.owner_id], lead, lead.current_offer_id)

    await house.runtime.write(act)
