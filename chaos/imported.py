"""What imports left in a database, without numbers and times of its own: two runs of one file can be compared.

What is not here: running imports (`imports`).
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, func, select

from storage.database import Database
from storage.models import Clocks, Journal, LeadKeys, Leads, Offers, Outbox, Timers
from storage.models_intake import Histories, ImportFaults, Imports
from storage.rows import table_of

_leads = table_of(Leads)
_keys = table_of(LeadKeys)
_journal = table_of(Journal)
_histories = table_of(Histories)
_imports = table_of(Imports)
_faults = table_of(ImportFaults)

#: Instants depend on when the import began, ids on the order of batches and on chance.
_OWN = frozenset({"id", "review_id", "arrived_at", "occurred_at", "status_at", "search_text"})
#: Nothing that is only told, waits, or is in review has any of these.
_NEVER = (Offers, Clocks, Timers, Outbox)

Lead = dict[str, Any]


def end_state(database: Database) -> dict[Any, Lead]:
    """Every lead by its keys: columns, past, journal."""
    with database.read() as conn:
        keys: dict[int, list[tuple[str, str]]] = defaultdict(list)
        for row in conn.execute(select(_keys)):
            keys[row.lead_id].append((row.source, row.external_id))
        told = {row.lead_id: tuple(row)[1:] for row in conn.execute(select(_histories))}
        stories: dict[int, list[Any]] = defaultdict(list)
        for entry in conn.execute(select(_journal).order_by(_journal.c.id)):
            if entry.subject_kind == "lead":
                data = {name: value for name, value in entry.data.items() if name != "review"}
                stories[entry.subject_id].append((entry.seq, entry.kind, entry.actor_kind, data))
        return {
            tuple(sorted(keys[row.id])): {
                **{name: v for name, v in row._mapping.items() if name not in _OWN},
                "in review": row.review_id is not None,
                "past": told.get(row.id),
                "journal": stories[row.id],
            }
            for row in conn.execute(select(_leads))
        }


def books_of(database: Database) -> dict[str, Any]:
    """The imports' own counts and faults, and how many rows there are of what imports never make."""
    with database.read() as conn:
        imports = [
            {**row._mapping, "started_at": None, "ended_at": row.ended_at is not None}
            for row in conn.execute(select(_imports).order_by(_imports.c.id))
        ]
        faults = sorted((row.line, row.reason) for row in conn.execute(select(_faults)))
        return {
            "imports": imports,
            "faults": faults,
            **{
                model.__tablename__: _count(conn, table_of(model).c.id)
                for model in (*_NEVER, Leads, LeadKeys)
            },
        }


def cursor_of(database: Database) -> int:
    """How many records of the newest import are done; 0 before there is one."""
    with database.read() as conn:
        newest = select(_imports.c.cursor).order_by(_imports.c.id.desc()).limit(1)
        return int(conn.execute(newest).scalar() or 0)


def unaccounted(database: Database, records: int, *, others: int = 0) -> list[str]:
    """Faults of the counts: each record of the file is in exactly one of them, and the leads are there.

    `others`: so many leads came in another way.
    """
    books = books_of(database)
    found: list[str] = []
    for run in books["imports"]:
        counted = sum(run[name] for name in ("accepted", "updated", "duplicate", "refused"))
        if not counted == run["cursor"] == records:
            found.append(
                f"import {run['id']}: {records} records, cursor {run['cursor']}, counted {counted}"
            )
    accepted = sum(run["accepted"] for run in books["imports"])
    if accepted + others != books["leads"]:
        found.append(f"{accepted} accepted, {others} came otherwise, {books['leads']} leads")
    if len(end_state(database)) != books["leads"]:
        found.append("a lead without a key")
    return found


def differences(one: Database, other: Database, most: int = 10) -> list[str]:
    """In what two databases that took the same imports differ; by lead and column."""
    here, there = end_state(one), end_state(other)
    found = [f"only in one of them: {keys}" for keys in here.keys() ^ there.keys()]
    for keys in here.keys() & there.keys():
        names = [n for n in here[keys] if here[keys][n] != there[keys].get(n)]
        found += [f"{keys}: {n} is {here[keys][n]!r} and {there[keys].get(n)!r}" for n in names]
    books, others = books_of(one), books_of(other)
    found += [
        f"{name}: {books[name]} and {others[name]}" for name in books if books[name] != others[name]
    ]
    return found[:most]


def _count(conn: Connection, column: Any) -> int:
    return int(conn.execute(select(func.count(column))).scalar_one())
