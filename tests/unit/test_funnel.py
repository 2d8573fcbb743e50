"""The whole matrix of status, action and actor against a table written out by hand; sides, stages, ends."""

from __future__ import annotations

import itertools

import pytest

from bot.domain.funnel import (
    HELD,
    OPEN,
    OWNED,
    TERMINAL,
    TRANSITIONS,
    Action,
    Actor,
    Status,
    side_of,
    sources_of,
    stage_of,
    transition_for,
)
from tests.machine_funnel import CLOSED, MARKS, SIDES, STAGES, TARGETS


@pytest.mark.parametrize("action", list(Action))
def test_only_who_stands_in_the_table_moves_a_lead_and_only_to_where_it_says(
    action: Action,
) -> None:
    for actor, status in itertools.product(Actor, Status):
        row = transition_for(action, status, actor)
        allowed = TARGETS.get((action.value, actor.value, status.value))
        found = frozenset(t.value for t in row.targets) if row is not None else None
        assert found == allowed, (action, actor, status)


@pytest.mark.parametrize("action", list(Action))
def test_the_guard_of_an_update_names_all_statuses_of_the_table_and_no_other(
    action: Action,
) -> None:
    for actor in Actor:
        expected = {s for a, who, s in TARGETS if (a, who) == (action.value, actor.value)}
        assert {s.value for s in sources_of(action, actor)} == expected, (action, actor)


def test_no_row_hides_behind_another() -> None:
    # Two rows for the same action, status and actor: the second would never be found.
    seen: set[tuple[Action, Status, Actor]] = set()
    for row in TRANSITIONS:
        for key in itertools.product({row.action}, row.sources, row.actors):
            assert key not in seen
            seen.add(key)
    assert len(seen) == len(TARGETS)


def test_every_action_of_the_table_is_known() -> None:
    assert {a.value for a in Action} == {action for action, _, _ in TARGETS}


@pytest.mark.parametrize("status", list(Status))
def test_every_status_has_its_stage_and_one_side(status: Status) -> None:
    assert stage_of(status).value == STAGES[status.value]
    assert side_of(status).value == SIDES[status.value]
    assert (status in HELD) == ("held" in MARKS[status.value])
    assert (status in OWNED) == ("owned" in MARKS[status.value])
    assert (status in TERMINAL) == ("closed" in MARKS[status.value])
    assert (status in OPEN) == ("closed" not in MARKS[status.value])


def test_nothing_leaves_a_closed_lead_but_a_new_round_and_nothing_at_all_a_won_one() -> None:
    leaving = {(action, source) for action, _, source in TARGETS if source in CLOSED}
    assert leaving == {("wake", "lost"), ("wake", "disqualified")}
    for action, actor, status in itertools.product(Action, Actor, TERMINAL):
        if transition_for(action, status, actor) is not None:
            assert (action, actor) == (Action.WAKE, Actor.SYSTEM)


def test_a_rep_never_closes_a_lead_alone() -> None:
    # A `[TEST]` lead is none: `end_test` refuses every other kind.
    for action, status in itertools.product(set(Action) - {Action.END_TEST}, Status):
        row = transition_for(action, status, Actor.REP)
        assert row is None or not row.targets & TERMINAL


def test_from_every_open_status_a_lead_can_still_reach_an_end() -> None:
    reached: dict[str, set[str]] = {s.value: set() for s in Status}
    for (_, _, source), targets in TARGETS.items():
        reached[source] |= targets
    for start in (s.value for s in OPEN):
        found, ahead = set[str](), {start}
        while ahead:
            found |= ahead
            ahead = set().union(*(reached[s] for s in ahead)) - found
        assert found & CLOSED, start
