"""What decays: leads that lie with a rep and that nobody has touched, as things stood at the end of a window.

What is not here: leads that lie with marketing, whose promise to review is counted (`promises`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from storage.reports.windows import Query, Window


@dataclass(frozen=True, slots=True)
class Untouched:
    """Leads of a team and source whose first offer of the round is at least `hours[band - 1]` old, and younger than
    `hours[band]`."""

    team: str
    source: str
    band: int
    leads: int


_AFTER = ("after_0", "after_1", "after_2", "after_3")
_AGE = "CASE {} ELSE {} END".format(
    " ".join(f"WHEN first_at > :{name} THEN {band}" for band, name in enumerate(_AFTER)),
    len(_AFTER),
)
# Who has it now had it then, unless it was offered later; what was let go since is looked up by its end.
_UNTOUCHED = (
    "SELECT team, source, $age AS band, count(*) FROM ("
    "SELECT o.team AS team, l.source AS source, l.first_offered_at AS first_at"
    " FROM leads l JOIN offers o ON o.id = l.current_offer_id"
    " WHERE l.status IN ('offered', 'accepted', 'working', 'qualified') AND l.kind = 'live'"
    " AND o.offered_at < :end AND (l.touched_at IS NULL OR l.touched_at >= :end) AND $team[o.team]"
    " UNION ALL SELECT o.team, l.source, f.offered_at"
    " FROM offers o JOIN leads l ON l.id = o.lead_id AND l.kind = 'live'"
    " JOIN offers f ON f.lead_id = o.lead_id AND f.round = o.round AND f.n = 1"
    " WHERE $offered < :end AND $ended >= :end AND $team[o.team]"
    " AND NOT EXISTS (SELECT 1 FROM touches t WHERE t.lead_id = o.lead_id AND t.round = o.round"
    " AND t.state <> 'withdrawn' AND t.at < :end)"
    ") held GROUP BY 1, 2, 3"
)
#: Of the window before: few offers ended since.
_LATELY = Query(
    _UNTOUCHED,
    {"age": _AGE, "offered": "$free[o.offered_at]", "ended": "o.ended_at"},
    more=_AFTER,
)
#: Of one that lies far back: few were made before its end.
_LONG_AGO = Query(
    _UNTOUCHED,
    {"age": _AGE, "offered": "o.offered_at", "ended": "$free[o.ended_at]"},
    more=_AFTER,
)


def tally_untouched(conn: Connection, window: Window, hours: tuple[int, ...]) -> list[Untouched]:
    """Untouched leads by age. `hours`: where each of the four bands before the last one ends."""
    after = {
        name: window.at - timedelta(hours=each) for name, each in zip(_AFTER, hours, strict=True)
    }
    query = _LONG_AGO if window.past else _LATELY
    return [Untouched(*row) for row in query.rows(conn, window, **after)]
