"""Business time across a change of the clocks: skipped and repeated hours, midnights and days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.domain.business_time import Calendar, Closure
from tests.unit.business_time_kit import NINE_TO_FIVE, SATURDAY, SUNDAY, WHOLE_DAY, at, office


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
