"""Clocks and the timers that make their steps happen. At most one running clock of a kind per lead."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from storage.models import Clocks, Leads, Timers
from storage.rows import as_row, insert_all_new, insert_if_new, insert_returning, table_of

_clocks = table_of(Clocks)
_timers = table_of(Timers)
_leads = table_of(Leads)


@dataclass(frozen=True, slots=True)
class ClockRow:
    """A clock as stored; `steps` is a list of {"percent", "kind", "to", "now"}."""

    id: int
    lead_id: int
    offer_id: str | None
    round: int
    kind: str
    person_id: int | None
    team: str
    within: str
    goal: int
    steps: list[Any]
    started_at: datetime
    due_at: datetime
    breached_at: datetime | None
    ended_at: datetime | None
    outcome: str
    taken_seconds: int | None
    generation: int
    excused: bool
    playbook_version: int


@dataclass(frozen=True, slots=True)
class TimerRow:
    """A timer as stored."""

    id: int
    lead_id: int | None
    subject_kind: str
    subject_id: int
    step: str
    generation: int
    due_at: datetime
    state: str
    attempts: int


def insert_clock(conn: Connection, **values: Any) -> ClockRow:
    """Start a clock. The caller has made sure that none of the kind runs for the lead."""
    return as_row(ClockRow, insert_returning(conn, _clocks, **values))


def read_clock(conn: Connection, clock_id: int) -> ClockRow | None:
    """One clock."""
    row = conn.execute(select(_clocks).where(_clocks.c.id == clock_id)).one_or_none()
    return as_row(ClockRow, row) if row is not None else None


def list_clocks(conn: Connection, lead_id: int, *, running: bool = False) -> list[ClockRow]:
    """Clocks of a lead, oldest first; only those that run when asked."""
    query = select(_clocks).where(_clocks.c.lead_id == lead_id)
    if running:
        query = query.where(_clocks.c.ended_at.is_(None))
    return [as_row(ClockRow, row) for row in conn.execute(query.order_by(_clocks.c.id))]


def list_running_of(conn: Connection, lead_ids: Sequence[int]) -> list[ClockRow]:
    """Running clocks of several leads."""
    rows = conn.execute(
        select(_clocks).where(_clocks.c.lead_id.in_(lead_ids), _clocks.c.ended_at.is_(None))
    )
    return [as_row(ClockRow, row) for row in rows]


def list_all_running(conn: Connection) -> list[ClockRow]:
    """Every running clock (for apply-to-running)."""
    rows = conn.execute(select(_clocks).where(_clocks.c.ended_at.is_(None)).order_by(_clocks.c.id))
    return [as_row(ClockRow, row) for row in rows]


def save_clock(conn: Connection, clock_id: int, **changes: Any) -> ClockRow:
    """Change a clock of a locked lead."""
    row = conn.execute(
        _clocks.update().where(_clocks.c.id == clock_id).values(**changes).returning(*_clocks.c)
    ).one()
    return as_row(ClockRow, row)


def arm_timer(
    conn: Connection,
    *,
    lead_id: int | None,
    subject_kind: str,
    subject_id: int,
    step: str,
    generation: int,
    due_at: datetime,
) -> bool:
    """Arm one timer; False when this step of this generation was armed before."""
    return insert_if_new(
        conn,
        _timers,
        lead_id=lead_id,
        subject_kind=subject_kind,
        subject_id=subject_id,
        step=step,
        generation=generation,
        due_at=due_at,
        state="armed",
    )


def arm_timers(
    conn: Connection,
    *,
    lead_id: int,
    subject_kind: str,
    subject_id: int,
    generation: int,
    steps: Sequence[tuple[str, datetime]],
) -> None:
    """Arm the timers of several steps (name, due at) at once; those armed before stay as they are."""
    fixed = {
        "lead_id": lead_id,
        "subject_kind": subject_kind,
        "subject_id": subject_id,
        "generation": generation,
        "state": "armed",
    }
    insert_all_new(conn, _timers, [{**fixed, "step": name, "due_at": at} for name, at in steps])


def cancel_timers(
    conn: Connection, subject_kind: str, subject_id: int, state: str = "cancelled"
) -> int:
    """Disarm all armed timers of a subject."""
    result = conn.execute(
        _timers.update()
        .where(
            _timers.c.subject_kind == subject_kind,
            _timers.c.subject_id == subject_id,
            _timers.c.state == "armed",
        )
        .values(state=state)
    )
    return result.rowcount


def claim_due_timers(conn: Connection, now: datetime, limit: int = 100) -> list[TimerRow]:
    """Due timers, oldest first, their leads locked. On PostgreSQL leads that others work on are skipped.

    Lock order: the lead row, never the timer row (clicks lock the lead too); timers without a lead lock
    themselves. On SQLite the writer is alone and the clause compiles to nothing.
    """
    due = [_timers.c.state == "armed", _timers.c.due_at <= now]
    with_lead = (
        select(_timers)
        .join(_leads, _leads.c.id == _timers.c.lead_id)
        .where(*due)
        .order_by(_timers.c.due_at, _timers.c.id)
        .limit(limit)
        .with_for_update(of=_leads, skip_locked=True)
    )
    found = [as_row(TimerRow, row) for row in conn.execute(with_lead)]
    if len(found) < limit:
        alone = (
            select(_timers)
            .where(*due, _timers.c.lead_id.is_(None))
            .order_by(_timers.c.due_at, _timers.c.id)
            .limit(limit - len(found))
            .with_for_update(skip_locked=True)
        )
        found += [as_row(TimerRow, row) for row in conn.execute(alone)]
    # Between the claim's snapshot and its lock another worker may have fired the timer and committed:
    # read the states again, now that the leads are ours.
    still = set(
        conn.execute(
            select(_timers.c.id).where(
                _timers.c.id.in_([t.id for t in found]), _timers.c.state == "armed"
            )
        ).scalars()
    )
    return [t for t in found if t.id in still]


def settle_timer(conn: Connection, timer_id: int, state: str, now: datetime) -> bool:
    """Mark a timer fired, superseded or parked. False when somebody else did already."""
    result = conn.execute(
        _timers.update()
        .where(_timers.c.id == timer_id, _timers.c.state == "armed")
        .values(state=state, fired_at=now)
    )
    return result.rowcount == 1


def supersede_taken(conn: Connection, timer_id: int) -> None:
    """A timer that was taken to fire turned out to be needless: something higher of the same batch spoke."""
    conn.execute(
        _timers.update()
        .where(_timers.c.id == timer_id, _timers.c.state == "fired")
        .values(state="superseded")
    )


def count_attempt(conn: Connection, timer_id: int, again_at: datetime) -> int:
    """Count a failed firing and put the timer off until `again_at`; the number of failures so far."""
    return int(
        conn.execute(
            _timers.update()
            .where(_timers.c.id == timer_id)
            .values(attempts=_timers.c.attempts + 1, due_at=again_at)
            .returning(_timers.c.attempts)
        ).scalar_one()
    )


def list_timers(
    conn: Connection, lead_id: int, states: Iterable[str] = ("armed",)
) -> list[TimerRow]:
    """Timers of a lead."""
    rows = conn.execute(
        select(_timers)
        .where(_timers.c.lead_id == lead_id, _timers.c.state.in_(list(states)))
        .order_by(_timers.c.due_at, _timers.c.id)
    )
    return [as_row(TimerRow, row) for row in rows]


def list_settled_steps(conn: Connection, clock_id: int) -> frozenset[str]:
    """The steps of a clock that happened, or gave way to a higher one, in any generation."""
    rows = conn.execute(
        select(_timers.c.step).where(
            _timers.c.subject_kind == "clock",
            _timers.c.subject_id == clock_id,
            _timers.c.fired_at.is_not(None),
        )
    )
    return frozenset(rows.scalars())


def next_due_at(conn: Connection) -> datetime | None:
    """When the next armed timer is due."""
    return conn.execute(
        select(func.min(_timers.c.due_at)).where(_timers.c.state == "armed")
    ).scalar_one_or_none()


def next_timer(conn: Connection, after: datetime, *, but: str = "") -> TimerRow | None:
    """The first armed timer that is due after `after`, leaving out the step `but`."""
    row = conn.execute(
        select(_timers)
        .where(_timers.c.state == "armed", _timers.c.due_at > after, _timers.c.step != but)
        .order_by(_timers.c.due_at, _timers.c.id)
        .limit(1)
    ).one_or_none()
    return as_row(TimerRow, row) if row is not None else None


def count_parked(conn: Connection) -> int:
    """Timers that failed again and again and fire no more."""
    return int(
        conn.execute(
            select(func.count()).select_from(_timers).where(_timers.c.state == "parked")
        ).scalar_one()
    )
