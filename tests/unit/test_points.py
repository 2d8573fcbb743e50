"""Points: weights, caps, what lies in a challenge and what does not, and that nothing but the journals decides."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.challenge import Counting, Kind, Rule, Terms
from bot.domain.chance import Circumstances, Verdict
from bot.domain.feats import LeadFeats
from bot.domain.points import Points, Tally, count_points, reach_of
from bot.domain.standing import board_from
from tests.unit.feats_kit import ANN, BEN, DAY, HOUR, MINUTE, ZONE, LeadStory, at, terms, worked

OVER = at(40)
TEAM = {ANN: "emea", BEN: "emea"}
GIVEN = Circumstances(zone=ZONE, now=OVER)
VOLUME = terms(counting=Counting.VOLUME)


def count(agreed: Terms, *stories: LeadStory, before: bool = False) -> Points:
    return count_points(agreed, [s.feats() for s in stories], TEAM, GIVEN, before=before)


def of(agreed: Terms, *stories: LeadStory, who: int = ANN) -> Tally:
    return count(agreed, *stories).tallies[who]


def test_a_lead_worked_whole_gives_every_rules_points() -> None:
    found = count(VOLUME, worked(1, ANN, at(1)))
    assert [(a.rule, a.points, a.at) for a in found.awards] == [
        (Rule.ACCEPT, 1, at(1) + 10 * MINUTE),
        (Rule.FIRST_TOUCH, 2, at(1) + HOUR),
        (Rule.FOLLOW_UP, 3, at(1) + HOUR + 2 * DAY),
    ]
    assert found.tallies == {
        ANN: Tally(ANN, "emea", points=6, most=6, chances=3, kept=3),
        BEN: Tally(BEN, "emea"),
    }


@pytest.mark.parametrize(
    ("fast_lane", "score", "times"),
    [(False, 50, 1), (True, 50, 2), (False, 80, 3), (True, 80, 3), (True, 79, 2)],
)
def test_of_two_weights_the_higher_counts(fast_lane: bool, score: int, times: int) -> None:
    agreed = replace(VOLUME, hand_raiser=2, high_score=80, high_score_times=3)
    tally = of(agreed, worked(1, ANN, at(1), score=score, fast_lane=fast_lane))
    assert (tally.points, tally.most) == (6 * times, 6 * times)


def test_the_score_is_that_of_the_time_of_the_offer() -> None:
    story = worked(1, ANN, at(1), score=90)
    story.log(at(2), "judged", None, score=10, fast_lane=False)
    assert of(replace(VOLUME, high_score=80, high_score_times=2), story).points == 12


def test_the_cap_cuts_off_a_days_last_points_by_the_day_they_happened() -> None:
    first, second = worked(1, ANN, at(1, 23), touches=1), worked(2, ANN, at(2, 9), touches=1)
    capped = replace(VOLUME, most_a_day=4)
    found = count(capped, first, second)
    # The first lead: accepted on Monday at 23:10, called at midnight; so five points are Tuesday's.
    assert [a.points for a in found.awards] == [1, 2, 1, 1]
    assert of(replace(capped, counting=Counting.RATE), first, second).points == 6


def test_leads_offered_before_the_start_and_what_is_judged_after_the_end_do_not_count() -> None:
    early, late = worked(1, ANN, at(0, 23)), worked(2, ANN, at(14, 22))
    inside = worked(3, ANN, at(14, 12), touches=1)
    assert of(terms(), early) == Tally(ANN, "emea")
    assert [c.rule for c in count(terms(), late).chances] == [Rule.ACCEPT, Rule.FIRST_TOUCH]
    assert [c.rule for c in count(terms(), inside).chances] == [Rule.ACCEPT, Rule.FIRST_TOUCH]


def test_a_challenge_over_the_change_of_clocks_is_as_long_before() -> None:
    agreed = terms(
        begins=at(15).date(), ends=at(28).date()
    )  # 16 to 29 March; on the 29th an hour is missing
    begin, end = reach_of(agreed)
    assert end - begin == timedelta(days=14) - HOUR
    assert reach_of(agreed, before=True) == (begin - timedelta(days=14), begin)


def test_a_working_week_is_compared_with_a_working_week() -> None:
    week = terms(ends=at(5).date())
    assert reach_of(week, before=True) == (at(-6, 0), at(-1, 0))


def test_a_lead_is_one_chance_a_rule_however_often_it_comes_back() -> None:
    story = worked(1, ANN, at(1), touches=1)
    for day in (2, 3, 4):
        story.recycle(at(day))
        story.round += 1
        story.offer(ANN, at(day, 10)).accept(at(day, 10.1))
        story.touch(at(day, 11))
    tally = of(VOLUME, story)
    assert (tally.points, tally.chances) == (
        3,
        3,
    )  # one accept, one first touch, a follow-up given up


def test_somebody_else_may_have_the_same_lead_after() -> None:
    story = LeadStory(1).offer(ANN, at(1)).lapse(at(1) + HOUR)
    story.offer(BEN, at(1) + HOUR).accept(at(1) + 70 * MINUTE)
    story.touch(at(1) + 2 * HOUR)
    assert (of(VOLUME, story).kept, of(VOLUME, story).chances) == (0, 1)
    assert of(VOLUME, story, who=BEN).points == 3


def test_who_takes_no_part_gets_nothing_and_harms_nothing() -> None:
    found = count(VOLUME, worked(1, 77, at(1)), worked(2, ANN, at(1)))
    assert set(found.tallies) == {ANN, BEN}
    assert {award.person for award in found.awards} == {ANN}


def test_rules_without_points_are_no_chances() -> None:
    only = replace(VOLUME, points={Rule.FIRST_TOUCH: 2, Rule.ACCEPT: 0})
    assert of(only, worked(1, ANN, at(1))) == Tally(ANN, "emea", 2, 2, 1, 1)


def test_a_void_award_is_a_chance_missed() -> None:
    feats = [worked(1, ANN, at(1)).feats()]
    void = [(Rule.FOLLOW_UP, feats[0].holdings[0].offer)]
    found = count_points(VOLUME, feats, TEAM, GIVEN, voided=void)
    assert found.tallies[ANN] == Tally(ANN, "emea", points=3, most=6, chances=3, kept=2)
    assert found.chances[-1].why == "void"


def test_what_was_kept_back_for_the_first_day_stands_as_kept_in_the_past() -> None:
    held_back = LeadStory(1).offer(ANN, at(-3)).accept(at(-3) + MINUTE)
    held_back.touch(at(1))
    improved = terms(kind=Kind.IMPROVED)
    assert count(improved, held_back, before=True).tallies[ANN].kept == 2
    missed = LeadStory(1).offer(ANN, at(-3)).accept(at(-3) + MINUTE)
    assert count(improved, missed, before=True).tallies[ANN].kept == 0


def test_who_passes_on_most_leads_has_no_extra_weight() -> None:
    passed = [LeadStory(n).offer(ANN, at(1)).pass_on(at(1) + MINUTE) for n in range(2, 8)]
    heavy = worked(1, ANN, at(1), fast_lane=True)
    agreed = replace(VOLUME, hand_raiser=2)
    assert of(agreed, heavy, *passed[:5]).points == 12
    assert of(agreed, heavy, *passed).points == 6


# --- whatever people do ---------------------------------------------------------------------------------------------


@st.composite
def lives(draw: st.DrawFn, number: int, person: int) -> LeadStory:
    """A lead that somebody did something with, told in time or late, honest or not."""
    offered = at(draw(st.integers(-14, 14)), draw(st.integers(0, 23)))
    story = LeadStory(number, score=draw(st.integers(0, 100)), fast_lane=draw(st.booleans()))
    story.offer(person, offered)
    minutes = st.integers(1, 9000)
    match draw(st.sampled_from(["accept", "reject", "lapse", "pass", "nothing"])):
        case "accept":
            story.accept(offered + draw(st.integers(1, 90)) * MINUTE)
        case "reject":
            return story.reject(offered + draw(minutes) * MINUTE)
        case "lapse":
            return story.lapse(offered + HOUR)
        case "pass":
            return story.pass_on(offered + draw(minutes) * MINUTE)
        case _:
            return story
    when = offered
    for kind in draw(st.lists(st.sampled_from(["call", "email", "meeting"]), max_size=5)):
        when += draw(st.integers(91, 3000)) * MINUTE
        told = when + draw(st.sampled_from([0, 1, 600])) * MINUTE if draw(st.booleans()) else None
        story.touch(when, kind, draw(st.sampled_from(["reached", "no_answer"])), told=told)
    match draw(st.sampled_from(["qualify", "recycle", "nothing"])):
        case "qualify":
            story.qualify(when + HOUR)
        case "recycle":
            story.recycle(when + HOUR)
    return story


@st.composite
def months(draw: st.DrawFn) -> list[LeadStory]:
    many = draw(st.integers(1, 6))
    return [draw(lives(number, draw(st.sampled_from([ANN, BEN])))) for number in range(1, many + 1)]


agreements = st.builds(
    terms,
    kind=st.sampled_from(Kind),
    counting=st.sampled_from(Counting),
    hand_raiser=st.integers(1, 3),
    most_a_day=st.sampled_from([0, 5]),
)
FEW = settings(max_examples=25, deadline=None)


@FEW
@given(months(), agreements, st.randoms(use_true_random=False), st.booleans())
def test_the_same_journals_give_the_same_numbers_in_any_order_and_at_any_time(
    stories: list[LeadStory], agreed: Terms, dice: random.Random, crm: bool
) -> None:
    feats = [story.feats() for story in stories]
    here = replace(GIVEN, verified_only=crm)
    mixed: list[LeadFeats] = list(feats)
    dice.shuffle(mixed)
    later = replace(here, now=OVER + 300 * DAY)
    for before in (False, True):
        found = count_points(agreed, feats, TEAM, here, before=before)
        assert count_points(agreed, mixed, TEAM, here, before=before) == found
        if not before:
            assert count_points(agreed, mixed, TEAM, later) == found


@FEW
@given(months(), agreements, st.booleans())
def test_nobody_has_less_than_nothing_or_more_than_there_was(
    stories: list[LeadStory], agreed: Terms, crm: bool
) -> None:
    here = replace(GIVEN, verified_only=crm)
    found = count_points(agreed, [story.feats() for story in stories], TEAM, here)
    for tally in found.tallies.values():
        assert 0 <= tally.points <= tally.most
        assert 0 <= tally.kept <= tally.chances
    assert sum(a.points for a in found.awards) == sum(t.points for t in found.tallies.values())
    assert len({(a.rule, a.about) for a in found.awards}) == len(found.awards)
    assert {c.verdict for c in found.chances} <= {Verdict.KEPT, Verdict.BROKEN}


@FEW
@given(months(), agreements)
def test_a_no_in_time_changes_nobodys_numbers(stories: list[LeadStory], agreed: Terms) -> None:
    feats = [story.feats() for story in stories]
    noes = [LeadStory(90 + n).offer(ANN, at(3)).reject(at(3) + n * MINUTE) for n in range(1, 5)]
    without = count_points(agreed, feats, TEAM, GIVEN).tallies
    assert (
        count_points(agreed, [*feats, *(n.feats() for n in noes)], TEAM, GIVEN).tallies == without
    )


@FEW
@given(months(), st.data())
def test_a_touch_taken_back_never_gives_points(
    stories: list[LeadStory], data: st.DataObject
) -> None:
    touched = [story for story in stories if story.feats().touches]
    agreed = replace(VOLUME, points={Rule.ACCEPT: 1, Rule.FIRST_TOUCH: 2, Rule.QUALIFIED: 5})
    # A burst of which one is taken back may be none any more; that is another rule's matter.
    ids = frozenset(touch.id for story in stories for touch in story.feats().touches)

    def counted() -> Points:
        feats = [story.feats() for story in stories]
        return count_points(agreed, feats, TEAM, replace(GIVEN, trusted=ids))

    was = counted()
    if touched:
        story = data.draw(st.sampled_from(touched))
        gone = data.draw(st.sampled_from(story.feats().touches))
        story.log(OVER, "touch_withdrawn", story.rep, touch=gone.id)
    now = counted()
    for person in TEAM:
        assert now.tallies[person].points <= was.tallies[person].points


@FEW
@given(months(), agreements)
def test_places_depend_on_what_was_done_and_not_on_who_did_it(
    stories: list[LeadStory], agreed: Terms
) -> None:
    feats = [story.feats() for story in stories]
    swap = {ANN: BEN, BEN: ANN}
    other = [
        replace(
            lead,
            holdings=tuple(replace(h, person=swap[h.person]) for h in lead.holdings),
            touches=tuple(replace(t, person=swap[t.person]) for t in lead.touches),
        )
        for lead in feats
    ]

    def ranks(leads: list[LeadFeats]) -> dict[int | None, tuple[int | None, int]]:
        before = count_points(agreed, leads, TEAM, GIVEN, before=True)
        board = board_from(
            agreed, count_points(agreed, leads, TEAM, GIVEN), before, TEAM, GIVEN,
            challenge_id=1, period="p", now=OVER,
        )  # fmt: skip
        return {place.person_id: (place.rank, place.score) for place in board.people}

    mine, theirs = ranks(feats), ranks(other)
    assert (mine[ANN], mine[BEN]) == (theirs[BEN], theirs[ANN])
