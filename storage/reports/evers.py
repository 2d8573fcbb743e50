"""Everything since the beginning: what was handed over, accepted and touched, in one pass over all offers.

A window looks up each of these by its own index (`handovers`, `spans`); without bounds each would read all offers and
their leads again. The figures are the same. What is not here: promises (`promises`), what came back (`handovers`).
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


# A lead has the first touch and the first offer of the present round at hand; of rounds that are over others know them.
_EVER = Query(
    "SELECT rep_id, team, source, count(*), count(*) FILTER (WHERE lead = 1),"
    " count(*) FILTER (WHERE lead = 1 AND touched = 1), count(*) FILTER (WHERE n = 1), count(*) FILTER (WHERE n > 1),"
    " count(*) FILTER (WHERE taken = 1), count(*) FILTER (WHERE taken = 1 AND touched = 0),"
    " $spans[wall] FILTER (WHERE taken = 1), $spans[speed] FILTER (WHERE speed IS NOT NULL),"
    " $spans[$least[speed | systems]] FILTER (WHERE speed IS NOT NULL) FROM ("
    "SELECT rep_id, team, source, n, lead, touched, taken,"
    " CASE WHEN taken = 1 THEN $secs[first_at | accepted_at] END AS wall,"
    " CASE WHEN touched_at IS NOT NULL THEN $secs[arrived_at | touched_at] END AS speed,"
    " CASE WHEN touched_at IS NOT NULL THEN $secs[arrived_at | offered_at] +"
    " CASE WHEN delivered_at IS NULL THEN 0 ELSE $secs[show_at | delivered_at] END END AS systems FROM ("
    "SELECT o.rep_id AS rep_id, o.team AS team, l.source AS source, o.n AS n,"
    " CASE WHEN o.round = 1 AND o.n = 1 THEN 1 WHEN o.n > 1 AND $ever[] THEN 0"
    " WHEN EXISTS (SELECT 1 FROM offers p WHERE p.lead_id = o.lead_id"
    " AND (p.round < o.round OR (p.round = o.round AND p.n < o.n)) AND $team[p.team]) THEN 0 ELSE 1 END AS lead,"
    " CASE WHEN l.round = o.round THEN CASE WHEN l.touched_at < :end THEN 1 ELSE 0 END"
    " WHEN EXISTS (SELECT 1 FROM touches t WHERE t.lead_id = o.lead_id AND t.round = o.round"
    " AND t.state <> 'withdrawn' AND t.at < :end) THEN 1 ELSE 0 END AS touched,"
    " CASE WHEN o.accepted_at IS NULL THEN 0 WHEN o.n = 1 THEN 1"
    " WHEN EXISTS (SELECT 1 FROM offers p WHERE p.lead_id = o.lead_id AND p.round = o.round AND p.n < o.n"
    " AND p.accepted_at IS NOT NULL) THEN 0 ELSE 1 END AS taken,"
    " CASE WHEN o.n = 1 THEN o.offered_at WHEN l.round = o.round THEN l.first_offered_at"
    " ELSE (SELECT f.offered_at FROM offers f WHERE f.lead_id = o.lead_id AND f.round = o.round AND f.n = 1)"
    " END AS first_at,"
    " CASE WHEN o.round > 1 OR o.n > 1 THEN NULL WHEN l.round = 1 THEN l.touched_at"
    " ELSE (SELECT min(t.at) FROM touches t WHERE t.lead_id = o.lead_id AND t.round = 1 AND t.state <> 'withdrawn')"
    " END AS touched_at, l.arrived_at AS arrived_at, o.offered_at AS offered_at, o.show_at AS show_at,"
    " o.delivered_at AS delivered_at, o.accepted_at AS accepted_at"
    " FROM offers o JOIN leads l ON l.id = o.lead_id AND l.kind = 'live' WHERE $team[o.team] $whole[]"
    ") each_one $whole[]) made GROUP BY rep_id, team, source"
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
