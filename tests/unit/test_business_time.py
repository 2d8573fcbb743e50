"""Business time in ordinary weeks: open time, working days, and what is refused.

Changes of the clocks, durations and random calendars are in the modules named `test_business_time_*`.
"""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, date, datetime, timedelta

import pytest

from bot.domain.business_time import (
    Calendar,
    Closure,
    Duration,
    DurationKind,
    NoOpenTime,
    due_at,
    point_at,
)
from tests.unit.business_time_kit import EMEA, MONDAY, NINE_TO_FIVE, TUESDAY, WHOLE_DAY, at, office

# --- Stories: an ordinary week


def test_the_lunch_break_does_not_count() -> None:
    team = office("Europe/Berlin", EMEA)
    noon = at("Europe/Berlin", "2026-06-02 12:15")
    assert team.add(noon, 30 * 60) == at("Europe/Berlin", "2026-06-02 13:45")
    assert team.next_open(at("Europe/Berlin", "2026-06-02 12:30")) == at(
        "Europe/Berlin", "2026-06-02 13:30"
    )


def test_a_duration_that_fits_ends_with_the_closing_and_not_at_the_next_opening() -> None:
    team = office("Europe/Berlin", EMEA)
    closing = at("Europe/Berlin", "2026-06-02 18:00")
    assert team.add(at("Europe/Berlin", "2026-06-02 14:00"), 4 * 3600) == closing
    assert not team.is_open(closing)
    assert team.is_open(closing - timedelta(microseconds=1))
    assert team.add(closing, 1) == at("Europe/Berlin", "2026-06-03 09:00:01")
    assert team.add(closing, 0) == closing


def test_2400_closes_the_day_and_joins_the_next_one() -> None:
    late = office("Europe/Berlin", {MONDAY: ((1200, 1440),), TUESDAY: ((0, 120), (120, 180))})
    monday = at("Europe/Berlin", "2026-06-01 23:30")
    assert late.add(monday, 3600) == at("Europe/Berlin", "2026-06-02 00:30")
    assert late.add(monday, 210 * 60) == at("Europe/Berlin", "2026-06-02 03:00")
    assert late.is_open(at("Europe/Berlin", "2026-06-02 00:00"))
    assert late.is_open(at("Europe/Berlin", "2026-06-02 02:00"))
    only_monday = office("Europe/Berlin", {MONDAY: ((1200, 1440),)})
    assert not only_monday.is_open(at("Europe/Berlin", "2026-06-02 00:00"))


def test_holidays_closures_and_absences_are_closed_time() -> None:
    monday = at("Europe/Berlin", "2026-06-01 09:00")
    away = (at("Europe/Berlin", "2026-06-03 10:00"), at("Europe/Berlin", "2026-06-04 10:00"))
    rep = office(
        "Europe/Berlin",
        NINE_TO_FIVE,
        holidays=frozenset({date(2026, 6, 1)}),
        closures=(Closure(date(2026, 6, 2), 12 * 60), Closure(date(2026, 6, 5))),
        absences=(away,),
    )
    assert rep.next_open(monday) == at("Europe/Berlin", "2026-06-02 09:00")
    # Tuesday 3 h, Wednesday 1 h, Thursday 7 h, Friday closed, Monday 8 h.
    assert rep.between(monday, monday + timedelta(days=8)) == (3 + 1 + 7 + 8) * 3600
    assert rep.add(monday, 4 * 3600) == away[0]
    assert rep.add(monday, 4 * 3600 + 1) == away[1] + timedelta(seconds=1)
    assert rep.with_absences(()).add(monday, 4 * 3600 + 1) == at(
        "Europe/Berlin", "2026-06-03 10:00:01"
    )


def test_absences_may_overlap_and_come_in_any_order() -> None:
    day = datetime(2026, 6, 1, tzinfo=UTC)
    hours = [day + timedelta(hours=n) for n in range(24)]
    rep = Calendar.around_the_clock().with_absences(
        ((hours[6], hours[9]), (hours[2], hours[7]), (hours[3], hours[4]), (hours[20], hours[20]))
    )
    assert rep.add(day, 2 * 3600 + 1) == hours[9] + timedelta(seconds=1)
    assert rep.between(day, day + timedelta(days=1)) == 17 * 3600


def test_ten_months_of_leave_are_skipped() -> None:
    start = at("Europe/Berlin", "2026-02-02 16:00")
    back = at("Europe/Berlin", "2026-12-01 09:00")
    rep = office("Europe/Berlin", NINE_TO_FIVE).with_absences(((start, back),))
    assert rep.next_open(start) == back
    assert rep.add(start, 3600) == back + timedelta(hours=1)
    assert rep.add_working_days(start, 1) == back + timedelta(days=1)


def test_who_never_comes_back_is_an_error_and_not_a_loop() -> None:
    start = datetime(2026, 6, 1, tzinfo=UTC)
    gone = Calendar.around_the_clock().with_absences(((start, datetime.max.replace(tzinfo=UTC)),))
    closed = office("Europe/Berlin", {})
    for calendar in (gone, closed):
        assert not calendar.is_open(start)
        assert calendar.between(start, start + timedelta(days=700)) == 0
        with pytest.raises(NoOpenTime, match="no open time within a year after 2026-06-01 00:00"):
            calendar.next_open(start)
        with pytest.raises(NoOpenTime, match="not enough open time"):
            calendar.add(start, 1)
        with pytest.raises(NoOpenTime):
            calendar.add_working_days(start, 1)
    a_minute_a_week = office("Europe/Berlin", {MONDAY: ((540, 541),)})
    with pytest.raises(NoOpenTime, match="not enough open time"):
        a_minute_a_week.add(start, 100 * 3600)


def test_a_year_without_open_time_is_bridged_and_no_more() -> None:
    start = datetime(2026, 6, 1, tzinfo=UTC)
    always = Calendar.around_the_clock()
    sabbatical = always.with_absences(((start, start + timedelta(days=366)),))
    assert sabbatical.add(start, 1) == start + timedelta(days=366, seconds=1)
    assert sabbatical.next_open(start) == start + timedelta(days=366)
    too_long = always.with_absences(((start, start + timedelta(days=400)),))
    with pytest.raises(NoOpenTime):
        too_long.add(start, 1)


def test_fractions_of_a_second_are_kept() -> None:
    team = office("Europe/Berlin", NINE_TO_FIVE)
    start = at("Europe/Berlin", "2026-06-01 16:59:59.750000")
    assert team.add(start, 1) == at("Europe/Berlin", "2026-06-02 09:00:00.750000")
    assert team.between(start, team.add(start, 3)) == 3
    assert team.between(start, at("Europe/Berlin", "2026-06-02 09:00:00.700000")) == 0


def test_counting_backwards_is_nothing() -> None:
    start = datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert Calendar.around_the_clock().between(start, start - timedelta(hours=1)) == 0


# --- Stories: working days


@pytest.mark.parametrize(
    ("arrives", "days", "due"),
    [
        ("2026-06-01 10:20:30", 1, "2026-06-02 10:20:30"),
        ("2026-06-04 11:00", 1, "2026-06-05 11:00"),
        ("2026-06-05 11:00", 1, "2026-06-08 11:00"),  # the weekend is skipped
        ("2026-06-06 11:00", 1, "2026-06-09 09:00"),  # Saturday counts from Monday's opening
        ("2026-06-01 19:00", 1, "2026-06-03 09:00"),  # after hours: from Tuesday's opening
        ("2026-06-01 07:00", 1, "2026-06-02 09:00"),  # before hours: from this day's opening
        ("2026-06-01 12:45", 1, "2026-06-02 13:30"),  # at lunch: from the end of lunch
        ("2026-06-04 17:15", 1, "2026-06-05 16:00"),  # Friday closes at 16:00
        ("2026-06-05 12:45", 1, "2026-06-08 12:30"),  # Monday is at lunch then: it closed at 12:30
        ("2026-06-01 10:00", 5, "2026-06-08 10:00"),
        ("2026-06-01 10:00", 21, "2026-06-30 10:00"),
    ],
)
def test_working_days_keep_the_time_of_day(arrives: str, days: int, due: str) -> None:
    team = office("Europe/Berlin", EMEA)
    found = team.add_working_days(at("Europe/Berlin", arrives), days)
    assert found == at("Europe/Berlin", due)


def test_working_days_skip_holidays_closed_days_and_absence() -> None:
    monday = at("Europe/Berlin", "2026-06-01 10:00")
    team = office(
        "Europe/Berlin",
        NINE_TO_FIVE,
        holidays=frozenset({date(2026, 6, 2)}),
        closures=(Closure(date(2026, 6, 3)), Closure(date(2026, 6, 8), 13 * 60)),
    )
    assert team.add_working_days(monday, 1) == at("Europe/Berlin", "2026-06-04 10:00")
    assert team.add_working_days(monday, 3) == at("Europe/Berlin", "2026-06-08 10:00")
    thursday = at("Europe/Berlin", "2026-06-04 00:00")
    away = team.with_absences(((thursday, thursday + timedelta(days=1)),))
    assert away.add_working_days(monday, 1) == at("Europe/Berlin", "2026-06-05 10:00")


def test_a_day_that_is_closed_at_that_time_is_due_at_its_last_closing_else_its_first_opening() -> (
    None
):
    friday = at("Europe/Berlin", "2026-06-05 15:00")
    morning_only = office(
        "Europe/Berlin", NINE_TO_FIVE, closures=(Closure(date(2026, 6, 8), 13 * 60),)
    )
    assert morning_only.add_working_days(friday, 1) == at("Europe/Berlin", "2026-06-08 13:00")
    evening_only = office("Europe/Berlin", NINE_TO_FIVE | {MONDAY: ((18 * 60, 20 * 60),)})
    assert evening_only.add_working_days(friday, 1) == at("Europe/Berlin", "2026-06-08 18:00")


def test_working_days_keep_the_local_time_when_clocks_change() -> None:
    team = office("Europe/Berlin", NINE_TO_FIVE)
    friday = at("Europe/Berlin", "2026-03-27 10:00")
    assert team.add_working_days(friday, 1) - friday == timedelta(days=3, hours=-1)
    always = Calendar.around_the_clock("America/New_York")
    saturday = at("America/New_York", "2026-03-07 02:30")
    assert always.add_working_days(saturday, 1) == at("America/New_York", "2026-03-08 03:00")
    saturday = at("America/New_York", "2026-10-31 01:30")
    assert always.add_working_days(saturday, 1) == at("America/New_York", "2026-11-01 01:30")


# --- What is refused


def test_naive_instants_are_refused() -> None:
    calendar = Calendar.around_the_clock()
    naive = datetime(2026, 6, 1)  # noqa: DTZ001
    aware = naive.replace(tzinfo=UTC)
    clock = Duration(DurationKind.CLOCK, 60)
    for attempt in (
        lambda: calendar.is_open(naive),
        lambda: calendar.next_open(naive),
        lambda: calendar.add(naive, 1),
        lambda: calendar.add(naive, 0),
        lambda: calendar.between(naive, aware),
        lambda: calendar.between(aware, naive),
        lambda: calendar.add_working_days(naive, 1),
        lambda: calendar.with_absences(((naive, aware),)),
        lambda: due_at(calendar, naive, clock),
        lambda: point_at(calendar, aware, naive, 100, DurationKind.CLOCK),
    ):
        with pytest.raises(ValueError, match="2026-06-01T00:00:00 has no time zone"):
            attempt()


def test_impossible_hours_and_amounts_are_refused() -> None:
    for minutes in ((-1, 60), (60, 60), (120, 60), (0, 1441)):
        with pytest.raises(ValueError, match="not a part of a day"):
            office("UTC", {MONDAY: (minutes,)})
        with pytest.raises(ValueError, match="not a part of a day"):
            office("UTC", NINE_TO_FIVE, closures=(Closure(date(2026, 6, 1), *minutes),))
    with pytest.raises(ValueError, match="7 is not a weekday"):
        office("UTC", {7: WHOLE_DAY})
    now = datetime(2026, 6, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="only runs forward"):
        Calendar.around_the_clock().add(now, -1)
    with pytest.raises(ValueError, match="one is the least"):
        Calendar.around_the_clock().add_working_days(now, 0)
    with pytest.raises(ValueError, match="out of range"):
        Calendar.around_the_clock().add(datetime.max.replace(tzinfo=UTC), 1)


def test_calendars_are_values() -> None:
    one, other = office("Europe/Berlin", EMEA), office("Europe/Berlin", dict(EMEA))
    start = at("Europe/Berlin", "2026-06-02 12:15")
    assert one == other
    assert len({one, other}) == 1
    assert one != office("Europe/Berlin", NINE_TO_FIVE)
    assert one != one.with_absences(((start, start + timedelta(days=1)),))
    for copied in (copy.deepcopy(one), pickle.loads(pickle.dumps(one))):  # noqa: S301
        assert copied == one
        assert copied.add(start, 1800) == one.add(start, 1800)
