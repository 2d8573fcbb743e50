"""Putting right what the watchdog found, where that is safe: in one transaction each, the lead locked first.

A repair does what Baton does anyway (arms a clock's steps again, ends a clock, offers a lead to the next rep); nothing
is guessed. Whatever is not wrong any more is left alone. What is not here: finding it (`storage.watching`), how often
it is tried and who is told (`watch_house`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bot.domain.agreement import ClockKind
from bot.domain.funnel import Action, Status
from bot.domain.sla import COVERS
from bot.services.answer_offer import arm_wake
from bot.services.fire_timers import ATTEMPTS
from bot.services.move_lead import SYSTEM, end_offer, redraw, write
from bot.services.offer_lead import Guard, current_offer, offer_next
from bot.services.run_clocks import end_clock, move_due, running_clock, start_clock
from bot.services.work import Work
from storage import clocks, leads, mends, offers
from storage.clocks import ClockRow
from storage.leads import LeadRow
from storage.watching import Found

#: Nothing can be done here, or nothing was wrong any more.
NOTHING = ""


def repair(work: Work, found: Found) -> str:
    """What was done, as a code; "" for nothing."""
    lead = leads.lock_lead(work.conn, found.lead_id) if found.lead_id is not None else None
    if found.kind in _MESSAGES:
        done = _MESSAGES[found.kind](work, int(found.id))
    elif found.kind == "timer_late" and lead is None:
        done = "rejoined" if mends.rejoin_timer(work.conn, int(found.id)) else NOTHING
    elif found.kind in _LEADS and lead is not None:
        done = _LEADS[found.kind](work, lead, found)
    else:
        done = NOTHING
    work.wake = True  # for what is only late: whoever slept through a ring looks again
    if done and lead is not None:
        data = {"kind": found.kind, "subject": found.subject, "how": done}
        write(work, lead.id, "repaired", data=data)
    return done


def retry_parked(work: Work, limit: int = 1000) -> int:
    """Parked timers fire again, with all their attempts: somebody has mended the cause. How many."""
    again = 0
    for timer_id, lead_id in mends.list_parked_ids(work.conn, limit):
        if lead_id is not None:
            leads.lock_lead(work.conn, lead_id)
        if mends.unpark_timer(work.conn, timer_id, work.now, 0):
            again += 1
            if lead_id is not None:
                data = {"kind": "timer_parked", "subject": f"timer:{timer_id}", "how": "by_hand"}
                write(work, lead_id, "repaired", data=data)
    work.wake = True
    return again


# ------------------------------------------------------------------ clocks and timers


def _arm_again(work: Work, lead: LeadRow, found: Found) -> str:
    """All steps ahead, and what is owed, as a new generation. A clock of another status ends instead."""
    clock = _running(work, lead, found)
    if clock is None:
        return NOTHING
    if _is_uncovered(lead, clock):
        return _end(work, lead, found)
    move_due(work, clock, clock.due_at, "repaired")
    return "armed"


def _end(work: Work, lead: LeadRow, found: Found) -> str:
    clock = _running(work, lead, found)
    if clock is None or not _is_uncovered(lead, clock):
        return NOTHING
    end_clock(work, clock, "stopped")
    return "ended"


def _start(work: Work, lead: LeadRow, found: Found) -> str:
    """The clock that a lead of this status has; it counts from now, because nobody was held to it before."""
    kind = _CLOCK_OF.get(lead.status)
    if kind is None or running_clock(work, lead.id, kind) is not None:
        return NOTHING
    offer = current_offer(work, lead) if kind is ClockKind.ACCEPT else None
    if kind is ClockKind.ACCEPT and offer is None:
        return NOTHING  # it is offered to nobody: that is put right first
    started = start_clock(
        work,
        lead,
        kind,
        started_at=work.now,
        offer_id=offer.id if offer else None,
        person_id=offer.rep_id if offer else None,
        team=offer.team if offer else "",
    )
    redraw(work, lead)
    return "started" if started is not None else NOTHING


def _unpark(work: Work, lead: LeadRow, found: Found) -> str:
    """One more try: does it fail again, it is parked again at once."""
    done = mends.unpark_timer(work.conn, int(found.id), work.now, ATTEMPTS - 1)
    return "tried_again" if done else NOTHING


def _arm_wake(work: Work, lead: LeadRow, found: Found) -> str:
    if lead.status != Status.NURTURING.value or lead.wake_at is None:
        return NOTHING
    fresh = leads.save_lead(work.conn, lead, wake_at=max(lead.wake_at, work.now))
    arm_wake(work, fresh, max(lead.wake_at, work.now))
    return "armed"


def _running(work: Work, lead: LeadRow, found: Found) -> ClockRow | None:
    clock = clocks.read_clock(work.conn, int(found.id))
    return clock if clock is not None and clock.ended_at is None else None


def _is_uncovered(lead: LeadRow, clock: ClockRow) -> bool:
    return Status(lead.status) not in COVERS[ClockKind(clock.kind)]


_CLOCK_OF: Mapping[str, ClockKind] = {
    Status.OFFERED.value: ClockKind.ACCEPT,
    Status.RECEIVED.value: ClockKind.ROUTE,
    Status.SCRUB.value: ClockKind.SCRUB,
    Status.REVIEW.value: ClockKind.REVIEW,
}


# ------------------------------------------------------------------ offers


def _offer_again(work: Work, lead: LeadRow, found: Found) -> str:
    """An offered lead that is before nobody goes to the next rep, or to review."""
    if lead.status != Status.OFFERED.value:
        return NOTHING
    offer = current_offer(work, lead)
    if offer is not None and offer.state == "open" and offer.lead_id == lead.id:
        return NOTHING
    for other in offers.list_offers(work.conn, lead.id):
        if other.state in ("open", "accepted"):
            end_offer(work, other, "withdrawn", reason="repaired")
    guard = Guard(offer_id=lead.current_offer_id)
    moved = offer_next(work, lead, Action.REOFFER, SYSTEM, guard=guard, reason="repaired")
    return "offered" if moved is not None else NOTHING


def _withdraw(work: Work, lead: LeadRow, found: Found) -> str:
    """An offer that its lead does not know: nobody could answer it."""
    offer = offers.read_offer(work.conn, found.id)
    if offer is None or offer.state != "open" or offer.lead_id != lead.id:
        return NOTHING
    if lead.status == Status.OFFERED.value and lead.current_offer_id == offer.id:
        return NOTHING
    end_offer(work, offer, "withdrawn", reason="repaired")
    redraw(work, lead, offer.rep_id)
    return "withdrawn"


_LEADS: Mapping[str, Callable[[Work, LeadRow, Found], str]] = {
    "clock_unarmed": _arm_again,
    "step_missing": _arm_again,
    "clock_uncovered": _end,
    "clock_missing": _start,
    "timer_parked": _unpark,
    "offer_missing": _offer_again,
    "offer_dangling": _withdraw,
    "wake_missing": _arm_wake,
}


# ------------------------------------------------------------------ messages


def _send_soon(work: Work, row_id: int) -> str:
    return "due_now" if mends.send_soon(work.conn, row_id, work.real) else NOTHING


def _end_lease(work: Work, row_id: int) -> str:
    return "lease_ended" if mends.end_lease(work.conn, row_id, work.real) else NOTHING


def _look_soon(work: Work, row_id: int) -> str:
    return "looked_for" if mends.look_soon(work.conn, row_id, work.real) else NOTHING


_MESSAGES: Mapping[str, Callable[[Work, int], str]] = {
    "message_late": _send_soon,
    "message_stuck": _end_lease,
    "message_doubt": _look_soon,
}
