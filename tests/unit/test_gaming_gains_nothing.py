"""Who games a challenge finishes above nobody who does the same work honestly; and each rule that sees to it is needed.

Nine strategies against three kinds and two ways of counting, without a single flag being settled.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain import chance, points
from bot.domain.challenge import Counting, Kind
from bot.domain.chance import Verdict
from bot.domain.gaming import FlagKind, flags_of
from tests.unit.feats_kit import terms
from tests.unit.gaming_kit import (
    GAMING,
    HONEST,
    STRATEGIES,
    TEAMS,
    circumstances,
    leads_of,
    play,
)

KINDS = [(kind, counting) for kind in Kind for counting in Counting]


def wins(name: str, kind: Kind, counting: Counting) -> bool:
    """Whether the one who games has the better place."""
    (honest, _), (gaming, _) = play(STRATEGIES[name], kind, counting)
    assert honest is not None, "the honest rep has no place: nothing is shown"
    return gaming is not None and gaming < honest


@pytest.mark.parametrize("name", STRATEGIES)
def test_gaming_gains_nothing_in_any_kind_and_counting(name: str) -> None:
    won = [(kind, counting) for kind, counting in KINDS if wins(name, kind, counting)]
    assert won == []


#: Which rule stands against which strategy, and how it is taken out.
PROTECTIONS = {
    "backdating": (chance, "TELL_WITHIN", chance.TELL_WITHIN * 1000),
    "bursts": (chance, "MEETINGS", 10**6),
    "accept, then recycle": (
        chance._Judge,
        "_untouched",
        lambda _self, held, found: chance._kept(found, held.accepted, []),
    ),
    "stuffing": (points, "_with_held_back", lambda judged, _later, _start: judged),
    "calls made up": (chance.Circumstances, "verified_only", False),
    "the same lead again and again": (chance, "ONCE_WITHIN", chance.ONCE_WITHIN * 0),
    "logged and taken back": (
        chance._Judge,
        "_untouched",
        lambda _self, held, found: chance._kept(found, held.accepted, []),
    ),
    "accept, then give back": (
        chance._Judge,
        "_untouched",
        lambda _self, held, found: chance._kept(found, held.accepted, []),
    ),
    "cherry-picking": (points, "PASSES_FREE", 10**6),
}


@pytest.mark.parametrize("name", PROTECTIONS)
def test_without_its_rule_the_strategy_would_pay(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, what, instead = PROTECTIONS[name]
    if what == "verified_only":
        monkeypatch.setattr(
            "tests.unit.gaming_kit.circumstances",
            lambda strategy: replace(circumstances(strategy), verified_only=False),
        )
    else:
        monkeypatch.setattr(where, what, instead)
    assert any(wins(name, kind, counting) for kind, counting in KINDS)


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("backdating", {FlagKind.BACKDATED}),
        ("bursts", {FlagKind.BURST}),
        ("accept, then recycle", {FlagKind.RECYCLE_RUN}),
        ("stuffing", {FlagKind.STUFFED}),
        ("calls made up", {FlagKind.UNVERIFIED_RUN}),
        ("the same lead again and again", {FlagKind.REPEATED}),
        ("logged and taken back", set[FlagKind]()),  # it leaves no trace that counts
        ("accept, then give back", {FlagKind.GIVE_BACK_RUN}),
        ("cherry-picking", {FlagKind.CHERRY_PICKING}),
    ],
)
def test_who_games_is_flagged_and_who_is_honest_is_not(name: str, kinds: set[FlagKind]) -> None:
    strategy = STRATEGIES[name]
    leads = [*leads_of(HONEST, strategy, games=False), *leads_of(GAMING, strategy, games=True)]
    flags = flags_of(terms(), leads, dict.fromkeys(TEAMS, "emea"), circumstances(strategy))
    assert {(flag.person, flag.kind) for flag in flags} == {(GAMING, kind) for kind in kinds}


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_flag_names_its_evidence_and_settled_as_void_it_costs_what_it_says(name: str) -> None:
    strategy = STRATEGIES[name]
    leads = leads_of(GAMING, strategy, games=True)
    entrants, given = {GAMING: "emea"}, circumstances(strategy)
    for flag in flags_of(terms(), leads, entrants, given):
        assert flag.leads
        assert set(flag.leads) <= {lead.lead for lead in leads}
        assert len(flag.kind.value) <= 24
        assert len(flag.about) <= 80
        before = points.count_points(terms(), leads, entrants, given)
        after = points.count_points(terms(), leads, entrants, given, voided=flag.voids)
        lost = {(c.rule, c.about) for c in before.chances if c.verdict is Verdict.KEPT} - {
            (c.rule, c.about) for c in after.chances if c.verdict is Verdict.KEPT
        }
        assert lost <= set(flag.voids)
        if flag.voids:
            now, was = after.tallies[GAMING], before.tallies[GAMING]
            assert now.points * was.most < was.points * now.most
