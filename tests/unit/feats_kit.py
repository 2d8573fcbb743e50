"""Journals of leads as Baton writes them, said in the domain's words: offer, accept, touch, verify, recycle, …

Clocks are plain spans here: what is tested is what comes of due times, not how they are worked out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bot.domain.challenge import Kind, Rule, Terms
from bot.domain.feats import LeadFeats, feats_of

ZONE = "Europe/Berlin"
#: Mondays; the challenge runs for the two weeks from START, the time before is as long.
START = date(2026, 3, 2)
ANN, BEN, CLEO, DANA = 1, 2, 3, 9
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ACCEPT_WITHIN, TOUCH_WITHIN, FOLLOW_WITHIN, GOAL = HOUR, 4 * HOUR, 5 * DAY, 3


def at(day: int, hour: float = 9) -> datetime:
    """An hour of the `day`-th day of the challenge (1 is its first Monday, 0 and less lie before it)."""
    local = datetime(START.year, START.month, START.day, tzinfo=ZoneInfo(ZONE))
    return (local + timedelta(days=day - 1, hours=hour)).astimezone(UTC)


def terms(**changes: Any) -> Terms:
    """Two weeks in March, all rules worth something."""
    usual: dict[str, Any] = {
        "name": "Spring challenge",
        "begins": START,
        "ends": START + timedelta(days=13),
        "zone": ZONE,
        "teams": ("emea",),
        "points": {Rule.ACCEPT: 1, Rule.FIRST_TOUCH: 2, Rule.FOLLOW_UP: 3, Rule.QUALIFIED: 5},
        "kind": Kind.RACE,
        "minimum": 1,
    }
    return Terms(**{**usual, **changes})


@dataclass(frozen=True, slots=True)
class Line:
    """An entry, as storage reads it."""

    at: datetime
    kind: str
    actor_id: int | None
    data: dict[str, Any]


@dataclass(slots=True)
class LeadStory:
    """One lead, told as it is logged: each call writes what Baton writes then."""

    lead: int
    score: int = 50
    fast_lane: bool = False
    lines: list[Line] = field(default_factory=list)
    round: int = 1
    offer_id: str = ""
    rep: int = 0
    clocks: dict[str, int] = field(default_factory=dict)
    made: int = 0
    status: str = "received"

    def feats(self) -> LeadFeats:
        return feats_of(self.lead, sorted(self.lines, key=lambda line: line.at))

    def log(self, when: datetime, kind: str, by: int | None = None, /, **data: Any) -> None:
        self.lines.append(Line(when, kind, by, data))

    def _number(self) -> int:
        self.made += 1
        return self.lead * 100 + self.made

    def move(
        self, when: datetime, action: str, to: str, by: int | None = None, **more: Any
    ) -> None:
        data = {"action": action, "from": self.status, "to": to, "round": self.round}
        self.log(when, "moved", by, **data, offer=self.offer_id, rep=self.rep, **more)
        self.status = to

    def clock(
        self, when: datetime, kind: str, began: datetime, within: timedelta, goal: int = 0
    ) -> None:
        self.clocks[kind] = self._number()
        self.log(
            when, "clock_started", None, clock=self.clocks[kind], kind=kind, offer=self.offer_id,
            person=self.rep, started_at=began.isoformat(), due_at=(began + within).isoformat(),
            generation=1, **({"goal": goal} if goal else {}),
        )  # fmt: skip

    def end(self, when: datetime, kind: str, outcome: str) -> None:
        if kind in self.clocks:
            self.log(when, "clock_ended", None, clock=self.clocks[kind], kind=kind, outcome=outcome)

    def offer(self, rep: int, when: datetime, by: int | None = None) -> LeadStory:
        """Judged and put before a rep; the accept clock runs."""
        self.log(when, "judged", None, score=self.score, fast_lane=self.fast_lane)
        self.offer_id, self.rep = f"o{self._number()}", rep
        self.move(when, "judge", "offered")
        self.log(when, "offered", by, offer=self.offer_id, rep=rep, round=self.round, team="emea")
        self.clock(when, "accept", when, ACCEPT_WITHIN)
        self.offered_at = when
        return self

    def accept(self, when: datetime, told: datetime | None = None) -> LeadStory:
        """Accepted; `told`: when we heard of it, if a CRM told us."""
        logged = told or when
        late = {"happened_at": when.isoformat()} if told else {}
        self.move(logged, "accept", "accepted", self.rep, **late)
        self.end(logged, "accept", "met")
        self.log(logged, "offer_accepted", None, offer=self.offer_id)
        self.clock(logged, "first_touch", self.offered_at, TOUCH_WITHIN)
        return self

    def touch(
        self,
        when: datetime,
        kind: str = "call",
        outcome: str = "no_answer",
        *,
        told: datetime | None = None,
        verified: bool = False,
    ) -> int:
        """A touch by the holder, logged when it happened, or told by a CRM. Its id."""
        logged, touch = told or when, self._number()
        state = "verified" if verified or told else "self_reported"
        said = {"at": when.isoformat()} if told else {}
        first = self.status == "accepted"
        self.move(
            logged, "touch", "working", self.rep, **({"happened_at": said["at"]} if said else {})
        )
        self.log(
            logged,
            "touched",
            self.rep,
            touch=touch,
            kind=kind,
            outcome=outcome,
            state=state,
            **said,
        )
        if first:
            self.end(logged, "first_touch", "met")
            self.clock(logged, "follow_up", when, FOLLOW_WITHIN, GOAL)
        return touch

    def verify(self, touch: int, happened: datetime, told: datetime) -> None:
        self.log(
            told, "touch_verified", None, touch=touch, state="verified", at=happened.isoformat()
        )

    def leave(self, when: datetime, action: str, state: str, to: str, by: int | None) -> LeadStory:
        self.move(when, action, to, by)
        self.log(when, "offer_ended", None, offer=self.offer_id, state=state)
        for kind in self.clocks:
            self.end(when, kind, "stopped")
        self.clocks = {}
        return self

    def recycle(self, when: datetime, by: int | None = None) -> LeadStory:
        return self.leave(when, "recycle", "recycled", "nurturing", by or self.rep)

    def reject(self, when: datetime) -> LeadStory:
        """No: before accepting, or after it (given back)."""
        return self.leave(when, "reject", "rejected", "review", self.rep)

    def pass_on(self, when: datetime) -> LeadStory:
        return self.leave(when, "pass_on", "passed", "review", self.rep)

    def lapse(self, when: datetime) -> LeadStory:
        return self.leave(when, "reoffer", "lapsed", "review", None)

    def qualify(self, when: datetime) -> LeadStory:
        self.move(when, "qualify", "qualified", self.rep)
        self.end(when, "follow_up", "stopped")
        return self

    offered_at: datetime = datetime(2026, 1, 1, tzinfo=UTC)


def worked(
    lead: int, rep: int, offered: datetime, *, touches: int = GOAL, **about: Any
) -> LeadStory:
    """A lead as an honest rep works it: accepted after ten minutes, called after an hour, then once a day."""
    story = LeadStory(lead, **about).offer(rep, offered).accept(offered + 10 * MINUTE)
    for day in range(touches):
        story.touch(offered + HOUR + day * DAY)
    return story
