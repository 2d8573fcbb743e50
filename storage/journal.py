"""The journal: append-only. One decision is one row; `seq` is gap-free per subject.

What is not here: what a kind means (`bot.domain.replay` folds the rows back into a state).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, text

from storage.copying import copy_rows, insert_plain
from storage.models import Journal, Leads
from storage.prepared import Prepared
from storage.rows import as_row, table_of

_journal = table_of(Journal)
_leads = table_of(Leads)
_NAMES = ("subject_kind", "subject_id", "seq", "at", "actor_kind", "actor_id", "kind", "data")
_INSERT = Prepared(lambda _dialect: _journal.insert(), (), _NAMES)
_COUNT = Prepared(
    lambda _dialect: (
        _leads.update()
        .where(_leads.c.id == bindparam("subject"))
        .values(journal_seq=_leads.c.journal_seq + bindparam("more"))
        .returning(_leads.c.journal_seq)
    ),
    (_leads.c.journal_seq,),
)
#: So many entries are no reason for a COPY, which costs a round trip or two of its own.
_FEW = 50
#: Count the entries of one lead and write them: one statement, as PostgreSQL knows it.
_COUNT_AND_WRITE = Prepared(
    lambda _dialect: text(
        "WITH counted AS (UPDATE leads SET journal_seq = journal_seq + CAST(:more AS int)"
        " WHERE id = CAST(:subject AS bigint) RETURNING id, journal_seq),"
        " put AS (INSERT INTO journal"
        " (subject_kind, subject_id, seq, at, actor_kind, actor_id, kind, data)"
        " SELECT 'lead', counted.id, counted.journal_seq - CAST(:more AS int) + given.place,"
        " CAST(:at AS timestamptz), given.actor_kind, given.actor_id, given.kind, given.data"
        " FROM counted, json_to_recordset(CAST(:rows AS json)) AS given"
        " (place int, actor_kind text, actor_id bigint, kind text, data jsonb)"
        " ORDER BY given.place)"
        " SELECT journal_seq FROM counted"
    ),
    (_leads.c.journal_seq,),
)


#: Count those of many leads.
_COUNT_ALL = text(
    "UPDATE leads SET journal_seq = journal_seq + counted.more "
    "FROM unnest(CAST(:subjects AS bigint[]), CAST(:more AS int[])) AS counted (id, more) "
    "WHERE leads.id = counted.id RETURNING leads.id, leads.journal_seq"
)


@dataclass(frozen=True, slots=True)
class LeadEntry:
    """One entry about a lead, still to be written."""

    lead_id: int
    kind: str
    data: Mapping[str, Any]
    actor_kind: str = "system"
    actor_id: int | None = None


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
        ((seq,),) = _COUNT.fetch(conn, {"subject": subject_id, "more": 1})
    else:
        seq = (
            conn.execute(
                select(func.coalesce(func.max(_journal.c.seq), 0)).where(
                    _journal.c.subject_kind == subject_kind, _journal.c.subject_id == subject_id
                )
            ).scalar_one()
            + 1
        )
    _INSERT.run(
        conn,
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


def insert_entries(conn: Connection, entries: Sequence[LeadEntry], *, at: datetime) -> list[int]:
    """Append entries about leads that are locked, in their order, with a few statements; the `seq` of each."""
    if not entries:
        return []
    many = Counter(entry.lead_id for entry in entries)
    sqlite = conn.dialect.name == "sqlite"
    if len(many) == 1 and len(entries) <= _FEW and not sqlite:
        return _count_and_write(conn, entries, at)
    last = _count_on(conn, many)
    rows = []
    for entry in entries:
        last[entry.lead_id] += 1
        rows.append(row_of(entry, last[entry.lead_id], at))
    if sqlite:
        insert_plain(conn, _journal, rows)
    else:
        copy_rows(conn, _journal, rows)
    return [row["seq"] for row in rows]


def _count_and_write(conn: Connection, entries: Sequence[LeadEntry], at: datetime) -> list[int]:
    rows = [
        {
            "place": place, "actor_kind": entry.actor_kind, "actor_id": entry.actor_id,
            "kind": entry.kind, "data": dict(entry.data),
        }
        for place, entry in enumerate(entries, 1)
    ]  # fmt: skip
    given = {
        "subject": entries[0].lead_id, "more": len(rows), "at": at, "rows": json.dumps(rows),
    }  # fmt: skip
    ((last,),) = _COUNT_AND_WRITE.fetch(conn, given)
    return list(range(int(last) - len(rows) + 1, int(last) + 1))


def _count_on(conn: Connection, many: Mapping[int, int]) -> dict[int, int]:
    """Count `many` entries of each lead on; where each stood before."""
    if conn.dialect.name == "sqlite":
        last = {}
        for lead_id, more in many.items():
            ((seq,),) = _COUNT.fetch(conn, {"subject": lead_id, "more": more})
            last[lead_id] = int(seq) - more
        return last
    counted = conn.execute(_COUNT_ALL, {"subjects": list(many), "more": list(many.values())})
    return {int(i): int(seq) - many[i] for i, seq in counted}


def row_of(entry: LeadEntry, seq: int, at: datetime) -> dict[str, Any]:
    """An entry as its row. For whoever counts `seq` themselves, on leads that nobody else can have seen yet."""
    return {
        "subject_kind": "lead",
        "subject_id": entry.lead_id,
        "seq": seq,
        "at": at,
        "actor_kind": entry.actor_kind,
        "actor_id": entry.actor_id,
        "kind": entry.kind,
        "data": dict(entry.data),
    }


def list_entries(conn: Connection, subject_kind: str, subject_id: int) -> list[JournalRow]:
    """All entries of a subject in order."""
    rows = conn.execute(
        select(_journal)
        .where(_journal.c.subject_kind == subject_kind, _journal.c.subject_id == subject_id)
        .order_by(_journal.c.seq)
    )
    return [as_row(JournalRow, row) for row in rows]


def list_newer(conn: Connection, after: int) -> tuple[int, list[JournalRow]]:
    """Entries about leads written after entry `after` (0: all), in their order, and the number of the last one of all:
    for whoever plays along with what happens (the demo). Not for reports, which go by time."""
    rows = conn.execute(
        select(_journal)
        .where(_journal.c.id > after, _journal.c.subject_kind == "lead")
        .order_by(_journal.c.id)
    ).all()
    return (rows[-1].id if rows else after), [as_row(JournalRow, row) for row in rows]
