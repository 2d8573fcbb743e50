"""How long things took, as lists of whole seconds: to the first touch, and from stage to stage.

Each is counted in the window in which it came to its end. What is not here: what promises took
(`promises`), percentiles (`bot.services`).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from storage.reports.windows import Query, Window, spans_of


@dataclass(frozen=True, slots=True)
class Touched:
    """First touches of leads of one source, by the team that was offered them first; wall clock."""

    team: str
    source: str
    speed: list[int]
    systems: list[int]
    people: list[int]


@dataclass(frozen=True, slots=True)
class Accepted:
    """Rounds that were accepted for the first time, how many of them nobody has touched, and the time it took."""

    team: str
    source: str
    rounds: int
    untouched: int
    wall: list[int]


@dataclass(frozen=True, slots=True)
class Reached:
    """Rounds that came to a status, `qualified` or `won`, and the time since the stage before."""

    status: str
    team: str
    source: str
    rounds: int
    wall: list[int]


@dataclass(frozen=True, slots=True)
class Shown:
    """Touches of a team, and those that a CRM shows."""

    team: str
    touches: int
    verified: int


_SPLIT = (
    "SELECT team, source, $spans[speed], $spans[systems], $spans[speed - systems] FROM ("
    "SELECT team, source, speed, $least[speed | systems] AS systems FROM ("
    "SELECT team, source, $secs[arrived_at | touched_at] AS speed, $secs[arrived_at | offered_at] +"
    " CASE WHEN delivered_at IS NULL THEN 0 ELSE $secs[show_at | delivered_at] END AS systems FROM ("
    "SELECT f.team AS team, l.source AS source, l.arrived_at AS arrived_at, $first AS touched_at,"
    " f.offered_at AS offered_at, f.show_at AS show_at, f.delivered_at AS delivered_at FROM $touched"
    " JOIN offers f ON f.lead_id = l.id AND f.round = 1 AND f.n = 1 WHERE $team[f.team] AND $known"
    ") each_one) taken $whole[]) split GROUP BY team, source"
)
_TOUCHED = Query(
    _SPLIT,
    {
        "first": "t.at",
        "touched": "touches t JOIN leads l ON l.id = t.lead_id AND l.kind = 'live'",
        "known": "t.round = 1 AND t.state <> 'withdrawn' AND $in[t.at]"
        " AND NOT EXISTS (SELECT 1 FROM touches e WHERE e.lead_id = t.lead_id AND e.round = 1"
        " AND e.state <> 'withdrawn' AND (e.at < t.at OR (e.at = t.at AND e.id < t.id)))",
    },
)
_ACCEPTED = Query(
    "SELECT team, source, count(*), count(*) FILTER (WHERE touched = 0), $spans[wall] FROM ("
    "SELECT a.team AS team, l.source AS source, $secs[a.first_at | a.accepted_at] AS wall,"
    " CASE WHEN l.round = a.round THEN CASE WHEN l.touched_at < :end THEN 1 ELSE 0 END"
    " WHEN EXISTS (SELECT 1 FROM touches t WHERE t.lead_id = a.lead_id AND t.round = a.round"
    " AND t.state <> 'withdrawn' AND t.at < :end) THEN 1 ELSE 0 END AS touched"
    " FROM (SELECT o.lead_id, o.round, o.n, o.team, o.accepted_at,"
    " CASE WHEN o.n = 1 THEN o.offered_at ELSE (SELECT f.offered_at FROM offers f"
    " WHERE f.lead_id = o.lead_id AND f.round = o.round AND f.n = 1) END AS first_at"
    " FROM offers o WHERE $in[o.accepted_at] AND $team[o.team] $whole[]) a"
    " JOIN leads l ON l.id = a.lead_id AND l.kind = 'live'"
    " WHERE (a.n = 1 OR NOT EXISTS (SELECT 1 FROM offers p WHERE p.lead_id = a.lead_id AND p.round = a.round"
    " AND p.n < a.n AND p.accepted_at IS NOT NULL))"
    ") accepted GROUP BY team, source"
)
# The condition of `ix_journal_far` stands here word by word: so it is known to apply.
_REACHED = Query(
    "SELECT status, team, source, count(*), $spans[wall] FROM ("
    "SELECT status, team, source, $secs[since | at] AS wall FROM ("
    "SELECT j.data->>'to' AS status, l.team AS team, l.source AS source, j.at AS at,"
    " CASE WHEN j.data->>'to' = 'qualified' THEN (SELECT min(p.accepted_at) FROM offers p"
    " WHERE p.lead_id = j.subject_id AND p.round = CAST(j.data->>'round' AS integer))"
    " ELSE (SELECT max(q.at) FROM journal q WHERE q.subject_kind = 'lead' AND q.subject_id = j.subject_id"
    " AND q.seq < j.seq AND q.kind = 'moved' AND q.data->>'to' = 'qualified'"
    " AND q.data->>'round' = j.data->>'round') END AS since"
    " FROM journal j JOIN leads l ON l.id = j.subject_id AND l.kind = 'live'"
    " WHERE $free[j.subject_kind] = 'lead' AND j.kind = 'moved' AND j.data->>'to' IN ('qualified', 'won')"
    " AND $in[j.at] AND $team[l.team] $whole[]) moves) reached GROUP BY status, team, source"
)
_SHOWN = Query(
    "SELECT o.team, count(*), count(*) FILTER (WHERE t.state = 'verified')"
    " FROM touches t JOIN offers o ON o.id = t.offer_id"
    " WHERE t.state <> 'withdrawn' AND $in[t.at] AND $team[o.team]"
    " AND t.lead_id NOT IN (SELECT x.id FROM leads x WHERE x.kind = 'test') GROUP BY o.team"
)


def list_touched(conn: Connection, window: Window) -> list[Touched]:
    """From arrival to the first touch, of leads that were touched for the first time in the window."""
    rows = _TOUCHED.rows(conn, window)
    return [Touched(team, source, *map(spans_of, lists)) for team, source, *lists in rows]


def list_accepted(conn: Connection, window: Window) -> list[Accepted]:
    """Rounds that sales accepted in the window."""
    return [
        Accepted(team, source, rounds, untouched, spans_of(wall))
        for team, source, rounds, untouched, wall in _ACCEPTED.rows(conn, window)
    ]


def list_reached(conn: Connection, window: Window) -> list[Reached]:
    """Rounds that were qualified or won in the window."""
    return [
        Reached(status, team, source, rounds, spans_of(wall))
        for status, team, source, rounds, wall in _REACHED.rows(conn, window)
    ]


def tally_shown(conn: Connection, window: Window) -> list[Shown]:
    """Touches that were made in the window."""
    return [Shown(*row) for row in _SHOWN.rows(conn, window)]
