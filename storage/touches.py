"""Touches and notes on leads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from storage.models import Notes, Touches
from storage.rows import as_row, insert, table_of

_touches = table_of(Touches)
_notes = table_of(Notes)


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
    return insert(conn, _touches, **values)


def read_touch(conn: Connection, touch_id: int) -> TouchRow | None:
    """One touch, withdrawn or not."""
    row = conn.execute(select(_touches).where(_touches.c.id == touch_id)).one_or_none()
    return as_row(TouchRow, row) if row is not None else None


def save_touch(conn: Connection, touch_id: int, **changes: Any) -> TouchRow:
    """Change a touch of a locked lead."""
    row = conn.execute(
        _touches.update().where(_touches.c.id == touch_id).values(**changes).returning(*_touches.c)
    ).one()
    return as_row(TouchRow, row)


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
    result = conn.execute(
        _touches.update()
        .where(_touches.c.id == touch_id, _touches.c.state != "withdrawn")
        .values(state="withdrawn")
    )
    return result.rowcount == 1


def insert_note(
    conn: Connection, *, lead_id: int, author_id: int | None, about: str, body: str, at: datetime
) -> int:
    """Keep what a person wrote about a lead."""
    return insert(conn, _notes, lead_id=lead_id, author_id=author_id, about=about, body=body, at=at)


def read_note(conn: Connection, note_id: int) -> str:
    """The text of a note, "" when it is gone."""
    return conn.execute(select(_notes.c.body).where(_notes.c.id == note_id)).scalar() or ""
