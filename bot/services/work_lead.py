"""Work on an accepted lead: touches, qualify, close; and a logged touch taken back.

A touch is an activity of the owner; accepting is none. What a rep logs is `self_reported` until the CRM has it.
What is not here: accepting and rejecting (`answer_offer`).
"""

from __future__ import annotations

from datetime import timedelta

from bot.domain.access import Deed
from bot.domain.agreement import ClockKind
from bot.domain.funnel import Action, Actor, Status
from bot.domain.refusal import Refusal
from bot.services.answer_offer import Answer, Done, held_lead, keep_note
from bot.services.move_lead import (
    UNDO_FOR,
    Acting,
    Ending,
    move,
    redraw,
    redraw_later,
    write,
)
from bot.services.refuse import explain
from bot.services.run_clocks import end_clock, resume_clock, running_clock, start_clock, verdict_on
from bot.services.work import Member, Work
from storage import cards, clocks, touches
from storage.clocks import ClockRow
from storage.leads import LeadRow
from storage.offers import OfferRow

KINDS = frozenset({"call", "email", "meeting"})
CALL_OUTCOMES = frozenset({"reached", "no_answer", "wrong_number"})
#: The same touch clicked twice is one touch: nobody makes two calls within half a minute.
SAME_TOUCH_FOR = timedelta(seconds=30)


def log_touch(
    work: Work, actor: Member | None, offer_id: str, kind: str, outcome: str = ""
) -> Answer:
    """The owner called, wrote or met: the first touch stops its clock at once."""
    found = held_lead(work, actor, offer_id, Deed.LOG_TOUCH, {Status.ACCEPTED, Status.WORKING})
    if isinstance(found, Refusal):
        return found
    lead, offer, who = found
    if kind not in KINDS or (kind == "call" and outcome not in CALL_OUTCOMES):
        return Refusal("needs_outcome")
    last = touches.last_touch(work.conn, lead.id, lead.round)
    if last is not None and last.kind == kind and work.now - last.at < SAME_TOUCH_FOR:
        return Refusal("already_done")
    done = touches.count_touches(work.conn, lead.id, lead.round) + 1
    moved = move(
        work,
        lead,
        Action.TOUCH,
        Acting(Actor.OWNER, who.id),
        Status.WORKING,
        offer_id=offer.id,
        held_by=who.id,
        changes={"touches": done, "touched_at": lead.touched_at or work.now},
    )
    if moved is None:
        return explain(work, lead, who)
    touch_id = touches.insert_touch(
        work.conn,
        lead_id=lead.id,
        round=lead.round,
        offer_id=offer.id,
        person_id=who.id,
        kind=kind,
        outcome=outcome,
        state="self_reported",
        at=work.now,
    )
    write(
        work,
        lead.id,
        "touched",
        Acting(Actor.OWNER, who.id),
        {"touch": touch_id, "kind": kind, "outcome": outcome, "state": "self_reported"},
    )
    _follow_up(work, moved, offer, done)
    redraw_later(work, moved, UNDO_FOR)
    return Done(lead.id)


def _follow_up(work: Work, lead: LeadRow, offer: OfferRow, done: int) -> None:
    """The owner's first touch starts the follow-up clock; the round's n-th one meets it."""
    clock = running_clock(work, lead.id, ClockKind.FOLLOW_UP)
    if clock is None and touches.count_touches(work.conn, lead.id, lead.round, offer.id) == 1:
        clock = start_clock(
            work,
            lead,
            ClockKind.FOLLOW_UP,
            started_at=work.now,
            offer_id=offer.id,
            person_id=offer.rep_id,
            team=offer.team,
        )
    if clock is not None and done >= clock.goal:
        end_clock(work, clock, verdict_on(work, clock))


def undo_touch(work: Work, actor: Member | None, offer_id: str) -> Answer:
    """Take the last logged touch back within five minutes; was it the first, its clock goes on."""
    found = held_lead(work, actor, offer_id, Deed.UNDO_LOG, {Status.WORKING})
    if isinstance(found, Refusal):
        return found
    lead, offer, who = found
    last = touches.last_touch(work.conn, lead.id, lead.round)
    if last is None or last.offer_id != offer.id:
        return Refusal("already_done")
    if work.now - last.at > UNDO_FOR:
        return Refusal("undo_log_too_late", facts=(("until", last.at + UNDO_FOR),))
    left = touches.count_touches(work.conn, lead.id, lead.round) - 1
    # A former owner's touches are no work of this one: the first touch is still to come.
    own = touches.count_touches(work.conn, lead.id, lead.round, offer.id) - 1
    moved = move(
        work,
        lead,
        Action.WITHDRAW_TOUCH,
        Acting(Actor.OWNER, who.id),
        Status.WORKING if own > 0 else Status.ACCEPTED,
        offer_id=offer.id,
        held_by=who.id,
        changes={"touches": left, "touched_at": lead.touched_at if left else None},
    )
    if moved is None:
        return explain(work, lead, who)
    touches.withdraw_touch(work.conn, last.id)
    write(work, lead.id, "touch_withdrawn", Acting(Actor.OWNER, who.id), {"touch": last.id})
    _clocks_after_withdrawal(work, moved, offer, own=own, left=left)
    cards.reopen_cards(work.conn, lead.id)
    redraw(work, moved)
    return Done(lead.id)


def _clocks_after_withdrawal(
    work: Work, lead: LeadRow, offer: OfferRow, *, own: int, left: int
) -> None:
    """What the touch ended runs again: of each kind the newest, since an undone accept left older ones behind.

    `own`: touches that the present owner has left; `left`: all that the round has left.
    """
    newest: dict[str, ClockRow] = {}
    for clock in clocks.list_clocks(work.conn, lead.id):
        if clock.round == lead.round and clock.offer_id in (None, offer.id):
            newest[clock.kind] = clock
    ended = {kind: clock for kind, clock in newest.items() if clock.outcome in ("met", "late")}
    back: list[ClockRow | None] = []
    if own <= 0:
        back.append(ended.get(ClockKind.FIRST_TOUCH.value))
    if left <= 0:
        back.append(ended.get(ClockKind.SHELF_LIFE.value))
    follow_up = ended.get(ClockKind.FOLLOW_UP.value)
    if own > 0 and follow_up is not None and left < follow_up.goal:
        back.append(follow_up)
    for over in back:
        if over is not None:
            resume_clock(work, over)


def qualify(work: Work, actor: Member | None, offer_id: str, note: str = "") -> Answer:
    """An opportunity is open."""
    found = held_lead(work, actor, offer_id, Deed.QUALIFY, {Status.ACCEPTED, Status.WORKING})
    if isinstance(found, Refusal):
        return found
    lead, offer, who = found
    note_id = keep_note(work, lead, who, "qualify", note)
    moved = move(
        work,
        lead,
        Action.QUALIFY,
        Acting(Actor.OWNER, who.id),
        Status.QUALIFIED,
        offer_id=offer.id,
        held_by=who.id,
        changes={"note_id": note_id or lead.note_id},
    )
    return Done(lead.id) if moved is not None else explain(work, lead, who)


def close(work: Work, actor: Member | None, offer_id: str, outcome: str, note: str = "") -> Answer:
    """Won or lost: terminal, every clock ends."""
    found = held_lead(work, actor, offer_id, Deed.CLOSE, {Status.QUALIFIED})
    if isinstance(found, Refusal):
        return found
    lead, offer, who = found
    if outcome not in ("won", "lost"):
        return Refusal("unknown_reason")
    note_id = keep_note(work, lead, who, "close", note)
    moved = move(
        work,
        lead,
        Action.CLOSE,
        Acting(Actor.OWNER, who.id),
        Status(outcome),
        offer_id=offer.id,
        held_by=who.id,
        ending=Ending(offer, "done"),
        changes={"note_id": note_id or lead.note_id},
    )
    return Done(lead.id) if moved is not None else explain(work, lead, who)
