"""What services fill in for lists, App Home, command replies and notices. Plain frozen values; see
`views`.

What is not here: who may see which field (`bot.domain`, services); a view holds only what its
reader may see.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

from bot.domain.agreement import ClockKind, Role
from bot.domain.funnel import Status
from bot.rendering.views import Contact, LeadFace, LeadProfile, Reader


@dataclass(frozen=True, slots=True)
class LeadLine:
    """One lead of a list. `due` belongs to `clock`, None when no clock runs; `holder`: who has
    it."""

    id: str  # offer id; review id in review lists
    lead: LeadFace
    status: Status
    due: datetime | None = None
    clock: ClockKind | None = None
    due_soon_from: datetime | None = None
    holder: str = ""
    note: str = ""  # a reason label, or what else to say in three words
    waiting: bool = False  # imported, until a rep is free


@dataclass(frozen=True, slots=True)
class OfferList:
    """More than five offers to one rep within ten minutes, or leads `imported` before, as one
    message; soonest due first, behind them those that they accepted and have to contact. `total` >=
    len(lines). When none is left: how many were `answered`, and how many `moved_on` without that."""

    reader: Reader
    lines: tuple[LeadLine, ...]
    total: int
    imported: bool = False
    answered: int = 0
    moved_on: int = 0


@dataclass(frozen=True, slots=True)
class BreachList:
    """More than five breaches for one manager as one message, oldest first. `scope`: "EMEA" or
    ""."""

    reader: Reader
    scope: str
    lines: tuple[LeadLine, ...]
    total: int
    hand_raisers: int = 0
    oldest: datetime | None = None


@dataclass(frozen=True, slots=True)
class HandoverList:
    """Leads of a rep who left (`until` None) or is away until `until`, to the manager."""

    reader: Reader
    person: str
    lines: tuple[LeadLine, ...]
    total: int
    until: datetime | None = None
    left: bool = False
    moved_on: int = 0  # open offers that went to the next rep already
    back: bool = False  # they are here again: nothing to do


@dataclass(frozen=True, slots=True)
class MarketingOverdue:
    """Reviews past their clock, to marketing's signer. `promise`: the playbook's words ("1 working
    day")."""

    reader: Reader
    count: int
    since: datetime
    promise: str
    lines: tuple[LeadLine, ...] = ()


@dataclass(frozen=True, slots=True)
class HomeView:
    """App Home of one person. `queue` soonest due first; `team` and `reviews` None when not for
    this person."""

    reader: Reader
    name: str
    roles: frozenset[Role]
    queue: tuple[LeadLine, ...] = ()
    queue_total: int = 0
    team: tuple[LeadLine, ...] | None = None
    team_total: int = 0
    reviews: tuple[LeadLine, ...] | None = None
    reviews_total: int = 0
    last_lead: str = ""
    last_accept_minutes: int | None = None
    away_until: datetime | None = None
    first_visit: bool = False
    offer_absence: bool = False  # show the button "My hours and absence"
    offer_sample: bool = False  # show the button "Try it with a sample lead"
    waiting: int = 0  # imported leads that wait for a free rep
    challenge: str = ""  # a sentence about the running one, with the reader's own place


@dataclass(frozen=True, slots=True)
class LeadSummary:
    """`/lead <text>` with one match. `contact` and `profile.message` are None/"" for who may not
    see them."""

    reader: Reader
    lead: LeadFace
    status: Status
    holder: str = ""
    holder_is_reader: bool = False
    due: datetime | None = None
    clock: ClockKind | None = None
    arrived: datetime | None = None
    profile: LeadProfile | None = None
    contact: Contact | None = None
    wake_on: date | None = None
    round: int = 1
    open_id: str = ""  # offer id for an Open button, "" for none
    crm_url: str = ""
    imported: bool = False  # told by an import, never offered
    waiting: bool = False  # imported, until a rep is free


@dataclass(frozen=True, slots=True)
class LeadMatches:
    """`/lead <text>`: none or several matches; `open_ended`: there are more than `total`."""

    reader: Reader
    query: str
    lines: tuple[LeadLine, ...] = ()
    total: int = 0
    open_ended: bool = False
    why: bool = False  # asked by `/lead why`


@dataclass(frozen=True, slots=True)
class LeadTable:
    """`/lead mine | team | overdue`: `what` is that word; `scope` a team's name or ""."""

    reader: Reader
    what: str
    lines: tuple[LeadLine, ...]
    total: int
    scope: str = ""


@dataclass(frozen=True, slots=True)
class WhyStep:
    """One line of `/lead why`: a journal kind and its facts (`str`, `int`, aware `datetime`,
    `date`).

    Known kinds and facts: `wording_why`. An unknown kind is shown as its own words with its
    `detail`.
    """

    at: datetime
    kind: str
    facts: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Why:
    """`/lead why`: how it came to this. Names in the steps are already limited to what the reader
    may know."""

    reader: Reader
    lead: LeadFace
    steps: tuple[WhyStep, ...]
    score: int | None = None
    rules: int = 0
    reasons: tuple[str, ...] = ()
    version: int = 0
    signed_on: date | None = None


@dataclass(frozen=True, slots=True)
class DeliveryFailure:
    """A message that could not be delivered, told to a manager. `cause`: Slack's error code;
    `what`: offer, escalation, review, list …; `done`: what Baton did instead ("offered to the next
    rep"), "" for nothing."""

    reader: Reader
    what: str
    receiver: str
    cause: str
    lead: LeadFace | None = None
    done: str = ""
    offer_id: str = ""


@dataclass(frozen=True, slots=True)
class NewsLine:
    """New behaviour of a lead, into the thread of its owner's card. `what`: a verb phrase ("opened
    the pricing page for the third time"); `hand_raise`: a new one, which tightened the clock to
    `due`."""

    reader: Reader
    lead: LeadFace
    what: str
    hand_raise: bool = False
    clock: ClockKind | None = None
    due: datetime | None = None


@dataclass(frozen=True, slots=True)
class AbsenceNote:
    """`/baton away | back` answered, to the person or to the one who said it for `person`."""

    reader: Reader
    person: str = ""  # "" for the reader
    away: bool = True
    until: datetime | None = None
    moved_on: int = 0  # open offers that went to the next rep
    kept: int = 0  # accepted leads that keep their clocks
    manager: str = ""  # who got the list of the kept ones


@dataclass(frozen=True, slots=True)
class ImportNotice:
    """`count` leads were imported for review, told to marketing's channel."""

    reader: Reader
    count: int
