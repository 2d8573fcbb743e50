"""All rows of a table that belong to somebody, as plain values: for `baton export`. Read-only.

What is not here: which tables belong together (`bot.services.export_person`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select

from storage.models import (
    Absences,
    Cards,
    Clocks,
    Journal,
    LeadKeys,
    Leads,
    Notes,
    Offers,
    Outbox,
    People,
    Touches,
)
from storage.models_intake import Activities, Histories
from storage.models_programme import Awards, Entrants, Flags
from storage.rows import table_of

_TABLES = {
    model.__tablename__: table_of(model)
    for model in (
        *(Leads, LeadKeys, Notes, Offers, Clocks, Touches, Cards, Outbox, Histories, Activities),
        *(People, Absences, Journal, Entrants, Awards, Flags),
    )
}
#: Found again by other means, or of no meaning outside.
_LEFT_OUT = frozenset({"search_text", "email_key", "rendered_hash", "journal_seq"})


def list_rows(
    conn: Connection, table: str, *, without: Sequence[str] = (), **wanted: Any
) -> list[dict[str, Any]]:
    """The rows whose columns have these values, in the order in which they were written; instants as ISO texts."""
    of = _TABLES[table]
    columns = [c for c in of.c if c.name not in _LEFT_OUT and c.name not in without]
    query = select(*columns).filter_by(**wanted).order_by(*of.primary_key)
    return [
        {name: _plain(value) for name, value in row._mapping.items()} for row in conn.execute(query)
    ]


def _plain(value: Any) -> Any:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
