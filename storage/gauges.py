"""How full and how late things are, in a few grouped counts for the metrics. Read-only, bounded, no ids."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from storage import alarms
from storage.backups import last_night
from storage.models import Leads, Outbox, Timers
from storage.rows import table_of

_leads = table_of(Leads)
_outbox = table_of(Outbox)
_timers = table_of(Timers)
_UNSETTLED = ("pending", "sending", "doubt", "folded", "held")


@dataclass(frozen=True, slots=True)
class Gauges:
    """`messages`: (way, state, priority) -> how many; `oldest`: way -> when its oldest due message might have gone
    (business time). `audited_at`, `backed_up_at`: real time, None: never."""

    messages: dict[tuple[str, str, int], int]
    oldest: dict[str, datetime]
    leads: dict[str, int]
    timers: dict[str, int]
    late: int
    alarms: dict[str, int]
    audited_at: datetime | None
    audit_ms: int
    backed_up_at: datetime | None


def read_gauges(conn: Connection, now: datetime) -> Gauges:
    """All of them. `now`: business time."""
    box = _outbox.c
    # What a list has shown stays `folded`, and is settled.
    unsettled = box.way.in_(("slack", "hook")), box.state.in_(_UNSETTLED), box.settled_at.is_(None)
    messages = conn.execute(
        select(box.way, box.state, box.priority, func.count())
        .where(*unsettled)
        .group_by(box.way, box.state, box.priority)
    )
    oldest = conn.execute(
        select(box.way, func.min(box.show_at))
        .where(
            box.way.in_(("slack", "hook")),
            box.state.in_(("pending", "sending", "doubt")),
            box.show_at <= now,
        )
        .group_by(box.way)
    )
    by_status = conn.execute(select(_leads.c.status, func.count()).group_by(_leads.c.status))
    timers = conn.execute(
        select(_timers.c.state, func.count())
        .where(_timers.c.state.in_(("armed", "parked")))
        .group_by(_timers.c.state)
    )
    late = conn.execute(
        select(func.count()).where(_timers.c.state == "armed", _timers.c.due_at < now)
    ).scalar_one()
    audit = alarms.read_audit(conn)
    return Gauges(
        messages={(str(w), str(s), int(p)): int(n) for w, s, p, n in messages},
        oldest={str(way): at for way, at in oldest},
        leads={str(status): int(n) for status, n in by_status},
        timers={str(state): int(n) for state, n in timers},
        late=int(late),
        alarms=alarms.count_going_on(conn),
        audited_at=audit.ended_at if audit is not None else None,
        audit_ms=audit.took_ms if audit is not None else 0,
        backed_up_at=last_night(conn),
    )
