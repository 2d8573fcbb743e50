"""Work on an accepted lead: touches, qualify, close; and a logged touch taken back.

A touch is an activity of the owner; accepting is none. What a rep logs is `self_reported` until the CRM has it.
What is not here: accepting and rejecting (`answer_offer`), what the CRM reports (`take_touches`).
"""

from __future__ import annotations

from datetime import timedelta

from bot.domain.access import Deed
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
from bot.services.settle_touch import claim, claimed_just_now
from bot.services.touch_clocks import follow_up, run_on
from bot.services.work import Member, Work
from storage import cards, touches

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
    if claim(work, lead, offer, who, kind, outcome):
        return Done(lead.id)  # the CRM told us of it a moment ago: the card shows it
    last = touches.last_touch(work.conn, lead.id, lead.round)
    verified = last is not None and last.state == "verified"
    if verified and claimed_just_now(work, lead, who, SAME_TOUCH_FOR):
        return Refusal("already_done")
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
    follow_up(work, moved, offer, done)
    redraw_later(work, moved, UNDO_FOR)
    return Done(lead.id)


def undo_touch(work: Work, actor: Member | None, offer_id: str) -> Answer:
    """Take the last logged touch back within five minutes; was it the first, its clock goes on."""
    found = held_lead(work, actor, offer_id, Deed.UNDO_LOG, {Status.WORKING})
    if isinstance(found, Refusal):
        return found
    lead, offer, who = found
    last = touches.last_touch(work.conn, lead.id, lead.round)
    if last is None or last.offer_id != offer.id:
        return Refusal("already_done")
    if last.state == "verified":
        return Refusal("touch_in_crm")
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
    run_on(work, moved, offer, own=own, left=left)
    cards.reopen_cards(work.conn, lead.id)
    redraw(work, moved)
    return Done(lead.id)


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
