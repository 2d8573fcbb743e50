"""What a manager does with a lead of their team: take, reassign, nudge, give more time, excuse.

What is not here: recycle (`answer_offer.recycle` serves managers too), who hears of breaches (`escalate`).
"""

from __future__ import annotations

from datetime import timedelta

from bot.domain.access import Deed
from bot.domain.agreement import ClockKind, Role
from bot.domain.business_time import parse_duration
from bot.domain.funnel import Action, Actor, Status
from bot.domain.refusal import Refusal
from bot.services.answer_offer import Answer, Done, held_lead, keep_note
from bot.services.move_lead import Acting, Ending, redraw, write
from bot.services.offer_lead import Guard, open_offer
from bot.services.present_escalation import excusable_clock
from bot.services.refuse import explain
from bot.services.run_clocks import longer_due, move_due
from bot.services.work import Member, Work
from storage import clocks, outbox

_TAKEABLE = {Status.OFFERED, Status.ACCEPTED, Status.WORKING}
#: One nudge per lead and ten minutes: more is noise.
NUDGE_EVERY = timedelta(minutes=10)


def take(work: Work, actor: Member | None, offer_id: str) -> Answer:
    """ "Take it myself": accepted at once."""
    found = held_lead(work, actor, offer_id, Deed.TAKE, _TAKEABLE)
    if isinstance(found, Refusal):
        return found
    lead, offer, who = found
    if lead.owner_id == who.id and lead.status != Status.OFFERED.value:
        return Refusal("already_done")
    moved = open_offer(
        work,
        lead,
        who,
        Action.TAKE,
        Acting(Actor.MANAGER, who.id),
        team=lead.team,
        why="taken by the manager",
        guard=Guard(offer_id=offer.id),
        ending=Ending(offer, "reassigned", "taken"),
        accepted=True,
    )
    return Done(lead.id) if moved is not None else explain(work, lead, who)


def reassign(work: Work, actor: Member | None, offer_id: str, to_person_id: int) -> Answer:
    """Offer it to a rep of the manager's choice. Caps, absence and a former no do not bind the manager."""
    found = held_lead(work, actor, offer_id, Deed.REASSIGN, _TAKEABLE)
    if isinstance(found, Refusal):
        return found
    lead, offer, who = found
    rep = work.roster.by_id.get(to_person_id)
    if rep is None or not rep.reachable or Role.REP not in rep.roles:
        return Refusal("not_eligible")
    if rep.id == lead.owner_id:
        return Refusal("not_eligible", facts=(("name", rep.name),))
    moved = open_offer(
        work,
        lead,
        rep,
        Action.REASSIGN,
        Acting(Actor.MANAGER, who.id),
        team=rep.person.team if rep.person and rep.person.team else lead.team,
        why=f"given by {who.name}",
        guard=Guard(offer_id=offer.id),
        ending=Ending(offer, "reassigned", "reassigned"),
    )
    return Done(lead.id) if moved is not None else explain(work, lead, who)


def nudge(work: Work, actor: Member | None, offer_id: str) -> Answer:
    """Ask the holder, in the thread of their card, in the manager's name."""
    found = held_lead(work, actor, offer_id, Deed.NUDGE, {*_TAKEABLE, Status.QUALIFIED})
    if isinstance(found, Refusal):
        return found
    lead, offer, who = found
    slot = int(work.now.timestamp() // NUDGE_EVERY.total_seconds())
    is_new = outbox.enqueue_post(
        work.conn,
        template="nudge",
        card_key=f"nudge:{offer.id}:{slot}",
        lane=outbox.lane_of(offer.rep_id),
        priority=outbox.PRIORITY_OFFER,
        now=work.now,
        real=work.real,
        lead_id=lead.id,
        offer_id=offer.id,
        person_id=offer.rep_id,
        data={"by": who.id},
    )
    if not is_new:
        return Refusal("nudged_already", facts=(("by", work.roster.name_of(offer.rep_id)),))
    write(work, lead.id, "nudged", Acting(Actor.MANAGER, who.id), {"to": offer.rep_id})
    redraw(work, lead)
    return Done(lead.id, "nudged")


def extend(work: Work, actor: Member | None, offer_id: str, span: str) -> Answer:
    """Give more time: the clock that presses now gets a later due time and a new generation of timers."""
    found = held_lead(work, actor, offer_id, Deed.EXTEND, _TAKEABLE)
    if isinstance(found, Refusal):
        return found
    lead, _, who = found
    try:
        duration = parse_duration(span)
    except ValueError as error:
        return Refusal("needs_span", str(error))
    pressing = [
        c
        for c in clocks.list_clocks(work.conn, lead.id, running=True)
        if c.kind != ClockKind.SHELF_LIFE.value
    ]
    if not pressing:
        return Refusal("no_clock")
    clock = min(pressing, key=lambda c: c.due_at)
    moved = move_due(work, clock, longer_due(work, clock, duration), "extended")
    write(
        work,
        lead.id,
        "extended",
        Acting(Actor.MANAGER, who.id),
        {"clock": clock.id, "kind": clock.kind, "by": span, "due_at": moved.due_at.isoformat()},
    )
    redraw(work, lead)
    return Done(lead.id, "extended")


def excuse(work: Work, actor: Member | None, offer_id: str, note: str = "") -> Answer:
    """The newest lapse of somebody else does not count against them: the breached clock is marked excused."""
    found = held_lead(work, actor, offer_id, Deed.EXCUSE, {*_TAKEABLE, Status.QUALIFIED})
    if isinstance(found, Refusal):
        return found
    lead, _, who = found
    clock = excusable_clock(work, lead, but=who.id)
    if clock is None:
        return Refusal("no_clock")
    note_id = keep_note(work, lead, who, "excuse", note)
    clocks.save_clock(work.conn, clock.id, excused=True)
    if clock.ended_at is None:
        move_due(work, clock, clock.due_at, "excused")
    data = {"clock": clock.id, "person": clock.person_id, "note": note_id}
    write(work, lead.id, "clock_excused", Acting(Actor.MANAGER, who.id), data)
    redraw(work, lead, clock.person_id)
    return Done(lead.id, "excused")
