"""How made-up reps behave: when they answer a card, what they answer, what becomes of the lead. Pure; dice are given.

Spans are seconds of the rep's own working time, so that nobody acts at night. What is not here: whose habit is whose,
and doing any of it (`demo_reps`).
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bot.demo_export import Fate

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
#: About what a working day has.
DAY: Final = 8 * HOUR

#: Least, usual and most seconds of something.
Span = tuple[int, int, int]


class Say(StrEnum):
    """What a rep answers to a card. NOTHING: it lapses."""

    ACCEPT = "accept"
    REJECT = "reject"
    PASS = "pass"  # noqa: S105 - no password
    NOTHING = "nothing"


class Do(StrEnum):
    """What a rep does with a lead that they accepted."""

    TOUCH = "touch"
    QUALIFY = "qualify"
    WIN = "win"
    LOSE = "lose"
    RECYCLE = "recycle"
    GIVE_BACK = "give_back"


@dataclass(frozen=True, slots=True)
class Habit:
    """Shares are of 1. `answers`: from the card. `reminded`: answers only after the reminder, if at all.
    `touches_after`: from accepting to the first touch; `gap` between touches; `touches` at most so many.
    `logs`: touches the rep logs in Baton, the others are found in the CRM; `in_crm`: those that the CRM has.
    `joins`: lets boards name them, of those who say anything (`silent`: do not)."""

    answers: Span = (2 * MINUTE, 25 * MINUTE, 3 * HOUR)
    reminded: float = 0.1
    ignores: float = 0.02
    passes: float = 0.03
    rejects: float = 0.05
    touches_after: Span = (10 * MINUTE, 2 * HOUR, 7 * HOUR)
    touches: tuple[int, int] = (2, 4)
    gap: Span = (3 * HOUR, DAY, 2 * DAY)
    logs: float = 0.85
    in_crm: float = 0.93
    qualifies: float = 1.0
    bursts: float = 0.0
    sends_off: float = 0.0
    joins: float = 0.75
    silent: float = 0.1


HABITS: Final[Mapping[str, Habit]] = {
    "steady": Habit(),
    "quick": Habit(
        answers=(40, 5 * MINUTE, 20 * MINUTE), reminded=0.0, ignores=0.0, rejects=0.03,
        touches_after=(4 * MINUTE, 20 * MINUTE, HOUR), touches=(3, 5), gap=(2 * HOUR, 5 * HOUR, DAY),
        logs=0.97, in_crm=0.97, joins=1.0, silent=0.0,
    ),
    "late": Habit(
        answers=(20, MINUTE, 4 * MINUTE), reminded=0.0, ignores=0.0,
        touches_after=(5 * HOUR, DAY + 2 * HOUR, 3 * DAY), touches=(1, 3), joins=0.5,
    ),
    "reminded": Habit(reminded=0.8, ignores=0.06, touches_after=(HOUR, 5 * HOUR, DAY + HOUR)),
    "part_time": Habit(answers=(5 * MINUTE, 40 * MINUTE, 3 * HOUR), touches=(3, 4)),
    "rejecting": Habit(rejects=0.45, passes=0.08, joins=0.0, silent=0.3),
    "forgetful": Habit(
        answers=(20 * MINUTE, 2 * HOUR, 5 * HOUR), reminded=0.3, ignores=0.18,
        touches_after=(HOUR, 6 * HOUR, 2 * DAY), touches=(1, 3), logs=0.6, in_crm=0.8,
    ),
    "gaming": Habit(
        answers=(5, 30, 2 * MINUTE), reminded=0.0, ignores=0.0, passes=0.0, rejects=0.0,
        touches=(3, 3), logs=1.0, in_crm=0.1, qualifies=0.3, bursts=0.5, sends_off=0.35, joins=1.0,
        silent=0.0,
    ),
}  # fmt: skip

#: How good a lead must look to be called no lead at first glance, by what it is.
_NO_AT_SIGHT: Final[Mapping[Fate, float]] = {
    Fate.NO_LEAD: 0.45, Fate.SLEEPS: 0.06, Fate.LOST: 0.03, Fate.OPEN: 0.01, Fate.BUYS: 0.0,
}  # fmt: skip
_QUALIFIES: Final[Mapping[Fate, float]] = {
    Fate.BUYS: 0.9, Fate.OPEN: 0.4, Fate.LOST: 0.35, Fate.SLEEPS: 0.12, Fate.NO_LEAD: 0.0,
}  # fmt: skip
_NOS: Final = ("not_our_kind", "bad_data", "duplicate", "already_ours", "wrong_territory")
_NO_WEIGHTS: Final = (45, 25, 8, 10, 12)
_LATER: Final = ("not_now", "no_budget", "under_contract", "competitor")


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said to a card, `after` seconds of the rep's time, or when `of_clock` (a share) of their time is over."""

    say: Say
    after: int = 0
    of_clock: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing done `after` seconds of the rep's time since the one before. `logged`: in Baton; `in_crm`: the CRM
    has it. `word`: kind of a touch, else a reason; `outcome`: of a call."""

    do: Do
    after: int
    word: str = ""
    outcome: str = ""
    logged: bool = True
    in_crm: bool = True


def drawn(span: Span, dice: random.Random) -> int:
    """Seconds within a span, mostly about the usual."""
    least, usual, most = span
    return round(dice.triangular(least, most, usual))


def answer_of(habit: Habit, fate: Fate, dice: random.Random) -> Answer:
    """What somebody says to the card of a lead."""
    roll = dice.random()
    if roll < habit.ignores:
        return Answer(Say.NOTHING)
    after = drawn(habit.answers, dice)
    late = dice.uniform(0.76, 1.0) if dice.random() < habit.reminded else 0.0
    if roll < habit.ignores + habit.passes:
        return Answer(Say.PASS, after, late)
    no = habit.rejects + _NO_AT_SIGHT[fate] if not habit.bursts else 0.0
    if roll < habit.ignores + habit.passes + no:
        return Answer(Say.REJECT, after, late, dice.choices(_NOS, _NO_WEIGHTS)[0])
    return Answer(Say.ACCEPT, after, late)


def course_of(habit: Habit, fate: Fate, dice: random.Random) -> list[Deed]:
    """What somebody does with a lead after accepting it, in order."""
    if dice.random() < habit.sends_off:  # accepted for the points, and away with it
        return [Deed(Do.RECYCLE, dice.randint(3 * MINUTE, 15 * MINUTE), "not_now")]
    if dice.random() < habit.bursts:  # three meetings in ten minutes
        burst = [Deed(Do.TOUCH, dice.randint(90, 200), "meeting", in_crm=False) for _ in range(3)]
        return [*burst, *_end(habit, fate, dice)]
    if fate is Fate.NO_LEAD and dice.random() < 0.5:
        return [Deed(Do.GIVE_BACK, drawn(habit.touches_after, dice), "bad_data")]
    many = dice.randint(*habit.touches)
    touches = [_touch(habit, drawn(habit.touches_after, dice), dice)]
    touches += [_touch(habit, drawn(habit.gap, dice), dice) for _ in range(many - 1)]
    return [*touches, *_end(habit, fate, dice)]


def _touch(habit: Habit, after: int, dice: random.Random) -> Deed:
    word = dice.choices(("call", "email", "meeting"), (60, 30, 10))[0]
    outcome = dice.choices(("reached", "no_answer"), (55, 45))[0] if word == "call" else ""
    logged = dice.random() < habit.logs
    # What is neither logged nor in the CRM nobody knows of.
    return Deed(Do.TOUCH, after, word, outcome, logged, not logged or dice.random() < habit.in_crm)


def _end(habit: Habit, fate: Fate, dice: random.Random) -> list[Deed]:
    """How somebody decides; a third of what is not qualified they leave lying until the clock says so."""
    after = drawn(habit.gap, dice)
    if dice.random() < _QUALIFIES[fate] * habit.qualifies:
        qualified = Deed(Do.QUALIFY, after)
        closed = dice.randint(DAY, 6 * DAY)
        if fate is Fate.BUYS and dice.random() < 0.6:
            return [qualified, Deed(Do.WIN, closed)]
        if fate is Fate.LOST:
            return [qualified, Deed(Do.LOSE, closed)]
        return [qualified]
    if dice.random() < 0.3:
        return []
    return [Deed(Do.RECYCLE, after, dice.choice(_LATER))]
