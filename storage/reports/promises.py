"""Promises: which were kept and broken in a window, which are due today, and who was told of broken ones.

No clock runs for a test lead or for history, so none needs to be left out here. What is not here: how long it took
from stage to stage (`spans`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, Connection, String

from storage.reports.windows import Query, Window, spans_of
from storage.types import UtcDateTime


@dataclass(frozen=True, slots=True)
class Kept:
    """Promises of one kind, team and person that came to their goal: how many of them in time, and what they took.

    The spans, `business` and `wall` seconds from its start, are those of offers that were accepted (`accept`) and of
    first touches.
    """

    kind: str
    team: str
    person_id: int | None
    kept: int
    business: list[int]
    wall: list[int]


@dataclass(frozen=True, slots=True)
class Broken:
    """Promises of one kind, team and person that were not kept. `down`: those that were due while Baton was down."""

    kind: str
    team: str
    person_id: int | None
    broken: int
    down: int


@dataclass(frozen=True, slots=True)
class Due:
    """A promise that runs and is not broken."""

    kind: str
    team: str
    person_id: int | None
    started_at: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Escalated:
    """How often somebody was told of a promise of this kind, by the team that has the lead now."""

    kind: str
    team: str
    times: int


# Marketing's promises belong to no team.
_MINE = {
    "mine": "($team[c.team] OR c.kind IN ('route', 'review'))"
    " AND c.kind IN ('accept', 'first_touch', 'follow_up', 'decide', 'route', 'review')"
}
# An accept clock also ends by a no, which took no time to accept: it has no `wall_seconds`.
# Without bounds, `ix_clocks_kept` has all that is asked for, in the order of the groups.
_KEPT = Query(
    "SELECT c.kind, c.team, c.person_id, count(*) FILTER (WHERE c.outcome = 'met' AND NOT c.excused),"
    " $spans[c.taken_seconds] FILTER (WHERE c.wall_seconds IS NOT NULL AND c.kind IN ('accept', 'first_touch')),"
    " $spans[c.wall_seconds] FILTER (WHERE c.kind IN ('accept', 'first_touch'))"
    " FROM clocks c WHERE c.outcome IN ('met', 'late') AND $in[c.ended_at] AND $kept"
    " GROUP BY $sifted[c.kind], c.team, c.person_id",
    {"kept": _MINE["mine"].replace("c.kind IN", "$sifted[c.kind] IN")},
)
_BROKEN = Query(
    "SELECT kind, team, person_id, count(*), count(*) FILTER (WHERE down = 1) FROM ("
    "SELECT c.kind AS kind, c.team AS team, c.person_id AS person_id, CASE WHEN EXISTS"
    " (SELECT 1 FROM liveness d WHERE d.down_from <= c.due_at AND c.due_at < d.down_until) THEN 1 ELSE 0 END AS down"
    " FROM clocks c WHERE c.breached_at IS NOT NULL AND $in[c.breached_at] AND NOT c.excused AND $mine"
    ") broken GROUP BY person_id, kind, team",
    _MINE,
)
_DUE = Query(
    "SELECT c.kind, c.team, c.person_id, c.started_at, c.due_at FROM clocks c"
    " WHERE c.ended_at IS NULL AND c.breached_at IS NULL AND c.due_at > :at AND c.due_at < :before"
    " AND c.kind IN ('accept', 'first_touch', 'follow_up', 'decide', 'review') AND $team[c.team]"
    " ORDER BY c.due_at, c.id",
    more=("before",),
    types=(String(), String(), BigInteger(), UtcDateTime(), UtcDateTime()),
)
_ESCALATED = Query(
    "SELECT j.data->>'kind', l.team, count(*) FROM journal j"
    " JOIN leads l ON l.id = j.subject_id AND l.kind = 'live'"
    " WHERE j.kind = 'escalated' AND $free[j.subject_kind] = 'lead' AND $in[j.at] AND $team[l.team]"
    " GROUP BY j.data->>'kind', l.team"
)


def tally_kept(conn: Connection, window: Window) -> list[Kept]:
    """Promises that came to their goal in the window. In the report of a team, marketing's are those of all."""
    return [
        Kept(kind, team, person, kept, spans_of(business), spans_of(wall))
        for kind, team, person, kept, business, wall in _KEPT.rows(conn, window)
    ]


def tally_broken(conn: Connection, window: Window) -> list[Broken]:
    """Promises that were not kept, and due in the window."""
    return [Broken(*row) for row in _BROKEN.rows(conn, window)]


def list_due(conn: Connection, window: Window, before: datetime) -> list[Due]:
    """Promises that run at the window's `at` and are due before that instant, the next one first."""
    return [Due(*row) for row in _DUE.rows(conn, window, before=before)]


def tally_escalated(conn: Connection, window: Window) -> list[Escalated]:
    """How often somebody was told in the window."""
    return [Escalated(*row) for row in _ESCALATED.rows(conn, window)]
