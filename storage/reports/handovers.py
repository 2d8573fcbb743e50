"""What was handed over: leads that arrived and were offered, what came back from sales, and who holds how many.

What is not here: promises about it (`promises`), how long it took (`spans`).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from storage.reports.windows import Query, Window


@dataclass(frozen=True, slots=True)
class Arrived:
    """Leads of one source and team in one status, as of now."""

    source: str
    team: str
    status: str
    leads: int


@dataclass(frozen=True, slots=True)
class Offered:
    """Offers made to one rep of one team, of leads of one source.

    `leads`: those that had no offer before in the window; `picked`: of these, touched in the same round; `first`: first
    offers of a round; `again`: the others.
    """

    team: str
    source: str
    rep_id: int
    made: int
    leads: int
    picked: int
    first: int
    again: int


@dataclass(frozen=True, slots=True)
class CameBack:
    """Offers that ended `rejected` or `recycled`, by reason."""

    state: str
    reason: str
    team: str
    source: str
    offers: int


# Somebody out of the imported history who writes again is a live lead, and arrived before Baton.
_ARRIVED = Query(
    "SELECT l.source, l.team, l.status, count(*) FROM leads l"
    " WHERE l.kind = 'live' AND $in[l.arrived_at] AND $team[l.team]"
    " AND NOT EXISTS (SELECT 1 FROM histories h WHERE h.lead_id = l.id) GROUP BY l.source, l.team, l.status"
)
_OFFERED = Query(
    "SELECT team, source, rep_id, count(*), count(*) FILTER (WHERE lead = 1),"
    " count(*) FILTER (WHERE lead = 1 AND touched_at < :end),"
    " count(*) FILTER (WHERE n = 1), count(*) FILTER (WHERE n > 1)"
    " FROM (SELECT o.team AS team, o.source AS source, o.rep_id AS rep_id, o.n AS n, o.touched_at AS touched_at,"
    " CASE WHEN o.round = 1 AND o.n = 1 THEN 1"
    " WHEN EXISTS (SELECT 1 FROM offers p WHERE p.lead_id = o.lead_id"
    " AND (p.round < o.round OR (p.round = o.round AND p.n < o.n))"
    " AND $since[p.offered_at] AND $team[p.team]) THEN 0 ELSE 1 END AS lead"
    " FROM offers o WHERE $in[o.offered_at] AND o.source IS NOT NULL AND $team[o.team]"
    ") made GROUP BY team, source, rep_id"
)
_REROUTED = Query(
    "SELECT p.state, count(*) FROM offers o"
    " JOIN offers p ON p.lead_id = o.lead_id AND p.round = o.round AND p.n = o.n - 1"
    " WHERE o.n > 1 AND $in[o.offered_at] AND o.source IS NOT NULL AND $team[o.team] GROUP BY p.state"
)
# Without bounds, `ix_offers_back` has all that is asked for, in the order of the groups.
_CAME_BACK = Query(
    "SELECT o.state, o.reason, o.team, o.source, count(*) FROM offers o"
    " WHERE $sifted[o.state] IN ('rejected','recycled') AND $in[o.ended_at] AND o.source IS NOT NULL AND $team[o.team]"
    " GROUP BY $sifted[o.state], o.reason, o.team, o.source"
)
_HELD = Query(
    "SELECT owner_id, count(*) FROM leads"
    " WHERE status IN ('offered', 'accepted', 'working', 'qualified') AND owner_id IS NOT NULL"
    " AND id NOT IN (SELECT x.id FROM leads x WHERE x.kind = 'test')"
    " GROUP BY owner_id"
)


def tally_arrived(conn: Connection, window: Window) -> list[Arrived]:
    """Leads that arrived in the window."""
    return [Arrived(*row) for row in _ARRIVED.rows(conn, window)]


def tally_offered(conn: Connection, window: Window) -> list[Offered]:
    """Offers that were made in the window."""
    return [Offered(*row) for row in _OFFERED.rows(conn, window)]


def tally_rerouted(conn: Connection, window: Window) -> list[tuple[str, int]]:
    """Further offers of a round that were made in the window, by how the offer before them ended."""
    return [(str(state), int(count)) for state, count in _REROUTED.rows(conn, window)]


def tally_came_back(conn: Connection, window: Window) -> list[CameBack]:
    """Offers that ended in the window with a no, or with "later"."""
    return [CameBack(*row) for row in _CAME_BACK.rows(conn, window)]


def tally_held(conn: Connection, window: Window) -> dict[int, int]:
    """How many leads are with each person, as of now."""
    return {int(person): int(count) for person, count in _HELD.rows(conn, window)}
