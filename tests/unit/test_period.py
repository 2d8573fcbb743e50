"""Periods: what can be typed, whole local days in every zone, and that days, weeks and months leave no gap."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.period import (
    WORDS,
    Period,
    PeriodKind,
    all_to,
    day_of,
    days_to,
    local_day,
    midnight,
    month_of,
    parse_period,
    period_before,
    week_of,
)

NOW = datetime(2026, 3, 24, 9, 0, tzinfo=UTC)  # a Tuesday in week 13
DAY = timedelta(days=1)
#: Clocks that change at midnight, show midnight twice, change by half an hour, or left out a day.
ZONES = st.sampled_from(
    [
        *("Europe/Berlin", "UTC", "Africa/Cairo", "Asia/Beirut", "America/Havana", "Asia/Tehran"),
        *("America/Sao_Paulo", "America/Asuncion", "Australia/Lord_Howe", "Pacific/Apia"),
        *("Asia/Kathmandu", "Pacific/Kiritimati", "America/Scoresbysund"),
    ]
)
DAYS = st.dates(date(1996, 1, 1), date(2035, 12, 31))


@settings(max_examples=40, deadline=None)
@given(DAYS, ZONES)
def test_days_follow_each_other_without_a_gap(day: date, zone: str) -> None:
    period = day_of(day, zone)
    assert period.end == day_of(day + DAY, zone).begin
    assert timedelta(hours=22) <= period.end - period.begin <= timedelta(hours=26) or (
        zone == "Pacific/Apia" and day == date(2011, 12, 30)  # there was no such day
    )
    if period.end > period.begin:
        assert period.first_day == period.last_day == day
        assert local_day(period.begin - timedelta(seconds=1), zone) < day


@settings(max_examples=40, deadline=None)
@given(DAYS, ZONES)
def test_weeks_and_months_are_their_days(day: date, zone: str) -> None:
    for period in (week_of(day, zone), month_of(day, zone), days_to(day, 30, zone)):
        first, count = period.first_day, (period.last_day - period.first_day).days + 1
        if zone == "Pacific/Apia" and first <= date(2011, 12, 31) <= day + 31 * DAY:
            continue
        assert period.begin <= midnight(day, zone) < period.end
        days = [day_of(first + n * DAY, zone) for n in range(count)]
        assert (days[0].begin, days[-1].end) == (period.begin, period.end)
        assert sum((each.end - each.begin for each in days), timedelta()) == (
            period.end - period.begin
        )
    assert week_of(day, zone).first_day.weekday() == 0 or zone == "Pacific/Apia"
    assert week_of(day, zone).key == f"{day.isocalendar().year}-W{day.isocalendar().week:02}"


@settings(max_examples=40, deadline=None)
@given(DAYS, ZONES, st.integers(1, 400))
def test_a_period_is_known_again_by_its_key_and_ends_where_the_next_begins(
    day: date, zone: str, count: int
) -> None:
    now = datetime(2036, 6, 1, tzinfo=UTC)  # nothing lies ahead
    made = [day_of(day, zone), week_of(day, zone), month_of(day, zone), days_to(day, count, zone)]
    for period in made:
        assert parse_period(period.key, now, zone) == period
        if zone == "Pacific/Apia":
            continue
        before = period_before(period)
        assert before is not None
        assert (before.kind, before.end) == (period.kind, period.begin)
        assert before.key != period.key


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 40 * 366 * 86_400), ZONES)
def test_each_instant_lies_in_its_own_day(seconds: int, zone: str) -> None:
    at = datetime(1996, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    period = day_of(local_day(at, zone), zone)
    assert period.begin <= at < period.end


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ("today", "2026-03-24"),
        ("Yesterday", "2026-03-23"),
        ("week", "2026-W13"),
        ("this  week", "2026-W13"),
        ("", "2026-W13"),
        ("last week", "2026-W12"),
        ("month", "2026-03"),
        ("last month", "2026-02"),
        ("30d", "30d-2026-03-24"),
        ("90d", "90d-2026-03-24"),
        ("all", "all"),
        ("2026-W12", "2026-W12"),
        ("2026-w1", "2026-W01"),
        ("2026-03", "2026-03"),
        ("2026-03-24", "2026-03-24"),
    ],
)
def test_what_can_be_typed(said: str, key: str) -> None:
    assert parse_period(said, NOW, "Europe/Berlin").key == key


@pytest.mark.parametrize(
    ("said", "part"),
    [
        ("next week", WORDS),
        ("0d", "write 1d to"),
        ("99999d", "write 1d to"),
        ("2025-W53", "2025 has no week 53"),
        ("2026-13", "2026 has no month 13"),
        ("2026-02-30", "there is no such day"),
        ("0026-02", "years are"),
        ("2026-W50", "has not begun yet"),
        ("2026-03-25", "has not begun yet"),
        ("٣d", "is no period"),
        ("<!channel> " * 30, "is no period"),
    ],
)
def test_what_cannot_is_told_in_a_sentence(said: str, part: str) -> None:
    with pytest.raises(ValueError, match=r"^'") as told:
        parse_period(said, NOW, "Europe/Berlin")
    assert part in str(told.value)
    assert len(str(told.value)) < 220


def test_the_day_is_that_of_the_zone() -> None:
    late = datetime(2026, 3, 24, 23, 30, tzinfo=UTC)  # half past midnight in Berlin
    assert parse_period("today", late, "Europe/Berlin").key == "2026-03-25"
    assert parse_period("today", late, "UTC").key == "2026-03-24"
    assert parse_period("today", late, "America/New_York").key == "2026-03-24"


def test_a_day_begins_where_midnight_does_not_exist() -> None:
    cairo = day_of(date(2023, 4, 28), "Africa/Cairo")
    assert cairo.begin.astimezone(ZoneInfo("Africa/Cairo")).hour == 1
    assert cairo.end - cairo.begin == timedelta(hours=23)
    havana = day_of(date(2023, 11, 5), "America/Havana")  # shows 00:30 twice
    assert havana.end - havana.begin == timedelta(hours=25)


def test_labels_for_people() -> None:
    zone = "Europe/Berlin"
    said = {
        day_of(date(2026, 3, 4), zone).label: "4 March 2026",
        week_of(date(2026, 3, 24), zone).label: "Week 13 (23 to 29 March 2026)",
        week_of(date(2026, 4, 1), zone).label: "Week 14 (30 March to 5 April 2026)",
        week_of(date(2026, 1, 1), zone).label: "Week 1 (29 December 2025 to 4 January 2026)",
        month_of(date(2026, 3, 24), zone).label: "March 2026",
        days_to(date(2026, 3, 24), 30, zone).label: "30 days to 24 March 2026",
        days_to(date(2026, 3, 24), 1, zone).label: "1 day to 24 March 2026",
        all_to(date(2026, 3, 24), zone).label: "Since the beginning",
    }
    assert list(said) == list(said.values())


def test_everything_has_nothing_before_it() -> None:
    everything = all_to(date(2026, 3, 24), "Europe/Berlin")
    assert period_before(everything) is None
    assert everything.kind is PeriodKind.ALL
    assert isinstance(everything, Period)
    assert everything.begin < datetime(2000, 1, 1, tzinfo=UTC) < NOW < everything.end
