"""Putting single rows right that the watchdog found wrong. Each is one conditional UPDATE; True when it changed a row.

The lead of a row is locked by the caller. What is not here: finding them (`watching`), clocks and offers, which are put
right by what makes them (`bot.services.repair_leads`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, select

from storage.models import Clocks, Leads, Outbox, Timers
from storage.rows import table_of

_timers = table_of(Timers)
_clocks = table_of(Clocks)
_outbox = table_of(Outbox)
_leads = table_of(Leads)


def rejoin_timer(conn: Connection, timer_id: int) -> bool:
    """A timer of a clock or lead that does not say whose it is gets its lead again."""
    kind, subject = _timers.c.subject_kind, _timers.c.subject_id
    of_clock = select(_clocks.c.lead_id).where(_clocks.c.id == subject).scalar_subquery()
    lost = and_(_timers.c.id == timer_id, _timers.c.lead_id.is_(None), _timers.c.state == "armed")
    known = select(_leads.c.id).where(_leads.c.id == subject).scalar_subquery()
    return any(
        conn.execute(_timers.update().where(lost, kind == name).values(lead_id=lead)).rowcount
        for name, lead in (("clock", of_clock), ("lead", known))
    )


def unpark_timer(conn: Connection, timer_id: int, now: datetime, attempts: int) -> bool:
    """A parked timer fires at `now`; it may fail so often less as it has `attempts` behind it."""
    return _changed(
        conn,
        _timers,
        and_(_timers.c.id == timer_id, _timers.c.state == "parked"),
        state="armed",
        due_at=now,
        attempts=attempts,
        fired_at=None,
    )


def list_parked_ids(conn: Connection, limit: int) -> list[tuple[int, int | None]]:
    """(timer, lead) of parked timers, oldest first."""
    rows = conn.execute(
        select(_timers.c.id, _timers.c.lead_id)
        .where(_timers.c.state == "parked")
        .order_by(_timers.c.id)
        .limit(limit)
    )
    return [(int(timer), lead) for timer, lead in rows]


def send_soon(conn: Connection, row_id: int, real: datetime) -> bool:
    """A message that is put off further than any rule puts it may go now."""
    late = and_(_outbox.c.id == row_id, _outbox.c.state == "pending", _outbox.c.not_before > real)
    return _changed(conn, _outbox, late, not_before=real)


def end_lease(conn: Connection, row_id: int, real: datetime) -> bool:
    """Whoever is sending this is gone: the next claim takes it up as a message in doubt."""
    mine = and_(_outbox.c.id == row_id, _outbox.c.state == "sending")
    return _changed(conn, _outbox, mine, lease_until=real - timedelta(seconds=1))


def look_soon(conn: Connection, row_id: int, real: datetime) -> bool:
    """A message in doubt is looked for now."""
    mine = and_(_outbox.c.id == row_id, _outbox.c.state == "doubt")
    return _changed(conn, _outbox, mine, not_before=real, lease_until=None, doubt_since=real)


def _changed(conn: Connection, table: Any, which: ColumnElement[bool], **values: Any) -> bool:
    return bool(conn.execute(table.update().where(which).values(**values)).rowcount)
