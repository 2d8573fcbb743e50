"""When a challenge begins, posts, looks again and ends: whole local days, no holidays, right across DST."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from bot.domain.business_time import Calendar
from bot.services.plan_challenges import BEGIN, BOARD, COUNT, END, plan_challenges
from tests.services.challenge_kit import Arena

WEEK = {day: ((9 * 60, 17 * 60),) for day in range(5)}


@pytest.fixture
def arena(database_url: str) -> Iterator[Arena]:
    made = Arena(database_url)
    zone = made.agreement.calendar.zone
    calendar = Calendar(zone, WEEK, holidays=frozenset({date(2027, 3, 26), date(2027, 3, 29)}))
    teams = {name: replace(team, calendar=calendar) for name, team in made.agreement.teams.items()}
    made.agreement = replace(made.agreement, calendar=calendar, teams=teams)
    made.now = datetime(2027, 3, 22, 11, 0, tzinfo=UTC)  # a Monday; Good Friday, DST on Sunday
    yield made
    made.database.dispose()


def planned(arena: Arena, at: str) -> dict[str, tuple[str, str]]:
    """By kind: period and due time, as a clock in Berlin shows them."""
    zone = arena.agreement.calendar.zone
    arena.now = datetime.fromisoformat(at).replace(tzinfo=zone).astimezone(UTC)
    with arena.work() as work:
        return {
            each.kind: (each.period, f"{each.due_at.astimezone(zone):%Y-%m-%d %H:%M}")
            for each in plan_challenges(work)
        }


def test_each_day_that_is_none_off_has_its_board_until_the_last(arena: Arena) -> None:
    arena.make(begins=date(2027, 3, 24), ends=date(2027, 3, 28))
    assert planned(arena, "2027-03-23 12:00") == {BEGIN: ("2027-03-24", "2027-03-24 00:00")}
    arena.until(datetime(2027, 3, 24, 8, 0, tzinfo=UTC))
    the_end = ("2027-03-28", "2027-03-30 09:00")  # Monday is a holiday, and DST began
    board = ("2027-03-24", "2027-03-24 16:00")
    assert planned(arena, "2027-03-24 10:00") == {BOARD: board, END: the_end}
    assert planned(arena, "2027-03-24 16:00")[BOARD] == board, "now"
    at_work = planned(arena, "2027-03-24 16:20")
    assert at_work[BOARD] == ("2027-03-25", "2027-03-25 16:00")
    assert at_work[COUNT] == ("2027-03-24T1600", "2027-03-24 17:00")
    assert planned(arena, "2027-03-24 18:00")[COUNT] == ("2027-03-24T2300", "2027-03-25 00:00")
    assert planned(arena, "2027-03-25 16:10")[END] == the_end
    assert set(planned(arena, "2027-03-26 12:00")) == {END}, "Good Friday"


def test_a_day_of_23_hours_ends_when_its_local_day_does(arena: Arena) -> None:
    arena.make(
        begins=date(2027, 3, 27), ends=date(2027, 4, 2), post_days=tuple(range(7)), post_at=150
    )
    arena.until(datetime(2027, 3, 27, 8, 0, tzinfo=UTC))
    in_the_gap = planned(arena, "2027-03-28 01:00")[BOARD]
    assert in_the_gap == ("2027-03-28", "2027-03-28 03:30"), "02:30 is not there"
    assert planned(arena, "2027-03-28 12:00")[COUNT] == ("2027-03-28T2200", "2027-03-29 00:00")
