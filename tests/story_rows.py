"""The rows behind a story: where leads are, what happened to them, when their clocks are due.

What is not here: anything that changes them (`tests.story`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from bot.services.work import Work
from bot.wiring import House
from storage import clocks, journal, leads, occasions, offers, outbox
from storage.clocks import ClockRow
from storage.journal import JournalRow
from storage.leads import LeadRow
from storage.models import Leads, Outbox
from storage.offers import OfferRow
from storage.rows import table_of

VIENNA = ZoneInfo("Europe/Vienna")

_outbox = table_of(Outbox)
_leads = table_of(Leads)


def vienna(text: str) -> datetime:
    """ "2026-03-31 09:29" as an instant."""
    return datetime.fromisoformat(text).replace(tzinfo=VIENNA).astimezone(UTC)


class Frozen:
    """The only time there is: business and real, Baton's and Slack's."""

    def __init__(self, now: datetime) -> None:
        self.instant = now

    def now(self) -> datetime:
        """The instant it stands at."""
        return self.instant

    async def advance(self, seconds: int) -> None:
        """The page's button; stories use `fast_forward`."""
        self.instant += timedelta(seconds=seconds)

    def next_step_at(self) -> datetime | None:
        """For the page."""
        return None


def next_step(work: Work, now: datetime) -> datetime | None:
    """When something happens next by itself: a timer, a message that waits for an opening, another try."""
    timer = clocks.next_timer(work.conn, now)
    retry = work.conn.execute(
        select(func.min(_outbox.c.not_before)).where(
            _outbox.c.state == "pending", _outbox.c.not_before > now
        )
    ).scalar_one_or_none()
    occasion = occasions.next_due_at(work.conn, now)
    times = (timer.due_at if timer else None, outbox.next_shown_at(work.conn, now), retry, occasion)
    return min((t for t in times if t is not None), default=None)


class Rows:
    """What is stored, in the words of the stories."""

    house: House

    def leads(self) -> list[LeadRow]:
        """All leads."""

        def look(work: Work) -> list[LeadRow]:
            ids = work.conn.execute(select(_leads.c.id).order_by(_leads.c.id)).scalars().all()
            return leads.list_by_ids(work.conn, ids)

        return self.house.runtime.read_now(look)

    def lead(self, company: str) -> LeadRow:
        """The lead of a company as it is stored."""
        found = [row for row in self.leads() if row.company == company]
        assert len(found) == 1, f"{len(found)} leads of {company}"
        return found[0]

    def status(self, company: str) -> str:
        """Where the lead is."""
        return self.lead(company).status

    def holder(self, company: str) -> str:
        """Who has it, as the stories name people; "" for nobody."""
        lead = self.lead(company)

        def look(work: Work) -> str:
            member = work.roster.by_id.get(lead.owner_id) if lead.owner_id is not None else None
            return member.email.partition("@")[0] if member else ""

        return self.house.runtime.read_now(look)

    def journal(self, company: str) -> list[JournalRow]:
        """All that happened to it."""
        lead_id = self.lead(company).id
        return self.house.runtime.read_now(
            lambda work: journal.list_entries(work.conn, "lead", lead_id)
        )

    def offers(self, company: str) -> list[OfferRow]:
        """Its offers, oldest first."""
        lead_id = self.lead(company).id
        return self.house.runtime.read_now(lambda work: offers.list_offers(work.conn, lead_id))

    def clock(self, company: str, kind: str) -> ClockRow:
        """The newest clock of a kind."""
        lead_id = self.lead(company).id
        found = self.house.runtime.read_now(lambda work: clocks.list_clocks(work.conn, lead_id))
        mine = [clock for clock in found if clock.kind == kind]
        assert mine, f"no {kind} clock; there are {[clock.kind for clock in found]}"
        return mine[-1]

    def due(self, company: str, kind: str = "accept") -> str:
        """When the newest clock of a kind is due, Vienna time."""
        return self.local(self.clock(company, kind).due_at)

    def outbox(self) -> list[Any]:
        """All rows of the outbox, oldest first."""
        return self.house.runtime.read_now(
            lambda work: list(work.conn.execute(select(_outbox).order_by(_outbox.c.id)))
        )

    @staticmethod
    def local(instant: datetime) -> str:
        """An instant as a person in Vienna reads it; seconds only when there are some."""
        shown = instant.astimezone(VIENNA)
        return f"{shown:%Y-%m-%d %H:%M:%S}" if shown.second else f"{shown:%Y-%m-%d %H:%M}"
