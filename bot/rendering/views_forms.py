"""What services fill in so that a modal can be opened. Plain frozen values; see `views` for the
rules.

What is not here: parsing what comes back (`handlers`), checking it (services).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from bot.rendering.views import LeadFace, Reader


@dataclass(frozen=True, slots=True)
class ReasonChoice:
    """One reason of a select. `wake_on`: the date that a recycle reason presets."""

    code: str
    label: str
    note_required: bool = False
    wake_on: date | None = None


@dataclass(frozen=True, slots=True)
class ReasonForm:
    """Reject, give back, recycle of an offer; disqualify of a review (`id` is a review id then)."""

    id: str
    lead: LeadFace
    reasons: tuple[ReasonChoice, ...]
    today: date | None = None  # the reader's local day, for recycle


@dataclass(frozen=True, slots=True)
class OfferForm:
    """Log call, qualify, close: nothing but the offer and the lead."""

    id: str
    lead: LeadFace


@dataclass(frozen=True, slots=True)
class RepChoice:
    """A rep of a select. `note`: what speaks against ("away until Mon", "let it lapse", "full"), ""
    for none; those are offered as "anyway"."""

    id: str
    name: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class ReassignForm:
    """Reassign an offer. `holder`: who has it now."""

    id: str
    lead: LeadFace
    reps: tuple[RepChoice, ...]
    holder: str = ""


@dataclass(frozen=True, slots=True)
class ExtendForm:
    """More time on the running clock, now due at `due`."""

    id: str
    reader: Reader
    lead: LeadFace
    due: datetime
    holder: str = ""


@dataclass(frozen=True, slots=True)
class ExcuseForm:
    """Excuse a lapse of `person`."""

    id: str
    lead: LeadFace
    person: str


@dataclass(frozen=True, slots=True)
class ReviewOfferForm:
    """Offer a reviewed lead again: by the rules, to a team, to a rep."""

    id: str
    lead: LeadFace
    teams: tuple[str, ...] = ()
    reps: tuple[RepChoice, ...] = ()


@dataclass(frozen=True, slots=True)
class NurtureForm:
    """Let a reviewed lead sleep until a date. `preset` and `today`: the reader's local days."""

    id: str
    lead: LeadFace
    preset: date
    today: date


class ModalFault(StrEnum):
    """What can be wrong with a submitted modal: `modals.modal_errors` puts the sentence at the
    right input."""

    NEEDS_REASON = "needs_reason"
    NEEDS_NOTE = "needs_note"
    DATE_IN_PAST = "date_in_past"
    DATE_TOO_FAR = "date_too_far"
    DATE_INVALID = "date_invalid"
    NEEDS_OUTCOME = "needs_outcome"
    NEEDS_PERSON = "needs_person"
    NOT_ELIGIBLE = "not_eligible"
    NEEDS_SPAN = "needs_span"
    NEEDS_TARGET = "needs_target"
    BAD_VALUE = "bad_value"
