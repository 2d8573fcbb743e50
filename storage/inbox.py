"""The inbox: every authenticated message is stored before it is parsed. UNIQUE(source, msg_id) is the dedupe."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from storage.models_intake import Inbox
from storage.rows import as_row, insert_if_new, table_of

_inbox = table_of(Inbox)


@dataclass(frozen=True, slots=True)
class InboxRow:
    """A stored message. `results`: one per item, as answered to the sender."""

    id: int
    source: str
    msg_id: str
    sha256: str
    raw: bytes | None
    state: str
    results: list[Any]
    received_at: datetime


def store_message(
    conn: Connection, *, source: str, msg_id: str, sha256: str, raw: bytes, now: datetime
) -> InboxRow | None:
    """Store a new message; None when this (source, msg_id) is known."""
    new = insert_if_new(
        conn, _inbox, source=source, msg_id=msg_id, sha256=sha256, raw=raw,
        state="received", results=[], received_at=now,
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


def list_quarantined(conn: Connection, limit: int = 100) -> list[InboxRow]:
    """Messages of which at least one item could not be used, oldest first."""
    rows = conn.execute(
        select(_inbox).where(_inbox.c.state == "quarantined").order_by(_inbox.c.id).limit(limit)
    )
    return [as_row(InboxRow, row) for row in rows]
