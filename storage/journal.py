"""The journal: append-only. One decision is one row; `seq` is gap-free per subject.

What is not here: what a kind means (`bot.domain.replay` folds the rows back into a state).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from storage.models import Journal, Leads
from storage.rows import as_row, table_of

_journal = table_of(Journal)
_leads = table_of(Leads)
_INSERT = _journal.insert()
_COUNT = (
    _leads.update()
    .where(_leads.c.id == bindparam("subject"))
    .values(journal_seq=_leads.c.journal_seq + 1)
    .returning(_leads.c.journal_seq)
)


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One entry. `data` holds ids and codes only, never personal data."""

    subject_kind: str
    subject_id: int
    seq: int
    at: datetime
    actor_kind: str
    actor_id: int | None
    kind: str
    data: dict[str, Any]


def insert_entry(
    conn: Connection,
    *,
    subject_kind: str,
    subject_id: int,
    at: datetime,
    kind: str,
    actor_kind: str = "system",
    actor_id: int | None = None,
    data: Mapping[str, Any] | None = None,
) -> int:
    """Append one entry; its `seq`, which for leads is counted on the locked lead row, else on the journal itself."""
    if subject_kind == "lead":
        seq = conn.execute(_COUNT, {"subject": subject_id}).scalar_one()
    else:
        seq = (
            conn.execute(
                select(func.coalesce(func.max(_journal.c.seq), 0)).where(
                    _journal.c.subject_kind == subject_kind, _journal.c.subject_id == subject_id
                )
            ).scalar_one()
            + 1
        )
    conn.execute(
        _INSERT,
        {
            "subject_kind": subject_kind,
            "subject_id": subject_id,
            "seq": seq,
            "at": at,
            "actor_kind": actor_kind,
            "actor_id": actor_id,
            "kind": kind,
            "data": dict(data or {}),
        },
    )
    return int(seq)


def list_entries(conn: Connection, subject_kind: str, subject_id: int) -> list[JournalRow]:
    """All entries of a subject in order."""
    rows = conn.execute(
        select(_journal)
        .where(_journal.c.subject_kind == subject_kind, _journal.c.subject_id == subject_id)
        .order_by(_journal.c.seq)
    )
    return [as_row(JournalRow, row) for row in rows]
