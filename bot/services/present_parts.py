"""What several messages show of a lead: its face, profile, due times, and how a move came about.

Reading only. What is not here: whole messages (`present_offer` and its siblings), rights.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol, TypeVar

from bot.domain.agreement import ClockKind
from bot.domain.funnel import Action, Actor, Status
from bot.domain.lead import display_name, initials
from bot.rendering import terms, times
from bot.rendering.views import Contact, LeadFace, LeadProfile, Reader
from bot.rendering.views_pages import LeadLine
from bot.services.work import Member, Work
from storage import clocks, journal, reading
from storage.clocks import ClockRow
from storage.journal import JournalRow
from storage.leads import LeadRow

#: Reasons that no playbook names: Baton itself gave them.
_OWN_REASONS = {
    "nobody_free": "Nobody was free to take it",
    "undecidable": "The definition could not be evaluated",
    "below_bar": "Below the bar",
    "hand_raise": "Asked again",
    "lapsed_out": "Nobody answered in time",
    "not_accepted": "Nobody accepted it in time",
    "imported": "Imported",
    "erased": "Erased on request",
}

#: Before a lead's number in a button, when it has neither an offer nor a review.
LEAD_ID = "lead:"

#: Which clock a reader of a list waits for, by status; the first that runs.
_SHOWN: dict[Status, tuple[ClockKind, ...]] = {
    Status.RECEIVED: (ClockKind.ROUTE,),
    Status.SCRUB: (ClockKind.SCRUB,),
    Status.OFFERED: (ClockKind.ACCEPT, ClockKind.SHELF_LIFE),
    Status.ACCEPTED: (ClockKind.FIRST_TOUCH, ClockKind.SHELF_LIFE, ClockKind.DECIDE),
    Status.WORKING: (ClockKind.FOLLOW_UP, ClockKind.DECIDE),
    Status.QUALIFIED: (ClockKind.STALLED,),
    Status.REVIEW: (ClockKind.REVIEW,),
}


def face_of(lead: LeadRow) -> LeadFace:
    """The lead in a headline."""
    facts = lead.facts()
    return LeadFace(
        name=_gone(lead) or display_name(facts),
        company=lead.company,
        initials=initials(facts),
        asked=terms.source_phrase(lead.source, lead.campaign),
        test=lead.kind == "test",
    )


def _gone(lead: LeadRow) -> str:
    """What stands for the name of somebody of whom nothing is kept any more."""
    if lead.erased_at is not None:
        return "[erased]"
    return "[no longer kept]" if lead.purged_at is not None else ""


def profile_of(lead: LeadRow, *, message: bool = True) -> LeadProfile:
    """What is known apart from how to reach it; `message`: with what the lead said."""
    city = lead.extra.get("city")
    return LeadProfile(
        title=lead.title,
        employees=lead.employees,
        city=city if isinstance(city, str) else "",
        country=lead.country,
        language=lead.language,
        industry=lead.industry,
        campaign=lead.campaign,
        message=lead.message if message else "",
        score=lead.score,
        reasons=tuple(str(reason) for reason in lead.reasons),
    )


def contact_of(lead: LeadRow) -> Contact:
    """How to reach the lead: for those who may see it."""
    return Contact(phone=lead.phone, email=lead.email, url=lead.url)


def reader_of(work: Work, member: Member | None) -> Reader:
    """A person's zone; marketing's for a channel."""
    zone = member.zone if member is not None else str(work.agreement.marketing.calendar.zone)
    return Reader(zone, work.now)


def label_of(work: Work, code: str) -> str:
    """What people call a reason: the playbook's word, ours, or the code made readable."""
    agreement = work.agreement
    labels = {r.code: r.label for r in agreement.recycle_reasons}
    labels |= {r.code: r.label for r in (*agreement.turn_back_reasons, *agreement.reject_reasons)}
    return labels.get(code) or _OWN_REASONS.get(code) or code.replace("_", " ").capitalize()


def local_day(at: datetime, zone: str) -> date:
    """The local day of an instant."""
    return times.local(at, zone).date()


def day_of(text: object, zone: str) -> date | None:
    """The local day of a journalled instant, None when there is none."""
    return local_day(datetime.fromisoformat(text), zone) if isinstance(text, str) else None


# ------------------------------------------------------------------ clocks


def running(work: Work, lead_id: int) -> dict[ClockKind, ClockRow]:
    """The lead's running clocks by kind."""
    return {
        ClockKind(clock.kind): clock
        for clock in clocks.list_clocks(work.conn, lead_id, running=True)
    }


def shown_clock(lead: LeadRow, by_kind: dict[ClockKind, ClockRow]) -> ClockRow | None:
    """The clock that the next step of a lead waits for."""
    return shown_of(lead.state, by_kind)


class _Due(Protocol):
    @property
    def due_at(self) -> datetime: ...


D = TypeVar("D", bound=_Due)


def shown_of(status: Status, by_kind: Mapping[ClockKind, D]) -> D | None:
    """The same, of whatever is known of the clocks."""
    wanted = [by_kind[k] for k in _SHOWN.get(status, ()) if k in by_kind]
    if status is Status.WORKING:
        return min(wanted, key=lambda clock: clock.due_at, default=None)
    return wanted[0] if wanted else None


def id_of(lead: LeadRow) -> str:
    """What the Open button of a lead carries: its offer, its review, else its number."""
    return lead.current_offer_id or lead.review_id or f"{LEAD_ID}{lead.id}"


def lines_of(
    work: Work,
    leads: Sequence[LeadRow],
    *,
    ids: dict[int, str] | None = None,
    notes: dict[int, str] | None = None,
) -> list[LeadLine]:
    """Leads as lines of a list, soonest due first, those without a due time last.

    `ids`: what a line's button carries, by lead; `id_of` else.
    """
    if not leads:
        return []
    by_lead: dict[int, dict[ClockKind, ClockRow]] = {}
    lead_ids = [lead.id for lead in leads]
    for clock in clocks.list_running_of(work.conn, lead_ids):
        by_lead.setdefault(clock.lead_id, {})[ClockKind(clock.kind)] = clock
    soon = reading.remind_times(work.conn, lead_ids)
    made: list[LeadLine] = []
    for lead in leads:
        clock_ = shown_clock(lead, by_lead.get(lead.id, {}))
        made.append(
            LeadLine(
                id=(ids or {}).get(lead.id) or id_of(lead),
                lead=face_of(lead),
                status=lead.state,
                due=clock_.due_at if clock_ else None,
                clock=ClockKind(clock_.kind) if clock_ else None,
                due_soon_from=soon.get(clock_.id) if clock_ else None,
                holder=work.roster.name_of(lead.owner_id) if lead.owner_id else "",
                note=(notes or {}).get(lead.id, ""),
                waiting=lead.waiting,
            )
        )
    return sorted(made, key=lambda line: (line.due is None, line.due or work.now))


# ------------------------------------------------------------------ how it came about


@dataclass(frozen=True, slots=True)
class Story:
    """A lead's journal, asked in the ways that messages need."""

    entries: tuple[JournalRow, ...]

    def moves(self, round_: int | None = None) -> Iterable[JournalRow]:
        """The moves in order, of one round when given."""
        for entry in self.entries:
            if entry.kind == "moved" and round_ in (None, entry.data.get("round")):
                yield entry

    def move_that_ended(self, offer_id: str) -> JournalRow | None:
        """The move in which an offer ended: the one journalled just before its end."""
        found = None
        for entry in self.entries:
            if entry.kind == "moved":
                found = entry
            elif entry.kind == "offer_ended" and entry.data.get("offer") == offer_id:
                return found
        return None

    def move_that_opened(self, offer_id: str) -> JournalRow | None:
        """The move in which an offer was made."""
        found = None
        for entry in self.entries:
            if entry.kind == "moved":
                found = entry
            elif entry.kind == "offered" and entry.data.get("offer") == offer_id:
                return found
        return None

    def offered_after(self, seq: int) -> JournalRow | None:
        """The offer that the move at `seq` made, None when it made none."""
        for entry in self.entries:
            if entry.seq > seq and entry.kind == "moved":
                return None
            if entry.seq > seq and entry.kind == "offered":
                return entry
        return None

    def last(self, kind: str, **data: object) -> JournalRow | None:
        """The newest entry of a kind with these data."""
        for entry in reversed(self.entries):
            if entry.kind == kind and all(entry.data.get(k) == v for k, v in data.items()):
                return entry
        return None

    def last_exit(self, covered: frozenset[Status], round_: int) -> JournalRow | None:
        """The newest move of a round out of `covered`; also one that only looks like staying."""
        inside = {status.value for status in covered}
        exits = [
            entry
            for entry in self.moves()
            if entry.data.get("from") in inside
            and entry.data.get("to") not in inside
            and (entry.data.get("round") == round_ or entry.data.get("action") == Action.WAKE)
        ]
        return exits[-1] if exits else None


def story_of(work: Work, lead_id: int) -> Story:
    """Read a lead's journal."""
    return Story(tuple(journal.list_entries(work.conn, "lead", lead_id)))


def is_crm(entry: JournalRow) -> bool:
    """Whether it was seen in the CRM."""
    return entry.actor_kind == Actor.CRM.value


def doer(work: Work, entry: JournalRow) -> str:
    """Who did it, "" for the system and the CRM."""
    return work.roster.name_of(entry.actor_id) if entry.actor_id is not None else ""
