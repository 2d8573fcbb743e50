"""Alarms: what the watchdog found, repaired, told; and whose turn the next look is. Ids and codes only; real time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from storage.models_running import Alarms, Audits
from storage.rows import as_row, insert_if_new, table_of

_alarms = table_of(Alarms)
_audits = table_of(Audits)
_WATCHDOG = "watchdog"

#: What is over is kept so long: what comes back within a day is told at once.
KEPT = timedelta(days=30)
BACK_WITHIN = timedelta(days=1)
#: So many go on at most; more would say nothing more.
MOST = 1000


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """One alarm. It goes on until `gone_at`; `repaired_at`: its one repair was tried; `told_at`: the admins know."""

    id: int
    kind: str
    subject: str
    found_at: datetime
    repaired_at: datetime | None
    told_at: datetime | None
    gone_at: datetime | None
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AuditRow:
    """The watchdog's last look: `ended_at` None before the first came to its end."""

    worker: str
    until_at: datetime
    ended_at: datetime | None
    took_ms: int


# ------------------------------------------------------------------ whose turn it is


def take_turn(conn: Connection, worker: str, real: datetime, span: timedelta) -> bool:
    """Whether this worker makes the next look; nobody else does before `span` is over."""
    until = real + span
    if insert_if_new(
        conn, _audits, name=_WATCHDOG, worker=worker, until_at=until, ended_at=None, took_ms=0
    ):
        return True
    taken = conn.execute(
        _audits.update()
        .where(_audits.c.name == _WATCHDOG, _audits.c.until_at <= real)
        .values(worker=worker, until_at=until)
    )
    if taken.rowcount == 1:
        return True
    # The clock of whoever took it ran far ahead, or was set back since: nobody waits for that.
    far = conn.execute(
        _audits.update()
        .where(_audits.c.name == _WATCHDOG, _audits.c.until_at > real + span * 2)
        .values(worker=worker, until_at=until)
    )
    return far.rowcount == 1


def end_turn(conn: Connection, worker: str, real: datetime, took_ms: int) -> bool:
    """The look came to its end. False: it took so long that another worker has the turn."""
    done = conn.execute(
        _audits.update()
        .where(_audits.c.name == _WATCHDOG, _audits.c.worker == worker)
        .values(ended_at=real, took_ms=took_ms)
    )
    return done.rowcount == 1


def read_audit(conn: Connection) -> AuditRow | None:
    """The last look; None before the first."""
    row = conn.execute(select(_audits).where(_audits.c.name == _WATCHDOG)).one_or_none()
    return as_row(AuditRow, row) if row is not None else None


# ------------------------------------------------------------------ alarms


def list_going_on(conn: Connection) -> list[AlarmRow]:
    """All that are not over, oldest first."""
    rows = conn.execute(
        select(_alarms).where(_alarms.c.gone_at.is_(None)).order_by(_alarms.c.id).limit(MOST)
    )
    return [as_row(AlarmRow, row) for row in rows]


def read_alarms(conn: Connection, ids: Sequence[int]) -> list[AlarmRow]:
    """These, oldest first."""
    rows = conn.execute(select(_alarms).where(_alarms.c.id.in_(ids)).order_by(_alarms.c.id))
    return [as_row(AlarmRow, row) for row in rows]


def raise_alarm(
    conn: Connection, kind: str, subject: str, real: datetime, data: dict[str, Any]
) -> bool:
    """Note that something is wrong; False when that is known."""
    return insert_if_new(
        conn, _alarms, kind=kind, subject=subject, found_at=real, repaired_at=None, told_at=None,
        gone_at=None, data=data,
    )  # fmt: skip


def was_there(conn: Connection, kind: str, subject: str, real: datetime) -> bool:
    """Whether the same was wrong, and over, within the last day."""
    return (
        conn.execute(
            select(_alarms.c.id)
            .where(
                _alarms.c.kind == kind,
                _alarms.c.subject == subject,
                _alarms.c.gone_at > real - BACK_WITHIN,
            )
            .limit(1)
        ).first()
        is not None
    )


def note(conn: Connection, ids: Collection[int], **instants: datetime) -> None:
    """Write `repaired_at`, `told_at` or `gone_at` on these."""
    if ids:
        conn.execute(_alarms.update().where(_alarms.c.id.in_(ids)).values(**instants))


def note_repair(
    conn: Connection, kind: str, subject: str, real: datetime, data: dict[str, Any]
) -> None:
    """Its repair was tried; `data` says what came of it, in codes."""
    conn.execute(
        _alarms.update()
        .where(_alarms.c.kind == kind, _alarms.c.subject == subject, _alarms.c.gone_at.is_(None))
        .values(repaired_at=real, data=data)
    )


def count_going_on(conn: Connection) -> dict[str, int]:
    """How many of each kind go on."""
    rows = conn.execute(
        select(_alarms.c.kind, func.count())
        .where(_alarms.c.gone_at.is_(None))
        .group_by(_alarms.c.kind)
    )
    return {str(kind): int(many) for kind, many in rows}


def forget_old(conn: Connection, real: datetime) -> int:
    """Delete what has been over for long."""
    return conn.execute(_alarms.delete().where(_alarms.c.gone_at < real - KEPT)).rowcount
