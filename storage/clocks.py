"""Clocks and the timers that make their steps happen. At most one running clock of a kind per lead."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from storage.models import Clocks, Leads, Timers
from storage.prepared import Prepared, Reading, among, change_row, unindexed
from storage.rows import as_row, insert, insert_all_new, insert_if_new, is_among, table_of

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
    wall_seconds: int | None
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


_OF_LEAD: Reading[ClockRow] = Reading(
    ClockRow,
    _clocks,
    lambda _dialect, columns: (
        select(*columns).where(_clocks.c.lead_id == bindparam("lead")).order_by(_clocks.c.id)
    ),
)
_RUNNING: Reading[ClockRow] = Reading(
    ClockRow,
    _clocks,
    lambda _dialect, columns: (
        select(*columns)
        .where(_clocks.c.lead_id == bindparam("lead"), _clocks.c.ended_at.is_(None))
        .order_by(_clocks.c.id)
    ),
)
_BY_IDS: Reading[ClockRow] = Reading(
    ClockRow,
    _clocks,
    lambda dialect, columns: select(*columns).where(among(dialect, _clocks.c.id, "clocks")),
)
_OF_LEADS: Reading[ClockRow] = Reading(
    ClockRow,
    _clocks,
    lambda dialect, columns: (
        select(*columns).where(among(dialect, _clocks.c.lead_id, "leads")).order_by(_clocks.c.id)
    ),
)
_DUE_OF: Reading[TimerRow] = Reading(
    TimerRow,
    _timers,
    lambda dialect, columns: (
        select(*columns)
        .where(
            among(dialect, _timers.c.lead_id, "leads"),
            _timers.c.state == "armed",
            _timers.c.due_at <= bindparam("now", type_=_timers.c.due_at.type),
        )
        .order_by(_timers.c.due_at, _timers.c.id)
    ),
)
_DISARM = Prepared(
    lambda dialect: (
        _timers.update()
        .where(
            _timers.c.subject_kind == "clock",
            among(dialect, _timers.c.subject_id, "clocks"),
            unindexed(dialect, _timers.c.state) == "armed",
        )
        .values(state="cancelled")
    )
)


#: What a clock has that was just started.
_NEW_CLOCK: dict[str, Any] = {
    "breached_at": None, "ended_at": None, "outcome": "", "taken_seconds": None, "wall_seconds": None,
    "excused": False,
}  # fmt: skip


def insert_clock(conn: Connection, **values: Any) -> ClockRow:
    """Start a clock. The caller has made sure that none of the kind runs for the lead."""
    return ClockRow(id=insert(conn, _clocks, **values), **{**_NEW_CLOCK, **values})


def read_clock(conn: Connection, clock_id: int) -> ClockRow | None:
    """One clock."""
    row = conn.execute(select(_clocks).where(_clocks.c.id == clock_id)).one_or_none()
    return as_row(ClockRow, row) if row is not None else None


def read_clocks(conn: Connection, clock_ids: Collection[int]) -> dict[int, ClockRow]:
    """Several clocks, by id."""
    return {clock.id: clock for clock in _BY_IDS.all(conn, {"clocks": list(clock_ids)})}


def list_clocks(conn: Connection, lead_id: int, *, running: bool = False) -> list[ClockRow]:
    """Clocks of a lead, oldest first; only those that run when asked."""
    return (_RUNNING if running else _OF_LEAD).all(conn, {"lead": lead_id})


def list_of_leads(conn: Connection, lead_ids: Sequence[int]) -> dict[int, list[ClockRow]]:
    """Clocks of several leads, by lead, oldest first."""
    found: dict[int, list[ClockRow]] = {}
    for clock in _OF_LEADS.all(conn, {"leads": list(lead_ids)}):
        found.setdefault(clock.lead_id, []).append(clock)
    return found


def list_running_of(conn: Connection, lead_ids: Sequence[int]) -> list[ClockRow]:
    """Running clocks of several leads."""
    return _RUNNING_OF.all(conn, {"leads": list(lead_ids)})


_RUNNING_OF: Reading[ClockRow] = Reading(
    ClockRow,
    _clocks,
    lambda dialect, columns: select(*columns).where(
        among(dialect, _clocks.c.lead_id, "leads"), _clocks.c.ended_at.is_(None)
    ),
)


def list_all_running(conn: Connection) -> list[ClockRow]:
    """Every running clock (for apply-to-running)."""
    rows = conn.execute(select(_clocks).where(_clocks.c.ended_at.is_(None)).order_by(_clocks.c.id))
    return [as_row(ClockRow, row) for row in rows]


def save_clock(conn: Connection, clock_id: int, **changes: Any) -> ClockRow:
    """Change a clock of a locked lead."""
    return change_row(conn, _clocks, ClockRow, clock_id, changes)


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


def timer_rows(
    *,
    lead_id: int,
    subject_kind: str,
    subject_id: int,
    generation: int,
    steps: Sequence[tuple[str, datetime]],
) -> list[dict[str, Any]]:
    """The timers of several steps (name, due at), still to be armed."""
    fixed = {
        "lead_id": lead_id,
        "subject_kind": subject_kind,
        "subject_id": subject_id,
        "generation": generation,
        "state": "armed",
        "attempts": 0,
    }
    return [{**fixed, "step": name, "due_at": at} for name, at in steps]


def arm_timers(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Arm timers; those armed before stay as they are."""
    insert_all_new(conn, _timers, rows)


def disarm(conn: Connection, clock_ids: Collection[int]) -> None:
    """Cancel all armed timers of these clocks."""
    if clock_ids:
        _DISARM.run(conn, {"clocks": list(clock_ids)})


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
    """Of the leads of the timers that are due, oldest first, all timers that are due; the leads are locked. On
    PostgreSQL leads that others work on are skipped.

    `limit` bounds the timers that are looked for; a lead's others come with it: superseding needs the whole picture.
    Lock order: the lead row, never the timer row (clicks lock the lead too). On SQLite the writer is alone and the
    clause compiles to nothing.
    """
    first = (
        select(_timers.c.lead_id)
        .join(_leads, _leads.c.id == _timers.c.lead_id)
        .where(_timers.c.state == "armed", _timers.c.due_at <= now)
        .order_by(_timers.c.due_at, _timers.c.id)
        .limit(limit)
        .with_for_update(of=_leads, skip_locked=True)
    )
    order = {lead_id: n for n, lead_id in enumerate(dict.fromkeys(conn.execute(first).scalars()))}
    if not order:
        return []
    # Between the claim's snapshot and its lock another worker may have fired a timer and committed: the timers are
    # read when the leads are ours.
    due = _DUE_OF.all(conn, {"leads": list(order), "now": now})
    return sorted(due, key=lambda t: order[t.lead_id or 0])


def settle_timer(conn: Connection, timer_id: int, state: str, now: datetime) -> bool:
    """Mark a timer fired, superseded or parked. False when somebody else did already."""
    return settle_timers(conn, [timer_id], state, now) == 1


def settle_timers(conn: Connection, timer_ids: Collection[int], state: str, now: datetime) -> int:
    """Mark timers fired, superseded or parked; how many were still armed."""
    if not timer_ids:
        return 0
    return conn.execute(
        _timers.update()
        .where(is_among(conn, _timers.c.id, timer_ids), _timers.c.state == "armed")
        .values(state=state, fired_at=now)
    ).rowcount


def supersede_taken(conn: Connection, timer_ids: Collection[int]) -> None:
    """Timers that were taken to fire turned out to be needless: something higher of the same batch spoke."""
    if timer_ids:
        conn.execute(
            _timers.update()
            .where(is_among(conn, _timers.c.id, timer_ids), _timers.c.state == "fired")
            .values(state="superseded")
        )


def mark_breached(conn: Connection, clock_ids: Collection[int]) -> None:
    """Clocks of locked leads ran out, at the time they were due."""
    if clock_ids:
        conn.execute(
            _clocks.update()
            .where(is_among(conn, _clocks.c.id, clock_ids), _clocks.c.breached_at.is_(None))
            .values(breached_at=_clocks.c.due_at)
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
