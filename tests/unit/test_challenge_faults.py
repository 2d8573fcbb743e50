"""Terms that cannot be: each fault with its field and a sentence, all of them at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from bot.domain.challenge import Counting, Kind, Rule, Terms, TermsFault
from bot.domain.challenge_faults import faults_of
from tests.unit.feats_kit import START, ZONE, terms

TEAMS = {"emea": 8, "apac": 3, "solo": 1, "empty": 0}
CHANNELS = {"emea": "C0EMEA", "apac": "C0APAC", "solo": "C0SOLO", "empty": ""}
GOOD = terms(prizes=("dinner for the team",))


def faults(agreed: Terms, *others: Terms, today: date = START) -> list[TermsFault]:
    return faults_of(
        agreed, teams=TEAMS, zones={ZONE, "UTC"}, others=others, today=today, channels=CHANNELS
    )


def only(agreed: Terms, *others: Terms, today: date = START) -> tuple[str, str]:
    (fault,) = faults(agreed, *others, today=today)
    return fault.field, fault.sentence


def test_good_terms_have_no_fault() -> None:
    assert faults(GOOD) == []
    two = replace(GOOD, kind=Kind.TEAMS, teams=("emea", "apac"), channel="C0BOTH")
    assert faults(two) == []
    assert faults(replace(GOOD, kind=Kind.IMPROVED, teams=("solo",))) == []


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"name": "  "}, "name", "needs a name"),
        ({"name": "x" * 51}, "name", "51 characters"),
        ({"zone": "Mars/Base"}, "zone", "“Mars/Base” is no time zone"),
        ({"ends": START - timedelta(days=1)}, "ends", "before it begins (2026-03-02)"),
        ({"ends": START + timedelta(days=366)}, "ends", "367 days"),
        ({"teams": ()}, "teams", "needs a team"),
        ({"teams": ("emae",)}, "teams", "no team “emae”; there are: apac, emea"),
        ({"teams": ("emea", "emea")}, "teams", "twice"),
        ({"teams": ("solo",)}, "teams", "nobody to race"),
        ({"kind": Kind.TEAMS}, "teams", "two teams"),
        ({"points": {}}, "points", "accept, first_touch, follow_up, qualified"),
        ({"points": {Rule.ACCEPT: 0, Rule.QUALIFIED: 0}}, "points", "All points are 0"),
        ({"points": {Rule.ACCEPT: -1, Rule.QUALIFIED: 1}}, "points", "Nobody loses points"),
        ({"points": {Rule.ACCEPT: 1001}}, "points", "1,000 are the most"),
        ({"points": {Rule.QUALIFIED: 5, Rule.ACCEPT: 0}}, "points", "no rate of it"),
        ({"hand_raiser": 0}, "hand_raiser", "not 0"),
        ({"hand_raiser": 11}, "hand_raiser", "1 to 10 times"),
        ({"high_score": 80, "high_score_times": 11}, "high_score_times", "not 11"),
        ({"high_score_times": 2}, "high_score", "from which score"),
        ({"high_score": -1}, "high_score", "or more"),
        ({"most_a_day": -1}, "most_a_day", "or more"),
        ({"most_a_day": 4}, "most_a_day", "gives 5 points, a whole day 4"),
        ({"minimum": 0}, "minimum", "1 chance or more"),
        ({"minimum": 201}, "minimum", "201 chances in 10 working days"),
        ({"prizes": ("x" * 5000,)}, "prizes", "Prize 1 is 5,000 characters long; 150 are the most"),
        ({"prizes": ("dinner", " ")}, "prizes", "Prize 2 is empty"),
        ({"prizes": ("dinner",) * 6}, "prizes", "6 prizes; 5 are the most"),
        ({"post_at": 24 * 60}, "post_at", "00:00 to 23:59"),
        ({"post_at": -1}, "post_at", "00:00 to 23:59"),
        ({"post_days": (0, 7)}, "post_days", "0 (Monday) to 6 (Sunday)"),
        ({"teams": ("emea", "apac")}, "channel", "several channels"),
    ],
)
def test_each_fault_names_its_field_and_what_would_do(
    changes: dict[str, Any], field: str, says: str
) -> None:
    found = only(replace(GOOD, **changes))
    assert found[0] == field
    assert says in found[1]


def test_a_team_without_reps_or_channel_is_said() -> None:
    found = faults(replace(GOOD, teams=("empty",), kind=Kind.IMPROVED))
    assert [fault.field for fault in found] == ["teams", "channel"]


def test_what_is_over_cannot_begin() -> None:
    assert only(GOOD, today=GOOD.ends + timedelta(days=1))[0] == "ends"
    assert faults(GOOD, today=GOOD.ends) == []


def test_qualified_alone_can_be_counted_by_volume() -> None:
    alone = replace(GOOD, points={Rule.QUALIFIED: 5}, counting=Counting.VOLUME)
    assert faults(alone) == []


@pytest.mark.parametrize(
    ("begins", "ends", "overlaps"),
    [(-20, -1, False), (-20, 0, True), (13, 20, True), (14, 20, False)],
)
def test_a_team_is_in_one_challenge_at_a_time(begins: int, ends: int, overlaps: bool) -> None:
    first, last = START + timedelta(days=begins), START + timedelta(days=ends)
    other = replace(GOOD, name="Winter", teams=("apac", "emea"), begins=first, ends=last)
    assert bool(faults(GOOD, other)) == overlaps
    assert faults(GOOD, replace(other, teams=("apac",))) == []
    assert faults(GOOD, replace(other, trial=True)) == []
    assert faults(replace(GOOD, trial=True), other) == []
    if overlaps:
        assert "“emea”: in “Winter”" in only(GOOD, other)[1]


def test_all_faults_come_at_once_and_no_sentence_is_endless() -> None:
    worst = replace(
        GOOD,
        name="<!channel> " * 500,
        zone="z" * 5000,
        teams=tuple(f"team {n} {'t' * 500}" for n in range(50)),
        points={},
        prizes=("p" * 5000,) * 50,
        post_at=5000,
        minimum=0,
        hand_raiser=0,
    )
    found = faults(worst)
    assert {fault.field for fault in found} >= {
        "name", "zone", "teams", "points", "prizes", "post_at", "minimum", "hand_raiser",
    }  # fmt: skip
    assert max(len(fault.sentence) for fault in found) < 400


def test_every_field_is_one_of_the_terms() -> None:
    worst = replace(GOOD, name="", teams=(), points={}, ends=START - timedelta(days=9), post_at=-1)
    assert {fault.field for fault in faults(worst)} <= set(Terms.__dataclass_fields__)
