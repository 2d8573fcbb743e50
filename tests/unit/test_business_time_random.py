"""Business time on thousands of random calendars around changes of the clocks, against the oracle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain.business_time import Calendar, Closure, NoOpenTime
from tests.unit.business_time_kit import WHOLE_DAY
from tests.unit.business_time_oracle import WINDOW_DAYS, Oracle, changes_of

ZONES = (
    *("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"),
    *("Pacific/Apia", "America/Sao_Paulo", "Africa/Casablanca"),
    *("America/Havana", "America/St_Johns"),  # midnight is repeated; the change was at 00:01
)
#: Until 2011 St John's went from Sunday 00:01 back to Saturday: such a Saturday has no clear end.
CLEAR_DAYS = ZONES[:-1]
NO_CHANGES = (datetime(2026, 3, 28, tzinfo=UTC), datetime(2024, 2, 28, tzinfo=UTC))
CHECKED = settings(
    deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow], max_examples=80
)

# Minutes near the changes of the clocks and near midnight are drawn as often as all others.
a_minute = st.one_of(
    st.sampled_from((0, 1, 30, 60, 90, 105, 120, 135, 150, 180, 1380, 1381, 1410, 1439, 1440)),
    st.integers(0, 1440),
)
a_span = st.lists(a_minute, min_size=2, max_size=2, unique=True).map(sorted)


@st.composite
def day_hours(draw: st.DrawFn) -> tuple[tuple[int, int], ...]:
    edges = sorted(draw(st.sets(a_minute, max_size=6)))
    pairs = len(edges) // 2
    return tuple((edges[2 * n], edges[2 * n + 1]) for n in range(pairs))


@st.composite
def situations(draw: st.DrawFn, zones: tuple[str, ...] = ZONES) -> tuple[Calendar, Oracle]:
    """A random calendar, and the oracle for ten days around a change of its zone's clocks."""
    zone = draw(st.sampled_from(zones))
    change = draw(st.sampled_from(changes_of(zone)[:12] + changes_of(zone)[-4:] or NO_CHANGES))
    begin = change - timedelta(days=4)
    usual = draw(st.one_of(st.just(WHOLE_DAY), day_hours()))
    weekly = {day: draw(st.one_of(st.just(usual), day_hours())) for day in range(7)}
    offsets = st.integers(2, 7)
    holidays = {begin.date() + timedelta(days=n) for n in draw(st.sets(offsets, max_size=2))}
    closures = [
        Closure(begin.date() + timedelta(days=n), low, high)
        for n, (low, high) in draw(st.lists(st.tuples(offsets, a_span), max_size=3))
    ]
    minutes = st.tuples(st.integers(0, WINDOW_DAYS * 1440), st.integers(1, 2000))
    absences = [
        (begin + timedelta(minutes=since), begin + timedelta(minutes=since + length))
        for since, length in draw(st.lists(minutes, max_size=2))
    ]
    calendar = Calendar(
        zone=ZoneInfo(zone),
        weekly=weekly,
        holidays=frozenset(holidays),
        closures=tuple(closures),
        absences=tuple(absences),
    )
    return calendar, Oracle(calendar, begin)


#: Seconds from the window's begin: half of them in the three days around the change.
_LAST = WINDOW_DAYS * 86_400 - 1
an_instant = st.one_of(st.integers(0, _LAST), st.integers(3 * 86_400, 6 * 86_400))
eight_instants = st.lists(an_instant, min_size=8, max_size=8)


@CHECKED
@given(situations(), eight_instants)
def test_open_and_next_opening_agree_with_every_minute(
    situation: tuple[Calendar, Oracle], instants: list[int]
) -> None:
    calendar, oracle = situation
    for seconds in instants:
        now = oracle.begin + timedelta(seconds=seconds)
        assert calendar.is_open(now) == oracle.is_open(now)
        expected = oracle.next_open(now)
        if expected is not None:
            assert calendar.next_open(now) == expected
        elif any(calendar.weekly.values()):
            assert calendar.next_open(now) >= oracle.end
        else:
            with pytest.raises(NoOpenTime):
                calendar.next_open(now)


@CHECKED
@given(situations(), eight_instants, st.integers(1, 1000))
def test_adding_agrees_with_every_minute(
    situation: tuple[Calendar, Oracle], instants: list[int], share: int
) -> None:
    calendar, oracle = situation
    for offset in instants:
        start = oracle.begin + timedelta(seconds=offset)
        left = oracle.between(start, oracle.end)
        assert calendar.between(start, oracle.end) == left
        seconds = left * share // 1000
        if seconds:
            due = calendar.add(start, seconds)
            assert due == oracle.add(start, seconds)
            assert calendar.between(start, due) == seconds


@CHECKED
@given(situations(), eight_instants, eight_instants)
def test_counting_agrees_with_every_minute(
    situation: tuple[Calendar, Oracle], starts: list[int], ends: list[int]
) -> None:
    calendar, oracle = situation
    for first, last in zip(starts, ends, strict=True):
        start = oracle.begin + timedelta(seconds=first)
        end = oracle.begin + timedelta(seconds=last)
        assert calendar.between(start, end) == oracle.between(start, end)


@CHECKED
@given(situations(CLEAR_DAYS), eight_instants, st.integers(1, 4))
def test_working_days_agree_with_every_minute(
    situation: tuple[Calendar, Oracle], instants: list[int], days: int
) -> None:
    calendar, oracle = situation
    for seconds in instants:
        start = oracle.begin + timedelta(seconds=seconds)
        expected = oracle.add_working_days(start, days)
        if expected is not None:
            assert calendar.add_working_days(start, days) == expected


@CHECKED
@given(
    situations(),
    st.integers(0, _LAST),
    st.lists(st.integers(0, 3_000_000), min_size=4, max_size=4).map(sorted),
    st.integers(0, 200_000_000),
)
def test_adding_is_undone_by_counting_and_never_runs_backwards(
    situation: tuple[Calendar, Oracle], offset: int, amounts: list[int], micros: int
) -> None:
    calendar, oracle = situation
    start = oracle.begin + timedelta(seconds=offset)
    later = start + timedelta(microseconds=micros)
    try:
        dues = [calendar.add(start, amount) for amount in amounts]
        later_dues = [calendar.add(later, amount) for amount in amounts]
    except NoOpenTime:  # too little time in a week for this much: the horizon is another test
        return
    assert dues == sorted(dues)
    assert [calendar.between(start, due) for due in dues] == amounts
    assert [calendar.between(later, due) for due in later_dues] == amounts
    assert all(due <= after for due, after in zip(dues, later_dues, strict=True))
    whole = calendar.between(start, dues[-1])
    assert whole == calendar.between(start, dues[1]) + calendar.between(dues[1], dues[-1])
