"""The journal of a lead, folded back into its state."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.funnel import Status
from bot.domain.replay import BrokenJournal, Entry, Replayed, replay

DUE, LATER = "2026-11-23T09:15:00+00:00", "2026-11-23T09:45:00+00:00"


def entry(kind: str, /, **data: Any) -> Entry:
    return kind, data, "system"


def moved(to: Status, rep: int | None, round_: int = 1, **data: Any) -> Entry:
    return entry("moved", to=to.value, rep=rep, round=round_, **data)


ARRIVED = entry("arrived", status="received", round=1, source="web")
OFFERED_TO_ANN = [
    ARRIVED,
    entry("judged", mql=True, score=80, sla="standard", version=1),
    entry("offered", offer="o1", rep=1, round=1, n=1, team="emea", rule="rest", why=""),
    moved(Status.OFFERED, 1),
    entry("clock_started", clock=7, kind="accept", offer="o1", person=1, due_at=DUE, generation=1),
]


def test_a_lead_that_is_offered() -> None:
    state = replay(OFFERED_TO_ANN)
    assert (state.status, state.round, state.rep_id) == (Status.OFFERED, 1, 1)
    assert state.offers == {"o1": (1, "open")}
    assert state.clocks == {7: ("accept", True, "", DUE)}


def test_an_offer_that_lapses_goes_to_the_next_rep_with_a_clock_of_its_own() -> None:
    state = replay(
        [
            *OFFERED_TO_ANN,
            entry("clock_breached", clock=7, kind="accept"),
            entry("offer_ended", offer="o1", state="lapsed"),
            entry("offered", offer="o2", rep=2, round=1, n=2, team="emea", rule="rest", why=""),
            moved(Status.OFFERED, 2),
            entry("clock_ended", clock=7, kind="accept", outcome="lapsed"),
            entry("clock_started", clock=8, kind="accept", offer="o2", person=2, due_at=LATER),
        ]
    )
    assert state.rep_id == 2
    assert state.offers == {"o1": (1, "lapsed"), "o2": (2, "open")}
    assert state.clocks == {7: ("accept", False, "lapsed", DUE), 8: ("accept", True, "", LATER)}


def test_an_accept_and_its_undo_leave_the_offer_open_and_the_clock_running() -> None:
    accepted = [
        *OFFERED_TO_ANN,
        entry("offer_accepted", offer="o1"),
        moved(Status.ACCEPTED, 1),
        entry("clock_ended", clock=7, kind="accept", outcome="met"),
    ]
    assert replay(accepted).offers == {"o1": (1, "accepted")}
    assert replay(accepted).clocks == {7: ("accept", False, "met", DUE)}
    undone = replay(
        [
            *accepted,
            entry("offer_reopened", offer="o1"),
            moved(Status.OFFERED, 1),
            entry("clock_resumed", clock=7, due_at=LATER, generation=2),
        ]
    )
    assert (undone.status, undone.rep_id) == (Status.OFFERED, 1)
    assert undone.offers == {"o1": (1, "open")}
    assert undone.clocks == {7: ("accept", True, "", LATER)}


def test_more_time_moves_the_due_time_and_nothing_else() -> None:
    before = replay(OFFERED_TO_ANN)
    after = replay([*OFFERED_TO_ANN, entry("clock_moved", clock=7, due_at=LATER, generation=2)])
    assert after.clocks == {7: ("accept", True, "", LATER)}
    assert (after.status, after.offers) == (before.status, before.offers)


def test_a_recycled_lead_is_nobodys_and_its_next_round_counts_anew() -> None:
    asleep = [*OFFERED_TO_ANN, moved(Status.NURTURING, None)]
    assert replay(asleep).rep_id is None
    woken = replay([*asleep, moved(Status.RECEIVED, None, round_=2)])
    assert (woken.status, woken.round) == (Status.RECEIVED, 2)


def test_a_lead_that_was_only_history_is_where_its_revival_says_and_goes_on_from_there() -> None:
    told = entry("arrived", status="working", round=1, source="crm")
    back = [told, entry("revived", **{"from": "working"}, status="nurturing")]
    assert (replay(back).status, replay(back).rep_id) == (Status.NURTURING, None)
    woken = replay([*back, moved(Status.RECEIVED, None, round_=2)])
    assert (woken.status, woken.round) == (Status.RECEIVED, 2)


@pytest.mark.parametrize(
    "kind",
    ["news", "judged", "clock_breached", "clock_excused", "step_fired", "step_superseded",
     "escalated", "reminded", "touched", "touch_withdrawn", "nudged", "fault", "undeliverable",
     "lapse_counted", "something of a later version"],
)  # fmt: skip
def test_what_only_tells_changes_nothing(kind: str) -> None:
    assert replay([*OFFERED_TO_ANN, entry(kind, clock=7, to=2)]) == replay(OFFERED_TO_ANN)


@pytest.mark.parametrize(
    "wrong",
    [
        [moved(Status.OFFERED, 1)],
        [ARRIVED, entry("offer_ended", offer="never", state="lapsed")],
        [ARRIVED, entry("clock_ended", clock=99, kind="accept", outcome="met")],
        [ARRIVED, entry("moved", to="offered")],
        [*OFFERED_TO_ANN, OFFERED_TO_ANN[2]],
        [*OFFERED_TO_ANN, OFFERED_TO_ANN[4]],
    ],
)
def test_a_journal_with_a_hole_is_found(wrong: list[Entry]) -> None:
    with pytest.raises(BrokenJournal):
        replay(wrong)


def test_an_empty_journal_is_no_lead() -> None:
    assert replay([]) == Replayed()
