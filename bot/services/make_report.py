"""The report: the figures of one period beside those of the period before and what there was before Baton. Read-only.

Used alike by Slack, the terminal and files. What is not here: the SQL (`storage.reports`), what a figure means
(`bot.domain.kpi_definitions`), adding up (`measure_window`), how it is shown and who may see what of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from sqlalchemy import Engine

from bot.domain.agreement import ClockKind
from bot.domain.kpi import Count, Cut, Kpi, Ratio, Share, Spread, Value
from bot.domain.period import Period, local_day, midnight, period_before
from bot.domain.report import Baseline, Report
from bot.services.measure_window import Measured, measure_window
from bot.services.run_clocks import calendar_for
from bot.services.weigh_loads import minutes_of, overlaps, weigh_loads
from bot.services.work import Work
from storage import playbooks
from storage.reports import handovers, pasts, promises
from storage.reports.promises import Due
from storage.reports.windows import Window, room

#: What the first weeks with Baton are.
_FIRST_DAYS = timedelta(days=14)
#: A median of fewer says nothing about the next one.
_ENOUGH = 5
#: What is compared with is over, and changes only when something is told late: it is not counted for each asker.
_KEPT_FOR = timedelta(minutes=10)
_MOST_KEPT = 200
_COUNTED: WeakKeyDictionary[Engine, dict[Window, tuple[datetime, Mapping[Kpi, Value]]]] = (
    WeakKeyDictionary()
)
_USUAL: Mapping[str, Kpi] = {
    ClockKind.ACCEPT.value: Kpi.TIME_TO_ACCEPT,
    ClockKind.FIRST_TOUCH.value: Kpi.TIME_TO_TOUCH,
}


def make_report(work: Work, period: Period, *, team: str = "") -> Report:
    """Every figure of `period`, for all or for one team, as of its end, or now while it runs; what is due, untouched
    leads of a running period and what people hold are as of now. `before` has no figures that are as of now only."""
    with room(work.conn):
        return _report(work, period, team)


def _report(work: Work, period: Period, team: str) -> Report:
    window = _window(work, period, team)
    found = measure_window(work.conn, window, parted=True)
    _add_due(work, team, found)
    first = pasts.first_offered_at(work.conn, window)
    span = (window.begin or min(first or window.at, window.at), window.at)
    held = handovers.tally_held(work.conn, window)
    before = period_before(period)
    return Report(
        at=work.now,
        period=period,
        team=team,
        values=found.values,
        before=_values(work, _window(work, before, team)) if before is not None else {},
        baseline=_baseline(work, window, period.zone, first),
        parts=found.parts,
        loads=weigh_loads(work, span, found.offered, found.judged, held, team=team),
        down_minutes=minutes_of(overlaps(playbooks.list_downtimes(work.conn), span)),
    )


def _window(work: Work, period: Period, team: str) -> Window:
    """ALL has no bounds: nothing lies outside."""
    unbounded = period_before(period) is None
    begin = None if unbounded else period.begin
    return Window(begin, period.end, min(work.now, period.end), team)


def _values(work: Work, window: Window) -> Mapping[Kpi, Value]:
    """Of a window that is over, to compare with: everybody who asks in these minutes compares with the same."""
    known = _COUNTED.setdefault(work.conn.engine, {})
    found = known.get(window)
    if found is None or not timedelta(0) <= work.real - found[0] < _KEPT_FOR:
        if len(known) >= _MOST_KEPT:
            known.clear()
        found = known[window] = (
            work.real,
            measure_window(work.conn, window, parted=False).values,
        )
    return found[1]


# ------------------------------------------------------------------ what there was before


def _baseline(work: Work, window: Window, zone: str, first: datetime | None) -> Baseline | None:
    """The imported history if there is any, else the first two weeks once they are over."""
    past = pasts.tally_past(work.conn, window)
    if past.leads:
        return Baseline(
            "history",
            {
                Kpi.ARRIVED: Count(past.leads),
                Kpi.OFFERED: Count(past.leads),
                Kpi.PICKED_UP: Share(past.touched, past.leads),
                Kpi.UNTOUCHED: Count(past.leads - past.touched),
                Kpi.VERIFIED: Share(past.verified, past.touches),
                Kpi.REJECTED: Ratio(past.rejected, past.leads),
                Kpi.REROUTED: Ratio(past.rerouted, past.leads),
            },
        )
    if first is None:
        return None
    day = local_day(first, zone)
    end = midnight(day + _FIRST_DAYS, zone)
    if end > work.now:
        return None
    weeks = Window(midnight(day, zone), end, end, window.team, past=True)
    return Baseline("first_weeks", _values(work, weeks))


# ------------------------------------------------------------------ what is due


def _add_due(work: Work, team: str, found: Measured) -> None:
    """Promises that are due before today ends, and those of them that look as if they will be late."""
    zone = work.agreement.timezone
    evening = midnight(local_day(work.now, zone) + timedelta(days=1), zone)
    now = Window(None, evening, work.now, team)
    due = promises.list_due(work.conn, now, evening)
    likely = [one for one in due if _is_likely_late(work, one, found)]
    for kpi, rows in ((Kpi.DUE_TODAY, due), (Kpi.LIKELY_TO_BREACH, likely)):
        found.values[kpi] = Count(len(rows))
        for cut, names in (
            (Cut.REASON, [one.kind for one in rows]),
            (Cut.TEAM, [one.team for one in rows]),
            (Cut.PERSON, [str(one.person_id) for one in rows if one.person_id is not None]),
        ):
            ranked = sorted(Counter(names).items(), key=lambda part: (-part[1], part[0]))
            found.parts[kpi, cut] = tuple((name, Count(n)) for name, n in ranked)


def _is_likely_late(work: Work, due: Due, found: Measured) -> bool:
    """Three quarters of the working time are over, when most agreements remind; or less is left than this team
    usually takes."""
    calendar = calendar_for(work, ClockKind(due.kind), due.person_id, due.team)
    whole = calendar.between(due.started_at, due.due_at)
    left = calendar.between(work.now, due.due_at)
    if 4 * left <= whole:
        return True
    usual = dict(found.parts.get((_USUAL[due.kind], Cut.TEAM), ())) if due.kind in _USUAL else {}
    median = usual.get(due.team)
    return (
        isinstance(median, Spread)
        and median.p50 is not None
        and median.n >= _ENOUGH
        and left < median.p50
    )
