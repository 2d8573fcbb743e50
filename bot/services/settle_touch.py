"""What a reported activity does to a locked lead: a touch of its own, a rep's word confirmed, corrected, taken back.

A touch stands at the earlier of what the rep said and what was reported: nobody logs a call before it was made. What
is not here: which of these it is (`take_touches`), the clocks (`touch_clocks`), what people log (`work_lead`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from bot.domain.activity import MINUTE, Activity, Effect, said_again, same_touch
from bot.domain.funnel import Action, Actor, Status
from bot.services.move_lead import Acting, move, redraw, write
from bot.services.offer_lead import accept_offer, current_offer
from bot.services.touch_clocks import follow_up, judge_again, run_on
from bot.services.work import Member, Work
from storage import activities, cards, journal, leads, offers, touches
from storage.activities import ActivityRow
from storage.leads import LeadRow
from storage.offers import OfferRow
from storage.touches import TouchRow

CRM = Acting(Actor.CRM)
#: While it has one of these a touch moves a lead and its clocks; later it only counts.
_CLOCKED = frozenset({Status.OFFERED, Status.ACCEPTED, Status.WORKING})
VERIFIED, SELF_REPORTED = "verified", "self_reported"


def count(
    work: Work, lead: LeadRow, offer: OfferRow, who: Member, activity: Activity, row: ActivityRow
) -> int | None:
    """The holder did it, and nobody said so before: a verified touch; on an offer it is the accept, too. Its id;
    None when the guard says that somebody else has the lead by now."""
    at = row.occurred_at
    told = {"activity": row.id, "happened_at": at.isoformat()}
    if lead.state is Status.OFFERED:
        accepted_at = max(at, offer.offered_at)
        accepted = move(
            work,
            lead,
            Action.ACCEPT,
            Acting(Actor.REP, who.id),
            Status.ACCEPTED,
            offer_id=offer.id,
            held_by=who.id,
            answered=True,
            changes={"accepted_at": accepted_at},
            data=told,
            at=at,
        )
        if accepted is None:
            return None
        offer = accept_offer(work, accepted, offer, accepted_at)
        lead = accepted
    done = touches.count_touches(work.conn, lead.id, lead.round) + 1
    changes = {"touches": done, "touched_at": min(lead.touched_at or at, at)}
    if lead.state is Status.QUALIFIED:
        moved: LeadRow | None = leads.save_lead(work.conn, lead, **changes)
        redraw(work, lead)
    else:
        moved = move(
            work,
            lead,
            Action.TOUCH,
            Acting(Actor.OWNER, who.id),
            Status.WORKING,
            offer_id=offer.id,
            held_by=who.id,
            changes=changes,
            data=told,
            at=at,
        )
    if moved is None:
        return None
    touch_id = touches.insert_touch(
        work.conn,
        lead_id=lead.id,
        round=lead.round,
        offer_id=offer.id,
        person_id=who.id,
        kind=activity.kind,
        outcome=activity.outcome,
        state=VERIFIED,
        at=at,
    )
    touch = touches.read_touch(work.conn, touch_id)
    if touch is not None:
        _tell(work, "touched", Acting(Actor.OWNER, who.id), touch, row, activity)
    if moved.state is Status.WORKING:
        follow_up(work, moved, offer, done, at)
        judge_again(work, moved, offer)
    return touch_id


def matching(work: Work, lead: LeadRow, who: Member, kind: str, at: datetime) -> TouchRow | None:
    """The touch of this round that a person said they made and that this activity confirms: the nearest."""
    found = [
        touch
        for touch in touches.list_touches(work.conn, lead.id, lead.round)
        if touch.person_id == who.id
        and touch.state == SELF_REPORTED
        and same_touch(kind, at, touch.kind, touch.at)
        and not _before_offer(work, touch, at)
    ]
    return min(found, key=lambda touch: (abs(touch.at - at), touch.id), default=None)


def verify(
    work: Work, lead: LeadRow, touch: TouchRow, row: ActivityRow, activity: Activity
) -> None:
    """What a rep said stands in the CRM."""
    verified = touches.save_touch(
        work.conn, touch.id, state=VERIFIED, at=min(touch.at, row.occurred_at)
    )
    _tell(work, "touch_verified", CRM, verified, row, activity, said_at=touch.at.isoformat())
    _times_changed(work, lead, touch)


def claim(work: Work, lead: LeadRow, offer: OfferRow, who: Member, kind: str, outcome: str) -> bool:
    """The other way round: a rep logs what the CRM told us a moment ago. It is the same touch, once."""
    for touch in reversed(touches.list_touches(work.conn, lead.id, lead.round)):
        if touch.person_id != who.id or touch.state != VERIFIED or touch.offer_id != offer.id:
            continue
        row = activities.find_of_touch(work.conn, touch.id)
        if (
            row is None
            or row.effect != Effect.COUNTED
            or not said_again(touch.kind, touch.at, row.received_at, kind, work.now)
        ):
            continue
        activities.save_activity(work.conn, row.id, effect=Effect.VERIFIED.value)
        claimed = touches.save_touch(work.conn, touch.id, outcome=touch.outcome or outcome)
        said = Acting(Actor.OWNER, who.id)
        _tell(work, "touch_verified", said, claimed, row, said_at=work.now.isoformat())
        redraw(work, lead)
        return True
    return False


def claimed_just_now(work: Work, lead: LeadRow, who: Member, within: timedelta) -> bool:
    """Whether that log was clicked twice."""
    for entry in reversed(journal.list_entries(work.conn, "lead", lead.id)):
        if work.now - entry.at >= within:
            return False
        if entry.kind == "touch_verified" and entry.actor_id == who.id:
            return True
    return False


def can_correct(work: Work, row: ActivityRow, who: Member | None, activity: Activity) -> bool:
    """Whether a changed activity is still the same touch: of the same person, in the same offer, and, where it
    confirms what a rep said, still near to that."""
    touch = touches.read_touch(work.conn, row.touch_id) if row.touch_id is not None else None
    at = activity.occurred_at
    if touch is None or at is None or who is None or touch.person_id != who.id:
        return False
    if activity.why_noted() is not None or _before_offer(work, touch, at):
        return False
    if row.effect != Effect.VERIFIED:
        return True
    said_at = _said_at(work, touch)
    return said_at is not None and same_touch(activity.kind, at, touch.kind, said_at)


def correct(work: Work, lead: LeadRow, row: ActivityRow, activity: Activity) -> None:
    """Another time, kind or outcome of the same touch."""
    touch = touches.read_touch(work.conn, row.touch_id) if row.touch_id is not None else None
    at = activity.occurred_at
    if touch is None or at is None:
        return
    if row.effect == Effect.VERIFIED:
        said_at = _said_at(work, touch)
        corrected = touches.save_touch(work.conn, touch.id, at=min(said_at or at, at))
    else:
        corrected = touches.save_touch(
            work.conn, touch.id, kind=activity.kind, outcome=activity.outcome, at=at
        )
    _tell(work, "touch_corrected", CRM, corrected, row, activity)
    _times_changed(work, lead, touch)


def take_back(work: Work, lead: LeadRow, row: ActivityRow) -> None:
    """The activity is no longer what it was: the touch goes, or is only the rep's word again."""
    touch = touches.read_touch(work.conn, row.touch_id) if row.touch_id is not None else None
    if touch is None or touch.state != VERIFIED:
        return
    if row.effect == Effect.VERIFIED:
        said_at = _said_at(work, touch) or touch.at
        said = touches.save_touch(work.conn, touch.id, state=SELF_REPORTED, at=said_at)
        _tell(work, "touch_unverified", CRM, said, row)
        _times_changed(work, lead, touch)
        return
    touches.withdraw_touch(work.conn, touch.id)
    if touch.round == lead.round:
        lead = _without(work, lead, row)
    gone = touches.read_touch(work.conn, touch.id) or touch
    _tell(work, "touch_withdrawn", CRM, gone, row)
    cards.reopen_cards(work.conn, lead.id)
    redraw(work, lead)


def _without(work: Work, lead: LeadRow, row: ActivityRow) -> LeadRow:
    """Counts, status and clocks of a lead after a touch of this round was withdrawn."""
    left = touches.list_touches(work.conn, lead.id, lead.round)
    changes: dict[str, Any] = {
        "touches": len(left),
        "touched_at": left[0].at if left else None,
    }
    offer = current_offer(work, lead)
    if offer is None or lead.state not in _CLOCKED:
        return leads.save_lead(work.conn, lead, **changes)
    own = sum(1 for touch in left if touch.offer_id == offer.id)
    if lead.state is Status.WORKING:
        moved = move(
            work,
            lead,
            Action.WITHDRAW_TOUCH,
            CRM,
            Status.WORKING if own else Status.ACCEPTED,
            offer_id=offer.id,
            changes=changes,
            data={"activity": row.id},
        )
        if moved is None:
            raise RuntimeError(f"lead {lead.id} left `working` under our lock")
        lead = moved
    else:
        lead = leads.save_lead(work.conn, lead, **changes)
    run_on(work, lead, offer, own=own, left=len(left))
    judge_again(work, lead, offer)
    return lead


def _times_changed(work: Work, lead: LeadRow, touch: TouchRow) -> None:
    """A touch stands at another time than before. That the lead went on meanwhile, or was won, changes nothing in
    when it was made: whoever called in time did."""
    of_round = touches.list_touches(work.conn, lead.id, lead.round)
    first = of_round[0].at if of_round else None
    if first != lead.touched_at:
        lead = leads.save_lead(work.conn, lead, touched_at=first)
    for offer_id in dict.fromkeys((touch.offer_id, lead.current_offer_id)):
        offer = offers.read_offer(work.conn, offer_id) if offer_id is not None else None
        if offer is not None:
            judge_again(work, lead, offer)
    cards.reopen_cards(work.conn, lead.id)
    redraw(work, lead)


def _before_offer(work: Work, touch: TouchRow, at: datetime) -> bool:
    offer = offers.read_offer(work.conn, touch.offer_id) if touch.offer_id is not None else None
    return offer is not None and at <= offer.offered_at - MINUTE


def _said_at(work: Work, touch: TouchRow) -> datetime | None:
    """When the rep said so: the journal keeps it, the touch stands at the true time."""
    for entry in reversed(journal.list_entries(work.conn, "lead", touch.lead_id)):
        if entry.kind == "touch_verified" and entry.data.get("touch") == touch.id:
            return datetime.fromisoformat(str(entry.data["said_at"]))
    return None


def _tell(
    work: Work,
    kind: str,
    acting: Acting,
    touch: TouchRow,
    row: ActivityRow,
    activity: Activity | None = None,
    **more: str,
) -> None:
    """One journal entry about a touch and the activity behind it."""
    if activity is not None and activity.changed_at is not None:
        more["changed_at"] = activity.changed_at.isoformat()
    write(
        work,
        touch.lead_id,
        kind,
        acting,
        {
            "touch": touch.id,
            "activity": row.id,
            "kind": touch.kind,
            "outcome": touch.outcome,
            "state": touch.state,
            "at": touch.at.isoformat(),
            **more,
        },
    )
