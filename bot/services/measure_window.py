"""Counts one window of time: every figure that belongs to a period, and what it is parted by.

Rows come grouped from `storage.reports`; here they are only added up, and percentiles are taken. What is not here:
which windows a report is made of, figures as of now, people's hours (`make_report`, `weigh_loads`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection

from bot.domain.funnel import Status, stage_of
from bot.domain.kpi import Count, Cut, Kpi, Ratio, Share, Spread, Value
from bot.domain.kpi_definitions import AGES, DECAYED_HOURS
from storage.reports import decays, evers, handovers, promises, spans
from storage.reports.evers import Ever
from storage.reports.handovers import Arrived, Offered
from storage.reports.spans import Touched
from storage.reports.windows import Window

_Key = Callable[[Any], object]
_Pick = Callable[[Any], int]
_Cuts = Sequence[tuple[Cut, _Key]]
_Part = tuple[str, Value]

_BAND_HOURS = tuple(hours for _, hours in AGES if hours is not None)
#: The first band that is decayed.
_DECAYED = _BAND_HOURS.index(DECAYED_HOURS) + 1

_team: _Key = attrgetter("team")
_source: _Key = attrgetter("source")
_reason: _Key = attrgetter("reason")
_TEAM: _Cuts = ((Cut.TEAM, _team),)
_WHERE: _Cuts = ((Cut.TEAM, _team), (Cut.SOURCE, _source))

#: Which clock a promise of the report is.
PROMISES: dict[Kpi, str] = {
    Kpi.ACCEPTED_IN_TIME: "accept",
    Kpi.TOUCHED_IN_TIME: "first_touch",
    Kpi.FOLLOWED_UP_IN_TIME: "follow_up",
    Kpi.DECIDED_IN_TIME: "decide",
    Kpi.ROUTED_IN_TIME: "route",
    Kpi.REVIEWED_IN_TIME: "review",
}
_MARKETINGS = frozenset({Kpi.ROUTED_IN_TIME, Kpi.REVIEWED_IN_TIME})
_BY_PERSON = frozenset({Kpi.ACCEPTED_IN_TIME, Kpi.TOUCHED_IN_TIME, Kpi.FOLLOWED_UP_IN_TIME})


@dataclass(frozen=True, slots=True)
class Judged:
    """Promises of one kind, team and person. `down`: broken ones that were due while Baton was down."""

    kind: str
    team: str
    person_id: int | None
    kept: int
    broken: int = 0
    down: int = 0


@dataclass(slots=True)
class Measured:
    """What was counted. `offered` and `judged` are kept for figures about people."""

    values: dict[Kpi, Value] = field(default_factory=dict)
    parts: dict[tuple[Kpi, Cut], tuple[_Part, ...]] = field(default_factory=dict)
    offered: Sequence[Offered] = ()
    judged: Sequence[Judged] = ()


def measure_window(conn: Connection, window: Window, *, parted: bool) -> Measured:
    """All figures of the window, and their parts if wanted."""
    found = Measured()
    ever = evers.tally_ever(conn, window) if window.begin is None else None
    _measure_handovers(conn, window, found, parted, ever)
    _measure_promises(conn, window, found, parted)
    _measure_touched(found, ever.touched if ever else spans.list_touched(conn, window), parted)
    _measure_decay(conn, window, found, parted)
    if not parted:
        found.parts.clear()
    return found


def nearest_rank(ordered: Sequence[int], percent: int) -> int:
    """The smallest of the sorted values that `percent` of them do not exceed. IndexError when there is none."""
    return ordered[(percent * len(ordered) + 99) // 100 - 1]


def spread_of(values: list[int]) -> Spread:
    """Sorts `values`."""
    if not values:
        return Spread(0)
    values.sort()
    return Spread(len(values), nearest_rank(values, 50), nearest_rank(values, 90))


# ------------------------------------------------------------------ what is counted


def _measure_handovers(
    conn: Connection, window: Window, found: Measured, parted: bool, ever: Ever | None
) -> None:
    arrived = handovers.tally_arrived(conn, window)
    offered = found.offered = ever.offered if ever else handovers.tally_offered(conn, window)
    accepted = ever.accepted if ever else spans.list_accepted(conn, window)
    back = handovers.tally_came_back(conn, window)
    reached = spans.list_reached(conn, window)
    escalated = promises.tally_escalated(conn, window)
    leads: _Pick = attrgetter("leads")
    made: _Pick = attrgetter("made")
    first: _Pick = attrgetter("first")
    rounds: _Pick = attrgetter("rounds")
    offers: _Pick = attrgetter("offers")
    person: _Key = attrgetter("rep_id")
    _count(found, Kpi.ARRIVED, arrived, leads, (*_WHERE, (Cut.STAGE, _stage_of)))
    _count(found, Kpi.OFFERED, offered, leads, (*_WHERE, (Cut.PERSON, person)))
    _share(found, Kpi.PICKED_UP, offered, attrgetter("picked"), leads, _WHERE)
    _share(found, Kpi.ACCEPTED_UNTOUCHED, accepted, attrgetter("untouched"), rounds, _WHERE)
    qualified = [row for row in reached if row.status == Status.QUALIFIED.value]
    won = [row for row in reached if row.status == Status.WON.value]
    _ratio(found, Kpi.BECAME_MQL, (offered, first), (arrived, leads), _WHERE)
    _ratio(found, Kpi.BECAME_SAL, (accepted, rounds), (offered, first), _WHERE)
    _ratio(found, Kpi.BECAME_SQL, (qualified, rounds), (accepted, rounds), _WHERE)
    _ratio(found, Kpi.BECAME_CUSTOMER, (won, rounds), (qualified, rounds), _WHERE)
    for kpi, state in ((Kpi.REJECTED, "rejected"), (Kpi.RECYCLED, "recycled")):
        ended = [row for row in back if row.state == state]
        _ratio(found, kpi, (ended, offers), (offered, made), _WHERE)
        _reasons(found, kpi, _sums(ended, _reason, offers))
    _ratio(found, Kpi.REROUTED, (offered, attrgetter("again")), (offered, leads), _WHERE)
    if parted:
        _reasons(found, Kpi.REROUTED, Counter(dict(handovers.tally_rerouted(conn, window))))
    _ratio(found, Kpi.ESCALATIONS, (escalated, attrgetter("times")), (offered, leads), _TEAM)
    _reasons(found, Kpi.ESCALATIONS, _sums(escalated, attrgetter("kind"), attrgetter("times")))
    for kpi, rows in (
        (Kpi.TIME_TO_SAL, accepted),
        (Kpi.TIME_TO_SQL, qualified),
        (Kpi.TIME_TO_CUSTOMER, won),
    ):
        _spread(found, kpi, rows, "wall", _WHERE if parted else ())


def _stage_of(row: Arrived) -> str:
    return stage_of(Status(row.status)).value


def _measure_promises(conn: Connection, window: Window, found: Measured, parted: bool) -> None:
    kept = promises.tally_kept(conn, window)
    judged = found.judged = [
        *(Judged(row.kind, row.team, row.person_id, row.kept) for row in kept),
        *(
            Judged(row.kind, row.team, row.person_id, 0, row.broken, row.down)
            for row in promises.tally_broken(conn, window)
        ),
    ]
    for kpi, kind in PROMISES.items():
        rows = [row for row in judged if row.kind == kind]
        cuts = () if kpi in _MARKETINGS else _TEAM
        _share(found, kpi, rows, attrgetter("kept"), _all_judged, cuts)
        if parted and kpi in _BY_PERSON:
            own = [row for row in rows if row.person_id is not None]
            people: _Cuts = ((Cut.PERSON, attrgetter("person_id")),)
            _part_shares(found, kpi, own, attrgetter("kept"), _judged_of_person, people)
    for kind, business, wall in (
        ("accept", Kpi.TIME_TO_ACCEPT, Kpi.TIME_TO_ACCEPT_WALL),
        ("first_touch", Kpi.TIME_TO_TOUCH, Kpi.TIME_TO_TOUCH_WALL),
    ):
        taken = [row for row in kept if row.kind == kind]
        _spread(found, business, taken, "business", _TEAM if parted else ())
        _spread(found, wall, taken, "wall", _TEAM if parted else ())
    shown = spans.tally_shown(conn, window)
    _share(found, Kpi.VERIFIED, shown, attrgetter("verified"), attrgetter("touches"), _TEAM)


def _all_judged(row: Judged) -> int:
    return row.kept + row.broken


def _judged_of_person(row: Judged) -> int:
    """Nobody answers for the minutes in which Baton was down."""
    return row.kept + row.broken - row.down


def _measure_touched(found: Measured, touched: Sequence[Touched], parted: bool) -> None:
    for kpi, name in (
        (Kpi.SPEED_TO_LEAD, "speed"),
        (Kpi.SYSTEMS_DELAY, "systems"),
        (Kpi.PEOPLE_DELAY, "people"),
    ):
        _spread(found, kpi, touched, name, _WHERE if parted else ())


def _measure_decay(conn: Connection, window: Window, found: Measured, parted: bool) -> None:
    rows = decays.tally_untouched(conn, window, _BAND_HOURS)
    leads: _Pick = attrgetter("leads")
    _count(found, Kpi.UNTOUCHED, rows, leads, _WHERE)
    _count(found, Kpi.UNTOUCHED_72H, [row for row in rows if row.band >= _DECAYED], leads, _WHERE)
    if parted:
        bands = _sums(rows, attrgetter("band"), leads)
        found.parts[Kpi.UNTOUCHED, Cut.AGE] = tuple(
            (name, Count(bands[str(band)])) for band, (name, _) in enumerate(AGES)
        )


# ------------------------------------------------------------------ adding up


def _total(rows: Iterable[Any], pick: _Pick) -> int:
    return sum(map(pick, rows))


def _sums(rows: Iterable[Any], key: _Key, pick: _Pick) -> Counter[str]:
    sums: Counter[str] = Counter()
    for row in rows:
        sums[str(key(row))] += pick(row)
    return sums


def _sorted(parts: Iterable[_Part]) -> tuple[_Part, ...]:
    """Most leads first, then by name; nothing that was not counted at all."""
    filled = [part for part in parts if any(_weight(part[1]))]
    return tuple(sorted(filled, key=lambda part: (*(-n for n in _weight(part[1])), part[0])))


def _weight(value: Value) -> tuple[int, int]:
    match value:
        case Count(n) | Spread(n):
            return n, 0
        case Share(part, of) | Ratio(part, of):
            return of, part


def _count(found: Measured, kpi: Kpi, rows: Sequence[Any], pick: _Pick, cuts: _Cuts) -> None:
    found.values[kpi] = Count(_total(rows, pick))
    for cut, key in cuts:
        sums = _sums(rows, key, pick)
        found.parts[kpi, cut] = _sorted((name, Count(n)) for name, n in sums.items())


def _share(
    found: Measured, kpi: Kpi, rows: Sequence[Any], part: _Pick, of: _Pick, cuts: _Cuts
) -> None:
    found.values[kpi] = Share(_total(rows, part), _total(rows, of))
    _part_shares(found, kpi, rows, part, of, cuts)


def _part_shares(
    found: Measured, kpi: Kpi, rows: Sequence[Any], part: _Pick, of: _Pick, cuts: _Cuts
) -> None:
    for cut, key in cuts:
        parts, whole = _sums(rows, key, part), _sums(rows, key, of)
        found.parts[kpi, cut] = _sorted((name, Share(parts[name], n)) for name, n in whole.items())


def _ratio(
    found: Measured,
    kpi: Kpi,
    part: tuple[Sequence[Any], _Pick],
    of: tuple[Sequence[Any], _Pick],
    cuts: _Cuts,
) -> None:
    """What is counted, per 100 of something else: rows of different kinds, parted by the same keys."""
    found.values[kpi] = Ratio(_total(*part), _total(*of))
    for cut, key in cuts:
        parts, whole = _sums(part[0], key, part[1]), _sums(of[0], key, of[1])
        found.parts[kpi, cut] = _sorted(
            (name, Ratio(parts[name], whole[name])) for name in {**parts, **whole}
        )


def _reasons(found: Measured, kpi: Kpi, sums: Counter[str]) -> None:
    """Parts of a ratio by what they are about: each is per 100 of the same whole."""
    whole = found.values[kpi]
    of = whole.of if isinstance(whole, Ratio) else 0
    found.parts[kpi, Cut.REASON] = _sorted((name, Ratio(n, of)) for name, n in sums.items() if n)


def _spread(found: Measured, kpi: Kpi, rows: Sequence[Any], name: str, cuts: _Cuts) -> None:
    """Percentiles of all and of each part. A few long sorted lists are merged far sooner than many short ones."""
    runs: list[list[int]] = [getattr(row, name) for row in rows]
    whole = runs
    for cut, key in cuts:
        merged: dict[str, list[int]] = {}
        for row, run in zip(rows, runs, strict=True):
            run.sort()
            merged.setdefault(str(key(row)), []).extend(run)
        found.parts[kpi, cut] = _sorted(
            (label, spread_of(of_part)) for label, of_part in merged.items()
        )
        whole = min(whole, list(merged.values()), key=len)
    found.values[kpi] = spread_of(list(chain.from_iterable(whole)))
