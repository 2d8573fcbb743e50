"""Business time: stories with dates and places, and thousands of random cases against the oracle."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain.business_time import (
    Calendar,
    Closure,
    Duration,
    DurationKind,
    NoOpenTime,
    Weekly,
    due_at,
    parse_days,
    parse_duration,
    point_at,
)
from tests.unit.business_time_oracle import WINDOW_DAYS, Oracle, changes_of

NINE_TO_FIVE = {day: ((9 * 60, 17 * 60),) for day in range(5)}
#: The shipped playbook's team: a lunch break, and a short Friday.
EMEA = {day: ((540, 750), (810, 1080)) for day in range(4)} | {4: ((540, 960),)}
SUNDAY, MONDAY, TUESDAY, SATURDAY = 6, 0, 1, 5
WHOLE_DAY = ((0, 1440),)


def at(zone: str, text: str, *, second_time: bool = False) -> datetime:
    """The instant when the clocks of `zone` show `text`, the second time they do when asked for."""
    wall = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=int(second_time))
    return wall.astimezone(UTC)


def office(
    zone: str,
    weekly: Weekly,
    holidays: frozenset[date] = frozenset(),
    closures: tuple[Closure, ...] = (),
    absences: tuple[tuple[datetime, datetime], ...] = (),
) -> Calendar:
    return Calendar(ZoneInfo(zone), weekly, holidays, closures, absences)


# --- Stories: across a change of the clocks


@pytest.mark.parametrize(
    ("zone", "friday", "monday", "due"),
    [
        ("America/New_York", "2026-03-06 16:30", date(2026, 3, 9), "2026-03-10 12:30"),
        ("America/New_York", "2026-10-30 16:30", date(2026, 11, 2), "2026-11-03 12:30"),
        ("Europe/Berlin", "2026-03-27 16:30", date(2026, 3, 30), "2026-03-31 12:30"),
        ("Europe/Berlin", "2026-10-23 16:30", date(2026, 10, 26), "2026-10-27 12:30"),
    ],
)
def test_four_hours_from_friday_end_on_tuesday_when_clocks_change_and_monday_is_a_holiday(
    zone: str, friday: str, monday: date, due: str
) -> None:
    calendar = office(zone, NINE_TO_FIVE, holidays=frozenset({monday}))
    assert calendar.add(at(zone, friday), 4 * 3600) == at(zone, due)
    assert calendar.between(at(zone, friday), at(zone, due)) == 4 * 3600


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin"])
@pytest.mark.parametrize("month", [3, 11])
def test_around_the_clock_a_week_is_a_week_of_real_seconds(zone: str, month: int) -> None:
    start = datetime(2026, month, 1, tzinfo=UTC) - timedelta(days=8)
    calendar = Calendar.around_the_clock(zone)
    for weeks in range(1, 7):
        end = start + timedelta(weeks=weeks)
        assert calendar.add(start, weeks * 7 * 86_400) == end
        assert calendar.between(start, end) == weeks * 7 * 86_400


def test_an_hour_from_half_past_one_ends_at_half_past_one_when_clocks_go_back() -> None:
    new_york = Calendar.around_the_clock("America/New_York")
    first = at("America/New_York", "2026-11-01 01:30")
    again = at("America/New_York", "2026-11-01 01:30", second_time=True)
    assert new_york.add(first, 60 * 60) == again
    assert again - first == timedelta(minutes=60)
    assert new_york.add(again, 60 * 60) == at("America/New_York", "2026-11-01 02:30")


def test_a_start_given_in_local_time_is_read_with_its_fold() -> None:
    zone = ZoneInfo("America/New_York")
    again = datetime(2026, 11, 1, 1, 30, tzinfo=zone, fold=1)
    due = Calendar.around_the_clock().add(again, 60)
    assert due == datetime(2026, 11, 1, 6, 31, tzinfo=UTC)
    assert due.tzinfo is UTC


def test_an_opening_that_the_change_skips_is_the_first_minute_after_it() -> None:
    night = office("America/New_York", {SUNDAY: ((150, 600),)})  # from 02:30; 02:00 becomes 03:00
    assert night.next_open(at("America/New_York", "2026-03-08 00:00")) == datetime(
        2026, 3, 8, 7, 0, tzinfo=UTC
    )
    assert not night.is_open(datetime(2026, 3, 8, 6, 59, 59, tzinfo=UTC))


def test_a_closing_that_the_change_skips_is_the_first_minute_after_it() -> None:
    night = office("America/New_York", {SUNDAY: ((60, 150),)})
    start = at("America/New_York", "2026-03-08 01:00")
    assert night.between(start, start + timedelta(days=1)) == 60 * 60
    inside = office("America/New_York", {SUNDAY: ((125, 150),)})
    assert inside.between(start, start + timedelta(days=1)) == 0


def test_in_the_repeated_hour_opening_is_the_first_and_closing_the_second() -> None:
    day = at("America/New_York", "2026-11-01 00:00")
    opens = office("America/New_York", {SUNDAY: ((90, 600),)})
    assert opens.next_open(day) == at("America/New_York", "2026-11-01 01:30")
    closes = office("America/New_York", {SUNDAY: ((0, 90),)})
    assert closes.between(day, day + timedelta(days=1)) == 150 * 60
    assert closes.add(day, 150 * 60) == at("America/New_York", "2026-11-01 01:30", second_time=True)


def test_a_closure_covers_both_passes_of_the_repeated_hour() -> None:
    day = date(2026, 11, 1)
    calendar = office("America/New_York", {SUNDAY: WHOLE_DAY}, closures=(Closure(day, 70, 110),))
    first = at("America/New_York", "2026-11-01 01:10")
    assert calendar.next_open(first) == at("America/New_York", "2026-11-01 01:50", second_time=True)
    assert calendar.next_open(first) - first == timedelta(minutes=100)


def test_a_day_ends_at_the_first_midnight_where_midnight_is_repeated() -> None:
    saturday = office("America/Havana", {SATURDAY: ((1200, 1440),)})
    evening = at("America/Havana", "2026-10-31 20:00")
    assert saturday.add(evening, 4 * 3600) == at("America/Havana", "2026-11-01 00:00")
    assert not saturday.is_open(at("America/Havana", "2026-11-01 00:30"))
    assert saturday.between(evening, evening + timedelta(days=1)) == 4 * 3600


def test_a_day_without_midnight_opens_with_its_first_minute() -> None:
    sunday = office("America/Sao_Paulo", {SUNDAY: WHOLE_DAY})  # 2018-11-04: 00:00 became 01:00
    opening = sunday.next_open(at("America/Sao_Paulo", "2018-11-03 12:00"))
    assert opening == at("America/Sao_Paulo", "2018-11-04 01:00")
    assert sunday.between(opening, opening + timedelta(days=2)) == 23 * 3600


def test_the_day_that_apia_left_out_has_no_hours() -> None:
    apia = office("Pacific/Apia", NINE_TO_FIVE)  # Friday 2011-12-30 never was
    thursday = at("Pacific/Apia", "2011-12-29 16:00")
    assert apia.add(thursday, 2 * 3600) == at("Pacific/Apia", "2012-01-02 10:00")
    assert apia.add_working_days(thursday, 1) == at("Pacific/Apia", "2012-01-02 16:00")
    always = Calendar.around_the_clock("Pacific/Apia")
    assert always.add_working_days(thursday, 1) == at("Pacific/Apia", "2011-12-31 16:00")
    assert always.between(thursday, thursday + timedelta(days=3)) == 3 * 86_400


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


# --- Durations


@pytest.mark.parametrize(
    ("text", "kind", "amount"),
    [
        ("90s", DurationKind.BUSINESS, 90),
        ("15m", DurationKind.BUSINESS, 900),
        ("4h", DurationKind.BUSINESS, 14_400),
        ("1h30m", DurationKind.BUSINESS, 5_400),
        ("1h0m5s", DurationKind.BUSINESS, 3_605),
        (" 24h clock ", DurationKind.CLOCK, 86_400),
        ("5m clock", DurationKind.CLOCK, 300),
        ("1h30m  clock", DurationKind.CLOCK, 5_400),
        ("1d", DurationKind.WORKING_DAYS, 1),
        ("3653d", DurationKind.WORKING_DAYS, 3653),
    ],
)
def test_durations_as_written_in_the_playbook(text: str, kind: DurationKind, amount: int) -> None:
    assert parse_duration(text) == Duration(kind, amount, text.strip())


@pytest.mark.parametrize(
    "text",
    [
        *("4 hours", "", "clock", " clock", "4", "h", "-4h", "4.5h", "4H", "30m1h", "1h1h", "1d4h"),
        *("5d clock", "4hclock", "4h clock clock", "4h\nclock", "٤h", "9" * 5000 + "h"),
    ],
)
def test_what_is_no_duration_is_told_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a duration: write 4h, 30m, 1d or '24h clock'$"):
        parse_duration(text)


def test_the_sentence_quotes_what_was_written_but_not_endlessly() -> None:
    with pytest.raises(ValueError, match=r"^'4 hours' is not a duration"):
        parse_duration("4 hours")
    with pytest.raises(ValueError, match="is not a duration") as caught:
        parse_duration("x" * 10_000)
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize("text", ["0s", "0h0m", "0d", "0m clock"])
def test_no_time_at_all_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no time at all"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["3654d", "87673h", "999999999999h clock"])
def test_more_than_ten_years_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is too long: ten years are the most"):
        parse_duration(text)


def test_wake_dates_are_calendar_days() -> None:
    assert parse_days("90d") == Duration(DurationKind.CALENDAR_DAYS, 90, "90d")
    for wrong in ("90", "4h", "90 days", ""):
        with pytest.raises(ValueError, match="is not a number of days: write 90d"):
            parse_days(wrong)
    with pytest.raises(ValueError, match="no time at all"):
        parse_days("0d")
    with pytest.raises(ValueError, match="ten years are the most"):
        parse_days("4000d")


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("4h", "2026-03-30 12:30"),
        ("72h clock", "2026-03-30 17:30"),  # an hour later by the wall: 72 real hours
        ("1d", "2026-03-30 16:30"),
        ("5d", "2026-04-03 16:30"),
    ],
)
def test_due_over_a_weekend_when_clocks_go_forward(text: str, due: str) -> None:
    team = office("Europe/Berlin", NINE_TO_FIVE)
    start = at("Europe/Berlin", "2026-03-27 16:30")
    assert due_at(team, start, parse_duration(text)) == at("Europe/Berlin", due)


def test_calendar_days_are_due_at_the_same_local_time_open_or_not() -> None:
    team = office("Europe/Berlin", NINE_TO_FIVE)
    start = at("Europe/Berlin", "2026-03-27 16:30")
    assert due_at(team, start, parse_days("2d")) == at("Europe/Berlin", "2026-03-29 16:30")
    night = at("Europe/Berlin", "2026-03-27 02:30")
    assert due_at(team, night, parse_days("2d")) == at("Europe/Berlin", "2026-03-29 03:00")


def test_points_are_shares_of_open_time() -> None:
    team = office("Europe/Berlin", NINE_TO_FIVE)
    start, due = at("Europe/Berlin", "2026-03-27 16:00"), at("Europe/Berlin", "2026-03-30 12:00")

    def point(percent: int, kind: DurationKind = DurationKind.BUSINESS) -> datetime:
        return point_at(team, start, due, percent, kind)

    assert point(0) == start
    assert point(50) == at("Europe/Berlin", "2026-03-30 10:00")
    assert point(75) == at("Europe/Berlin", "2026-03-30 11:00")
    assert point(100) == due
    assert point(200) == at("Europe/Berlin", "2026-03-30 16:00")
    assert point(250) == at("Europe/Berlin", "2026-03-31 10:00")
    assert point(75, DurationKind.WORKING_DAYS) == point(75)
    with pytest.raises(ValueError, match="before the start"):
        point(-1)


def test_points_of_a_wall_clock_are_shares_of_real_time() -> None:
    team = office("Europe/Berlin", NINE_TO_FIVE)
    start = datetime(2026, 3, 27, 16, 0, tzinfo=UTC)
    due = start + timedelta(hours=72)
    for percent, hours in ((50, 36), (75, 54), (100, 72), (150, 108)):
        point = point_at(team, start, due, percent, DurationKind.CLOCK)
        assert point == start + timedelta(hours=hours)


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


# --- Random calendars around changes of the clocks, against the oracle

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
