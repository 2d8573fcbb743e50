"""What the journal of one lead says its state is: a fold over the entries, oldest first.

Pure, and independent of the tables that it is compared with: the journal is whole when this gives
the status, rep, offers and clocks that the database holds. What is not here: writing entries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bot.domain.funnel import Status

#: An entry: kind, data, and who did it (not used by the fold; entries are shown with it).
Entry = tuple[str, Mapping[str, Any], object]


class ReplayedOffer(NamedTuple):
    """Before whom it was put, and what became of it: open, accepted, rejected, lapsed, …"""

    rep_id: int
    state: str


class ReplayedClock(NamedTuple):
    """One clock; `due_at` is an ISO instant as it was journalled, `outcome` "" while it runs."""

    kind: str
    running: bool
    outcome: str
    due_at: str


@dataclass(frozen=True, slots=True)
class Replayed:
    """The state of a lead. `rep_id`: who holds it, None when nobody does."""

    status: Status | None = None
    round: int = 0
    rep_id: int | None = None
    offers: dict[str, ReplayedOffer] = field(default_factory=dict)
    clocks: dict[int, ReplayedClock] = field(default_factory=dict)


class BrokenJournal(ValueError):
    """An entry that cannot follow what stands before it."""


def replay(entries: Iterable[Entry]) -> Replayed:
    """Fold a lead's whole journal. Kinds that change no state (news, reminders, touches, faults,
    escalations …) are skipped. BrokenJournal for an offer or clock that was never started, an entry
    before `arrived`, or a key that is missing."""
    fold = _Fold()
    for kind, data, _ in entries:
        step = _STEPS.get(kind)
        if step is None:
            continue
        if fold.status is None and kind != "arrived":
            raise BrokenJournal(f"{kind} stands before the arrival")
        try:
            step(fold, data)
        except KeyError as missing:
            raise BrokenJournal(f"{kind} names {missing}, which is not there") from missing
    return Replayed(fold.status, fold.round, fold.rep_id, fold.offers, fold.clocks)


class _Fold:
    """The state while it is being put together."""

    def __init__(self) -> None:
        self.status: Status | None = None
        self.round = 0
        self.rep_id: int | None = None
        self.offers: dict[str, ReplayedOffer] = {}
        self.clocks: dict[int, ReplayedClock] = {}

    def arrived(self, data: Mapping[str, Any]) -> None:
        self.status, self.round = Status(data["status"]), data["round"]

    def moved(self, data: Mapping[str, Any]) -> None:
        self.status, self.round, self.rep_id = Status(data["to"]), data["round"], data["rep"]

    def revived(self, data: Mapping[str, Any]) -> None:
        self.status, self.rep_id = Status(data["status"]), None

    def offered(self, data: Mapping[str, Any]) -> None:
        if data["offer"] in self.offers:
            raise BrokenJournal(f"offer {data['offer']} was made twice")
        self.offers[data["offer"]] = ReplayedOffer(data["rep"], "open")

    def offer_is(self, data: Mapping[str, Any], state: str) -> None:
        self.offers[data["offer"]] = self.offers[data["offer"]]._replace(state=state)

    def clock_started(self, data: Mapping[str, Any]) -> None:
        if data["clock"] in self.clocks:
            raise BrokenJournal(f"clock {data['clock']} was started twice")
        self.clocks[data["clock"]] = ReplayedClock(data["kind"], True, "", data["due_at"])

    def clock_is(self, data: Mapping[str, Any], **changes: Any) -> None:
        self.clocks[data["clock"]] = self.clocks[data["clock"]]._replace(**changes)


_STEPS: Mapping[str, Callable[[_Fold, Mapping[str, Any]], None]] = {
    "arrived": _Fold.arrived,
    "moved": _Fold.moved,
    "revived": _Fold.revived,
    "retold": _Fold.arrived,
    "offered": _Fold.offered,
    "offer_ended": lambda fold, data: fold.offer_is(data, data["state"]),
    "offer_accepted": lambda fold, data: fold.offer_is(data, "accepted"),
    "offer_reopened": lambda fold, data: fold.offer_is(data, "open"),
    "clock_started": _Fold.clock_started,
    "clock_moved": lambda fold, data: fold.clock_is(data, due_at=data["due_at"]),
    "clock_ended": lambda fold, data: fold.clock_is(data, running=False, outcome=data["outcome"]),
    "clock_resumed": lambda fold, data: fold.clock_is(
        data, running=True, outcome="", due_at=data["due_at"]
    ),
}
