"""What services fill in so that a lead can be shown: the cards, the reminder, the escalation, the
review message.

Plain frozen values only: aware UTC instants, dates, names, zone names, ids. Text may be raw lead
data: renderers clean, cap and quote it. What is not here: modals (`views_forms`), lists, Home and
command replies (`views_pages`), and any decision; a view says what is, not what to do about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from bot.domain.agreement import ClockKind


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads it and when: an IANA zone name, and the instant of rendering."""

    zone: str
    now: datetime


@dataclass(frozen=True, slots=True)
class LeadFace:
    """A lead in a headline. `asked` is what happened, as a verb phrase: "asked for a call"
    (`wording.source_phrase` makes one from the source). `initials` ("J. N.") stands in channels."""

    name: str
    company: str = ""
    initials: str = ""
    asked: str = ""
    test: bool = False


@dataclass(frozen=True, slots=True)
class LeadProfile:
    """What is known about a lead apart from how to reach it. `language` and `country` are ISO
    codes."""

    title: str = ""
    employees: int = 0
    city: str = ""
    country: str = ""
    language: str = ""
    industry: str = ""
    campaign: str = ""
    message: str = ""
    score: int | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Contact:
    """How to reach a lead. Shown by cards from `accepted` on, and by look-ups to those who may see
    it."""

    phone: str = ""
    email: str = ""
    url: str = ""  # the person's or company's page


class CardState(StrEnum):
    """What the card of one offer shows. Everything from REJECTED on is an end: no buttons."""

    OFFERED = "offered"
    ACCEPTED = "accepted"
    WORKING = "working"
    QUALIFIED = "qualified"
    REJECTED = "rejected"
    GIVEN_BACK = "given_back"
    PASSED_ON = "passed_on"
    LAPSED = "lapsed"
    RECYCLED = "recycled"
    REASSIGNED = "reassigned"
    WON = "won"
    LOST = "lost"
    DISQUALIFIED = "disqualified"
    TAKEN_BACK = "taken_back"  # by marketing, or decided in the CRM
    MOVED_ON = "moved_on"  # anything else: the offer is over
    ERASED = "erased"  # personal data was erased: nothing of the lead is shown


LIVE_STATES: frozenset[CardState] = frozenset(
    {CardState.OFFERED, CardState.ACCEPTED, CardState.WORKING, CardState.QUALIFIED}
)


class NextStop(StrEnum):
    """Where a lead goes from an ended card: what the last line says."""

    NONE = "none"
    COLLEAGUE = (
        "colleague"  # offered to somebody else (`Ending.to_name` when the reader may know who)
    )
    OTHER_TEAM = "other_team"  # routed again
    MARKETING = "marketing"  # in review
    NURTURE = "nurture"  # sleeps until `Ending.wake_on`
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a card ended. `by_name` "" with `by_reader` False: nobody, a clock did it. `by_crm`: seen
    in the CRM. `reason` is a label ("Not our kind"), `note` the person's own words."""

    at: datetime
    by_name: str = ""
    by_reader: bool = False
    by_crm: bool = False
    reason: str = ""
    note: str = ""
    next: NextStop = NextStop.NONE
    to_name: str = ""
    wake_on: date | None = None


@dataclass(frozen=True, slots=True)
class Woken:
    """The lead slept and is back. `asked_on`: when it was recycled; `by_reader`: the reader asked
    for it."""

    asked_on: date
    reason: str = ""
    by_reader: bool = False


@dataclass(frozen=True, slots=True)
class LastTouch:
    """The newest touch. `kind`: call, email, meeting; `outcome`: reached, no_answer, wrong_number
    or ""."""

    at: datetime
    kind: str
    outcome: str = ""
    verified: bool = False


@dataclass(frozen=True, slots=True)
class LeadCard:
    """One offer, as its rep sees it. Only the due times of the current state are read.

    `due_soon_from`: from when the running clock counts as due soon (its reminder's instant).
    `undo_until`: the accept can be undone until then; `undo_log_until`: the last logged touch.
    `contact` is rendered from ACCEPTED on only, whatever is filled in. `read_only`: no buttons
    (look-up).
    """

    offer_id: str
    state: CardState
    reader: Reader
    lead: LeadFace
    profile: LeadProfile = LeadProfile()
    contact: Contact = Contact()
    why_you: str = ""  # "DACH, longest waiting"
    accept_by: datetime | None = None
    contact_by: datetime | None = None
    follow_up_by: datetime | None = None
    decide_by: datetime | None = None
    due_soon_from: datetime | None = None
    accepted_at: datetime | None = None
    undo_until: datetime | None = None
    undo_log_until: datetime | None = None
    last_touch: LastTouch | None = None
    touches_done: int = 0
    touches_wanted: int = 0
    qualified_at: datetime | None = None
    assigned_by: str = ""  # a manager put it here: their name
    woken: Woken | None = None
    news: str = ""  # "asked for a call again"
    crm_url: str = ""
    ending: Ending | None = None
    read_only: bool = False


class ReminderOutcome(StrEnum):
    """What became of a reminder; the same message is edited to it."""

    OPEN = "open"
    DONE = "done"  # accepted, touched or decided by the reader, at `done_at`
    PASSED_ON = "passed_on"
    OVERDUE = "overdue"  # still the reader's, past due
    MOVED_ON = "moved_on"  # the lead is elsewhere


@dataclass(frozen=True, slots=True)
class Reminder:
    """The one reminder of a clock, in the card's thread. `clock`: accept, first_touch, follow_up,
    decide. `nudged_by`: a manager asked for it, by name."""

    offer_id: str
    reader: Reader
    lead: LeadFace
    clock: ClockKind
    due: datetime
    outcome: ReminderOutcome = ReminderOutcome.OPEN
    done_at: datetime | None = None
    touches_done: int = 0
    touches_wanted: int = 0
    nudged_by: str = ""


@dataclass(frozen=True, slots=True)
class Holder:
    """A rep who has or had the offer, and until when: the due time of their clock, or when they gave it away.

    `answer`: what they said in time: "rejected", "passed", "recycled"; anything else is silence.
    """

    name: str
    until: datetime
    current: bool = False
    answer: str = ""


class EscalationEnd(StrEnum):
    """What closed an escalation."""

    ACCEPTED = "accepted"
    TOUCHED = "touched"
    FOLLOWED_UP = "followed_up"
    QUALIFIED = "qualified"
    CLOSED = "closed"
    RECYCLED = "recycled"
    REJECTED = "rejected"
    REASSIGNED = "reassigned"
    EXTENDED = "extended"
    EXCUSED = "excused"
    REVIEW = "review"
    DISQUALIFIED = "disqualified"
    MOVED_ON = "moved_on"


@dataclass(frozen=True, slots=True)
class EscalationOutcome:
    """`by_name` did it at `at` (`by_reader`: the reader did); `to_name` has it now; `due`: the new
    due time; `after_minutes`: real minutes from arrival; `reason` a label."""

    kind: EscalationEnd
    at: datetime
    by_name: str = ""
    by_reader: bool = False
    to_name: str = ""
    due: datetime | None = None
    wake_on: date | None = None
    after_minutes: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class EscalationCard:
    """A breach told to a manager: one message per lead, edited to its end.

    `offer_id` is the current offer; `since`: when the lead asked (accept, shelf life) or was
    accepted; `due`: when the breached clock was due; `nobody_left`: no rep is eligible any more.
    Which actions are possible now is the service's knowledge: `can_take` covers take, reassign,
    recycle.
    """

    offer_id: str
    reader: Reader
    lead: LeadFace
    clock: ClockKind
    since: datetime
    due: datetime
    holders: tuple[Holder, ...] = ()
    reminded: int = 0
    touches_done: int = 0
    touches_wanted: int = 0
    nobody_left: bool = False
    can_take: bool = True
    can_nudge: bool = True
    can_extend: bool = True
    excuse_name: str = ""  # whose lapse may be excused; "" when nobody's
    nudged_at: datetime | None = None
    outcome: EscalationOutcome | None = None


class ReviewState(StrEnum):
    """Where a review is."""

    OPEN = "open"
    TAKEN = "taken"
    OFFERED = "offered"
    NURTURING = "nurturing"
    DISQUALIFIED = "disqualified"
    CLOSED = "closed"  # resolved elsewhere (CRM, a new hand raise)


@dataclass(frozen=True, slots=True)
class ReviewCard:
    """A lead back with marketing. `reason`: a label or a phrase ("Nobody could take it"); `note`:
    the rep's words.

    Stands in a channel: the renderer shows initials and company only, and masks in `note` the words
    of `mask` (the lead's names, e-mail, phone) and anything that looks like an address or a number.
    `rejected_here` of `seen_here` leads of `campaign` came back for this reason; 0: not said.
    """

    review_id: str
    state: ReviewState
    reader: Reader  # the channel's (marketing's) zone
    lead: LeadFace
    reason: str
    due: datetime
    note: str = ""
    mask: tuple[str, ...] = ()
    campaign: str = ""
    rejected_here: int = 0
    seen_here: int = 0
    by_name: str = ""  # who looks at it, or resolved it
    at: datetime | None = None
    to_name: str = ""  # offered again: the team, or "" for the rules
    wake_on: date | None = None
    resolution: str = ""  # the reason's label when disqualified


@dataclass(frozen=True, slots=True)
class ReviewDetails:
    """Everything about a lead in review, for a modal of somebody who may see it."""

    review_id: str
    reader: Reader
    lead: LeadFace
    profile: LeadProfile
    contact: Contact
    reason: str
    due: datetime | None  # None: it was imported, and no clock runs
    note: str = ""
    rejected_by: str = ""
    history: tuple[str, ...] = ()
    crm_url: str = ""
    can_decide: bool = False
