"""Challenges of the playbook: taken, changed until they begin, dropped, brought back; marketing hears of the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from bot.domain.challenge import Terms
from bot.services.agree_challenges import agree_challenges, key_of
from bot.services.former_agreement import agreement_of
from bot.services.make_challenge import cancel_challenge
from storage import challenges
from storage.challenges import ChallengeRow
from storage.playbooks import insert_playbook
from tests.services.challenge_kit import NEXT_WEEK, TERMS, Arena
from tests.services.desk_kit import PLAYBOOK

NEXT = replace(TERMS, **NEXT_WEEK)


@pytest.fixture
def arena(database_url: str) -> Iterator[Arena]:
    made = Arena(database_url)
    yield made
    made.database.dispose()


def apply(arena: Arena, *wanted: Terms) -> int:
    """The next version of the playbook has these challenges; how many rows changed."""
    version = arena.agreement.version + 1
    arena.agreement = replace(arena.agreement, challenges=wanted, version=version)
    with arena.work() as work:
        return agree_challenges(work)


def of(arena: Arena, name: str = "Autumn") -> ChallengeRow:
    with arena.work() as work:
        found = challenges.find_challenge(work.conn, key_of(name))
    assert found is not None
    return found


def notes(arena: Arena) -> list[Any]:
    return [post["data"]["why"] for post in arena.posts("challenge_note")]


def test_until_it_begins_it_follows_the_playbook(arena: Arena) -> None:
    assert apply(arena, NEXT) == 1
    assert of(arena).state == "scheduled"
    assert apply(arena, NEXT) == 0, "the same again"
    later = replace(NEXT, begins=date(2026, 12, 1), minimum=3)
    assert apply(arena, later) == 1
    assert of(arena).agreed == later
    assert apply(arena) == 1
    assert (of(arena).state, of(arena).result) == ("cancelled", {"why": "dropped"})
    assert apply(arena, NEXT) == 1
    assert (of(arena).state, of(arena).agreed) == ("scheduled", NEXT)
    assert arena.told(of(arena).id) == ["made", "changed", "cancelled", "changed"]
    assert notes(arena) == []


def test_of_one_that_runs_nothing_changes_and_marketing_hears_it(arena: Arena) -> None:
    assert apply(arena, TERMS) == 1
    assert of(arena).state == "running", "its first day is today"
    assert apply(arena, replace(TERMS, minimum=9)) == 0
    assert of(arena).agreed == TERMS
    assert apply(arena) == 0
    assert of(arena).state == "running"
    assert notes(arena) == ["changed", "gone"]
    arena.deliver()
    lanes = {post["lane"] for post in arena.posts("challenge_note")}
    assert lanes == {"ch:C0REVIEW"}
    said = [str(b["text"]) for k, b in arena.bodies.items() if k.startswith("challenge_note")]
    assert "new terms are not taken" in said[0]
    assert "goes on to its end" in said[1]


def test_one_that_somebody_cancelled_stays_so_and_next_years_is_another(arena: Arena) -> None:
    apply(arena, NEXT)
    arena.do(cancel_challenge, "olga", of(arena).id)
    assert apply(arena, NEXT) == 0
    assert of(arena).state == "cancelled"
    year = timedelta(days=364)
    again = replace(NEXT, begins=NEXT.begins + year, ends=NEXT.ends + year)
    assert apply(arena, again) == 1
    assert of(arena).state == "scheduled"
    with arena.work() as work:
        assert len(challenges.list_challenges(work.conn, ["cancelled"])) == 1


def test_one_that_overlaps_is_not_taken_and_comes_with_a_better_version(arena: Arena) -> None:
    arena.make(**NEXT_WEEK)
    other = replace(NEXT, name="<!channel> winter")
    assert apply(arena, other) == 1
    assert of(arena, other.name).state == "cancelled"
    arena.deliver()
    said = arena.shown("challenge_note")
    assert "of the playbook is not taken" in said
    assert "<!channel>" not in said
    moved = replace(other, begins=date(2026, 12, 7), ends=date(2026, 12, 11))
    assert apply(arena, moved) == 1
    assert of(arena, other.name).state == "scheduled"


def test_what_was_over_before_is_not_taken_and_long_names_are_told_apart(arena: Arena) -> None:
    past = replace(TERMS, begins=date(2026, 11, 9), ends=date(2026, 11, 13))
    assert apply(arena, past) == 0
    one, two = (key_of("é" * 150 + end) for end in "ab")
    assert one != two
    assert max(len(one), len(two), len(key_of("x" * 100))) <= 120


def test_what_was_promised_is_judged_by_the_playbook_of_that_day(arena: Arena) -> None:
    with arena.work() as work:
        version = insert_playbook(work.conn, sha256="a", body=PLAYBOOK, holidays={}, now=work.now)
        insert_playbook(work.conn, sha256="b", body="company: [", holidays={}, now=work.now)
        work.agreement = replace(work.agreement, version=7, teams={})
        assert set(agreement_of(work, version).teams) == {"emea", "west"}
        assert agreement_of(work, version + 1) is work.agreement, "it cannot be read any more"
        assert agreement_of(work, 99) is work.agreement
