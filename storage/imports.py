"""Imports: how far each one is and what became of its rows; leads looked up and written by the hundred.

SQLite takes the rows by executemany, PostgreSQL by COPY (`copying`). What is not here: what a row makes of a lead
(`bot.services`), a single lead (`leads`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, text

from bot.domain.funnel import Status
from bot.domain.past import Past
from storage.arrivals import reserve_lead_ids, write_rows
from storage.copying import insert_named_leads
from storage.leads import FACT_NAMES, LeadRow, fact_values
from storage.models import Journal, LeadKeys, Leads
from storage.models_intake import Histories, ImportFaults, Imports
from storage.rows import as_row, blank_of, insert_all_new, insert_if_new, table_of

_imports = table_of(Imports)
_faults = table_of(ImportFaults)
_leads = table_of(Leads)
_keys = table_of(LeadKeys)
_journal = table_of(Journal)
_histories = table_of(Histories)

#: (source, external id): the name the outside world has for a lead.
Key = tuple[str, str]
#: A journal entry: its kind and its data.
Entry = tuple[str, Mapping[str, Any]]

_COUNTS = ("accepted", "updated", "duplicate", "refused")
_PAST = ("owner", "team", "touches", "self_reported", "routed", "rejected")


_BLANK = blank_of(_leads)


@dataclass(frozen=True, slots=True)
class ImportRun:
    """One file under one mapping in one mode. `cursor`: so many of its records are done, and counted.

    `closed`: so many of them, done by this process, are about leads that stay closed; no column holds it.
    """

    id: int
    mode: str
    source: str
    cursor: int
    accepted: int
    updated: int
    duplicate: int
    refused: int
    started_at: datetime
    ended_at: datetime | None
    closed: int = 0


@dataclass(frozen=True, slots=True)
class KnownLead:
    """A lead that was there before a row about it came, locked. `past`: only leads of kind `history` have one."""

    lead: LeadRow
    journal_seq: int
    past: Past | None


@dataclass(frozen=True, slots=True)
class NewLead:
    """A lead to be written: its columns, what is told of its past, and its first journal entries."""

    values: Mapping[str, Any]
    past: Past | None
    entries: tuple[Entry, ...]


# ------------------------------------------------------------------ the import itself


def begin_import(
    conn: Connection, *, file_sha256: str, map_sha256: str, mode: str, source: str, now: datetime
) -> ImportRun:
    """The import of this file under this mapping in this mode: begun now, or as far as it is."""
    known = {"file_sha256": file_sha256, "map_sha256": map_sha256, "mode": mode}
    insert_if_new(conn, _imports, **known, source=source, started_at=now)
    return _run_of(conn.execute(select(_imports).filter_by(**known)).one())


def _run_of(row: Any) -> ImportRun:
    names = set(ImportRun.__dataclass_fields__) - {"closed"}
    return ImportRun(**{name: getattr(row, name) for name in names})


def move_cursor(conn: Connection, run: ImportRun, to: int) -> bool:
    """Whether these records are ours to do: False when another process did some of them meanwhile.

    First of all in the transaction that does them: two runs of one import then wait for each other.
    """
    moved = conn.execute(
        _imports.update()
        .where(_imports.c.id == run.id, _imports.c.cursor == run.cursor)
        .values(cursor=to)
        .returning(_imports.c.id)
    )
    return moved.one_or_none() is not None


def add_counts(conn: Connection, run: ImportRun, counts: Mapping[str, int]) -> ImportRun:
    """Count what became of records, in the transaction that did them; the import as it is then."""
    row = conn.execute(
        _imports.update()
        .where(_imports.c.id == run.id)
        .values({name: _imports.c[name] + counts.get(name, 0) for name in _COUNTS})
        .returning(*_imports.c)
    ).one()
    return replace(_run_of(row), closed=run.closed)


def end_import(conn: Connection, run: ImportRun, now: datetime) -> bool:
    """All records are done. True for the one who says so first."""
    ended = conn.execute(
        _imports.update()
        .where(
            _imports.c.id == run.id,
            _imports.c.cursor == run.cursor,
            _imports.c.ended_at.is_(None),
        )
        .values(ended_at=now)
        .returning(_imports.c.id)
    )
    return ended.one_or_none() is not None


def refresh_statistics(conn: Connection) -> None:
    """After many new rows PostgreSQL would plan by what it knew before, until it looks again by itself."""
    if conn.dialect.name == "postgresql":
        conn.execute(text("ANALYZE leads"))


def count_in_review(conn: Connection, reason: str) -> int:
    """How many leads are in review for this reason."""
    query = select(func.count(_leads.c.id)).where(
        _leads.c.status == Status.REVIEW.value,
        _leads.c.kind == "live",
        _leads.c.reason == reason,
    )
    return int(conn.execute(query).scalar_one())


def insert_faults(conn: Connection, run: ImportRun, faults: Iterable[tuple[int, str]]) -> None:
    """Rows that could not be used: their lines and why."""
    rows = [{"import_id": run.id, "line": line, "reason": reason} for line, reason in faults]
    insert_all_new(conn, _faults, rows)


def list_faults(conn: Connection, import_id: int) -> list[tuple[int, str]]:
    """(line, reason) of every refused row, in the file's order."""
    rows = conn.execute(
        select(_faults.c.line, _faults.c.reason)
        .where(_faults.c.import_id == import_id)
        .order_by(_faults.c.line)
    )
    return [(int(line), str(reason)) for line, reason in rows]


# ------------------------------------------------------------------ what is known


def find_names(
    conn: Connection, keys: Iterable[Key], mailboxes: Iterable[str]
) -> tuple[dict[Key, int], dict[str, int]]:
    """The leads that have one of these keys, and those that have one of these personal mailboxes."""
    by_source: dict[str, set[str]] = defaultdict(set)
    for source, external_id in keys:
        by_source[source].add(external_id)
    by_key: dict[Key, int] = {}
    for source, external_ids in by_source.items():
        named = conn.execute(
            select(_keys.c.external_id, _keys.c.lead_id).where(
                _keys.c.source == source, _keys.c.external_id.in_(external_ids)
            )
        )
        by_key.update({(source, str(external_id)): int(lead) for external_id, lead in named})
    wanted = set(mailboxes)
    if not wanted:
        return by_key, {}
    mailed = conn.execute(
        select(_leads.c.email_key, _leads.c.id).where(_leads.c.email_key.in_(wanted))
    )
    return by_key, {str(mailbox): int(lead) for mailbox, lead in mailed}


def lock_known(conn: Connection, ids: Iterable[int]) -> dict[int, KnownLead]:
    """These leads with what was told of their past, locked, always in the same order."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    rows = conn.execute(
        select(_leads).where(_leads.c.id.in_(wanted)).order_by(_leads.c.id).with_for_update()
    ).all()
    told = {
        int(row.lead_id): row
        for row in conn.execute(select(_histories).where(_histories.c.lead_id.in_(wanted)))
    }
    return {int(row.id): _known(row, told.get(row.id)) for row in rows}


def _known(row: Any, told: Any) -> KnownLead:
    lead = as_row(LeadRow, row)
    past = None
    if told is not None:
        values = {name: getattr(told, name) for name in _PAST}
        past = Past(
            status=Status(lead.status), reason=lead.reason, arrived_at=lead.arrived_at, **values
        )
    return KnownLead(lead, int(row.journal_seq), past)


# ------------------------------------------------------------------ writing by the hundred


def insert_leads(conn: Connection, new: Sequence[NewLead], *, at: datetime) -> list[int | None]:
    """Write new leads with their keys, pasts and journals; who does not say when it arrived does so `at`.

    Their ids; None for one whose key or mailbox was taken meanwhile.
    """
    if not new:
        return []
    ids = reserve_lead_ids(conn, len(new))
    began = {"arrived_at": at, "status_at": at}
    rows = [
        {**_BLANK, **began, **lead.values, "id": lead_id, "journal_seq": len(lead.entries)}
        for lead_id, lead in zip(ids, new, strict=True)
    ]
    if conn.dialect.name == "sqlite":
        # Looked up under the write lock: nobody can have taken a name since.
        conn.execute(_leads.insert(), rows)
        conn.execute(
            _keys.insert(),
            [
                {"source": row["source"], "external_id": row["external_id"], "lead_id": row["id"]}
                for row in rows
            ],
        )
        written = set(ids)
    else:
        written = insert_named_leads(conn, _leads, _keys, rows)
    kept = [(i, lead) for i, lead in zip(ids, new, strict=True) if i in written]
    write_rows(
        conn, _histories, [_history(i, lead.past) for i, lead in kept if lead.past is not None]
    )
    write_rows(
        conn, _journal, [row for i, lead in kept for row in _entries(i, 0, lead.entries, at)]
    )
    return [i if i in written else None for i in ids]


def save_told(
    conn: Connection, changed: Sequence[tuple[KnownLead, tuple[Entry, ...]]], *, at: datetime
) -> None:
    """Write leads of kind `history` as they are told now, each with the entries that say so."""
    if not changed:
        return
    conn.execute(
        _UPDATE_LEAD,
        [
            {
                **{f"new_{name}": value for name, value in fact_values(known.lead.facts()).items()},
                **{f"new_{name}": getattr(known.lead, name) for name in _TOLD},
                "lead": known.lead.id,
                "entries": len(entries),
            }
            for known, entries in changed
        ],
    )
    conn.execute(
        _UPDATE_HISTORY,
        [
            {"lead": known.lead.id, **{f"new_{name}": getattr(known.past, name) for name in _PAST}}
            for known, _ in changed
        ],
    )
    rows = [
        row
        for known, entries in changed
        for row in _entries(known.lead.id, known.journal_seq, entries, at)
    ]
    write_rows(conn, _journal, rows)


#: What an import may say anew of a lead that it told before, beside the facts.
_TOLD = ("email_key", "status", "reason", "arrived_at", "status_at", "occurred_at", "news_key")
_FACTS = (*FACT_NAMES, "score_reasons", "extra", "search_text")
_UPDATE_LEAD = (
    _leads.update()
    .where(_leads.c.id == bindparam("lead"))
    .values(
        {
            **{
                name: bindparam(f"new_{name}", type_=_leads.c[name].type)
                for name in (*_FACTS, *_TOLD)
            },
            "version": _leads.c.version + bindparam("entries"),
            "journal_seq": _leads.c.journal_seq + bindparam("entries"),
        }
    )
)
_UPDATE_HISTORY = (
    _histories.update()
    .where(_histories.c.lead_id == bindparam("lead"))
    .values({name: bindparam(f"new_{name}") for name in _PAST})
)


def _history(lead_id: int, past: Past) -> dict[str, Any]:
    return {"lead_id": lead_id, **{name: getattr(past, name) for name in _PAST}}


def _entries(
    lead_id: int, before: int, entries: Sequence[Entry], at: datetime
) -> list[dict[str, Any]]:
    return [
        {
            "subject_kind": "lead",
            "subject_id": lead_id,
            "seq": before + n,
            "at": at,
            "actor_kind": "system",
            "actor_id": None,
            "kind": kind,
            "data": dict(data),
        }
        for n, (kind, data) in enumerate(entries, start=1)
    ]
