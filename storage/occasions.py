"""Occasions: what is due on days of the calendar, at most one row for each (kind, subject, period).

Whoever fires one locks its row; of several workers the others pass it over. What is not here: which there are and what
happens (`bot.services.fire_occasions`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, select, text

from bot.domain.occasion import Planned
from storage.models_programme import Occasions
from storage.rows import as_row, insert_if_new, table_of

_occasions = table_of(Occasions)
#: Written out, as the partial index has it.
_ARMED = text("occasions.state = 'armed'")


@dataclass(frozen=True, slots=True)
class OccasionRow:
    """An occasion as stored. `state`: armed, fired, skipped, cancelled, parked."""

    id: int
    kind: str
    subject_id: int
    period: str
    due_at: datetime
    state: str
    fired_at: datetime | None
    attempts: int

    @property
    def key(self) -> tuple[str, int, str]:
        """What there is but once."""
        return (self.kind, self.subject_id, self.period)


def insert_occasion(conn: Connection, planned: Planned, state: str = "armed") -> bool:
    """Note an occasion; False when it is known, in whatever state."""
    return insert_if_new(
        conn, _occasions, kind=planned.kind, subject_id=planned.subject_id, period=planned.period,
        due_at=planned.due_at, state=state, fired_at=None,
    )  # fmt: skip


def rearm(conn: Connection, planned: Planned) -> bool:
    """What was cancelled is planned again. False when it was not cancelled."""
    return _changed(
        conn, _is(planned), state="armed", due_at=planned.due_at, from_state="cancelled"
    )


def move(conn: Connection, planned: Planned) -> bool:
    """Another time for what is armed and was never tried; False: it is not armed so any more."""
    return _changed(conn, [*_is(planned), _occasions.c.attempts == 0], due_at=planned.due_at)


def cancel(conn: Connection, occasion_id: int) -> bool:
    """It is not planned any more; False when somebody fired it meanwhile."""
    mine = [_occasions.c.id == occasion_id, _occasions.c.attempts == 0]
    return _changed(conn, mine, state="cancelled")


def list_armed(conn: Connection, kinds: Collection[str]) -> list[OccasionRow]:
    """Armed occasions of these kinds, in the order in which they are due."""
    rows = conn.execute(
        select(_occasions)
        .where(_ARMED, _occasions.c.kind.in_(sorted(kinds)))
        .order_by(_occasions.c.due_at, _occasions.c.id)
    )
    return [as_row(OccasionRow, row) for row in rows]


def claim_due(
    conn: Connection, now: datetime, kinds: Collection[str], limit: int
) -> list[OccasionRow]:
    """Occasions of these kinds that are due, locked until the transaction ends; those that another worker has are left
    to it."""
    rows = conn.execute(
        select(_occasions)
        .where(_ARMED, _occasions.c.due_at <= now, _occasions.c.kind.in_(sorted(kinds)))
        .order_by(_occasions.c.due_at, _occasions.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [as_row(OccasionRow, row) for row in rows]


def settle(conn: Connection, occasion_id: int, state: str, now: datetime) -> bool:
    """It was fired, skipped or parked; False when it is not armed any more: somebody else did it."""
    return _changed(conn, [_occasions.c.id == occasion_id], state=state, fired_at=now)


def count_attempt(conn: Connection, occasion_id: int, again_at: datetime) -> int:
    """Count a failure and put the occasion off; the number of failures so far."""
    return int(
        conn.execute(
            _occasions.update()
            .where(_occasions.c.id == occasion_id)
            .values(attempts=_occasions.c.attempts + 1, due_at=again_at)
            .returning(_occasions.c.attempts)
        ).scalar_one()
    )


def next_due_at(conn: Connection, after: datetime | None = None) -> datetime | None:
    """When the next armed occasion is due; `after`: of those that are due later than that."""
    query = select(func.min(_occasions.c.due_at)).where(_ARMED)
    if after is not None:
        query = query.where(_occasions.c.due_at > after)
    return conn.execute(query).scalar_one_or_none()


def read_occasion(conn: Connection, kind: str, subject_id: int, period: str) -> OccasionRow | None:
    """One of them."""
    row = conn.execute(
        select(_occasions).where(
            _occasions.c.kind == kind,
            _occasions.c.subject_id == subject_id,
            _occasions.c.period == period,
        )
    ).one_or_none()
    return as_row(OccasionRow, row) if row is not None else None


def _is(planned: Planned) -> list[ColumnElement[bool]]:
    return [
        _occasions.c.kind == planned.kind,
        _occasions.c.subject_id == planned.subject_id,
        _occasions.c.period == planned.period,
    ]


def _changed(
    conn: Connection,
    where: list[ColumnElement[bool]],
    *,
    from_state: str = "armed",
    **values: object,
) -> bool:
    """One conditional UPDATE decides who did it."""
    result = conn.execute(
        _occasions.update().where(*where, _occasions.c.state == from_state).values(**values)
    )
    return result.rowcount == 1
