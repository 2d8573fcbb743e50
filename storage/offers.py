"""Offers: one lead before one rep. The partial unique index allows one open or accepted offer a lead."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from storage.models import Offers
from storage.prepared import Reading, among, change_row
from storage.rows import as_row, table_of

_offers = table_of(Offers)


@dataclass(frozen=True, slots=True)
class OfferRow:
    """An offer as stored."""

    id: str
    lead_id: int
    round: int
    n: int
    rep_id: int
    team: str
    rule: str
    why: str
    trace: list[Any]
    playbook_version: int
    state: str
    offered_at: datetime
    show_at: datetime
    delivered_at: datetime | None
    accepted_at: datetime | None
    ended_at: datetime | None
    reason: str
    source: str | None
    systems_seconds: int
    accepted_seconds: int | None
    touched_at: datetime | None
    touched_seconds: int | None


_READ: Reading[OfferRow] = Reading(
    OfferRow,
    _offers,
    lambda _dialect, columns: select(*columns).where(_offers.c.id == bindparam("offer")),
)


def new_offer_id() -> str:
    """An opaque id: not guessable, fits a button value."""
    return secrets.token_urlsafe(12)


def insert_offer(conn: Connection, **values: Any) -> OfferRow:
    """Open the next offer of a round (`id` from `new_offer_id`); `n` is counted under the lead's lock."""
    n = conn.execute(
        select(func.coalesce(func.max(_offers.c.n), 0)).where(
            _offers.c.lead_id == values["lead_id"], _offers.c.round == values["round"]
        )
    ).scalar_one()
    row = conn.execute(
        _offers.insert().values(n=n + 1, state="open", **values).returning(*_offers.c)
    ).one()
    return as_row(OfferRow, row)


def read_offer(conn: Connection, offer_id: str) -> OfferRow | None:
    """One offer."""
    return _READ.first(conn, {"offer": offer_id})


def save_offer(conn: Connection, offer_id: str, **changes: Any) -> OfferRow:
    """Change an offer of a locked lead."""
    return change_row(conn, _offers, OfferRow, offer_id, changes)


def list_offers(conn: Connection, lead_id: int, round_: int | None = None) -> list[OfferRow]:
    """Offers of a lead, of one round when given, oldest first."""
    query = select(_offers).where(_offers.c.lead_id == lead_id)
    if round_ is not None:
        query = query.where(_offers.c.round == round_)
    rows = conn.execute(query.order_by(_offers.c.round, _offers.c.n))
    return [as_row(OfferRow, row) for row in rows]


_OF_LEADS: Reading[OfferRow] = Reading(
    OfferRow,
    _offers,
    lambda dialect, columns: select(*columns).where(among(dialect, _offers.c.lead_id, "leads")),
)


def list_of_leads(conn: Connection, lead_ids: Sequence[int]) -> dict[int, list[OfferRow]]:
    """Offers of several leads, by lead."""
    found: dict[int, list[OfferRow]] = {}
    for offer in _OF_LEADS.all(conn, {"leads": list(lead_ids)}):
        found.setdefault(offer.lead_id, []).append(offer)
    return found


def list_open_of(conn: Connection, rep_id: int) -> list[OfferRow]:
    """Offers that wait for this rep's answer, oldest first."""
    rows = conn.execute(
        select(_offers)
        .where(_offers.c.rep_id == rep_id, _offers.c.state == "open")
        .order_by(_offers.c.offered_at, _offers.c.id)
    )
    return [as_row(OfferRow, row) for row in rows]


def read_many(conn: Connection, ids: Sequence[str]) -> dict[str, OfferRow]:
    """Offers by id."""
    rows = conn.execute(select(_offers).where(_offers.c.id.in_(ids)))
    return {row.id: as_row(OfferRow, row) for row in rows}


_FOLLOW_SOURCE = (
    _offers.update()
    .where(_offers.c.lead_id == bindparam("lead"), _offers.c.source.is_not(None))
    .values(source=bindparam("now_from"))
)


def follow_source(conn: Connection, lead_id: int, source: str) -> None:
    """The lead is told by another source now: so are its offers, where reports count them by it."""
    conn.execute(_FOLLOW_SOURCE, {"lead": lead_id, "now_from": source})
