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


# The first touch of a lead is one of its first round, and its first offer says when it was.
_TOUCHED = Query(
    "SELECT team, source, $spans[speed], $spans[systems], $spans[speed - systems] FROM ("
    "SELECT f.team AS team, f.source AS source, f.touched_seconds AS speed,"
    " $least[f.touched_seconds | f.systems_seconds] AS systems"
    " FROM touches t JOIN offers f ON f.lead_id = t.lead_id AND f.round = 1 AND f.n = 1 AND f.touched_at = t.at"
    " WHERE t.round = 1 AND t.state <> 'withdrawn' AND $in[t.at] AND f.source IS NOT NULL AND $team[f.team]"
    " AND NOT EXISTS (SELECT 1 FROM touches e WHERE e.lead_id = t.lead_id AND e.round = 1"
    " AND e.state <> 'withdrawn' AND e.at = t.at AND e.id < t.id) $whole[]) split GROUP BY team, source"
)
_ACCEPTED = Query(
    "SELECT o.team, o.source, count(*), count(*) FILTER (WHERE o.touched_at IS NULL OR o.touched_at >= :end),"
    " $spans[o.accepted_seconds] FROM offers o"
    " WHERE $in[o.accepted_at] AND o.accepted_seconds IS NOT NULL AND o.source IS NOT NULL AND $team[o.team]"
    " GROUP BY o.team, o.source"
)
# The condition of `ix_journal_far` stands here word by word: so it is known to apply. Entries of before revision 0007
# do not say what it took.
_REACHED = Query(
    "SELECT status, team, source, count(*), $spans[wall] FROM ("
    "SELECT status, team, source, CASE WHEN took IS NOT NULL THEN CAST(took AS bigint)"
    " WHEN status = 'qualified' THEN (SELECT max($secs[p.accepted_at | m.at]) FROM offers p"
    " WHERE p.lead_id = m.lead_id AND p.round = CAST(m.round AS integer))"
    " ELSE (SELECT min($secs[q.at | m.at]) FROM journal q WHERE q.subject_kind = 'lead'"
    " AND q.subject_id = m.lead_id AND q.seq < m.seq AND q.kind = 'moved' AND q.data->>'to' = 'qualified'"
    " AND q.data->>'round' = m.round) END AS wall FROM ("
    "SELECT j.data->>'to' AS status, j.data->>'took' AS took, j.data->>'round' AS round,"
    " l.team AS team, l.source AS source, l.id AS lead_id, j.at AS at, j.seq AS seq"
    " FROM journal j JOIN leads l ON l.id = j.subject_id AND l.kind = 'live'"
    " WHERE $free[j.subject_kind] = 'lead' AND j.kind = 'moved' AND j.data->>'to' IN ('qualified', 'won')"
    " AND $in[j.at] AND $team[l.team] $whole[]) m $whole[]) reached GROUP BY status, team, source"
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
