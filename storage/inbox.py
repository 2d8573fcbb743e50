"""The inbox: every authenticated message is stored before it is parsed. UNIQUE(source, msg_id) is the dedupe."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from storage.models_intake import Inbox
from storage.rows import as_row, insert_if_new, table_of

_inbox = table_of(Inbox)

#: So many waiting messages are read at once: their bodies come, too, of up to 256 KiB.
WAITING_AT_ONCE = 10
_SLACK = "slack:"
#: Any number, for us alone in our database.
_TURN = 7_261_001


@dataclass(frozen=True, slots=True)
class InboxRow:
    """A stored message. `results`: one per item, as answered to the sender; `door`: leads or touches."""

    id: int
    source: str
    msg_id: str
    sha256: str
    raw: bytes | None
    state: str
    results: list[Any]
    received_at: datetime
    door: str


def take_turn(conn: Connection) -> None:
    """Transactions that change many leads go one after the other (PostgreSQL; SQLite has one writer anyway).

    They meet in rows that leads share (a person's Home, a list, when somebody was last offered one), each in another
    order: four at once deadlocked again and again until they were given up. The first thing such a transaction does.
    """
    if conn.dialect.name != "sqlite":
        conn.execute(select(func.pg_advisory_xact_lock(_TURN)))


def store_message(
    conn: Connection,
    *,
    source: str,
    msg_id: str,
    sha256: str,
    raw: bytes,
    now: datetime,
    door: str = "leads",
) -> InboxRow | None:
    """Store a new message; None when this (source, msg_id) is known."""
    new = insert_if_new(
        conn, _inbox, source=source, msg_id=msg_id, sha256=sha256, raw=raw,
        state="received", results=[], received_at=now, door=door,
    )  # fmt: skip
    return find_message(conn, source, msg_id) if new else None


def find_message(conn: Connection, source: str, msg_id: str) -> InboxRow | None:
    """The stored message, if any."""
    row = conn.execute(
        select(_inbox).where(_inbox.c.source == source, _inbox.c.msg_id == msg_id)
    ).one_or_none()
    return as_row(InboxRow, row) if row is not None else None


def read_message(conn: Connection, inbox_id: int) -> InboxRow | None:
    """One message by id, locked for a replay."""
    row = conn.execute(
        select(_inbox).where(_inbox.c.id == inbox_id).with_for_update()
    ).one_or_none()
    return as_row(InboxRow, row) if row is not None else None


def settle_message(conn: Connection, inbox_id: int, *, state: str, results: list[Any]) -> None:
    """Write what became of a message; the raw body stays only while something of it is in quarantine."""
    values: dict[str, Any] = {"state": state, "results": results}
    if state == "applied":
        values["raw"] = None
    conn.execute(_inbox.update().where(_inbox.c.id == inbox_id).values(**values))


def drop_message(conn: Connection, inbox_id: int) -> None:
    """Out of quarantine for good: the body goes, what became of its items stays."""
    conn.execute(_inbox.update().where(_inbox.c.id == inbox_id).values(state="dropped", raw=None))


def take_once(conn: Connection, key: str, real: datetime) -> bool:
    """Note that the payload `key` of Slack acts, in the transaction in which it does; False when it has before.

    The colon keeps it apart from every sender of leads. Whoever comes at the same moment waits for that commit. Noted
    at real time: in the sandbox business time jumps, and what Slack sends again comes seconds later.
    """
    return insert_if_new(
        conn, _inbox, source=_SLACK, msg_id=key, sha256="", state="applied", results=[],
        received_at=real,
    )  # fmt: skip


def forget_taken(conn: Connection, before: datetime, limit: int) -> int:
    """Forget up to `limit` payloads that acted before `before` (real time); how many."""
    old = (
        select(_inbox.c.id)
        .where(_inbox.c.source == _SLACK, _inbox.c.received_at < before)
        .limit(limit)
    )
    return conn.execute(_inbox.delete().where(_inbox.c.id.in_(old))).rowcount


def take_back(conn: Connection, key: str) -> None:
    """The payload did nothing after all: it may come again."""
    conn.execute(_inbox.delete().where(_inbox.c.source == _SLACK, _inbox.c.msg_id == key))


def list_quarantined(conn: Connection, limit: int = 100) -> list[InboxRow]:
    """Messages of which at least one item could not be used, oldest first."""
    rows = conn.execute(
        select(_inbox).where(_inbox.c.state == "quarantined").order_by(_inbox.c.id).limit(limit)
    )
    return [as_row(InboxRow, row) for row in rows]


def list_waiting(
    conn: Connection, *, door: str, since: datetime, before: int | None = None
) -> list[InboxRow]:
    """Messages of a door that came after `since` and hold something that could not be used, newest first; only those
    with an id below `before` when it is given."""
    query = select(_inbox).where(
        _inbox.c.state == "quarantined", _inbox.c.door == door, _inbox.c.received_at > since
    )
    if before is not None:
        query = query.where(_inbox.c.id < before)
    rows = conn.execute(query.order_by(_inbox.c.id.desc()).limit(WAITING_AT_ONCE))
    return [as_row(InboxRow, row) for row in rows]
