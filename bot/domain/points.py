"""Points: what the chances of a challenge are worth to whom. Pure: the same input gives the same numbers in any order.

What is not here: which chance is kept or missed (`chance`), places (`standing`), what looks like gaming (`gaming`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from bot.domain.challenge import Counting, Rule, Terms
from bot.domain.chance import Chance, Circumstances, Verdict, chances_of, now_of
from bot.domain.feats import LeadFeats
from bot.domain.period import midnight

#: "I'm busy" happens: six leads, or one in five, say nothing of anybody.
PASSES_FREE, PASSES_PERCENT = 6, 20

_DECIDED = frozenset({Verdict.KEPT, Verdict.BROKEN})


@dataclass(frozen=True, slots=True)
class Award:
    """Points for one chance that was kept. `at`: when it happened. `points`: after weight and cap; 0: it happened, and
    the cap of that day was reached."""

    person: int
    rule: Rule
    about: str  # the offer id; unique together with the rule
    lead: int
    at: datetime
    points: int


@dataclass(frozen=True, slots=True)
class Tally:
    """What somebody has. `most`: points of every chance that counts, as if kept, before any cap."""

    person: int
    team: str
    points: int = 0
    most: int = 0
    chances: int = 0
    kept: int = 0


@dataclass(frozen=True, slots=True)
class Points:
    """What `count_points` found: awards (rows of the table), a tally of each entrant, and the chances that count, by
    time (verdicts KEPT and BROKEN; a void one is BROKEN)."""

    awards: tuple[Award, ...]
    tallies: Mapping[int, Tally]
    chances: tuple[Chance, ...]
    begins_at: datetime
    ends_at: datetime


def reach_of(terms: Terms, *, before: bool = False) -> tuple[datetime, datetime]:
    """[first, end) in UTC of the challenge. Leads offered in it count, with what was judged in it.

    `before`: the equally long time before it, on the same days of the week: a Monday to Friday is compared with the
    Monday to Friday before, and not with a weekend.
    """
    days = (terms.ends - terms.begins).days + 1
    weeks = -(-days // 7) if before else 0
    first = terms.begins - timedelta(weeks=weeks)
    return midnight(first, terms.zone), midnight(first + timedelta(days=days), terms.zone)


def count_points(
    terms: Terms,
    feats: Iterable[LeadFeats],
    entrants: Mapping[int, str],
    given: Circumstances,
    *,
    before: bool = False,
    voided: Collection[tuple[Rule, str]] = (),
) -> Points:
    """Points of each entrant (person id -> the team that they started in).

    `feats`: of every lead that was offered to an entrant since the start (or since `reach_of(before=True)[0]`, for
    IMPROVED); giving more does no harm. `before`: the equally long time before the start. `voided`: (rule, about) of
    flags that were settled as void: chances missed. Whoever is no entrant gets nothing.
    """
    leads = sorted(feats, key=lambda lead: lead.lead)
    begins_at, ends_at = reach_of(terms, before=before)
    given = replace(given, zone=terms.zone)
    # What was due after the end is open for ever: a recount a week later gives the same.
    until = min(now_of(leads, given) or begins_at, ends_at)
    void = frozenset(voided)
    judged = chances_of(leads, replace(given, now=until))
    if before:
        judged = _with_held_back(judged, chances_of(leads, given), reach_of(terms)[0])
    counted = _once_each(
        chance
        for chance in (_unless_void(each, void) for each in judged)
        if chance.person in entrants
        and chance.verdict in _DECIDED
        and begins_at <= chance.offered_at
        and chance.at < ends_at
        and terms.points.get(chance.rule, 0) > 0
    )
    worth = _Worth(terms, choosers_of(leads, begins_at, ends_at))
    awards = _awards(terms, counted, worth)
    tallies = _tallies(counted, awards, worth, entrants)
    return Points(awards, tallies, tuple(counted), begins_at, ends_at)


def choosers_of(
    leads: Iterable[LeadFeats], begins_at: datetime, ends_at: datetime
) -> frozenset[int]:
    """Who passes on so many leads offered in that time that they choose: their leads count once each.

    Passing on is free. But the extra weight of a lead is for whoever takes what comes, else the way to win would be
    to wait for the heavy ones.
    """
    offers: Counter[int] = Counter()
    passed: Counter[int] = Counter()
    for lead in leads:
        for held in lead.holdings:
            if begins_at <= held.offered_at < ends_at:
                offers[held.person] += 1
                passed[held.person] += held.left_by == "passed" and held.left_self
    return frozenset(
        person
        for person, many in passed.items()
        if many >= PASSES_FREE and 100 * many > PASSES_PERCENT * offers[person]
    )


@dataclass(frozen=True, slots=True)
class _Worth:
    """Points of one chance when kept: by its rule, times the higher of the two weights that hold for its lead."""

    terms: Terms
    choosers: frozenset[int]

    def of(self, chance: Chance) -> int:
        terms, times = self.terms, 1
        if chance.person not in self.choosers:
            if chance.fast_lane:
                times = terms.hand_raiser
            if terms.high_score and chance.score >= terms.high_score:
                times = max(times, terms.high_score_times)
        return terms.points.get(chance.rule, 0) * max(1, times)


def _with_held_back(judged: list[Chance], later: list[Chance], start: datetime) -> list[Chance]:
    """What was missed before the start and done after it stands as kept in the past: whoever keeps work back for the
    first day has no worse past by it, from which to improve. `later`: as judged with all that is known by now."""
    held_back = {
        chance.about
        for chance in later
        if chance.rule is Rule.FIRST_TOUCH
        and chance.verdict is Verdict.BROKEN
        and chance.at < start
        and chance.done_at is not None
        and chance.done_at >= start
    }
    done = [
        replace(chance, verdict=Verdict.KEPT, at=chance.offered_at)
        for chance in later
        if chance.about in held_back
        and (chance.verdict is Verdict.KEPT or chance.done_at is not None)
    ]
    stands = {(chance.rule, chance.about) for chance in done}
    return [c for c in judged if (c.rule, c.about) not in stands] + done


def _once_each(chances: Iterable[Chance]) -> list[Chance]:
    """A lead is one chance a rule and person, however often it comes back: nobody accepts it twice for points."""
    first: dict[tuple[int, Rule, int], Chance] = {}
    for chance in sorted(chances, key=lambda c: (c.offered_at, c.at, c.about)):
        first.setdefault((chance.person, chance.rule, chance.lead), chance)
    return sorted(first.values(), key=_by_time)


def _by_time(chance: Chance) -> tuple[datetime, Rule, str]:
    return chance.at, chance.rule, chance.about


def _unless_void(chance: Chance, void: Collection[tuple[Rule, str]]) -> Chance:
    """A flag that was settled as void costs what was kept; leads that somebody only got rid of are chances missed."""
    if (chance.rule, chance.about) in void and chance.verdict in (Verdict.KEPT, Verdict.STOPPED):
        return replace(chance, verdict=Verdict.BROKEN, why="void")
    return chance


def _awards(terms: Terms, counted: Iterable[Chance], worth: _Worth) -> tuple[Award, ...]:
    """In the order in which things happened: the cap of a day cuts off its last points.

    A rate has no cap: more leads bring nobody more there, and who has a full day must not lose by it.
    """
    capped = terms.most_a_day > 0 and terms.counting is Counting.VOLUME
    zone = ZoneInfo(terms.zone)
    had: dict[tuple[int, date], int] = {}
    awards = []
    for chance in counted:
        if chance.verdict is not Verdict.KEPT:
            continue
        points = worth.of(chance)
        if capped:
            day = (chance.person, chance.at.astimezone(zone).date())
            points = min(points, terms.most_a_day - had.get(day, 0))
            had[day] = had.get(day, 0) + points
        awards.append(
            Award(chance.person, chance.rule, chance.about, chance.lead, chance.at, points)
        )
    return tuple(awards)


def _tallies(
    counted: Iterable[Chance],
    awards: Iterable[Award],
    worth: _Worth,
    entrants: Mapping[int, str],
) -> dict[int, Tally]:
    sums = {person: [0, 0, 0, 0] for person in sorted(entrants)}
    for chance in counted:
        have = sums[chance.person]
        have[1] += worth.of(chance)
        have[2] += 1
        have[3] += chance.verdict is Verdict.KEPT
    for award in awards:
        sums[award.person][0] += award.points
    return {person: Tally(person, entrants[person], *have) for person, have in sums.items()}
