"""Rows of many locked leads, changed in memory and written together: a statement for each table and not for each row.

What is not here: who changes what (`bot.services.lead_rows`), rows that are new with their lead (`arrivals`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import (
    JSON,
    Connection,
    Executable,
    Table,
    Text,
    bindparam,
    cast,
    column,
    func,
)

from storage.arrivals import write_rows
from storage.clocks import ClockRow
from storage.leads import LeadRow
from storage.models import Clocks, Leads, Offers
from storage.offers import OfferRow
from storage.rows import table_of

_leads = table_of(Leads)
_offers = table_of(Offers)
_clocks = table_of(Clocks)

_Row = TypeVar("_Row", LeadRow, OfferRow, ClockRow)
#: A row as it stands in the database, and as it is to stand there.
Change = tuple[_Row, _Row]


def save_leads(conn: Connection, changes: Iterable[Change[LeadRow]]) -> None:
    """Write what changed of these leads."""
    _save(conn, _leads, changes)


def save_offers(
    conn: Connection, changes: Iterable[Change[OfferRow]], new: Sequence[OfferRow]
) -> None:
    """Write what changed, then the new ones: of a lead only one may be open."""
    _save(conn, _offers, changes)
    write_rows(conn, _offers, [_values(row) for row in new])


def save_clocks(
    conn: Connection, changes: Iterable[Change[ClockRow]], new: Sequence[ClockRow]
) -> None:
    """Write what changed, then the new ones: of a kind only one may run."""
    _save(conn, _clocks, changes)
    write_rows(conn, _clocks, [_values(row) for row in new])


def _values(row: OfferRow | ClockRow) -> dict[str, Any]:
    return {field.name: getattr(row, field.name) for field in fields(row)}


def _save(conn: Connection, table: Table, changes: Iterable[Change[_Row]]) -> None:
    changed = [(before, after) for before, after in changes if before != after]
    if not changed:
        return
    names: tuple[str, ...] = tuple(
        name
        for name in (field.name for field in fields(changed[0][0]))
        if any(getattr(before, name) != getattr(after, name) for before, after in changed)
    )
    rows = [{name: getattr(after, name) for name in ("id", *names)} for _, after in changed]
    if conn.dialect.name == "sqlite":
        conn.execute(_each(table, names), [{**row, "of": row.pop("id")} for row in rows])
    else:
        conn.execute(_all(table, names), {"rows": json.dumps(rows, default=datetime.isoformat)})


@lru_cache(maxsize=64)
def _each(table: Table, names: tuple[str, ...]) -> Executable:
    values: Mapping[str, Any] = {name: bindparam(name) for name in names}
    return table.update().where(table.c.id == bindparam("of")).values(values)


@lru_cache(maxsize=64)
def _all(table: Table, names: tuple[str, ...]) -> Executable:
    """All rows in one parameter (see `storage.rows`)."""
    given = (
        func.json_to_recordset(cast(bindparam("rows", type_=Text), JSON))
        .table_valued(*(column(name, table.c[name].type) for name in ("id", *names)), name="given")
        .render_derived(with_types=True)
    )
    values = {name: given.c[name] for name in names}
    return table.update().where(table.c.id == given.c.id).values(values)
