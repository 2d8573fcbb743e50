"""The journal of leads put together by hand: plain Python over its entries, nothing of Baton in it.

What is not here: figures (`reports_by_hand`), points (`tests/storage/test_points_rebuilt.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

_ZERO = timedelta(0)


class Entry(NamedTuple):
    """One entry about a lead, in the order in which they were written."""

    lead: int
    at: datetime
    kind: str
    data: Mapping[str, Any]


@dataclass
class Offer:
    id: str
    lead: int
    round: int
    n: int
    rep: int
    team: str
    at: datetime
    late: timedelta = _ZERO
    accepted: datetime | None = None
    ended: datetime | None = None
    state: str = "open"


@dataclass
class Clock:
    """`reached`: it came to its goal, in time or not. `ended`: when that was truly so."""

    kind: str
    lead: int
    round: int
    offer: str
    person: int | None
    team: str
    started: datetime
    due: datetime
    goal: int
    ended: datetime | None = None
    reached: bool = False
    excused: bool = False

    def kept_at(self) -> datetime | None:
        return self.ended if self.reached and self.ended and self.ended <= self.due else None

    def broken_at(self, now: datetime) -> datetime | None:
        """When it was due, if that came before its end."""
        if self.kept_at() is not None:
            return None
        return self.due if self.due <= (self.ended or now) else None


@dataclass
class Touch:
    lead: int
    round: int
    offer: str
    at: datetime
    state: str


@dataclass
class Lead:
    arrived: datetime
    source: str
    live: bool
    told: bool  # known from before Baton
    team: str = ""
    round: int = 1
    offer: str = ""
    moved_at: datetime | None = None


@dataclass
class History:
    """What the journal says, put together."""

    leads: dict[int, Lead] = field(default_factory=dict)
    offers: dict[str, Offer] = field(default_factory=dict)
    clocks: dict[int, Clock] = field(default_factory=dict)
    touches: dict[int, Touch] = field(default_factory=dict)
    reached: list[tuple[str, int, int, datetime]] = field(default_factory=list)
    escalated: list[tuple[int, str, datetime]] = field(default_factory=list)

    def of_round(self, lead: int, round_: int) -> list[Touch]:
        found = [
            touch
            for touch in self.touches.values()
            if (touch.lead, touch.round) == (lead, round_) and touch.state != "withdrawn"
        ]
        return sorted(found, key=lambda touch: touch.at)

    def offers_of(self, lead: int, round_: int | None = None) -> list[Offer]:
        return [
            offer
            for offer in self.offers.values()
            if offer.lead == lead and round_ in (None, offer.round)
        ]


def read(entries: Iterable[Entry]) -> History:
    """Entry after entry; test leads are dropped at the end."""
    told = History()
    for entry in entries:
        _take(told, entry)
    for clock in told.clocks.values():
        if clock.reached:
            clock.ended = max(_true_end(told, clock), clock.started)
    return told


def _take(told: History, entry: Entry) -> None:
    data, at = entry.data, entry.at
    if entry.kind == "arrived":
        past = bool(data.get("history"))
        live = not past and data.get("kind") != "test"
        told.leads[entry.lead] = Lead(at, data["source"], live, past)
        return
    lead = told.leads[entry.lead]
    match entry.kind:
        case "revived":
            lead.live = True
        case "moved":
            lead.round, lead.offer = data["round"], data["offer"]
            lead.moved_at = _instant(data.get("happened_at")) or at
            if data["to"] in ("qualified", "won"):
                told.reached.append((data["to"], entry.lead, data["round"], at))
        case "offered":
            lead.team = data["team"]
            told.offers[data["offer"]] = Offer(
                data["offer"], entry.lead, data["round"], data["n"], data["rep"], data["team"], at
            )
        case "delivered":
            told.offers[data["offer"]].late = timedelta(seconds=data["late_seconds"])
        case "offer_accepted":
            offer = told.offers[data["offer"]]
            offer.state, offer.accepted = "accepted", max(lead.moved_at or at, offer.at)
        case "offer_reopened":
            offer = told.offers[data["offer"]]
            offer.state, offer.accepted = "open", None
        case "offer_ended":
            offer = told.offers[data["offer"]]
            offer.state, offer.ended = data["state"], at
        case "escalated":
            told.escalated.append((entry.lead, data["kind"], at))
        case "touched":
            told.touches[data["touch"]] = Touch(
                entry.lead, lead.round, lead.offer, _instant(data.get("at")) or at, data["state"]
            )
        case "touch_verified" | "touch_unverified" | "touch_corrected":
            touch = told.touches[data["touch"]]
            touch.state, touch.at = data["state"], _instant(data["at"]) or at
        case "touch_withdrawn":
            told.touches[data["touch"]].state = "withdrawn"
        case kind if kind.startswith("clock_"):
            _take_clock(told, lead, entry)


def _take_clock(told: History, lead: Lead, entry: Entry) -> None:
    data = entry.data
    if entry.kind == "clock_started":
        offer = told.offers.get(data["offer"] or "")
        started, due = _instant(data["started_at"]), _instant(data["due_at"])
        assert started is not None
        assert due is not None
        told.clocks[data["clock"]] = Clock(
            data["kind"], entry.lead, lead.round, data["offer"] or "", data["person"],
            offer.team if offer else "", started, due, data.get("goal", 0),
        )  # fmt: skip
        return
    clock = told.clocks[data["clock"]]
    match entry.kind:
        case "clock_moved":
            clock.due = _instant(data["due_at"]) or clock.due
            if data["why"] == "delivered_late":
                clock.started = entry.at
        case "clock_ended":
            clock.ended = clock.ended or entry.at
            clock.reached = data["outcome"] in ("met", "late")
        case "clock_resumed":
            clock.ended, clock.reached = None, False
            clock.due = _instant(data["due_at"]) or clock.due
        case "clock_excused":
            clock.excused = True


def _true_end(told: History, clock: Clock) -> datetime:
    """We may have been told late."""
    assert clock.ended is not None
    of_round = told.of_round(clock.lead, clock.round)
    own = [touch for touch in of_round if touch.offer == clock.offer]
    offer = told.offers.get(clock.offer)
    if clock.kind == "first_touch" and own:
        return own[0].at
    if clock.kind == "follow_up" and len(of_round) >= clock.goal:
        return of_round[clock.goal - 1].at
    if clock.kind == "accept" and offer is not None and offer.accepted is not None:
        return offer.accepted
    return clock.ended


def _instant(written: str | None) -> datetime | None:
    return datetime.fromisoformat(written) if written else None
