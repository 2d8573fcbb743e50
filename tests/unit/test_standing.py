"""Places: ties, minimum, teams of any size, most improved, streaks, movers, records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import pytest

from bot.domain.challenge import Board, Counting, Kind, Place, Rule, Terms
from bot.domain.chance import Chance, Circumstances, Verdict
from bot.domain.points import Points, Tally, reach_of
from bot.domain.standing import board_from, movers_of, places_as_json
from tests.unit.feats_kit import ANN, BEN, CLEO, ZONE, at, terms

TEAM = {ANN: "emea", BEN: "emea", CLEO: "emea"}
GIVEN = Circumstances(zone=ZONE)
#: points, most, chances, kept
Numbers = tuple[int, int, int, int]


def points_of(
    agreed: Terms,
    tallies: Mapping[int, Numbers],
    team: Mapping[int, str] = TEAM,
    chances: Iterable[Chance] = (),
) -> Points:
    found = {who: Tally(who, team[who], *numbers) for who, numbers in tallies.items()}
    return Points((), found, tuple(chances), *reach_of(agreed))


def board(
    agreed: Terms,
    now: Points,
    before: Points | None = None,
    team: Mapping[int, str] = TEAM,
    given: Circumstances = GIVEN,
    at_: datetime | None = None,
    **more: Any,
) -> Board:
    return board_from(
        agreed, now, before, team, given, challenge_id=7, period="p", now=at_ or at(5), **more
    )


def ranks(places: Iterable[Place]) -> dict[int | None, int | None]:
    return {place.person_id: place.rank for place in places}


@pytest.mark.parametrize(
    ("ann", "ben", "cleo", "expected"),
    [
        ((9, 10, 10, 9), (8, 10, 10, 8), (5, 10, 10, 5), (1, 2, 3)),
        ((9, 10, 10, 9), (18, 20, 20, 18), (5, 10, 10, 5), (2, 1, 3)),  # same rate, more kept
        ((9, 10, 10, 9), (9, 10, 10, 9), (5, 10, 10, 5), (1, 1, 3)),  # equal: shared
        ((9, 10, 10, 9), (9, 10, 10, 9), (9, 10, 10, 9), (1, 1, 1)),
        (
            (901, 1000, 11, 9),
            (899, 1000, 10, 9),
            (0, 10, 10, 0),
            (2, 1, 3),
        ),  # both 90: fewer missed
    ],
)
def test_ties_are_broken_as_it_is_written_and_else_shared(
    ann: Numbers, ben: Numbers, cleo: Numbers, expected: tuple[int, int, int]
) -> None:
    agreed = terms()
    found = board(agreed, points_of(agreed, {CLEO: cleo, BEN: ben, ANN: ann}))
    assert tuple(ranks(found.people)[who] for who in (ANN, BEN, CLEO)) == expected


def test_who_has_too_few_chances_or_left_is_listed_without_a_place() -> None:
    agreed = terms(minimum=5)
    numbers = {ANN: (4, 4, 4, 4), BEN: (5, 10, 10, 5), CLEO: (10, 10, 10, 10)}
    found = board(agreed, points_of(agreed, numbers), left={CLEO})
    assert [(place.person_id, place.rank) for place in found.people] == [
        (BEN, 1),
        (CLEO, None),
        (ANN, None),
    ]
    assert found.teams[0].points == 19  # what they did stays with their team


def test_a_month_without_leads_has_a_board_without_places() -> None:
    agreed = terms()
    nothing = points_of(agreed, {who: (0, 0, 0, 0) for who in TEAM})
    found = board(agreed, nothing)
    assert {place.rank for place in (*found.people, *found.teams)} == {None}
    assert (found.kept, found.chances, found.records) == (
        0,
        0,
        {"leads": 0, "touched": 0, "qualified": 0},
    )
    assert board(replace(agreed, kind=Kind.IMPROVED), nothing, nothing).people[0].score == 0


@pytest.mark.parametrize("counting", Counting)
def test_a_team_twice_as_big_that_does_as_well_stands_beside_the_small_one(
    counting: Counting,
) -> None:
    agreed = terms(kind=Kind.TEAMS, counting=counting, teams=("emea", "apac"))
    team = {1: "emea", 2: "apac", 3: "apac"}
    same = (8, 10, 10, 8)
    found = board(agreed, points_of(agreed, {1: same, 2: same, 3: same}, team), team=team)
    assert [(place.team, place.rank, place.score) for place in found.teams] == [
        ("apac", 1, 80 if counting is Counting.RATE else 8),
        ("emea", 1, 80 if counting is Counting.RATE else 8),
    ]


def test_a_team_shrinks_by_nobody_who_leaves_with_points_and_by_everybody_who_never_began() -> None:
    agreed = terms(kind=Kind.TEAMS, counting=Counting.VOLUME)
    numbers = {ANN: (10, 10, 10, 10), BEN: (10, 10, 10, 10), CLEO: (0, 0, 0, 0)}
    found = points_of(agreed, numbers)
    assert board(agreed, found).teams[0].score == 7
    assert board(agreed, found, left={CLEO}).teams[0].score == 10
    assert board(agreed, found, left={CLEO, BEN}).teams[0].score == 10


def test_who_improved_most_needs_the_minimum_in_both_times() -> None:
    agreed = terms(kind=Kind.IMPROVED, minimum=5)
    before = points_of(agreed, {ANN: (2, 10, 10, 2), BEN: (9, 10, 10, 9), CLEO: (0, 4, 4, 0)})
    now = points_of(agreed, {ANN: (6, 10, 10, 6), BEN: (8, 10, 10, 8), CLEO: (10, 10, 10, 10)})
    found = board(agreed, now, before)
    assert [(p.person_id, p.rank, p.score) for p in found.people] == [
        (ANN, 1, 40),
        (BEN, 2, -10),
        (CLEO, None, 100),
    ]
    assert found.teams[0].score == 80 - 46  # as each is shown


def chance(
    day: float,
    verdict: Verdict = Verdict.KEPT,
    rule: Rule = Rule.ACCEPT,
    lead: int = 1,
    person: int = ANN,
) -> Chance:
    when = at(int(day), 12)
    return Chance(rule, f"o{lead}", lead, person, when, when, when, verdict)


def streak(*chances: Chance, given: Circumstances = GIVEN) -> tuple[int, int]:
    agreed = terms()
    numbers = {ANN: (0, 0, len(chances), 0)}
    found = board(
        agreed, points_of(agreed, numbers, chances=chances), team={ANN: "emea"}, given=given
    )
    return found.people[0].streak, found.records.get("streak", {}).get("days", 0)


MISSED = Verdict.BROKEN


@pytest.mark.parametrize(
    ("chances", "expected"),
    [
        ([chance(4), chance(5), chance(8)], (3, 3)),  # over a weekend
        ([chance(4), chance(5), chance(6), chance(8)], (3, 3)),  # a Saturday adds nothing
        ([chance(4), chance(5), chance(6, MISSED), chance(8)], (3, 3)),  # and breaks nothing
        ([chance(1), chance(2), chance(3, MISSED), chance(3), chance(4)], (1, 2)),
        ([chance(1), chance(9)], (2, 2)),  # a week without leads, or away
        ([chance(1), chance(2, MISSED)], (0, 1)),
    ],
)
def test_a_streak_is_of_working_days_on_which_every_chance_was_kept(
    chances: list[Chance], expected: tuple[int, int]
) -> None:
    assert streak(*chances) == expected


def test_neither_a_holiday_nor_a_day_away_breaks_a_streak() -> None:
    chances = [chance(1), chance(2, MISSED), chance(3)]
    holiday = replace(GIVEN, works=lambda _who, day: day != date(2026, 3, 3))
    away = replace(GIVEN, absences={ANN: ((at(2, 0), at(3, 0)),)})
    assert (streak(*chances), streak(*chances, given=holiday)) == ((1, 1), (2, 2))
    assert streak(*chances, given=away) == (2, 2)


def test_who_went_up_is_seen_against_the_board_before() -> None:
    agreed = terms()
    first = board(
        agreed, points_of(agreed, {ANN: (9, 10, 10, 9), BEN: (8, 10, 10, 8), CLEO: (7, 10, 10, 7)})
    )
    then = points_of(agreed, {ANN: (5, 10, 10, 5), BEN: (8, 10, 10, 8), CLEO: (9, 10, 10, 9)})
    second = board(agreed, then, previous=places_as_json(first))
    assert {p.person_id: p.up for p in second.people} == {CLEO: 2, BEN: 0, ANN: 0}
    assert [place.person_id for place in movers_of(second)] == [CLEO]
    assert movers_of(first) == []


def test_the_board_says_what_all_achieved_together() -> None:
    agreed = terms()
    chances = [
        chance(1, lead=1),
        chance(1, rule=Rule.FIRST_TOUCH, lead=1),
        chance(2, rule=Rule.QUALIFIED, lead=1),
        chance(2, lead=2, person=BEN),
        chance(2, MISSED, lead=3, person=BEN),
    ]
    found = board(
        agreed, points_of(agreed, {ANN: (8, 8, 3, 3), BEN: (1, 2, 2, 1)}, chances=chances)
    )
    assert (found.kept, found.chances) == (4, 5)
    assert found.records == {
        "leads": 2,
        "touched": 1,
        "qualified": 1,
        "streak": {"persons": [ANN], "days": 2},
        "day": {"day": "2026-03-02", "kept": 2, "chances": 2},
    }


@pytest.mark.parametrize(
    ("day", "hour", "left"), [(-3, 9, 14), (1, 0, 13), (13, 23.9, 1), (14, 9, 0), (30, 9, 0)]
)
def test_days_left_are_those_after_today(day: int, hour: float, left: int) -> None:
    agreed = terms()
    assert board(agreed, points_of(agreed, {}), team={}, at_=at(day, hour)).days_left == left
