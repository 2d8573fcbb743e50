"""Touches and notes on leads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, func, select

from bot.domain.open_windows import whole_seconds
from storage.models import Leads, Notes, Offers, Touches
from storage.rows import as_row, insert, table_of

_touches = table_of(Touches)
_notes = table_of(Notes)
_leads = table_of(Leads)
_offers = table_of(Offers)


@dataclass(frozen=True, slots=True)
class TouchRow:
    """A touch as stored."""

    id: int
    lead_id: int
    round: int
    offer_id: str | None
    person_id: int
    kind: str
    outcome: str
    state: str
    at: datetime


def insert_touch(conn: Connection, **values: Any) -> int:
    """Record a touch."""
    touch_id = insert(conn, _touches, **values)
    _tell_offers(conn, values["lead_id"], values["round"])
    return touch_id


def read_touch(conn: Connection, touch_id: int) -> TouchRow | None:
    """One touch, withdrawn or not."""
    row = conn.execute(select(_touches).where(_touches.c.id == touch_id)).one_or_none()
    return as_row(TouchRow, row) if row is not None else None


def save_touch(conn: Connection, touch_id: int, **changes: Any) -> TouchRow:
    """Change a touch of a locked lead."""
    row = conn.execute(
        _touches.update().where(_touches.c.id == touch_id).values(**changes).returning(*_touches.c)
    ).one()
    touch = as_row(TouchRow, row)
    _tell_offers(conn, touch.lead_id, touch.round)
    return touch


def list_touches(conn: Connection, lead_id: int, round_: int) -> list[TouchRow]:
    """The touches of a round that were not withdrawn, by when they happened."""
    rows = conn.execute(
        select(_touches)
        .where(
            _touches.c.lead_id == lead_id,
            _touches.c.round == round_,
            _touches.c.state != "withdrawn",
        )
        .order_by(_touches.c.at, _touches.c.id)
    )
    return [as_row(TouchRow, row) for row in rows]


def last_touch(conn: Connection, lead_id: int, round_: int) -> TouchRow | None:
    """The newest touch of this round that was not withdrawn."""
    row = conn.execute(
        select(_touches)
        .where(
            _touches.c.lead_id == lead_id,
            _touches.c.round == round_,
            _touches.c.state != "withdrawn",
        )
        .order_by(_touches.c.at.desc(), _touches.c.id.desc())
        .limit(1)
    ).one_or_none()
    return as_row(TouchRow, row) if row is not None else None


def count_touches(conn: Connection, lead_id: int, round_: int, offer_id: str | None = None) -> int:
    """Touches of this round that were not withdrawn; only those under one offer when it is given."""
    query = (
        select(func.count())
        .select_from(_touches)
        .where(
            _touches.c.lead_id == lead_id,
            _touches.c.round == round_,
            _touches.c.state != "withdrawn",
        )
    )
    if offer_id is not None:
        query = query.where(_touches.c.offer_id == offer_id)
    return int(conn.execute(query).scalar_one())


def withdraw_touch(conn: Connection, touch_id: int) -> bool:
    """Take a touch back; False when it was already."""
    row = conn.execute(
        _touches.update()
        .where(_touches.c.id == touch_id, _touches.c.state != "withdrawn")
        .values(state="withdrawn")
        .returning(_touches.c.lead_id, _touches.c.round)
    ).one_or_none()
    if row is None:
        return False
    _tell_offers(conn, row.lead_id, row.round)
    return True


_FIRST_TOUCH = (
    select(_leads.c.arrived_at, func.min(_touches.c.at))
    .outerjoin(
        _touches,
        and_(
            _touches.c.lead_id == _leads.c.id,
            _touches.c.round == bindparam("of_round"),
            _touches.c.state != "withdrawn",
        ),
    )
    .where(_leads.c.id == bindparam("lead"))
    .group_by(_leads.c.arrived_at)
)
_TELL_OFFERS = (
    _offers.update()
    .where(_offers.c.lead_id == bindparam("lead"), _offers.c.round == bindparam("of_round"))
    .values(touched_at=bindparam("first_at"), touched_seconds=bindparam("took"))
)


def _tell_offers(conn: Connection, lead_id: int, round_: int) -> None:
    """Offers know the first touch of their round: reports count it there."""
    of_round = {"lead": lead_id, "of_round": round_}
    arrived_at, first_at = conn.execute(_FIRST_TOUCH, of_round).one()
    took = whole_seconds(arrived_at, first_at) if first_at is not None else None
    conn.execute(_TELL_OFFERS, {**of_round, "first_at": first_at, "took": took})


def insert_note(
    conn: Connection, *, lead_id: int, author_id: int | None, about: str, body: str, at: datetime
) -> int:
    """Keep what a person wrote about a lead."""
    return insert(conn, _notes, lead_id=lead_id, author_id=author_id, about=about, body=body, at=at)


def read_note(conn: Connection, note_id: int) -> str:
    """The text of a note, "" when it is gone."""
    return conn.execute(select(_notes.c.body).where(_notes.c.id == note_id)).scalar() or ""
