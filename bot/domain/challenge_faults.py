"""Whether the terms of a challenge make sense: every fault at once, each with the field that it is about. Pure.

What is not here: reading terms from a file or a form.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, timedelta

from bot.domain.challenge import Counting, Kind, Rule, Terms, TermsFault

#: What fits into a headline and a chart's title on a phone.
LONGEST_NAME = 50
#: A prize is a line of a message, and of the winners' post; so many lines are one screen.
LONGEST_PRIZE, MOST_PRIZES = 150, 5
#: A year; what runs longer is no challenge but a rule.
LONGEST_DAYS = 366
#: Nobody agrees on more; and the calendar itself ends with the year 9999.
LATEST_YEARS = 10
MOST_POINTS, MOST_TIMES = 1000, 10
#: So many chances a day nobody has: a minimum that asks for more gives no places.
MOST_CHANCES_A_DAY = 20
DAY_MINUTES = 24 * 60
_SHOWN = 40


def faults_of(
    terms: Terms,
    *,
    teams: Mapping[str, int],
    zones: Collection[str],
    others: Sequence[Terms],
    today: date,
    channels: Mapping[str, str],
) -> list[TermsFault]:
    """All faults; none: it can be. `teams`: name -> number of reps; `zones`: names that are known; `others`: challenges
    that are neither finished nor cancelled, without this one; `today`: in the challenge's zone; `channels`: team ->
    channel id ("" for none)."""
    return [
        *_name(terms),
        *_days(terms, today, zones),
        *_teams(terms, teams),
        *_points(terms),
        *_counting(terms),
        *_prizes(terms),
        *_posts(terms, teams, channels),
        *_overlaps(terms, others),
    ]


def _name(terms: Terms) -> Iterator[TermsFault]:
    name = terms.name.strip()
    if not name:
        yield TermsFault("name", "A challenge needs a name.")
    elif len(name) > LONGEST_NAME:
        yield TermsFault(
            "name", f"The name is {len(name):,} characters long; {LONGEST_NAME} are the most."
        )


def _days(terms: Terms, today: date, zones: Collection[str]) -> Iterator[TermsFault]:
    if terms.zone not in zones:
        yield TermsFault("zone", f"{_quoted(terms.zone)} is no time zone: write Europe/Berlin.")
    if terms.ends < terms.begins:
        yield TermsFault(
            "ends",
            f"It ends on {terms.ends.isoformat()}, before it begins ({terms.begins.isoformat()}).",
        )
        return
    if terms.ends < today:
        yield TermsFault("ends", f"It is over already: it ends on {terms.ends.isoformat()}.")
    if terms.ends.year > today.year + LATEST_YEARS:
        yield TermsFault(
            "ends", f"It ends in {terms.ends.year}: that is too far ahead to agree on."
        )
    days = _length(terms)
    if days > LONGEST_DAYS:
        yield TermsFault("ends", f"It lasts {days:,} days; a year ({LONGEST_DAYS}) is the longest.")


def _length(terms: Terms) -> int:
    return (terms.ends - terms.begins).days + 1


def _teams(terms: Terms, teams: Mapping[str, int]) -> Iterator[TermsFault]:
    if not terms.teams:
        yield TermsFault("teams", "A challenge needs a team that takes part.")
        return
    for name in dict.fromkeys(terms.teams):
        if name not in teams:
            known = ", ".join(_cut(each) for each in sorted(teams)[:10]) or "none"
            yield TermsFault("teams", f"There is no team {_quoted(name)}; there are: {known}.")
        if terms.teams.count(name) > 1:
            yield TermsFault("teams", f"Team {_quoted(name)} stands there twice.")
    known_teams = [name for name in dict.fromkeys(terms.teams) if name in teams]
    if len(known_teams) < len(terms.teams):
        return
    people = sum(teams[name] for name in known_teams)
    for name in known_teams:
        if not teams[name]:
            yield TermsFault("teams", f"Team {_quoted(name)} has no reps.")
    if terms.kind is Kind.RACE and people == 1:
        yield TermsFault(
            "teams", "One rep takes part: in a race there is nobody to race. Try most improved."
        )
    if terms.kind is Kind.TEAMS and len(known_teams) < 2:
        yield TermsFault("teams", "Team against team needs two teams.")


def _points(terms: Terms) -> Iterator[TermsFault]:
    worth = {rule: points for rule, points in terms.points.items() if points}
    if not terms.points:
        yield TermsFault("points", f"Say what gives points: {', '.join(Rule)}.")
    elif not worth:
        yield TermsFault("points", "All points are 0: nothing could be won.")
    for rule, points in worth.items():
        if points < 0:
            yield TermsFault("points", f"{rule.value}: {points}. Nobody loses points; 0 is none.")
        elif points > MOST_POINTS:
            yield TermsFault(
                "points", f"{rule.value}: {points:,} points; {MOST_POINTS:,} are the most."
            )
    if terms.counting is Counting.RATE and set(worth) == {Rule.QUALIFIED}:
        yield TermsFault(
            "points",
            "Nobody promised that a lead qualifies, so there is no rate of it: give points to another rule, too, "
            "or count the volume.",
        )


def _counting(terms: Terms) -> Iterator[TermsFault]:
    for name, times in (
        ("hand_raiser", terms.hand_raiser),
        ("high_score_times", terms.high_score_times),
    ):
        if not 1 <= times <= MOST_TIMES:
            yield TermsFault(name, f"A lead counts 1 to {MOST_TIMES} times, not {times}.")
    if terms.high_score < 0:
        yield TermsFault("high_score", "A score to count from is 0 (no such rule) or more.")
    if terms.high_score_times > 1 and not terms.high_score:
        yield TermsFault("high_score", "Say from which score leads count more.")
    if terms.most_a_day < 0:
        yield TermsFault("most_a_day", "The most points of a day are 0 (no cap) or more.")
    dearest = max(terms.points.values(), default=0)
    if 0 < terms.most_a_day < dearest:
        yield TermsFault(
            "most_a_day",
            f"One thing gives {dearest} points, a whole day {terms.most_a_day} at most.",
        )
    if terms.minimum < 1:
        yield TermsFault("minimum", "The minimum is 1 chance or more.")
    most = max(1, _working_days(terms)) * MOST_CHANCES_A_DAY
    if terms.ends >= terms.begins and terms.minimum > most:
        yield TermsFault(
            "minimum",
            f"Nobody has {terms.minimum:,} chances in {_working_days(terms)} working days: at {MOST_CHANCES_A_DAY} "
            f"a day there are {most:,}, and nobody would have a place.",
        )


def _working_days(terms: Terms) -> int:
    """Mondays to Fridays; enough for a bound."""
    weeks, rest = divmod(min(_length(terms), LONGEST_DAYS), 7)
    days = (terms.begins + timedelta(days=n) for n in range(max(0, rest)))
    return 5 * weeks + sum(1 for day in days if day.weekday() < 5)


def _prizes(terms: Terms) -> Iterator[TermsFault]:
    if len(terms.prizes) > MOST_PRIZES:
        yield TermsFault("prizes", f"{len(terms.prizes)} prizes; {MOST_PRIZES} are the most.")
    for number, prize in enumerate(terms.prizes[:MOST_PRIZES], 1):
        if not prize.strip():
            yield TermsFault("prizes", f"Prize {number} is empty.")
        elif len(prize) > LONGEST_PRIZE:
            yield TermsFault(
                "prizes",
                f"Prize {number} is {len(prize):,} characters long; {LONGEST_PRIZE} are the most: say it in a line.",
            )


def _posts(
    terms: Terms, teams: Mapping[str, int], channels: Mapping[str, str]
) -> Iterator[TermsFault]:
    if not 0 <= terms.post_at < DAY_MINUTES:
        yield TermsFault("post_at", "The board is posted at a time of the day: 00:00 to 23:59.")
    if any(day not in range(7) for day in terms.post_days):
        yield TermsFault("post_days", "Days of the week are 0 (Monday) to 6 (Sunday).")
    if not terms.channel and not terms.trial and all(name in teams for name in terms.teams):
        own = {channels.get(name, "") for name in terms.teams}
        if len(own) > 1:
            yield TermsFault(
                "channel", "Its teams have several channels: say which one gets the board."
            )
        elif own == {""}:
            yield TermsFault("channel", "Its team has no channel: say which one gets the board.")


def _overlaps(terms: Terms, others: Sequence[Terms]) -> Iterator[TermsFault]:
    """A team is in one challenge at a time: two would pull it two ways. A hidden trial run pulls nobody."""
    if terms.trial:
        return
    for other in others:
        shared = sorted(set(terms.teams) & set(other.teams))
        if shared and not other.trial and other.begins <= terms.ends and terms.begins <= other.ends:
            names = ", ".join(_quoted(name) for name in shared[:5])
            yield TermsFault(
                "begins",
                f"{names}: in {_quoted(other.name)} from {other.begins.isoformat()} to {other.ends.isoformat()}. "
                "A team is in one challenge at a time.",
            )


def _quoted(text: str) -> str:
    return f"“{_cut(text)}”"


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"
