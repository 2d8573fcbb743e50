"""What looks like gaming: the person is shown it first, then the manager settles it; nothing of it is public."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.refusal import Refusal
from bot.services.count_points import board_of
from bot.services.watch_gaming import Settled, answer_flag, settle_flag
from bot.services.work_lead import log_touch
from storage import awards
from storage.flags import FlagRow
from tests.services.challenge_kit import Arena, trial

AFTERNOON = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
OVER = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)


@pytest.fixture
def arena(database_url: str) -> Iterator[Arena]:
    made = Arena(database_url)
    yield made
    made.database.dispose()


def burst(arena: Arena) -> None:
    """Eve logs a dozen calls within minutes: nobody makes them so fast."""
    for n in range(12):
        assert arena.works_a_lead(f"lead{n}", country="US", after=0.3) == "eve"


def repeated(arena: Arena, challenge_id: int) -> FlagRow:
    """Eve calls one lead four times within the hour; the first call did give points."""
    assert arena.works_a_lead("globex", country="US") == "eve"
    offer = arena.offer_of(arena.newest_lead())
    for _ in range(3):
        arena.now += timedelta(minutes=12)
        assert not isinstance(arena.do(log_touch, "eve", offer, "call", "reached"), Refusal)
    arena.until(AFTERNOON)
    (found,) = arena.flags(challenge_id)
    assert found.kind == "repeated"
    return found


def flagged(arena: Arena, challenge_id: int) -> FlagRow:
    burst(arena)
    arena.until(AFTERNOON)
    found = arena.flags(challenge_id)
    assert {flag.kind for flag in found} == {"burst"}, found
    return found[0]


def test_the_person_is_shown_it_first_and_their_answer_goes_to_the_manager(arena: Arena) -> None:
    made = arena.make()
    flag = flagged(arena, made)
    eve, will = arena.person_id("eve"), arena.person_id("will")
    assert [post["person_id"] for post in arena.posts("flag_note")] == [eve]
    assert not arena.posts("flag_manager")
    arena.deliver()
    for who in ("ann", "will"):
        assert arena.do(answer_flag, who, flag.id) == Refusal("not_allowed")
    assert arena.do(answer_flag, "eve", flag.id) == Settled(flag.id, "answered")
    assert arena.do(answer_flag, "eve", flag.id) == Refusal("already_done")
    assert [post["person_id"] for post in arena.posts("flag_manager")] == [will]
    arena.deliver()
    assert arena.do(settle_flag, "eve", flag.id, "fine") == Refusal("not_allowed")
    assert arena.do(settle_flag, "dana", flag.id, "fine") == Refusal("not_allowed")
    assert arena.do(settle_flag, "will", flag.id, "maybe") == Refusal("not_allowed")
    assert arena.do(settle_flag, "will", flag.id, "fine") == Settled(flag.id, "fine")
    assert arena.do(settle_flag, "will", flag.id, "void") == Refusal("already_done")
    assert {post["lane"] for post in arena.posts("flag_note", edits=True)} == {f"dm:{eve}"}
    assert arena.do(answer_flag, "eve", 99) == Refusal("flag_gone")


def test_left_out_its_points_are_gone_at_once_and_nothing_else(arena: Arena) -> None:
    made = arena.make()
    arena.works_a_lead("fair")
    flag = repeated(arena, made)
    with arena.work() as work:
        before = {(a.rule, a.about): a.points for a in awards.list_awards(work.conn, made)}
    assert arena.do(settle_flag, "will", flag.id, "void") == Settled(flag.id, "void")
    voids = {(str(rule), str(about)) for rule, about in flag.data["voids"]}
    assert voids & set(before), "it rests on something that gave points"
    with arena.work() as work:
        after = {(a.rule, a.about): a.points for a in awards.list_awards(work.conn, made)}
        assert after == {key: points for key, points in before.items() if key not in voids}
        assert sum(p.points for p in board_of(work, made).people) == sum(after.values())


def test_without_an_answer_the_manager_hears_of_it_after_two_working_days(arena: Arena) -> None:
    made = arena.make()
    told_at = flagged(arena, made).told_person_at
    assert told_at is not None
    arena.until(told_at + timedelta(days=2, minutes=-1))
    assert not arena.posts("flag_manager")
    arena.until(told_at + timedelta(days=2))
    assert len(arena.posts("flag_manager")) == 1
    arena.until(told_at + timedelta(days=5))
    assert len(arena.posts("flag_manager")) == 1
    assert len(arena.posts("flag_note")) == 1


def test_settled_after_the_end_the_result_is_counted_anew(arena: Arena) -> None:
    made = arena.make()
    flag = repeated(arena, made)
    arena.until(OVER)
    arena.deliver()
    before = arena.row(made).result["kept"]
    arena.do(settle_flag, "will", flag.id, "void")
    assert arena.row(made).result["kept"] < before
    assert arena.posts("challenge_end", edits=True)
    assert len(arena.posts("challenge_end")) == 1


def test_in_a_hidden_trial_run_nobody_is_told(arena: Arena) -> None:
    made = arena.make("vera", **trial())
    flagged(arena, made)
    arena.until(OVER)
    assert not arena.posts("flag_note")
    assert not arena.posts("flag_manager")
