"""Stored versions of the playbook, downtime records, worker heartbeats and the sandbox's clock offset."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, select, text

from storage.models import ClockOffset, Heartbeats, Liveness, Playbooks
from storage.rows import as_row, insert_if_new, table_of

_playbooks = table_of(Playbooks)
_offset = table_of(ClockOffset)
_beats = table_of(Heartbeats)
_liveness = table_of(Liveness)

#: The role that takes leads and clicks but fires nothing: Baton is down without the others.
WEB = "web"


@dataclass(frozen=True, slots=True)
class Beat:
    """A process: when it was last heard of and has been started (real time), and how far its clock is off."""

    worker: str
    ticked_at: datetime
    role: str
    started_at: datetime | None
    skew_ms: int


@dataclass(frozen=True, slots=True)
class PlaybookRow:
    """A version of the agreement as written."""

    version: int
    sha256: str
    body: str
    holidays: dict[str, Any]
    applied_at: datetime


def newest_playbook(conn: Connection) -> PlaybookRow | None:
    """The version in force."""
    row = conn.execute(
        select(_playbooks)
        .order_by(_playbooks.c.applied_at.desc(), _playbooks.c.version.desc())
        .limit(1)
    ).one_or_none()
    return as_row(PlaybookRow, row) if row is not None else None


def read_playbook(conn: Connection, version: int) -> PlaybookRow | None:
    """A version, in force or not."""
    row = conn.execute(select(_playbooks).where(_playbooks.c.version == version)).one_or_none()
    return as_row(PlaybookRow, row) if row is not None else None


def version_of(conn: Connection, sha256: str) -> int | None:
    """The version that the text with this hash is, in force or not."""
    return conn.execute(
        select(_playbooks.c.version).where(_playbooks.c.sha256 == sha256)
    ).scalar_one_or_none()


def insert_playbook(
    conn: Connection, *, sha256: str, body: str, holidays: dict[str, Any], now: datetime
) -> int:
    """Store the next version; a text that was in force before gets its old number and comes back in force.

    Processes that start at once do this at once: whoever is second waits for the first, and finds what it stored.
    """
    newest = conn.execute(select(func.max(_playbooks.c.applied_at))).scalar_one()
    if newest is not None:
        # What is applied last is in force, also when the wall clock stepped back in between.
        now = max(now, newest + timedelta(microseconds=1))
    while True:
        known = conn.execute(
            _playbooks.update()
            .where(_playbooks.c.sha256 == sha256)
            .values(applied_at=now)
            .returning(_playbooks.c.version)
        ).scalar_one_or_none()
        if known is not None:
            return int(known)
        version = int(
            conn.execute(select(func.coalesce(func.max(_playbooks.c.version), 0) + 1)).scalar_one()
        )
        if insert_if_new(
            conn,
            _playbooks,
            version=version,
            sha256=sha256,
            body=body,
            holidays=holidays,
            applied_at=now,
        ):
            return version


def read_offset(conn: Connection) -> int:
    """Seconds by which the sandbox has moved business time; 0 in production."""
    return conn.execute(select(_offset.c.seconds).where(_offset.c.id == 1)).scalar() or 0


def move_offset(conn: Connection, seconds: int) -> int:
    """Move business time forward (sandbox only); the new offset in seconds."""
    insert_if_new(conn, _offset, id=1, seconds=0)
    return int(
        conn.execute(
            _offset.update()
            .where(_offset.c.id == 1)
            .values(seconds=_offset.c.seconds + seconds)
            .returning(_offset.c.seconds)
        ).scalar_one()
    )


def beat(
    conn: Connection,
    worker: str,
    real_now: datetime,
    *,
    role: str = "worker",
    started_at: datetime | None = None,
    skew_ms: int = 0,
) -> None:
    """This process is alive. `skew_ms`: its clock minus the database server's."""
    now = {"ticked_at": real_now, "role": role, "started_at": started_at, "skew_ms": skew_ms}
    if not insert_if_new(conn, _beats, worker=worker, **now):
        conn.execute(_beats.update().where(_beats.c.worker == worker).values(**now))


def last_beat(conn: Connection, *, before: datetime | None = None) -> datetime | None:
    """When any process that ticks last did (real time); `before`: of those not after it, for a clock that was ahead."""
    query = select(func.max(_beats.c.ticked_at)).where(_beats.c.role != WEB)
    if before is not None:
        query = query.where(_beats.c.ticked_at <= before)
    return conn.execute(query).scalar_one_or_none()


def lock_last_beat(conn: Connection, *, before: datetime) -> datetime | None:
    """`last_beat`, by one process at a time: who waited for the lock finds what the one before it has written."""
    newest = (
        select(_beats.c.worker)
        .where(_beats.c.role != WEB, _beats.c.ticked_at <= before)
        .order_by(_beats.c.ticked_at.desc(), _beats.c.worker)
        .limit(1)
    )
    conn.execute(
        select(_beats.c.worker).where(_beats.c.worker == newest.scalar_subquery()).with_for_update()
    )
    return last_beat(conn, before=before)


def list_beats(conn: Connection) -> list[Beat]:
    """All processes, by name."""
    return [as_row(Beat, row) for row in conn.execute(select(_beats).order_by(_beats.c.worker))]


def forget_beats(conn: Connection, before: datetime) -> int:
    """Clear away processes that have not been heard of since `before`; how many."""
    return conn.execute(delete(_beats).where(_beats.c.ticked_at < before)).rowcount


def server_time(conn: Connection) -> datetime | None:
    """What the clock of the database's machine shows; None on SQLite, which has none. To measure ours by, never to
    decide anything."""
    if conn.dialect.name == "sqlite":
        return None
    found: datetime = conn.execute(text("SELECT clock_timestamp()")).scalar_one()
    return found


def insert_downtime(conn: Connection, down_from: datetime, down_until: datetime) -> None:
    """Record minutes in which no worker ran."""
    conn.execute(_liveness.insert().values(down_from=down_from, down_until=down_until))


def list_downtimes(conn: Connection) -> list[tuple[datetime, datetime]]:
    """All recorded downtimes, oldest first."""
    rows = conn.execute(
        select(_liveness.c.down_from, _liveness.c.down_until).order_by(_liveness.c.id)
    )
    return [(a, b) for a, b in rows]
