"""What the rep answers: accept, pass on, reject, give back, undo, recycle.

Each is one transaction: rights, guarded UPDATE, journal, clocks, cards. A second click finds the guard closed and is
answered with a Refusal. What is not here: work on an accepted lead (`work_lead`), the manager's doings (`manage_lead`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot.domain.access import Deed
from bot.domain.agreement import ClockKind, RecycleReason, RejectReason
from bot.domain.funnel import Action, Actor, Status
from bot.domain.refusal import Refusal
from bot.services.move_lead import (
    UNDO_FOR,
    Acting,
    Ending,
    lock_of_offer,
    move,
    redraw_later,
    write,
)
from bot.services.offer_lead import Guard, accept_offer, enter_review, offer_next
from bot.services.refuse import authorise, explain, stale
from bot.services.run_clocks import end_clock, resume_clock, running_clock, start_clock
from bot.services.work import Member, Work
from bot.services.write_together import written_together
from storage import cards, clocks, offers, touches
from storage.leads import LeadRow
from storage.offers import OfferRow

NOTE_MAX = 2000
LONGEST_SLEEP = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class Done:
    """It happened. `said`: a code for a short confirmation, "" when the card says enough."""

    lead_id: int
    said: str = ""


Answer = Done | Refusal


def accept(work: Work, actor: Member | None, offer_id: str) -> Answer:
    """The rep takes the lead. One winner: the UPDATE names offer, status and person."""
    found = _open_for(work, actor, offer_id, Deed.ACCEPT)
    if isinstance(found, Refusal):
        return found
    lead, offer, who = found
    with written_together(work):
        moved = move(
            work,
            lead,
            Action.ACCEPT,
            Acting(Actor.REP, who.id),
            Status.ACCEPTED,
            offer_id=offer.id,
            held_by=who.id,
            answered=True,
            changes={"accepted_at": work.now},
        )
        if moved is not None:
            accept_offer(work, moved, offer)
            redraw_later(work, moved, UNDO_FOR)
    return Done(lead.id) if moved is not None else explain(work, lead, who)


def pass_on(work: Work, actor: Member | None, offer_id: str) -> Answer:
    """ "I'm busy": to the next rep, no penalty."""
    found = _open_for(work, actor, offer_id, Deed.PASS_ON)
    if isinstance(found, Refusal):
        return found
    lead, offer, who = found
    moved = _end_then_offer(work, lead, offer, who, Action.PASS_ON, "passed", Actor.REP)
    return Done(lead.id) if moved is not None else explain(work, lead, who)


def reject(work: Work, actor: Member | None, offer_id: str, reason: str, note: str = "") -> Answer:
    """No, before accepting: by the reason the lead is routed again or marketing reviews it."""
    found = _open_for(work, actor, offer_id, Deed.REJECT)
    if isinstance(found, Refusal):
        return found
    lead, offer, who = found
    return _reject(work, lead, offer, who, reason, note, work.agreement.reject_reasons, Actor.REP)


def give_back(
    work: Work, actor: Member | None, offer_id: str, reason: str, note: str = ""
) -> Answer:
    """No, after accepting (a turn-back, with its own reasons)."""
    found = held_lead(work, actor, offer_id, Deed.GIVE_BACK, {Status.ACCEPTED})
    if isinstance(found, Refusal):
        return found
    lead, offer, who = found
    return _reject(
        work, lead, offer, who, reason, note, work.agreement.turn_back_reasons, Actor.OWNER
    )


def undo(work: Work, actor: Member | None, offer_id: str) -> Answer:
    """Take the accept back within five minutes: the same offer is open again, with the time that was left."""
    found = held_lead(work, actor, offer_id, Deed.UNDO, {Status.ACCEPTED})
    if isinstance(found, Refusal):
        return found
    lead, offer, who = found
    if offer.accepted_at is None or work.now - offer.accepted_at > UNDO_FOR:
        until = offer.accepted_at + UNDO_FOR if offer.accepted_at else work.now
        return Refusal("undo_too_late", facts=(("until", until),))
    moved = move(
        work,
        lead,
        Action.UNDO,
        Acting(Actor.OWNER, who.id),
        Status.OFFERED,
        offer_id=offer.id,
        held_by=who.id,
        changes={"accepted_at": None},
    )
    if moved is None:
        return explain(work, lead, who)
    offers.save_offer(work.conn, offer.id, state="open", accepted_at=None, accepted_seconds=None)
    write(work, lead.id, "offer_reopened", data={"offer": offer.id})
    # An undone accept leaves no trace on the clocks of the owner; the accept clock goes on.
    for kind in (ClockKind.FIRST_TOUCH, ClockKind.DECIDE):
        left = running_clock(work, lead.id, kind)
        if left is not None:
            end_clock(work, left, "stopped")
    before = [
        clock
        for clock in clocks.list_clocks(work.conn, lead.id)
        if clock.kind == ClockKind.ACCEPT.value and clock.offer_id == offer.id
    ]
    for clock in before:
        resume_clock(work, clock)
    if not before:  # taken by a manager, accepted at once: from now on it waits for an answer
        start_clock(
            work,
            moved,
            ClockKind.ACCEPT,
            started_at=work.now,
            offer_id=offer.id,
            person_id=offer.rep_id,
            team=offer.team,
        )
    cards.reopen_cards(work.conn, lead.id)
    return Done(lead.id)


def recycle(
    work: Work,
    actor: Member | None,
    offer_id: str,
    reason: str,
    wake_on: date | None,
    note: str = "",
) -> Answer:
    """Not now: the lead sleeps in nurturing and comes back to this rep on the wake date."""
    statuses = {Status.OFFERED, Status.ACCEPTED, Status.WORKING, Status.QUALIFIED}
    found = held_lead(work, actor, offer_id, Deed.RECYCLE, statuses)
    if isinstance(found, Refusal):
        return found
    lead, offer, who = found
    rule = _find_recycle(work, reason)
    if rule is None:
        return Refusal("unknown_reason")
    if rule.note_required and not note.strip():
        return Refusal("needs_note")
    holder = work.roster.by_id.get(offer.rep_id, who)
    wake_at = wake_instant(work, holder, wake_on, rule)
    if wake_at is None:
        return Refusal("date_in_past")
    note_id = keep_note(work, lead, who, "recycle", note)
    kind = _capacity(lead, who)
    moved = move(
        work,
        lead,
        Action.RECYCLE,
        Acting(kind, who.id),
        Status.NURTURING,
        offer_id=offer.id,
        held_by=who.id if kind is not Actor.MANAGER else None,
        answered=True,
        ending=Ending(offer, "recycled", reason),
        changes={
            "current_offer_id": None,
            "owner_id": None,
            "reason": reason,
            "note_id": note_id,
            "wake_at": wake_at,
            "wake_rep_id": holder.id,
        },
        data={"reason": reason, "wake_at": wake_at.isoformat()},
    )
    if moved is None:
        return explain(work, lead, who)
    arm_wake(work, moved, wake_at)
    return Done(lead.id)


def arm_wake(work: Work, lead: LeadRow, wake_at: datetime) -> None:
    """The timer that ends a lead's rest; one a round and stay."""
    clocks.cancel_timers(work.conn, "lead", lead.id)
    clocks.arm_timer(
        work.conn,
        lead_id=lead.id,
        subject_kind="lead",
        subject_id=lead.id,
        step="wake",
        generation=lead.version,
        due_at=wake_at,
    )
    work.wake = True


def wake_instant(
    work: Work, holder: Member, wake_on: date | None, rule: RecycleReason
) -> datetime | None:
    """When a lead that sleeps until `wake_on` wakes: the holder's first open minute of that day or after.

    Without a date the reason's own rest counts in calendar days. None: the date is not in the future, or too far.
    """
    zone = ZoneInfo(holder.zone)
    today = work.now.astimezone(zone).date()
    day = wake_on or today + rule.wake_after
    if not today < day <= today + LONGEST_SLEEP:
        return None
    base = holder.person.calendar if holder.person else holder.calendar
    return base.next_open(datetime.combine(day, time(0), tzinfo=zone))


def keep_note(work: Work, lead: LeadRow, who: Member, about: str, note: str) -> int | None:
    """Store what somebody wrote; None for nothing."""
    body = note.strip()[:NOTE_MAX]
    if not body:
        return None
    return touches.insert_note(
        work.conn, lead_id=lead.id, author_id=who.id, about=about, body=body, at=work.now
    )


def _reject(
    work: Work,
    lead: LeadRow,
    offer: OfferRow,
    who: Member,
    reason: str,
    note: str,
    known: tuple[RejectReason, ...],
    kind: Actor,
) -> Answer:
    rule = next((r for r in known if r.code == reason), None)
    if rule is None:
        return Refusal("unknown_reason")
    if rule.note_required and not note.strip():
        return Refusal("needs_note")
    note_id = keep_note(work, lead, who, "reject", note)
    if rule.then == "reroute":
        moved = _end_then_offer(
            work, lead, offer, who, Action.REJECT, "rejected", kind, reason=reason, note_id=note_id
        )
    else:
        moved = enter_review(
            work,
            lead,
            Action.REJECT,
            Acting(kind, who.id),
            reason=reason,
            note_id=note_id,
            guard=Guard(offer_id=offer.id, held_by=who.id),
            answered=True,
            ending=Ending(offer, "rejected", reason),
        )
    return Done(lead.id) if moved is not None else explain(work, lead, who)


def _end_then_offer(
    work: Work,
    lead: LeadRow,
    offer: OfferRow,
    who: Member,
    action: Action,
    state: str,
    kind: Actor,
    *,
    reason: str = "",
    note_id: int | None = None,
) -> LeadRow | None:
    return offer_next(
        work,
        lead,
        action,
        Acting(kind, who.id),
        guard=Guard(offer_id=offer.id, held_by=who.id),
        ending=Ending(offer, state, reason),
        answered=True,
        reason=reason,
        note_id=note_id,
    )


def _open_for(
    work: Work, actor: Member | None, offer_id: str, deed: Deed
) -> tuple[LeadRow, OfferRow, Member] | Refusal:
    return held_lead(work, actor, offer_id, deed, {Status.OFFERED})


def held_lead(
    work: Work, actor: Member | None, offer_id: str, deed: Deed, statuses: set[Status]
) -> tuple[LeadRow, OfferRow, Member] | Refusal:
    """Lock the lead of an offer and make sure that `actor` may, that the card is current and the status fits."""
    found = lock_of_offer(work, offer_id)
    if found is None:
        return Refusal("stale_card")
    lead, offer = found
    refusal = stale(work, lead, offer, actor) if actor is not None and actor.active else None
    refusal = refusal or authorise(work, actor, lead, deed)
    if refusal is not None:
        return refusal
    if actor is None:
        return Refusal("not_in_playbook")
    if lead.kind == "test" and (actor.id != offer.rep_id or deed in (Deed.TAKE, Deed.REASSIGN)):
        return Refusal("not_allowed")  # a test is for one person, also for their manager
    if Status(lead.status) not in statuses:
        return explain(work, lead, actor)
    return lead, offer, actor


def _capacity(lead: LeadRow, who: Member) -> Actor:
    if lead.owner_id != who.id:
        return Actor.MANAGER
    return Actor.REP if lead.status == Status.OFFERED.value else Actor.OWNER


def _find_recycle(work: Work, code: str) -> RecycleReason | None:
    return next((r for r in work.agreement.recycle_reasons if r.code == code), None)
