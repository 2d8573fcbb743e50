"""The words of challenges: rules, kinds, states, headlines, and the sentences that several messages share.

Nothing here blames: what was missed is said to nobody but the person, as what can still be won. Names of challenges,
teams and people come in as they are and are cleaned on the way. What is not here: blocks (`leaderboard`,
`challenge_notes`, `challenge_forms`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from bot.domain.challenge import Counting, Kind, Rule, State
from bot.domain.kpi import Share
from bot.rendering import escape, times, wording
from bot.rendering.views_challenge import (
    BoardLine,
    BoardView,
    Contest,
    EndView,
    OwnPlace,
    RuleShare,
)

NAME_CAP = 80
TEAM_CAP = 40
PERSON_CAP = 40
PRIZE_CAP = 200
#: So many teams are named in a sentence; more are counted.
_TEAMS_NAMED = 3
_ROW_NAMED = 3
_WINNERS_NAMED = 5
_TEAMS_CAP = 90

# Buttons.
JOIN, PRIVATE = "Join the board", "Stay private"
NEW, SCHEDULE, START, CANCEL = "New challenge…", "Schedule", "Start now", "Cancel"
IN_ORDER, FINE, VOID = "It was so", "Let it count", "Do not count it"

FORM_LEAD = "A name is enough. The rest is set as most teams want it."
TOTALS_ONLY = (
    "The board will show totals of the team, and names nobody: so the playbook says, or the team has fewer than six "
    "reps. To name those who join it, write people_figures: named for the team."
)
DAYS_HINT = "It counts, too. Days are the team's; of teams in several zones the company's."
YOURS = "/leaderboard shows yours, to you alone"
BEST_DAY = "today the best day yet"
ONLY_YOU = "Only you see this."
TRIAL = "Trial run: nobody else sees it."

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
RULES: dict[Rule, str] = {
    Rule.ACCEPT: "accepted in time",
    Rule.FIRST_TOUCH: "first contact in time",
    Rule.FOLLOW_UP: "followed up in full",
    Rule.QUALIFIED: "qualified",
}
#: The same below a bar of a chart.
RULES_SHORT: dict[Rule, str] = {
    Rule.ACCEPT: "Accepted",
    Rule.FIRST_TOUCH: "First contact",
    Rule.FOLLOW_UP: "Followed up",
    Rule.QUALIFIED: "Qualified",
}
KINDS: dict[Kind, str] = {
    Kind.RACE: "The person with the best score",
    Kind.TEAMS: "The team with the best score",
    Kind.IMPROVED: "Whoever improves most on their own past",
}
COUNTINGS: dict[Counting, str] = {
    Counting.RATE: "Points of 100 possible: fair when some get more leads",
    Counting.VOLUME: "All points added up",
}
STATES: dict[State, str] = {
    State.DRAFT: "draft",
    State.SCHEDULED: "scheduled",
    State.RUNNING: "running",
    State.FINISHED: "finished",
    State.CANCELLED: "cancelled",
}

#: What a click or a command is answered with, by the code of what was done.
_SAID: dict[str, str] = {
    "joined": "The board names you when you are in its upper half. To change it: /leaderboard",
    "private": "Your name stays off the board. To change it: /leaderboard",
    "drafted": "Draft saved. Start it by /baton challenge list",
    "scheduled": "Scheduled. Everybody who takes part gets a message on the first day. See it: /baton challenge list",
    "started": "It runs from now on. Everybody who takes part gets a message. Your view: /leaderboard",
    "trial": "The trial run begins. Nobody else hears of it. Your view: /leaderboard",
    "cancelled": "Cancelled. Nothing of it is counted or posted any more.",
    "answered": "Thank you. Your manager sees what you said.",
    "fine": "It counts.",
    "void": "It does not count any more. The rest of their points stays.",
}


def said(code: str) -> str:
    """The confirmation of what was done, "" when what is in sight says enough."""
    return _SAID.get(code, "")


# ------------------------------------------------------------------ names


def name(contest: Contest) -> str:
    """The name of a challenge, made safe."""
    return escape.clean(contest.name, NAME_CAP) or "The challenge"


def teams(names: Sequence[str]) -> str:
    """ "EMEA and Americas", "Team emea", "5 teams"."""
    clean = [escape.clean(one, TEAM_CAP) or "–" for one in names]
    said_ = wording.join(clean)
    if not clean or len(clean) > _TEAMS_NAMED or len(said_) > _TEAMS_CAP:
        return wording.plural(len(clean), "team")
    # A name that begins as a sentence may is said as it is.
    return said_ if clean[0][0].isupper() else f"Team{'s' if len(clean) > 1 else ''} {said_}"


def dates(contest: Contest, today: date) -> str:
    """ "1–31 March", "28 March – 3 April", with the year when it is not this one."""
    first, last = times.day(contest.begins, today), times.day(contest.ends, today)
    if contest.begins == contest.ends:
        return first
    if (contest.begins.year, contest.begins.month) == (contest.ends.year, contest.ends.month):
        return f"{contest.begins.day}–{last}"
    return f"{first} – {last}"


def prizes(contest: Contest, most: int = 3) -> str:
    """ "Prize: dinner", "Prizes: dinner; a day off; and 2 more"."""
    kept = [said_ for one in contest.prizes if (said_ := escape.clean(one, PRIZE_CAP))]
    if not kept:
        return ""
    shown = kept[:most]
    more = wording.and_more(len(shown), len(kept))
    text = "; ".join([*shown, *([more] if more else [])])
    return f"Prize{'s' if len(kept) > 1 else ''}: {text}"


def days_left(days: int) -> str:
    """ "9 days left", "1 day left", "last day"; "over" below nothing."""
    if days < 0:
        return "over"
    return f"{wording.plural(days, 'day')} left" if days > 0 else "last day"


# ------------------------------------------------------------------ figures


def score(contest: Contest, value: int) -> str:
    """ "94" (of 100), "94 points", "+12"."""
    if contest.kind is Kind.IMPROVED:
        return f"{value:+d}" if value else "0"
    if contest.counting is Counting.RATE:
        return str(value)
    return wording.plural(value, "point")


def worth(points: Mapping[Rule, int]) -> str:
    """ "Points: accepted in time 1, first contact in time 2." """
    told = [f"{RULES[rule]} {points[rule]}" for rule in Rule if points.get(rule)]
    return f"Points: {', '.join(told)}."


def score_means(contest: Contest) -> str:
    """What the numbers of a board are."""
    if contest.kind is Kind.IMPROVED:
        unit = "points of 100" if contest.counting is Counting.RATE else "points"
        return f"Gained on the time before, in {unit}"
    return (
        "Points of 100 possible"
        if contest.counting is Counting.RATE
        else "Points; of a team, a head"
    )


def headline(view: BoardView) -> str:
    """ "EMEA answered 94 % in time so far (200 of 212), best since May." """
    who = teams(view.contest.teams)
    if not view.chances:
        return f"{who}: the first leads of {name(view.contest)} are on their way."
    more = f", {view.best}" if view.best else ""
    return f"{who} {_did(view.kept, view.chances, view.answered, ' so far')}{more}."


def _did(kept: int, chances: int, answered: bool, until: str = "") -> str:
    """ "answered 94 % in time so far (200 of 212)"."""
    percent = Share(kept, chances).percent
    n = f"({number(kept)} of {number(chances)})"
    if answered:
        return f"answered {percent} % in time{until} {n}"
    return f"kept {percent} % of what was promised{until} {n}"


def number(value: int) -> str:
    """ "1 234"."""
    return f"{value:,}".replace(",", " ")


def place(rank: int) -> str:
    """ "1st", "2nd", "11th", "23rd"."""
    ending = "th" if 10 <= rank % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th")
    return f"{rank}{ending}"


def ranked(line: BoardLine, contest: Contest) -> str:
    """ "1 Ann Lee 94"."""
    return f"{line.rank} {placed(line, contest)}"


def placed(line: BoardLine, contest: Contest) -> str:
    """ "Ann Lee 94". After a name that is written from right to left a number would jump before it, and stand by
    somebody else's: a word of ours keeps it in its place."""
    who = escape.clean(line.name, PERSON_CAP) or "–"
    return f"{who}{' with' if _from_right(who) else ''} {score(contest, line.score)}"


def _from_right(text: str) -> bool:
    return any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in text)


def ranking(lines: Iterable[BoardLine], contest: Contest) -> str:
    """ "1 Ann Lee 94 · 2 Cleo Roth 91"."""
    return wording.dotted(ranked(line, contest) for line in lines)


def movers(lines: Iterable[BoardLine], most: int = 3) -> str:
    """ "up most: Ann Lee +4, Cleo Roth +3", or ""."""
    up = sorted((line for line in lines if line.up > 0), key=lambda line: -line.up)[:most]
    named = ", ".join(_up(escape.clean(line.name, PERSON_CAP), line.up) for line in up)
    return f"up most: {named}" if named else ""


def _up(who: str, places: int) -> str:
    return f"{who} by {places}" if _from_right(who) else f"{who} +{places}"


# ------------------------------------------------------------------ one's own place


def own_headline(view: OwnPlace) -> str:
    """ "Spring challenge: you are 4th of 23 with 88 points of 100." """
    title = name(view.contest)
    if view.left:
        return f"{title}: you do not take part any more. What you did still counts for the team."
    if view.rank is None:
        if view.missing > 0:
            more = wording.plural(view.missing, "more chance", "more chances")
            return f"{title}: {more} to a place. You had {number(view.chances)} so far."
        if view.chances and view.contest.kind is Kind.IMPROVED:
            return f"{title}: no place, since there were too few leads in the time before it."
        return f"{title}: no place yet. It comes with your first leads."
    return f"{title}: you are {place(view.rank)} of {number(view.of)}{_own_score(view)}."


def home_sentence(contest: Contest, rank: int | None, of: int, left: int) -> str:
    """ "Spring challenge: you are 4th of 23 · 9 days left · /leaderboard". For Home."""
    where = f"you are {place(rank)} of {number(of)}" if rank is not None else "no place yet"
    return wording.dotted((f"{name(contest)}: {where}", days_left(left), "/leaderboard"))


def _own_score(view: OwnPlace) -> str:
    if view.contest.kind is Kind.IMPROVED:
        # A minus is nobody's: what is not gained yet is simply not there.
        return f", {view.score:+d} on your time before" if view.score > 0 else ""
    if view.contest.counting is Counting.RATE:
        return f" with {view.score} points of 100 ({number(view.points)} of {number(view.most)})"
    return f" with {wording.plural(view.points, 'point')}"


def share(one: RuleShare) -> str:
    """ "accepted in time 10 of 12"; "2 qualified", which nobody promised."""
    if one.rule is Rule.QUALIFIED:
        return f"{number(one.kept)} {RULES[one.rule]}"
    return f"{RULES[one.rule]} {number(one.kept)} of {number(one.chances)}"


def rate(one: RuleShare) -> str:
    """ "accepted in time 83 % (10 of 12)"."""
    percent = Share(one.kept, one.chances).percent or 0
    return f"{RULES[one.rule]} {percent} % ({number(one.kept)} of {number(one.chances)})"


def further(view: OwnPlace) -> str:
    """How to get on: where most points can still be won, and what the next place needs."""
    told = []
    if view.to_next is not None and view.to_next > 0 and view.rank is not None:
        unit = "points of 100" if view.contest.counting is Counting.RATE else "points"
        told.append(f"{place(view.rank - 1)} is {view.to_next} {unit} away")
    left = [one for one in view.shares if one.chances > one.kept and one.points]
    if left:
        best = max(left, key=lambda one: ((one.chances - one.kept) * one.points, one.points))
        worth = wording.plural(best.points, "point")
        told.append(f"most to win: {RULES[best.rule]}, {worth} each")
    elif view.shares and view.chances:
        told.append("you kept every chance: go on so")
    return wording.sentence("; ".join(told))


# ------------------------------------------------------------------ the end


def end_headline(view: EndView) -> str:
    """ "Spring challenge is over: EMEA answered 94 % in time (200 of 212)." """
    title = name(view.contest)
    if not view.chances:
        return f"{title} is over. No lead came in its time, so nobody won."
    did = _did(view.kept, view.chances, view.answered)
    return f"{title} is over: {teams(view.contest.teams)} {did}."


def winners(view: EndView) -> str:
    """ "Won by Ann Lee with 97 points of 100." """
    first = [escape.clean(one.name, PERSON_CAP) for one in view.winners[:_WINNERS_NAMED]]
    others = view.unnamed + len(view.winners) - len(first)
    named = wording.join(
        [*first, *([wording.plural(others, _colleague(view))] if first and others else [])]
    )
    if not named and not view.unnamed:
        return "Nobody has a place: there were too few leads."
    if not named:
        who = "The winner stays" if view.unnamed == 1 else "The winners stay"
        return f"{who} private, and knows." if view.unnamed == 1 else f"{who} private, and know."
    of = " points of 100" if _is_rate(view.contest) else ""
    return f"Won by {named} with {score(view.contest, view.winners[0].score)}{of}."


def _colleague(view: EndView) -> str:
    return "other team" if view.contest.kind is Kind.TEAMS else "colleague"


def records(view: EndView) -> list[str]:
    """What all achieved together, the best day, the longest row; a line each."""
    found, told = view.records, []
    parts = [
        f"{wording.plural(found.leads, 'lead')} answered" if found.leads else "",
        f"{number(found.touched)} contacted in time" if found.touched else "",
        f"{number(found.qualified)} qualified" if found.qualified else "",
    ]
    if any(parts):
        told.append(f"Together: {wording.join(parts)}.")
    if found.best_day is not None and found.best_kept:
        day = times.day(found.best_day, times.today(view.reader.now, view.reader.zone))
        n = f"{number(found.best_kept)} of {number(found.best_chances)}"
        told.append(f"Best day: {day}, {n} kept.")
    if found.streak > 1:
        names = [escape.clean(one, PERSON_CAP) for one in found.streak_names[:_ROW_NAMED]]
        others = found.streak_others + len(found.streak_names) - len(names)
        if names and others:
            names.append(wording.plural(others, "colleague"))
        by = f", by {wording.join(names)}" if names else ""
        told.append(f"Longest row with every chance kept: {found.streak} working days{by}.")
    return told


def _is_rate(contest: Contest) -> bool:
    return contest.counting is Counting.RATE and contest.kind is not Kind.IMPROVED
