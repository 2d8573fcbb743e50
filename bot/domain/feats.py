"""What people did with one lead: its offers, promises and touches, folded from its journal. Pure.

Every instant is kept twice: when it happened and when Baton was told, since points are for the one and proof is the
other. What is not here: what of it is a chance kept or missed (`chance`), points (`points`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

#: An opportunity that is gone within a week was none: qualifying must not be worth more than it lasts.
LASTS_AT_LEAST = timedelta(days=7)


class Logged(Protocol):
    """A journal entry of a lead, as storage reads it. `at`: when it was logged."""

    @property
    def at(self) -> datetime: ...
    @property
    def kind(self) -> str: ...
    @property
    def actor_id(self) -> int | None: ...
    @property
    def data(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Telling:
    """That something happened `at` a time, and when we were told so."""

    at: datetime
    told_at: datetime


@dataclass(frozen=True, slots=True)
class Touch:
    """A touch that stands (withdrawn ones are not here). `at`: when it happened, as is known by now; `tellings`: each
    time that we were given for it, oldest first."""

    id: int
    person: int
    offer: str
    round: int
    kind: str
    outcome: str
    at: datetime
    verified: bool
    tellings: tuple[Telling, ...]

    @property
    def told_at(self) -> datetime:
        """When we first heard of it."""
        return self.tellings[0].told_at

    @property
    def reached(self) -> bool:
        """Whether somebody was talked to, as far as is known."""
        return self.kind == "meeting" or (self.kind == "call" and self.outcome == "reached")


@dataclass(frozen=True, slots=True)
class Promise:
    """A clock of somebody's: accept, first_touch or follow_up. `goal`: touches it waits for; 0: not known.

    `due_at` as it stands: with what a manager gave, without what somebody gave themselves. Whether it was kept is
    worked out from touches and accepts, not read from how the clock ended."""

    clock: int
    kind: str
    started_at: datetime
    due_at: datetime
    goal: int = 0
    excused: bool = False


@dataclass(frozen=True, slots=True)
class Holding:
    """One offer of the lead to one person, and what became of it. `score` and `fast_lane`: as judged at that time.

    `accepted`: None when it was not, or undone. `left_at`: when it was over; `left_by`: the offer's last state
    (rejected, passed, lapsed, recycled, reassigned, withdrawn, done, undeliverable); `left_self`: whether the person
    did that. `self_given`: they took it, or gave it to themselves. `unqualified_at`: when it was lost or recycled so
    soon after `qualified` that it was none."""

    lead: int
    offer: str
    person: int
    team: str
    round: int
    offered_at: datetime
    fast_lane: bool = False
    score: int = 0
    self_given: bool = False
    accepted: Telling | None = None
    left_at: datetime | None = None
    left_by: str = ""
    left_self: bool = False
    promises: tuple[Promise, ...] = ()
    qualified: Telling | None = None
    unqualified_at: datetime | None = None

    def promise(self, kind: str) -> Promise | None:
        """The newest promise of a kind."""
        return next((p for p in reversed(self.promises) if p.kind == kind), None)


@dataclass(frozen=True, slots=True)
class LeadFeats:
    """All that people did with one lead; holdings in the order of the offers, touches by the time they happened.
    `heard_at`: of the newest entry."""

    lead: int
    holdings: tuple[Holding, ...] = ()
    touches: tuple[Touch, ...] = ()
    heard_at: datetime | None = None


def feats_of(lead: int, entries: Iterable[Logged]) -> LeadFeats:
    """Fold ONE lead's journal, oldest first. Kinds that are about nobody are skipped.

    Give it no test leads: they are nobody's work. History leads have no offers, so nothing comes of them. A journal
    that begins in the middle is no fault: what has no beginning in it is left out.
    """
    fold, heard_at = _Fold(lead), None
    for entry in entries:
        heard_at = entry.at
        step = _STEPS.get(entry.kind)
        if step is not None:
            step(fold, entry)
    holdings = tuple(
        replace(holding, promises=tuple(fold.promises[c] for c in fold.of_offer.get(offer, ())))
        for offer, holding in fold.holdings.items()
    )
    touches = sorted(fold.touches.values(), key=lambda touch: (touch.at, touch.id))
    return LeadFeats(lead, holdings, tuple(touches), heard_at)


@dataclass(slots=True)
class _Fold:
    """The lead while it is being put together."""

    lead: int
    fast_lane: bool = False
    score: int = 0
    current: str = ""
    mover: int | None = None
    accepted_at: datetime | None = None  # of a move that was told late, until its offer is accepted
    holdings: dict[str, Holding] = field(default_factory=dict)
    promises: dict[int, Promise] = field(default_factory=dict)
    of_offer: dict[str, list[int]] = field(default_factory=dict)
    before_move: dict[int, datetime] = field(default_factory=dict)  # due times that a move replaced
    touches: dict[int, Touch] = field(default_factory=dict)

    def judged(self, entry: Logged) -> None:
        self.fast_lane = bool(entry.data.get("fast_lane"))
        self.score = int(entry.data.get("score") or 0)

    def offered(self, entry: Logged) -> None:
        data = entry.data
        self.current = data["offer"]
        self.holdings[self.current] = Holding(
            self.lead,
            self.current,
            data["rep"],
            data.get("team") or "",
            data["round"],
            entry.at,
            self.fast_lane,
            self.score,
            self_given=entry.actor_id == data["rep"],
        )

    def moved(self, entry: Logged) -> None:
        data = entry.data
        self.mover = entry.actor_id
        happened = _instant(data.get("happened_at")) or entry.at
        self.accepted_at = happened if data.get("action") == "accept" else None
        held = self.holdings.get(self.current)
        if held is None:
            return
        if data["to"] == "qualified":
            held = replace(held, qualified=Telling(happened, entry.at), unqualified_at=None)
        elif (
            data["from"] == "qualified"
            and data["to"] != "won"
            and held.qualified is not None
            and happened - held.qualified.at < LASTS_AT_LEAST
        ):
            held = replace(held, unqualified_at=happened)
        self.holdings[self.current] = held

    def offer_accepted(self, entry: Logged) -> None:
        held = self.holdings.get(entry.data["offer"])
        if held is not None:
            at = max(self.accepted_at or entry.at, held.offered_at)
            self.holdings[held.offer] = replace(held, accepted=Telling(at, entry.at))

    def offer_reopened(self, entry: Logged) -> None:
        held = self.holdings.get(entry.data["offer"])
        if held is not None:
            self.holdings[held.offer] = replace(held, accepted=None, left_at=None, left_by="")

    def offer_ended(self, entry: Logged) -> None:
        held = self.holdings.get(entry.data["offer"])
        if held is not None:
            self.holdings[held.offer] = replace(
                held,
                left_at=entry.at,
                left_by=entry.data["state"],
                left_self=self.mover == held.person,
            )

    def clock_started(self, entry: Logged) -> None:
        data = entry.data
        due = _instant(data.get("due_at"))
        if data.get("offer") not in self.holdings or due is None:
            return  # a clock of the lead, of marketing, or of an offer that we do not know
        self.promises[data["clock"]] = Promise(
            data["clock"],
            data["kind"],
            _instant(data.get("started_at")) or entry.at,
            due,
            int(data.get("goal") or 0),
        )
        self.of_offer.setdefault(data["offer"], []).append(data["clock"])

    def clock_moved(self, entry: Logged) -> None:
        due = _instant(entry.data.get("due_at"))
        promise = self.promises.get(entry.data["clock"])
        if promise is not None and due is not None:
            self.before_move[promise.clock] = promise.due_at
            self.promises[promise.clock] = replace(promise, due_at=due)

    def extended(self, entry: Logged) -> None:
        """Nobody gives themselves more time: the promise stays what it was."""
        held = self.holdings.get(self.current)
        before = self.before_move.get(entry.data["clock"])
        if before is not None and held is not None and entry.actor_id == held.person:
            self._promise_is(entry, due_at=before)

    def clock_excused(self, entry: Logged) -> None:
        self._promise_is(entry, excused=True)

    def clock_ended(self, entry: Logged) -> None:
        promise = self.promises.get(entry.data["clock"])
        if promise is None:
            return
        reached = entry.data["outcome"] in ("met", "late")
        if promise.kind == "follow_up" and not promise.goal and reached:
            # Journals of before `goal` was in them: it ended at the touch that reached it.
            held = self.holdings.get(self.current)
            goal = sum(1 for t in self.touches.values() if held and t.round == held.round)
            self._promise_is(entry, goal=goal)

    def _promise_is(self, entry: Logged, **changes: Any) -> None:
        promise = self.promises.get(entry.data["clock"])
        if promise is not None:
            self.promises[promise.clock] = replace(promise, **changes)

    def touched(self, entry: Logged) -> None:
        data, held = entry.data, self.holdings.get(self.current)
        person = entry.actor_id if entry.actor_id is not None else held.person if held else None
        if held is None or person is None:
            return
        at = _instant(data.get("at")) or entry.at
        self.touches[data["touch"]] = Touch(
            data["touch"],
            person,
            held.offer,
            held.round,
            data.get("kind") or "",
            data.get("outcome") or "",
            at,
            data.get("state") == "verified",
            (Telling(at, entry.at),),
        )

    def touch_changed(self, entry: Logged) -> None:
        """Verified, corrected, or only somebody's word again: time, kind and outcome are as they are told now."""
        data, touch = entry.data, self.touches.get(entry.data["touch"])
        if touch is None:
            return
        at = _instant(data.get("at")) or touch.at
        self.touches[touch.id] = replace(
            touch,
            at=at,
            kind=data.get("kind") or touch.kind,
            outcome=data.get("outcome", touch.outcome) or "",
            verified=data.get("state", "verified") == "verified",
            tellings=(*touch.tellings, Telling(at, entry.at)),
        )

    def touch_withdrawn(self, entry: Logged) -> None:
        self.touches.pop(entry.data["touch"], None)


def _instant(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None


_STEPS: Mapping[str, Callable[[_Fold, Logged], None]] = {
    "judged": _Fold.judged,
    "offered": _Fold.offered,
    "moved": _Fold.moved,
    "offer_accepted": _Fold.offer_accepted,
    "offer_reopened": _Fold.offer_reopened,
    "offer_ended": _Fold.offer_ended,
    "clock_started": _Fold.clock_started,
    "clock_moved": _Fold.clock_moved,
    "extended": _Fold.extended,
    "clock_excused": _Fold.clock_excused,
    "clock_ended": _Fold.clock_ended,
    "clock_resumed": _Fold.clock_moved,
    "touched": _Fold.touched,
    "touch_verified": _Fold.touch_changed,
    "touch_corrected": _Fold.touch_changed,
    "touch_unverified": _Fold.touch_changed,
    "touch_withdrawn": _Fold.touch_withdrawn,
}
