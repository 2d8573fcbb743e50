"""A challenge as somebody fills it in or names it: from a form to terms, from a name or a button to the challenge.

What comes back is a code for a short confirmation, or a refusal that says what to mend. What is not here: rights and
rules (`make_challenge`, `join_board`, `watch_gaming`), the form itself (`ask_challenge`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from bot.domain.challenge import Counting, Kind, Rule, Terms, TermsFault
from bot.domain.refusal import Refusal
from bot.rendering import escape
from bot.services.ask_challenge import channels_for, find_by_name
from bot.services.count_points import FINE, VOID
from bot.services.join_board import JOINED, PRIVATE, Chosen, join_board
from bot.services.make_challenge import (
    Answer,
    Made,
    cancel_challenge,
    make_challenge,
    schedule_challenge,
    start_now,
)
from bot.services.watch_gaming import Settled, answer_flag, settle_flag
from bot.services.work import Member, Work

#: A confirmation's code stands in `said`.
Told = Made | Chosen | Settled | Refusal
#: The refusal whose fact "faults" says what is wrong with which field.
FAULTY = "challenge_faulty"
_DOUBLE = 2
_DIGITS = 7
#: Minutes of the day.
_USUAL_AT = 16 * 60


@dataclass(frozen=True, slots=True)
class Filled:
    """The form as it came back. Numbers and times are as typed, "" where nothing was."""

    name: str
    begins: date | None
    ends: date | None
    teams: tuple[str, ...]
    kind: str
    counting: str
    points: Mapping[Rule, str]
    minimum: str
    prizes: str
    channel: str  # "": the team's own
    post_at: str
    post_days: tuple[str, ...]
    hand_raisers_double: bool = False
    trial: bool = False
    draft: bool = False


def propose(work: Work, actor: Member | None, filled: Filled) -> Told:
    """Schedule it, or keep a draft."""
    terms = _terms(work, actor, filled)
    if isinstance(terms, Refusal):
        return terms
    return _told(make_challenge(work, actor, terms, filled.draft))


def schedule(work: Work, actor: Member | None, id_: str) -> Told:
    """A draft begins on the day that it names."""
    return _told(schedule_challenge(work, actor, _number(id_)))


def start(work: Work, actor: Member | None, id_: str) -> Told:
    """Today becomes its first day."""
    return _told(start_now(work, actor, _number(id_)))


def cancel(work: Work, actor: Member | None, id_: str) -> Told:
    """It does not take place, or stops."""
    return _told(cancel_challenge(work, actor, _number(id_)))


def cancel_named(work: Work, actor: Member | None, said: str) -> Told:
    """The same, by its name."""
    found = find_by_name(work, actor, said) if actor is not None and actor.active else None
    return cancel(work, actor, str(found.id) if found is not None else "")


def start_named(work: Work, actor: Member | None, said: str) -> Told:
    """Start one by its name."""
    found = find_by_name(work, actor, said) if actor is not None and actor.active else None
    return start(work, actor, str(found.id) if found is not None else "")


def join(work: Work, actor: Member | None, id_: str) -> Told:
    """The board may name the actor."""
    return join_board(work, actor, _number(id_), JOINED)


def stay_private(work: Work, actor: Member | None, id_: str) -> Told:
    """The board does not name the actor."""
    return join_board(work, actor, _number(id_), PRIVATE)


def say_in_order(work: Work, actor: Member | None, id_: str) -> Told:
    """The person says that what looked odd was so."""
    return answer_flag(work, actor, _number(id_))


def let_count(work: Work, actor: Member | None, id_: str) -> Told:
    """The manager lets it count."""
    return settle_flag(work, actor, _number(id_), FINE)


def leave_out(work: Work, actor: Member | None, id_: str) -> Told:
    """The manager leaves it out."""
    return settle_flag(work, actor, _number(id_), VOID)


def _told(answer: Answer) -> Told:
    if isinstance(answer, tuple):
        return Refusal(FAULTY, " ".join(one.sentence for one in answer), (("faults", answer),))
    return answer


# ------------------------------------------------------------------ from the form


def _terms(work: Work, actor: Member | None, filled: Filled) -> Terms | Refusal:
    """Terms, or what could not even be read; whether they make sense is asked when they are made."""
    faults: list[TermsFault] = []

    def whole(text: str, field: str, otherwise: int) -> int:
        typed = text.strip()
        if not typed:
            return otherwise
        if typed.isdecimal() and len(typed) < _DIGITS:
            return int(typed)
        faults.append(TermsFault(field, "Write a whole number, or leave it empty."))
        return otherwise

    points = {rule: whole(text, f"points_{rule}", 0) for rule, text in filled.points.items()}
    minimum = whole(filled.minimum, "minimum", 1)
    if filled.begins is None:
        faults.append(TermsFault("begins", "Choose a day."))
    if filled.ends is None:
        faults.append(TermsFault("ends", "Choose a day."))
    if actor is not None and filled.channel not in {one.id for one in channels_for(work, actor)}:
        faults.append(TermsFault("channel", "Choose one of the channels of the list."))
    if faults or filled.begins is None or filled.ends is None:
        return _faulty(faults)
    return Terms(
        name=escape.clean(filled.name),
        begins=filled.begins,
        ends=filled.ends,
        zone=_zone(work, filled.teams),
        teams=filled.teams,
        points={rule: worth for rule, worth in points.items() if worth},
        kind=Kind(filled.kind) if filled.kind in set(Kind) else Kind.RACE,
        counting=Counting(filled.counting) if filled.counting in set(Counting) else Counting.RATE,
        minimum=minimum,
        hand_raiser=_DOUBLE if filled.hand_raisers_double else 1,
        prizes=tuple(row for line in filled.prizes.splitlines() if (row := escape.clean(line))),
        channel=filled.channel,
        post_days=tuple(sorted(int(day) for day in filled.post_days if day in set("0123456"))),
        post_at=_minutes(filled.post_at),
        trial=filled.trial,
    )


def faults_in(answer: Refusal) -> list[TermsFault]:
    """What is wrong with which field; none when it was refused for another reason."""
    found = dict(answer.facts).get("faults") if answer.code == FAULTY else ()
    return [one for one in found if isinstance(one, TermsFault)] if isinstance(found, tuple) else []


def _faulty(faults: list[TermsFault]) -> Refusal:
    return Refusal(FAULTY, " ".join(one.sentence for one in faults), (("faults", tuple(faults)),))


def _zone(work: Work, teams: tuple[str, ...]) -> str:
    """The teams' own zone when they share one, else the company's: whose days are meant."""
    zones = {
        str(team.calendar.zone)
        for name in teams
        if (team := work.agreement.teams.get(name)) is not None
    }
    return zones.pop() if len(zones) == 1 else work.agreement.timezone


def _minutes(text: str) -> int:
    """ "16:30" -> 990; the usual time for anything else."""
    hours, _, minutes = text.partition(":")
    if hours.isdecimal() and minutes.isdecimal() and int(hours) < 24 and int(minutes) < 60:
        return int(hours) * 60 + int(minutes)
    return _USUAL_AT


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 18 else 0
