"""Everything since the beginning: what was handed over, accepted and touched, in one pass over all offers.

A window looks up each of these by its own index (`handovers`, `spans`); without bounds each would read all offers
again. The figures are the same. What is not here: promises (`promises`), what came back (`handovers`).
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import sub

from sqlalchemy import Connection

from storage.reports.handovers import Offered
from storage.reports.spans import Accepted, Touched
from storage.reports.windows import Query, Window, spans_of


@dataclass(frozen=True, slots=True)
class Ever:
    """The same rows as of a window, each list with one row for a team, source and person."""

    offered: list[Offered]
    accepted: list[Accepted]
    touched: list[Touched]


# `ix_offers_counted` has all of it, in the order of the groups.
_EVER = Query(
    "SELECT rep_id, team, source, count(*), count(*) FILTER (WHERE lead = 1),"
    " count(*) FILTER (WHERE lead = 1 AND touched_at < :end), count(*) FILTER (WHERE n = 1),"
    " count(*) FILTER (WHERE n > 1),"
    " count(accepted_seconds), count(accepted_seconds) FILTER (WHERE touched_at IS NULL OR touched_at >= :end),"
    " $spans[accepted_seconds], $spans[touched_seconds] FILTER (WHERE ours = 1),"
    " $spans[$least[touched_seconds | systems_seconds]] FILTER (WHERE ours = 1) FROM ("
    "SELECT o.rep_id AS rep_id, o.team AS team, o.source AS source, o.n AS n,"
    " o.accepted_seconds AS accepted_seconds, o.touched_at AS touched_at, o.touched_seconds AS touched_seconds,"
    " o.systems_seconds AS systems_seconds,"
    " CASE WHEN o.round = 1 AND o.n = 1 AND o.touched_at IS NOT NULL THEN 1 ELSE 0 END AS ours,"
    " CASE WHEN o.round = 1 AND o.n = 1 THEN 1 WHEN o.n > 1 AND $ever[] THEN 0"
    " WHEN EXISTS (SELECT 1 FROM offers p WHERE p.lead_id = o.lead_id"
    " AND (p.round < o.round OR (p.round = o.round AND p.n < o.n)) AND $team[p.team]) THEN 0 ELSE 1 END AS lead"
    " FROM offers o WHERE o.source IS NOT NULL AND $team[o.team]"
    ") each_one GROUP BY rep_id, team, source"
)


def tally_ever(conn: Connection, window: Window) -> Ever:
    """Of a window without bounds."""
    found = Ever([], [], [])
    for rep, team, source, *counts, wall, speed, systems in _EVER.rows(conn, window):
        made, leads, picked, first, again, rounds, untouched = counts
        found.offered.append(Offered(team, source, rep, made, leads, picked, first, again))
        found.accepted.append(Accepted(team, source, rounds, untouched, spans_of(wall)))
        whole, ours = spans_of(speed), spans_of(systems)
        found.touched.append(Touched(team, source, whole, ours, list(map(sub, whole, ours))))
    return found
