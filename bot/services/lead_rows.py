"""The rows of one locked lead: its offers and clocks with it. `StoredRows` reads and writes them one by one; `HeldRows`
has read them with those of many other leads, changes them in memory and leaves the writing to the end of the batch.

Whoever holds the lead's lock may do that: nobody else writes them meanwhile. What is not here: what is changed and why;
the batch (`fire_together`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection

from bot.domain.funnel import Status
from storage import clocks, leads, offers
from storage.arrivals import BLANK_CLOCK, BLANK_OFFER
from storage.clocks import ClockRow
from storage.leads import LeadRow
from storage.offers import OfferRow


class LeadRows(Protocol):
    """What a deed does with the rows of a lead. Named and meant as in `storage`."""

    def move_lead(
        self,
        lead: LeadRow,
        *,
        sources: Iterable[Status],
        to: Status,
        now: datetime,
        offer_id: str | None = None,
        rep_id: int | None = None,
        review_id: str | None = None,
        changes: dict[str, Any] | None = None,
    ) -> LeadRow | None:
        """The guarded transition; None when the guard failed."""

    def save_lead(self, lead: LeadRow, **changes: Any) -> LeadRow:
        """Change fields other than the status."""

    def read_offer(self, offer_id: str) -> OfferRow | None:
        """One offer of the lead."""

    def list_offers(self, lead_id: int) -> list[OfferRow]:
        """All offers, oldest first."""

    def insert_offer(self, **values: Any) -> OfferRow:
        """Open the next offer of a round."""

    def save_offer(self, offer_id: str, **changes: Any) -> OfferRow:
        """Change an offer."""

    def list_clocks(self, lead_id: int, *, running: bool = False) -> list[ClockRow]:
        """Clocks, oldest first; only those that run when asked."""

    def insert_clock(self, **values: Any) -> ClockRow:
        """Start a clock."""

    def save_clock(self, clock_id: int, **changes: Any) -> ClockRow:
        """Change a clock."""


class StoredRows:
    """Straight from and to the database."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def move_lead(
        self,
        lead: LeadRow,
        *,
        sources: Iterable[Status],
        to: Status,
        now: datetime,
        offer_id: str | None = None,
        rep_id: int | None = None,
        review_id: str | None = None,
        changes: dict[str, Any] | None = None,
    ) -> LeadRow | None:
        return leads.move_lead(
            self._conn, lead, sources=sources, to=to, now=now, offer_id=offer_id, rep_id=rep_id,
            review_id=review_id, changes=changes,
        )  # fmt: skip

    def save_lead(self, lead: LeadRow, **changes: Any) -> LeadRow:
        return leads.save_lead(self._conn, lead, **changes)

    def read_offer(self, offer_id: str) -> OfferRow | None:
        return offers.read_offer(self._conn, offer_id)

    def list_offers(self, lead_id: int) -> list[OfferRow]:
        return offers.list_offers(self._conn, lead_id)

    def insert_offer(self, **values: Any) -> OfferRow:
        return offers.insert_offer(self._conn, **values)

    def save_offer(self, offer_id: str, **changes: Any) -> OfferRow:
        return offers.save_offer(self._conn, offer_id, **changes)

    def list_clocks(self, lead_id: int, *, running: bool = False) -> list[ClockRow]:
        return clocks.list_clocks(self._conn, lead_id, running=running)

    def insert_clock(self, **values: Any) -> ClockRow:
        return clocks.insert_clock(self._conn, **values)

    def save_clock(self, clock_id: int, **changes: Any) -> ClockRow:
        return clocks.save_clock(self._conn, clock_id, **changes)


class HeldRows:
    """In memory. `lead`, `offers` and `clocks` are as they are now, `*_before` as they stand in the database."""

    def __init__(
        self,
        lead: LeadRow,
        of_lead: Iterable[OfferRow],
        its_clocks: Iterable[ClockRow],
        next_clock_id: Callable[[], int],
    ) -> None:
        self.lead = self.lead_before = lead
        self.offers = {offer.id: offer for offer in of_lead}
        self.clocks = {clock.id: clock for clock in its_clocks}
        self.offers_before = dict(self.offers)
        self.clocks_before = dict(self.clocks)
        self._next_clock_id = next_clock_id

    def move_lead(
        self,
        lead: LeadRow,
        *,
        sources: Iterable[Status],
        to: Status,
        now: datetime,
        offer_id: str | None = None,
        rep_id: int | None = None,
        review_id: str | None = None,
        changes: dict[str, Any] | None = None,
    ) -> LeadRow | None:
        found = self.lead
        held = self.offers.get(found.current_offer_id or "")
        guards = (
            found.status in {source.value for source in sources},
            offer_id is None or found.current_offer_id == offer_id,
            rep_id is None
            or (held is not None and held.rep_id == rep_id and held.state in ("open", "accepted")),
            review_id is None or found.review_id == review_id,
        )
        if not all(guards):
            return None
        values: dict[str, Any] = {**(changes or {}), "status": to.value, "waiting": False}
        if to.value != lead.status:
            values["status_at"] = now
        return self.save_lead(lead, **values)

    def save_lead(self, lead: LeadRow, **changes: Any) -> LeadRow:
        self.lead = replace(self.lead, version=self.lead.version + 1, **changes)
        return self.lead

    def read_offer(self, offer_id: str) -> OfferRow | None:
        return self.offers.get(offer_id)

    def list_offers(self, lead_id: int) -> list[OfferRow]:
        return sorted(self.offers.values(), key=lambda offer: (offer.round, offer.n))

    def insert_offer(self, **values: Any) -> OfferRow:
        n = max((o.n for o in self.offers.values() if o.round == values["round"]), default=0)
        offer = OfferRow(**{**BLANK_OFFER, "n": n + 1, "state": "open", **values})
        self.offers[offer.id] = offer
        return offer

    def save_offer(self, offer_id: str, **changes: Any) -> OfferRow:
        self.offers[offer_id] = replace(self.offers[offer_id], **changes)
        return self.offers[offer_id]

    def list_clocks(self, lead_id: int, *, running: bool = False) -> list[ClockRow]:
        return [c for c in self.clocks.values() if not running or c.ended_at is None]

    def insert_clock(self, **values: Any) -> ClockRow:
        clock = ClockRow(**{**BLANK_CLOCK, "id": self._next_clock_id(), **values})
        self.clocks[clock.id] = clock
        return clock

    def save_clock(self, clock_id: int, **changes: Any) -> ClockRow:
        self.clocks[clock_id] = replace(self.clocks[clock_id], **changes)
        return self.clocks[clock_id]
