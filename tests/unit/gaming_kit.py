"""Reps of different habits, and a fortnight of leads for them: half of which they work, half of which is their habit's.

An honest rep and one who games make the same real calls to the same leads; what differs is what is told of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

from bot.domain.challenge import Counting, Kind
from bot.domain.chance import Circumstances
from bot.domain.feats import LeadFeats
from bot.domain.points import Points, count_points
from bot.domain.standing import board_from
from tests.unit.feats_kit import ANN, BEN, DAY, HOUR, MINUTE, ZONE, LeadStory, at, terms

BEFORE = (-13, -12, -11, -10, -9, -6, -5, -4, -3, -2)
DURING = (1, 2, 3, 4, 5, 8, 9, 10, 11, 12)
A_DAY = 3
OVER = at(15)
HONEST, GAMING = ANN, BEN
TEAMS = {HONEST: "north", GAMING: "south"}

#: What becomes of one lead: its story so far (offered), and the how-many-th of the rep's it is.
Habit = Callable[[LeadStory, int], object]


@dataclass(frozen=True, slots=True)
class Strategy:
    """What an honest rep and one who games tell of the same real work. `before`: of leads offered before the start."""

    honest: Habit
    gaming: Habit
    crm: bool = True
    before: tuple[Habit, Habit] | None = None


def works(story: LeadStory, _n: int) -> None:
    """As agreed: accepted, called after an hour, then once a day; the CRM has it."""
    offered = story.offered_at
    story.accept(offered + 10 * MINUTE)
    for day in range(3):
        story.touch(offered + HOUR + day * DAY, verified=True)


def says_no(story: LeadStory, _n: int) -> None:
    story.reject(story.offered_at + 5 * MINUTE)


def lets_lapse(story: LeadStory, _n: int) -> None:
    story.lapse(story.offered_at + HOUR)


def calls_late(story: LeadStory, _n: int) -> None:
    story.accept(story.offered_at + 10 * MINUTE)
    story.touch(story.offered_at + 6 * HOUR, told=story.offered_at + 6 * HOUR)


def calls_late_and_says_it_was_early(story: LeadStory, _n: int) -> None:
    story.accept(story.offered_at + 10 * MINUTE)
    story.touch(story.offered_at + 20 * MINUTE, told=story.offered_at + 10 * HOUR)


def makes_up_meetings(story: LeadStory, n: int) -> None:
    """Three in ten minutes, in the evening."""
    story.accept(story.offered_at + 10 * MINUTE)
    for minute in range(3):
        story.touch(story.offered_at + 3 * HOUR + (3 * minute + n % 3) * MINUTE, "meeting", "")


def makes_up_calls(story: LeadStory, _n: int) -> None:
    """One a day, and never one that the CRM knows of."""
    story.accept(story.offered_at + 10 * MINUTE)
    for day in range(3):
        story.touch(story.offered_at + HOUR + day * DAY)


def logs_and_takes_back(story: LeadStory, _n: int) -> None:
    story.accept(story.offered_at + 10 * MINUTE)
    touch = story.touch(story.offered_at + HOUR, verified=True)
    story.log(story.offered_at + 2 * HOUR, "touch_withdrawn", story.rep, touch=touch)


def accepts_and_recycles(story: LeadStory, _n: int) -> None:
    """And when it comes back, again."""
    for _ in range(2):
        story.accept(story.offered_at + MINUTE).recycle(story.offered_at + HOUR)
        story.round += 1
        story.offer(story.rep, story.offered_at + DAY)
    story.reject(story.offered_at + MINUTE)


def accepts_and_gives_back(story: LeadStory, _n: int) -> None:
    story.accept(story.offered_at + MINUTE).reject(story.offered_at + 20 * MINUTE)


def calls_once(story: LeadStory, _n: int) -> None:
    story.accept(story.offered_at + 10 * MINUTE)
    story.touch(story.offered_at + HOUR, verified=True)


def calls_five_times_at_once(story: LeadStory, _n: int) -> None:
    story.accept(story.offered_at + 10 * MINUTE)
    for minute in range(5):
        story.touch(story.offered_at + HOUR + minute * MINUTE, verified=True)


def waits_for_the_start(story: LeadStory, n: int) -> None:
    """Accepted in time, and called when the challenge has begun; then as patiently as everybody."""
    story.accept(story.offered_at + 10 * MINUTE)
    for day in range(3):
        story.touch(at(1, 8) + n * MINUTE + day * DAY, verified=True)


def takes_the_first_ten(story: LeadStory, n: int) -> None:
    (works if n < 10 else says_no)(story, n)


def takes_the_heavy_ten(story: LeadStory, n: int) -> None:
    if story.fast_lane:
        works(story, n)
    else:
        story.pass_on(story.offered_at + 5 * MINUTE)


STRATEGIES = {
    "backdating": Strategy(calls_late, calls_late_and_says_it_was_early),
    "bursts": Strategy(says_no, makes_up_meetings, crm=False),
    "accept, then recycle": Strategy(says_no, accepts_and_recycles),
    "stuffing": Strategy(works, works, before=(works, waits_for_the_start)),
    "calls made up": Strategy(says_no, makes_up_calls),
    "the same lead again and again": Strategy(calls_once, calls_five_times_at_once),
    "logged and taken back": Strategy(says_no, logs_and_takes_back),
    "accept, then give back": Strategy(says_no, accepts_and_gives_back),
    "cherry-picking": Strategy(takes_the_first_ten, takes_the_heavy_ten),
}


@cache
def leads_of(rep: int, strategy: Strategy, games: bool) -> tuple[LeadFeats, ...]:
    """Every lead of a rep, before and during the challenge."""
    found = []
    habit = strategy.gaming if games else strategy.honest
    past = strategy.before[games] if strategy.before else lets_lapse
    picks = habit in (takes_the_first_ten, takes_the_heavy_ten)
    for days, one_of_two in ((BEFORE, past), (DURING, habit)):
        for n in range(len(days) * A_DAY):
            offered = at(days[n // A_DAY], 9 + 1.5 * (n % A_DAY))
            number = rep * 1000 + (500 if days is DURING else 0) + n
            story = LeadStory(number, fast_lane=n % 3 == 0).offer(rep, offered)
            (one_of_two if n % 2 or (picks and days is DURING) else works)(story, n)
            found.append(story.feats())
    return tuple(found)


def circumstances(strategy: Strategy) -> Circumstances:
    return Circumstances(verified_only=strategy.crm, zone=ZONE, now=OVER)


def play(
    strategy: Strategy, kind: Kind, counting: Counting
) -> tuple[tuple[int | None, int], tuple[int | None, int]]:
    """Rank and score of the honest rep (or their team) and of the one who games."""
    agreed = replace(
        terms(), kind=kind, counting=counting, teams=("north", "south"), hand_raiser=3, minimum=5
    )
    feats = [
        *leads_of(HONEST, strategy, games=False),
        *leads_of(GAMING, strategy, games=True),
    ]
    given = circumstances(strategy)
    points = count_points(agreed, feats, TEAMS, given)
    before: Points | None = None
    if kind is Kind.IMPROVED:
        before = count_points(agreed, feats, TEAMS, given, before=True)
    board = board_from(
        agreed, points, before, TEAMS, given, challenge_id=1, period="2026-03-15", now=OVER
    )
    if kind is Kind.TEAMS:
        by_team = {place.team: (place.rank, place.score) for place in board.teams}
        return by_team["north"], by_team["south"]
    by_person = {place.person_id: (place.rank, place.score) for place in board.people}
    return by_person[HONEST], by_person[GAMING]
