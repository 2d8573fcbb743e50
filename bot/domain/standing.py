"""Where everybody stands: places, ties, streaks, who went up, records, and what all achieved together. Pure.

Ties between people, in this order: the score as it is shown; more chances kept; fewer missed; else both have the same
place, and the next one is left out (1, 2, 2, 4). Who was first decides nothing, since that depends on who was offered
leads first; names and numbers of people decide nothing. Between teams the exact score decides, else the place is
shared: counts would speak for the bigger team.

What is not here: counting (`points`), who may be named on a board (`people_figures`), drawing it (rendering).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from bot.domain.challenge import Board, Counting, Kind, Place, Rule, Terms
from bot.domain.chance import Chance, Circumstances, Verdict
from bot.domain.kpi import Share
from bot.domain.points import Points, Tally


def board_from(
    terms: Terms,
    points: Points,
    before: Points | None,
    entrants: Mapping[int, str],
    given: Circumstances,
    *,
    challenge_id: int,
    period: str,
    now: datetime,
    left: Collection[int] = (),
    previous: Iterable[Mapping[str, Any]] = (),
) -> Board:
    """The board as of `now`.

    `before`: needed for IMPROVED (`count_points(before=True)`), None otherwise. `entrants`: as for `count_points`.
    `left`: those who are not in the playbook any more: their points stay with their team, they have no place of their
    own. `previous`: `places_as_json` of the board before, for who went up.
    """
    was = list(previous)
    streaks = {person: _Streak(terms, points, given, person) for person in entrants}
    people = [
        _Standing(
            Place(
                rank=None,
                person_id=person,
                team=entrants[person],
                points=tally.points,
                most=tally.most,
                chances=tally.chances,
                kept=tally.kept,
                score=_score(terms, tally, _tally_of(before, person)),
                streak=streaks[person].now,
            ),
            person not in left and _has_enough(terms, tally, _tally_of(before, person)),
            (tally.kept, tally.kept - tally.chances),
        )
        for person, tally in points.tallies.items()
    ]
    return Board(
        challenge_id=challenge_id,
        terms=terms,
        period=period,
        days_left=_days_left(terms, now),
        people=_ranked(people, {p["person"]: p for p in was if p.get("person") is not None}),
        teams=_ranked(
            _teams(terms, points, before, entrants, left),
            {p["team"]: p for p in was if p.get("person") is None},
        ),
        kept=sum(tally.kept for tally in points.tallies.values()),
        chances=sum(tally.chances for tally in points.tallies.values()),
        records=_records(terms, points, streaks),
    )


def places_as_json(board: Board) -> list[dict[str, Any]]:
    """For the table of boards: person (None: a team), team, rank and score of every place."""
    return [
        {"person": place.person_id, "team": place.team, "rank": place.rank, "score": place.score}
        for place in (*board.people, *board.teams)
    ]


def movers_of(board: Board, most: int = 3) -> list[Place]:
    """Who went up most since the board before, the most first; nobody who did not."""
    up = [place for place in board.people if place.up > 0]
    return sorted(up, key=lambda place: (-place.up, place.rank or 0))[:most]


def fraction_of(terms: Terms, tally: Tally, heads: int = 1) -> Fraction:
    """The exact score: points per 100 that could be had (RATE), points a head (VOLUME)."""
    if terms.counting is Counting.RATE:
        return Fraction(100 * tally.points, tally.most) if tally.most else Fraction(0)
    return Fraction(tally.points, heads)


def _tally_of(before: Points | None, person: int) -> Tally | None:
    return before.tallies.get(person) if before is not None else None


def _plain_score(terms: Terms, tally: Tally, heads: int = 1) -> int:
    """A rate is shown as everywhere: never 0 or 100 when it is not quite."""
    if terms.counting is Counting.RATE:
        return Share(tally.points, tally.most).percent or 0
    return (2 * tally.points + heads) // (2 * heads)


def _score(terms: Terms, tally: Tally, was: Tally | None, heads: int = 1) -> int:
    score = _plain_score(terms, tally, heads)
    if terms.kind is not Kind.IMPROVED:
        return score
    return score - _plain_score(terms, was, heads) if was is not None else 0


def _has_enough(terms: Terms, tally: Tally, was: Tally | None) -> bool:
    """The minimum, and for IMPROVED also before: from nothing nobody can improve."""
    least = max(1, terms.minimum)
    if terms.kind is Kind.IMPROVED and (was is None or was.chances < least):
        return False
    return tally.chances >= least


@dataclass(frozen=True, slots=True)
class _Standing:
    """A place without its rank. `tie`: what decides when the score is the same; the higher wins."""

    place: Place
    ranked: bool
    tie: tuple[Any, ...]


def _ranked(
    standings: Iterable[_Standing], was: Mapping[Any, Mapping[str, Any]]
) -> tuple[Place, ...]:
    """Best first; those without a place after them. Equals stand in a fixed order, with the same rank."""

    def merit(standing: _Standing) -> tuple[Any, ...]:
        return (standing.place.score, *standing.tie)

    placed = sorted(standings, key=lambda s: (s.place.person_id or 0, s.place.team))
    placed.sort(key=merit, reverse=True)
    placed.sort(key=lambda s: not s.ranked)
    found: list[Place] = []
    for index, standing in enumerate(placed):
        if not standing.ranked:
            found.append(standing.place)
            continue
        same = index and merit(placed[index - 1]) == merit(standing)
        rank = found[-1].rank if same else index + 1
        key = standing.place.person_id or standing.place.team
        old = was.get(key, {}).get("rank")
        up = max(0, old - rank) if old and rank else 0
        found.append(replace(standing.place, rank=rank, up=up))
    return tuple(found)


def _teams(
    terms: Terms,
    points: Points,
    before: Points | None,
    entrants: Mapping[int, str],
    left: Collection[int],
) -> list[_Standing]:
    """The points of each stand with the team that they started in. Volume is a head, so that size wins nothing."""
    found = []
    for team in dict.fromkeys((*terms.teams, *(entrants[p] for p in sorted(entrants)))):
        members = [person for person in entrants if entrants[person] == team]
        now = _together(team, points, members)
        was = _together(team, before, members) if before is not None else None
        # Who left before they had a chance is nobody that a team could have counted on.
        there = [p for p in members if p not in left or points.tallies[p].chances]
        heads = max(1, len(there))
        exact = fraction_of(terms, now, heads)
        if terms.kind is Kind.IMPROVED and was is not None:
            exact -= fraction_of(terms, was, heads)
        place = Place(
            rank=None,
            person_id=None,
            team=team,
            points=now.points,
            most=now.most,
            chances=now.chances,
            kept=now.kept,
            score=_score(terms, now, was, heads),
        )
        found.append(_Standing(place, _has_enough(terms, now, was), (exact,)))
    return found


def _together(team: str, points: Points, members: Iterable[int]) -> Tally:
    tallies = [points.tallies[person] for person in members if person in points.tallies]
    return Tally(
        0,
        team,
        sum(tally.points for tally in tallies),
        sum(tally.most for tally in tallies),
        sum(tally.chances for tally in tallies),
        sum(tally.kept for tally in tallies),
    )


class _Streak:
    """Working days in a row on which somebody kept every chance: the last run (`now`) and the longest (`best`).

    A day without a chance breaks nothing and adds nothing, so absence, weekends and holidays do neither. What was
    missed on a day off (a promise in hours of the clock) breaks nothing; what was kept on one adds nothing, since
    nobody shall work on Sundays for a row.
    """

    def __init__(self, terms: Terms, points: Points, given: Circumstances, person: int) -> None:
        zone = ZoneInfo(terms.zone)
        days: dict[date, bool] = {}
        for chance in points.chances:
            if chance.person == person:
                day = chance.at.astimezone(zone).date()
                days[day] = days.get(day, True) and chance.verdict is Verdict.KEPT
        self.now = self.best = 0
        for day in sorted(days):
            if not given.works(person, day) or (not days[day] and _away(given, person, day, zone)):
                continue
            self.now = self.now + 1 if days[day] else 0
            self.best = max(self.best, self.now)


def _away(given: Circumstances, person: int, day: date, zone: ZoneInfo) -> bool:
    return any(
        begin.astimezone(zone).date() <= day
        and (until is None or day <= until.astimezone(zone).date())
        for begin, until in given.absences.get(person, ())
    )


def _records(terms: Terms, points: Points, streaks: Mapping[int, _Streak]) -> dict[str, Any]:
    """What there is to be proud of, as numbers and ids:

    - `streak`: the longest row of days, and the ids of those who had it (a board names who may be named);
    - `day`: the day with the most kept, of how many;
    - `leads`, `touched`, `qualified`: leads on which something was kept, was touched in time, became opportunities.
    """
    zone = ZoneInfo(terms.zone)
    kept = [chance for chance in points.chances if chance.verdict is Verdict.KEPT]
    found: dict[str, Any] = {
        "leads": len({chance.lead for chance in kept}),
        "touched": _leads_of(kept, Rule.FIRST_TOUCH),
        "qualified": _leads_of(kept, Rule.QUALIFIED),
    }
    best = max((streak.best for streak in streaks.values()), default=0)
    if best:
        holders = sorted(person for person, streak in streaks.items() if streak.best == best)
        found["streak"] = {"persons": holders, "days": best}
    days: dict[date, list[int]] = defaultdict(lambda: [0, 0])
    for chance in points.chances:
        counts = days[chance.at.astimezone(zone).date()]
        counts[0] += chance.verdict is Verdict.KEPT
        counts[1] += 1
    if kept:
        day = min(days, key=lambda each: (-days[each][0], days[each][1], each))
        found["day"] = {"day": day.isoformat(), "kept": days[day][0], "chances": days[day][1]}
    return found


def _leads_of(kept: Iterable[Chance], rule: Rule) -> int:
    return len({chance.lead for chance in kept if chance.rule is rule})


def _days_left(terms: Terms, now: datetime) -> int:
    """Whole days that follow today, the last included; on the last day none is left. Not begun: all of them."""
    today = now.astimezone(ZoneInfo(terms.zone)).date()
    return max(0, min((terms.ends - today).days, (terms.ends - terms.begins).days + 1))
