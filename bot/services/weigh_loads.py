"""What each rep got and did in a window, against the hours that they worked. Figures about people.

Who may see them: `bot.domain.people_figures`. What is not here: counting (`storage.reports`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from bot.domain.agreement import Role
from bot.domain.report import Load
from bot.services.measure_window import Judged
from bot.services.work import Member, Work
from storage import people, playbooks
from storage.reports.handovers import Offered

Span = tuple[datetime, datetime]
#: The promises that a rep alone keeps or breaks.
_OWN = frozenset({"accept", "first_touch"})


def weigh_loads(
    work: Work,
    span: Span,
    offered: Sequence[Offered],
    judged: Sequence[Judged],
    held: Mapping[int, int],
    *,
    team: str = "",
) -> tuple[Load, ...]:
    """Everybody who is a rep now or had leads then, by team and number of offers. `offered` and `judged`: of the
    window `span`; `held`: leads with each person now."""
    teams: dict[int, str] = {}
    made: Counter[int] = Counter()
    kept: Counter[int] = Counter()
    late: Counter[int] = Counter()
    for offer in offered:
        made[offer.rep_id] += offer.made
        teams.setdefault(offer.rep_id, offer.team)
    for promise in judged:
        if promise.kind in _OWN and promise.person_id is not None:
            kept[promise.person_id] += promise.kept
            late[promise.person_id] += promise.broken - promise.down
            teams.setdefault(promise.person_id, promise.team)
    for member in work.roster.by_id.values():
        if member.person is not None and member.person.team and Role.REP in member.roles:
            teams[member.id] = member.person.team
    away = _absences(work, span)
    down = tuple(overlaps(playbooks.list_downtimes(work.conn), span))
    loads = [
        Load(
            person_id=person,
            team=own,
            offered=made[person],
            hours=_hours(work.roster.by_id.get(person), span, away.get(person, ()), down),
            in_time=kept[person],
            late=late[person],
            open_now=held.get(person, 0),
        )
        for person, own in teams.items()
        if not team or own == team or made[person]
    ]
    return tuple(sorted(loads, key=lambda load: (load.team, -load.offered, load.person_id)))


def overlaps(spans: Sequence[Span], within: Span) -> list[Span]:
    """What of `spans` lies in `within`."""
    cut = [(max(begin, within[0]), min(end, within[1])) for begin, end in spans]
    return [(begin, end) for begin, end in cut if begin < end]


def minutes_of(spans: Sequence[Span]) -> int:
    """How many minutes they cover together, each once."""
    total, until = 0.0, None
    for begin, end in sorted(spans):
        if until is not None:
            begin = max(begin, until)
        if begin < end:
            total += (end - begin).total_seconds()
            until = end
    return int(total // 60)


def _absences(work: Work, span: Span) -> dict[int, tuple[Span, ...]]:
    """Also those that are over by now. One without an end goes on."""
    found: dict[int, list[Span]] = {}
    for each in people.list_absences(work.conn, span[0]):
        found.setdefault(each.person_id, []).append((each.from_at, each.until_at or span[1]))
    return {person: tuple(overlaps(spans, span)) for person, spans in found.items()}


def _hours(member: Member | None, span: Span, away: Sequence[Span], down: Sequence[Span]) -> float:
    """Open hours without absences and downtime; 0 of somebody who left: nobody knows their hours any more."""
    if member is None or member.person is None:
        return 0.0
    calendar = member.person.calendar.with_absences((*away, *down))
    return round(calendar.between(*span) / 3600, 1)
