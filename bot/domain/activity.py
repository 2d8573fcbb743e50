"""An activity as a CRM or dialler reports it, and the rules that need nothing but it: does it count, is it this touch.

What is not here: the wire format (`handlers.touch_body`), who holds the lead and what happens to it
(`bot.services.take_touches`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

#: A self-reported touch and a reported activity this near to each other are the same.
SAME_WITHIN = timedelta(hours=4)
#: Whoever logs what the CRM told us already does so soon after it did; later it is another touch.
SAID_AGAIN_WITHIN = timedelta(minutes=30)
#: Nobody makes two calls within half a minute: two systems that report one call give it two ids.
ONE_ACT_WITHIN = timedelta(seconds=30)
#: CRMs write whole minutes: a call in the minute of the offer was made after it.
MINUTE = timedelta(minutes=1)


class Effect(StrEnum):
    """What a reported activity did: a touch of its own, a rep's word confirmed, a line in the journal, taken back."""

    COUNTED = "counted"
    VERIFIED = "verified"
    NOTED = "noted"
    WITHDRAWN = "withdrawn"


class Why(StrEnum):
    """Why an activity is only noted."""

    AUTOMATED = "automated"
    INBOUND = "inbound"
    KIND = "kind"  # a task, a note: nobody was contacted
    NOT_HELD = "not_holder"  # somebody else's, or nobody has the lead
    UNKNOWN_ACTOR = "unknown_actor"
    BEFORE_OFFER = "before_offer"
    CALLED_OFF = "called_off"
    SAME_TOUCH = "same_touch"
    HISTORY = "history"
    DELETED = "deleted"
    OLDER = "older"  # than what we were told before


#: A talk is a talk: what one system calls a call the other may call a meeting.
_TALKS = frozenset({"call", "meeting"})


@dataclass(frozen=True, slots=True)
class LeadName:
    """By what a sender names the lead: its key at a source, or a mailbox. Absent parts are ""."""

    source: str = ""
    external_id: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Activity:
    """One activity at its sender.

    `kind`: call, email, meeting, "" for what is no contact; `outcome`: reached, no_answer, wrong_number, called_off
    or ""; `occurred_at` is None only in a deletion. `changed_at`: when the sender last changed it, if it says so.
    """

    external_id: str
    lead: LeadName
    actor: str = ""
    kind: str = ""
    outcome: str = ""
    inbound: bool = False
    automated: bool = False
    occurred_at: datetime | None = None
    changed_at: datetime | None = None
    deleted: bool = False

    def sha256(self) -> str:
        """Of all that it says of itself: the same again changes nothing."""
        said = [
            self.actor,
            self.kind,
            self.outcome,
            self.inbound,
            self.automated,
            self.occurred_at.isoformat() if self.occurred_at else None,
        ]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()

    def why_noted(self) -> Why | None:
        """Why it is no touch, whoever did it; None when it can be one.

        What comes in from the lead is not the rep's doing, unless they talked: a meeting, or a call that was taken.
        """
        if self.automated:
            return Why.AUTOMATED
        if not self.kind:
            return Why.KIND
        if self.outcome == "called_off":
            return Why.CALLED_OFF
        talked = self.kind == "meeting" or (self.kind == "call" and self.outcome == "reached")
        return Why.INBOUND if self.inbound and not talked else None


def is_close(kind: str, other: str) -> bool:
    """Whether two kinds of touch can be one and the same."""
    return kind == other or {kind, other} <= _TALKS


def same_touch(kind: str, at: datetime, said_kind: str, said_at: datetime) -> bool:
    """Whether an activity confirms what a rep said they did."""
    return is_close(kind, said_kind) and abs(at - said_at) <= SAME_WITHIN


def said_again(
    kind: str, at: datetime, told_at: datetime, said_kind: str, said_at: datetime
) -> bool:
    """The other way round: whether a rep logs what was reported before, at `told_at`."""
    soon = abs(said_at - told_at) <= SAID_AGAIN_WITHIN
    return soon and same_touch(kind, at, said_kind, said_at)
