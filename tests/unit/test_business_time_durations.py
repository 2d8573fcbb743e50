"""Durations as the playbook writes them, when they are due, and the points on the way there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.business_time import (
    Duration,
    DurationKind,
    due_at,
    parse_days,
    parse_duration,
    point_at,
)
from tests.unit.business_time_kit import NINE_TO_FIVE, at, office


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
