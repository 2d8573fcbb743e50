"""What there was before: the imported history added up, and when Baton's own began.

What is not here: the lists of an audit (`audits`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from storage.reports.windows import Query, Window
from storage.types import UtcDateTime


@dataclass(frozen=True, slots=True)
class Past:
    """Leads of the imported history. `touches`: all that were made, `verified`: those that the CRM had."""

    leads: int
    touched: int
    rejected: int
    rerouted: int
    touches: int
    verified: int


_PAST = Query(
    "SELECT count(*), count(*) FILTER (WHERE h.touches + h.self_reported > 0), count(*) FILTER (WHERE h.rejected),"
    " count(*) FILTER (WHERE h.routed > 1), CAST(coalesce(sum(h.touches + h.self_reported), 0) AS bigint),"
    " CAST(coalesce(sum(h.touches), 0) AS bigint)"
    " FROM histories h WHERE $team[h.team]"
)
_FIRST = Query(
    "SELECT o.offered_at FROM offers o JOIN leads l ON l.id = o.lead_id AND l.kind = 'live'"
    " ORDER BY o.offered_at LIMIT 1",
    types=(UtcDateTime(),),
)


def tally_past(conn: Connection, window: Window) -> Past:
    """The whole imported history, of one team where one is asked for."""
    return Past(*_PAST.rows(conn, window)[0])


def first_offered_at(conn: Connection, window: Window) -> datetime | None:
    """When a lead was first offered to anybody, if ever."""
    rows = _FIRST.rows(conn, window)
    return rows[0][0] if rows else None
