"""An adoption challenge: its terms, states and who may move it from one to the next. Pure.

What is not here: points (`points`), places (`standing`), what looks like gaming (`gaming`), whether terms make sense
(`challenge_faults`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """Who wins. RACE: the person with the best score; TEAMS: the team; IMPROVED: who gained most on their own past."""

    RACE = "race"
    TEAMS = "teams"
    IMPROVED = "improved"


class State(StrEnum):
    """DRAFT scores nothing and is seen by nobody; SCHEDULED waits for its first day."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"


class Rule(StrEnum):
    """What points are for. Each is one chance a lead and person: nothing is ever taken away for a no."""

    ACCEPT = "accept"  # accepted within the agreed time
    FIRST_TOUCH = "first_touch"  # touched within the agreed time; verified where a CRM reports
    FOLLOW_UP = "follow_up"  # all agreed touches made
    QUALIFIED = "qualified"


#: What a rule is worth when nobody says otherwise: more for what is nearer to a customer.
USUAL_POINTS: Mapping[Rule, int] = {
    Rule.ACCEPT: 1,
    Rule.FIRST_TOUCH: 2,
    Rule.FOLLOW_UP: 3,
    Rule.QUALIFIED: 5,
}


class Counting(StrEnum):
    """RATE: points by those that could be had, so that who gets more leads has no better chance. VOLUME: the sum."""

    RATE = "rate"
    VOLUME = "volume"


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed. Days are whole days in `zone`, first and last included; `post_at` minutes of the day."""

    name: str
    begins: date
    ends: date
    zone: str
    teams: tuple[str, ...]
    points: Mapping[Rule, int]
    kind: Kind = Kind.RACE
    counting: Counting = Counting.RATE
    minimum: int = 5  # chances somebody needs to have a place; who has fewer is listed, not ranked
    hand_raiser: int = 1  # points of leads that asked for a call count so many times
    high_score: int = 0  # leads with at least this score …
    high_score_times: int = 1  # … count so many times (the higher of the two, not both)
    most_a_day: int = 0  # points of one person on one day; 0: no cap
    prizes: tuple[str, ...] = ()
    channel: str = ""  # "": the team's own, when there is but one
    post_days: tuple[int, ...] = (0, 1, 2, 3, 4)  # 0 is Monday
    post_at: int = 16 * 60
    trial: bool = False

    def as_json(self) -> dict[str, Any]:
        """For the database; `terms_of` reads it."""
        found = asdict(self)
        found["begins"], found["ends"] = self.begins.isoformat(), self.ends.isoformat()
        found["points"] = {rule.value: points for rule, points in self.points.items()}
        return found


def terms_of(data: Mapping[str, Any]) -> Terms:
    """The reverse of `as_json`; keys of a newer Baton are left out."""
    known = {name: data[name] for name in Terms.__dataclass_fields__ if name in data}
    for name in ("teams", "prizes", "post_days"):
        if name in known:
            known[name] = tuple(known[name])
    known["begins"] = date.fromisoformat(known["begins"])
    known["ends"] = date.fromisoformat(known["ends"])
    known["points"] = {Rule(rule): int(points) for rule, points in known["points"].items()}
    known["kind"] = Kind(known.get("kind", Kind.RACE))
    known["counting"] = Counting(known.get("counting", Counting.RATE))
    return Terms(**known)


@dataclass(frozen=True, slots=True)
class TermsFault:
    """Why terms cannot be. `field`: of `Terms`, so that a form or a line can be pointed at."""

    field: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody (or a team: `person_id` None) stands. `score`: points per 100 that could be had (RATE), points
    (VOLUME), or score now minus score before (IMPROVED). `rank` None: too few chances for a place, or left."""

    rank: int | None
    person_id: int | None
    team: str
    points: int
    most: int  # points that could be had: of every chance, as if kept
    chances: int
    kept: int  # chances kept, whatever they are worth
    score: int
    streak: int = 0  # working days in a row with every chance kept; days away do not break it
    up: int = 0  # places gained since the board before; 0 when there was none


@dataclass(frozen=True, slots=True)
class Board:
    """A challenge as it stands. `people` and `teams` are both always there, best first; boards decide what to show."""

    challenge_id: int
    terms: Terms
    period: str
    days_left: int
    people: tuple[Place, ...]
    teams: tuple[Place, ...]
    kept: int = 0  # all together, of `chances`
    chances: int = 0
    records: Mapping[str, Any] = field(default_factory=dict)
