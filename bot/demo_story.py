"""The first minute of the demo: a handful of sample leads, each in another state, told through the real program.

What is not here: the workspace and its page (`sandbox`), how the demo is put together (`demo`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, time, timedelta
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

_START = time(9, 20)  # Europe has begun, Singapore is still there
_MOST_DAYS = 8


class Moves(Protocol):
    """The clock, as far as the story moves it."""

    async def advance(self, seconds: int) -> None:
        """Move business time forward."""
        ...


def begin_at(agreement: Agreement, now: datetime) -> datetime:
    """The coming morning of the next week, in the company's zone, at which most people are at work.

    Always that time of day: the story then shows the same cards whenever the demo is started.
    """
    calendar = agreement.calendar
    today = now.astimezone(calendar.zone).date()
    mornings = [
        datetime.combine(today + timedelta(days=days), _START, tzinfo=calendar.zone).astimezone(UTC)
        for days in range(_MOST_DAYS)
    ]
    ahead = [at for at in mornings if at > now and calendar.is_open(at)]

    def at_work(at: datetime) -> int:
        return sum(person.calendar.is_open(at) for person in agreement.people.values())

    return max(ahead, key=at_work, default=calendar.next_open(now))  # the first of the best


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
        **more,
    }


WORKED = _lead(
    1, "Tomas Kral", "Vandelay", title="VP Sales", country="AT", language="en", employees=260,
    phone="+43 1 555 0101", source="pricing_page", visits=5, source_score=81,
    account_owner="ben.ode@acme.example", message="We compare three vendors this month.",
)  # fmt: skip
ACCEPTED = _lead(
    2, "Petra Vogel", "Hooli AG", title="Head of Sales", country="DE", language="de", employees=310,
    phone="+49 30 555 0102", source="pricing_page", visits=6, source_score=84,
    message="Which plan covers 40 reps?",
)  # fmt: skip
SILENT = _lead(
    3, "Julie Roux", "Lumon SA", title="Head of Operations", country="FR", language="fr",
    employees=420, phone="+33 1 55 55 01 03", source="contact_me", source_score=90,
    message="Please call me before noon, we decide this week.",
)  # fmt: skip
RECYCLED = _lead(
    4, "Maria Silva", "Umbra Lda", title="VP Sales", country="PT", language="en", employees=900,
    phone="+351 21 555 0104", source="trade_show", visits=4, source_score=88,
    message="Our budget starts in spring.",
)  # fmt: skip
REJECTED = _lead(
    5, "Peter Dahl", "Initrode", title="Managing Director", country="SE", language="en",
    employees=240, phone="+46 8 555 0105", visits=5, source_score=77, campaign="webinar in March",
    message="Just looking around.",
)  # fmt: skip
COLD = _lead(
    6, "Sam Reed", "Tinyco", title="Student", country="US", employees=3, source="newsletter"
)
WAITING = _lead(
    7, "Lena Brandt", "Stark Logistik", title="VP Operations", country="DE", language="en",
    employees=700, phone="+49 40 555 0107", source="pricing_page", visits=7, source_score=86,
    message="How do you count business hours?",
)  # fmt: skip
FAR_AWAY = _lead(
    8, "Aiko Mori", "Kaito Robotics", title="Head of Growth", country="JP", language="ja",
    employees=350, phone="+81 3 5555 0108", source="pricing_page", visits=3, source_score=79,
    message="Does it work across time zones?",
)  # fmt: skip
HAND_RAISER = _lead(
    9, "Jana Novak", "Globex GmbH", title="VP Operations", country="AT", language="de",
    employees=540, phone="+43 1 555 0109", source="contact_me", source_score=92,
    message="We need to replace our dialler before March.",
)  # fmt: skip


async def tell_story(house: House, post: PostLead, clock: Moves) -> None:
    """Post the samples and let their reps answer; only in an empty workspace.

    At the end: Ann has a fresh card from somebody who asked for a call; Ben one that Cleo left lying, and
    their manager Dana knows; marketing has one to review; others are in work, asleep, or in Singapore.
    """
    if await house.runtime.read(lambda work: leads.has_any(work.conn)):
        return
    while (await post(WORKED))[0] != 202:  # the server is starting, or people are being looked up
        await asyncio.sleep(0.2)
    await _as_rep(house, WORKED, lambda w, who, lead, o: answer_offer.accept(w, who, o))
    await clock.advance(60)
    await post(ACCEPTED)
    await _as_rep(house, ACCEPTED, lambda w, who, lead, o: answer_offer.accept(w, who, o))
    await clock.advance(60)
    await post(SILENT)
    await clock.advance(6 * 60)
    await _as_rep(
        house, WORKED, lambda w, who, lead, o: work_lead.log_touch(w, who, o, "call", "reached")
    )
    await post(RECYCLED)
    await _as_rep(
        house,
        RECYCLED,
        lambda w, who, lead, o: answer_offer.recycle(w, who, o, "no_budget", None),
    )
    await clock.advance(60)
    await post(REJECTED)
    await _as_rep(
        house,
        REJECTED,
        lambda w, who, lead, o: answer_offer.reject(
            w, who, o, "not_our_kind", "The form says 240 people: it is four, without a sales team."
        ),
    )
    await post(COLD)
    await clock.advance(9 * 60)  # the silent one's quarter of an hour is over
    await post(WAITING)
    await post(FAR_AWAY)
    await clock.advance(2 * 60)
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
