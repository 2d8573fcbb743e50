"""The one funnel: statuses, stages, sides, actions, and who may take which from where to where.

What is not here: rights of a single person on a single lead (`access`), clocks (`sla`), SQL.
Source of the table: the design's section 2. A test walks the whole matrix of status x action.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """Where a lead is. Every status has exactly one side."""

    RECEIVED = "received"
    SCRUB = "scrub"
    OFFERED = "offered"
    ACCEPTED = "accepted"
    WORKING = "working"
    QUALIFIED = "qualified"
    WON = "won"
    LOST = "lost"
    REVIEW = "review"
    NURTURING = "nurturing"
    DISQUALIFIED = "disqualified"


class Side(StrEnum):
    """The team that answers for a lead."""

    MARKETING = "marketing"
    SCRUB = "scrub"
    SALES = "sales"


class Stage(StrEnum):
    """The name both teams use in reports."""

    INQUIRY = "Inquiry"
    MQL = "MQL"
    SAL = "SAL"
    SQL = "SQL"
    CUSTOMER = "Customer"
    NONE = "-"


class Actor(StrEnum):
    """Who can cause a transition. `REP` is the rep it is offered to, `OWNER` the one who accepted."""

    SYSTEM = "system"
    REP = "rep"
    OWNER = "owner"
    MANAGER = "manager"
    SCRUB_TEAM = "scrub"
    MARKETING = "marketing"
    CRM = "crm"


class Action(StrEnum):
    """What can happen to a lead's status."""

    JUDGE = "judge"
    PASS_SCRUB = "pass_scrub"
    FAIL_SCRUB = "fail_scrub"
    ACCEPT = "accept"
    PASS_ON = "pass_on"
    REJECT = "reject"
    UNDO = "undo"
    RECYCLE = "recycle"
    TOUCH = "touch"
    WITHDRAW_TOUCH = "withdraw_touch"
    QUALIFY = "qualify"
    CLOSE = "close"
    REASSIGN = "reassign"
    TAKE = "take"
    REOFFER = "reoffer"
    EXHAUST = "exhaust"
    RESOLVE = "resolve"
    DISQUALIFY = "disqualify"
    WAKE = "wake"
    END_TEST = "end_test"


_S = Status
_SIDES: dict[Status, tuple[Stage, Side]] = {
    _S.RECEIVED: (Stage.INQUIRY, Side.MARKETING),
    _S.SCRUB: (Stage.MQL, Side.SCRUB),
    _S.OFFERED: (Stage.MQL, Side.SALES),
    _S.ACCEPTED: (Stage.SAL, Side.SALES),
    _S.WORKING: (Stage.SAL, Side.SALES),
    _S.QUALIFIED: (Stage.SQL, Side.SALES),
    _S.WON: (Stage.CUSTOMER, Side.SALES),
    _S.LOST: (Stage.NONE, Side.SALES),
    _S.REVIEW: (Stage.NONE, Side.MARKETING),
    _S.NURTURING: (Stage.NONE, Side.MARKETING),
    _S.DISQUALIFIED: (Stage.NONE, Side.MARKETING),
}

TERMINAL: frozenset[Status] = frozenset({_S.WON, _S.LOST, _S.DISQUALIFIED})
#: A rep holds the lead: it is offered to somebody or owned by somebody.
HELD: frozenset[Status] = frozenset({_S.OFFERED, _S.ACCEPTED, _S.WORKING, _S.QUALIFIED})
OWNED: frozenset[Status] = frozenset({_S.ACCEPTED, _S.WORKING, _S.QUALIFIED})
OPEN: frozenset[Status] = frozenset(Status) - TERMINAL


def side_of(status: Status) -> Side:
    """The team that answers for a lead in `status`."""
    return _SIDES[status][1]


def stage_of(status: Status) -> Stage:
    """The stage name of `status` in reports."""
    return _SIDES[status][0]


@dataclass(frozen=True, slots=True)
class Transition:
    """One row of the funnel: `action`, taken by one of `actors` from one of `sources`, ends in one of `targets`."""

    action: Action
    sources: frozenset[Status]
    actors: frozenset[Actor]
    targets: frozenset[Status]


def _row(
    action: Action, sources: set[Status], actors: set[Actor], targets: set[Status]
) -> Transition:
    return Transition(action, frozenset(sources), frozenset(actors), frozenset(targets))


#: Read top to bottom like the table in the design. One action may have several rows: other actors, other sources.
TRANSITIONS: tuple[Transition, ...] = (
    _row(
        Action.JUDGE, {_S.RECEIVED}, {Actor.SYSTEM}, {_S.SCRUB, _S.OFFERED, _S.NURTURING, _S.REVIEW}
    ),
    _row(Action.PASS_SCRUB, {_S.SCRUB}, {Actor.SCRUB_TEAM}, {_S.OFFERED}),
    _row(Action.FAIL_SCRUB, {_S.SCRUB}, {Actor.SCRUB_TEAM}, {_S.DISQUALIFIED}),
    _row(Action.ACCEPT, {_S.OFFERED}, {Actor.REP}, {_S.ACCEPTED}),
    _row(Action.PASS_ON, {_S.OFFERED}, {Actor.REP}, {_S.OFFERED, _S.REVIEW}),
    _row(Action.REJECT, {_S.OFFERED}, {Actor.REP}, {_S.OFFERED, _S.REVIEW}),
    _row(Action.REJECT, {_S.ACCEPTED}, {Actor.OWNER}, {_S.OFFERED, _S.REVIEW}),
    _row(Action.UNDO, {_S.ACCEPTED}, {Actor.OWNER}, {_S.OFFERED}),
    _row(Action.RECYCLE, {_S.OFFERED}, {Actor.REP, Actor.MANAGER}, {_S.NURTURING}),
    _row(
        Action.RECYCLE,
        {_S.ACCEPTED, _S.WORKING, _S.QUALIFIED},
        {Actor.OWNER, Actor.MANAGER},
        {_S.NURTURING},
    ),
    _row(Action.TOUCH, {_S.ACCEPTED, _S.WORKING}, {Actor.OWNER, Actor.CRM}, {_S.WORKING}),
    _row(Action.WITHDRAW_TOUCH, {_S.WORKING}, {Actor.OWNER, Actor.CRM}, {_S.ACCEPTED, _S.WORKING}),
    _row(Action.QUALIFY, {_S.ACCEPTED, _S.WORKING}, {Actor.OWNER, Actor.CRM}, {_S.QUALIFIED}),
    _row(Action.QUALIFY, {_S.OFFERED}, {Actor.CRM}, {_S.QUALIFIED}),
    _row(Action.CLOSE, {_S.QUALIFIED}, {Actor.OWNER, Actor.CRM}, {_S.WON, _S.LOST}),
    _row(Action.CLOSE, {_S.ACCEPTED, _S.WORKING}, {Actor.CRM}, {_S.WON, _S.LOST}),
    _row(
        Action.REASSIGN,
        {_S.OFFERED, _S.ACCEPTED, _S.WORKING},
        {Actor.MANAGER},
        {_S.OFFERED},
    ),
    _row(Action.TAKE, {_S.OFFERED, _S.ACCEPTED, _S.WORKING}, {Actor.MANAGER}, {_S.ACCEPTED}),
    _row(Action.REOFFER, {_S.OFFERED}, {Actor.SYSTEM, Actor.MARKETING}, {_S.OFFERED}),
    _row(Action.EXHAUST, {_S.RECEIVED, _S.SCRUB, _S.OFFERED}, {Actor.SYSTEM}, {_S.REVIEW}),
    _row(
        Action.RESOLVE,
        {_S.REVIEW},
        {Actor.MARKETING},
        {_S.OFFERED, _S.NURTURING, _S.DISQUALIFIED},
    ),
    _row(Action.DISQUALIFY, {_S.SCRUB, _S.NURTURING}, {Actor.MARKETING}, {_S.DISQUALIFIED}),
    _row(Action.DISQUALIFY, set(OPEN), {Actor.CRM}, {_S.DISQUALIFIED}),
    # Erased on request: whoever holds it, and whatever it waits for.
    _row(Action.DISQUALIFY, set(OPEN), {Actor.SYSTEM}, {_S.DISQUALIFIED}),
    _row(Action.WAKE, {_S.NURTURING, _S.LOST, _S.DISQUALIFIED}, {Actor.SYSTEM}, {_S.RECEIVED}),
    # Leads of kind `test` only: what would hand them on ends them.
    _row(Action.END_TEST, set(OPEN), {Actor.SYSTEM}, {_S.DISQUALIFIED}),
    _row(Action.END_TEST, {_S.OFFERED}, {Actor.REP}, {_S.DISQUALIFIED}),
    _row(Action.END_TEST, {_S.ACCEPTED}, {Actor.OWNER}, {_S.DISQUALIFIED}),
)


def transition_for(action: Action, status: Status, actor: Actor) -> Transition | None:
    """The row that lets `actor` take `action` on a lead in `status`, or None when nobody may."""
    for row in TRANSITIONS:
        if row.action is action and status in row.sources and actor in row.actors:
            return row
    return None


def sources_of(action: Action, actor: Actor) -> frozenset[Status]:
    """All statuses from which `actor` may take `action`: what the guarded UPDATE names."""
    found: frozenset[Status] = frozenset()
    for row in TRANSITIONS:
        if row.action is action and actor in row.actors:
            found |= row.sources
    return found
