"""New leads with everything that came of them, written by the hundred: a statement for each table and not for each row.

How each database takes them fastest knows `copying`. What is not here: what the rows say
(`bot.services.admit_leads`), leads of an import (`imports`), a single lead (`leads`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, func, select, text

from storage.copying import copy_rows, insert_plain
from storage.models import Clocks, Journal, LeadKeys, Leads, Offers, Outbox, Timers
from storage.rows import blank_of, table_of

_leads = table_of(Leads)
_keys = table_of(LeadKeys)
_offers = table_of(Offers)
_clocks = table_of(Clocks)
_timers = table_of(Timers)
_journal = table_of(Journal)
_outbox = table_of(Outbox)

#: A row of each table with what stands in it where nobody says anything else.
BLANK_LEAD: Mapping[str, Any] = blank_of(_leads)
BLANK_OFFER: Mapping[str, Any] = blank_of(_offers)
BLANK_CLOCK: Mapping[str, Any] = blank_of(_clocks)
BLANK_POST: Mapping[str, Any] = blank_of(_outbox)

Row = dict[str, Any]


@dataclass(slots=True)
class Arrivals:
    """Rows to be written, each table's with the same columns; `leads` and `clocks` bring their ids."""

    leads: list[Row] = field(default_factory=list)
    keys: list[Row] = field(default_factory=list)
    offers: list[Row] = field(default_factory=list)
    clocks: list[Row] = field(default_factory=list)
    timers: list[Row] = field(default_factory=list)
    journal: list[Row] = field(default_factory=list)
    outbox: list[Row] = field(default_factory=list)

    def add(self, more: Arrivals) -> None:
        """Join the rows of `more`."""
        self.leads += more.leads
        self.keys += more.keys
        self.offers += more.offers
        self.clocks += more.clocks
        self.timers += more.timers
        self.journal += more.journal
        self.outbox += more.outbox


def insert_arrivals(conn: Connection, rows: Arrivals) -> None:
    """Write them all. IntegrityError when a key or a mailbox was taken meanwhile: then nothing of it may stay."""
    for table, of_table in (
        (_leads, rows.leads),
        (_keys, rows.keys),
        (_offers, rows.offers),
        (_clocks, rows.clocks),
        (_timers, rows.timers),
        (_journal, rows.journal),
        (_outbox, rows.outbox),
    ):
        write_rows(conn, table, of_table)


def write_rows(conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows that all have the same columns, as fast as the database takes them."""
    if not rows:
        return
    if conn.dialect.name == "sqlite":
        insert_plain(conn, table, rows)
    else:
        copy_rows(conn, table, rows)


def reserve_lead_ids(conn: Connection, many: int) -> list[int]:
    """So many numbers for leads that nobody else gets."""
    return _reserve(conn, _leads, many)


def reserve_clock_ids(conn: Connection, many: int) -> list[int]:
    """So many numbers for clocks that nobody else gets."""
    return _reserve(conn, _clocks, many)


def _reserve(conn: Connection, table: Table, many: int) -> list[int]:
    if conn.dialect.name == "sqlite":
        # We hold the write lock, and SQLite itself would take the next ones.
        last = int(conn.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one())
        return list(range(last + 1, last + 1 + many))
    numbers = conn.execute(_NEXT_NUMBERS, {"of": table.name, "many": many})
    return [int(number) for number in numbers.scalars()]


_NEXT_NUMBERS = text(
    "SELECT nextval(pg_get_serial_sequence(:of, 'id')) FROM generate_series(1, :many)"
)


def which_are_known(
    conn: Connection, keys: Iterable[tuple[str, str]], mailboxes: Iterable[str]
) -> tuple[set[tuple[str, str]], set[str]]:
    """Those of these keys and personal mailboxes that a lead has already."""
    by_source: dict[str, list[str]] = {}
    for source, external_id in keys:
        by_source.setdefault(source, []).append(external_id)
    taken = {
        (source, str(external_id))
        for source, external_ids in by_source.items()
        for external_id in conn.execute(
            select(_keys.c.external_id).where(
                _keys.c.source == source, _keys.c.external_id.in_(external_ids)
            )
        ).scalars()
    }
    wanted = list(mailboxes)
    if not wanted:
        return taken, set()
    found = conn.execute(select(_leads.c.email_key).where(_leads.c.email_key.in_(wanted)))
    return taken, {str(mailbox) for mailbox in found.scalars()}
