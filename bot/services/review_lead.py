"""What marketing does with a lead in review, and with sleeping or offered ones it may touch.

Every button of a review message carries the id of that stay in review; the UPDATE names it. What is not here:
how a lead gets into review (`offer_lead.enter_review`).
"""

from __future__ import annotations

from datetime import date

from bot.domain.access import Deed
from bot.domain.agreement import Role
from bot.domain.funnel import Action, Actor, Status
from bot.domain.refusal import Refusal
from bot.services.answer_offer import Answer, Done, arm_wake, keep_note, wake_instant
from bot.services.choose_rep import choose_rep, exclusions_of
from bot.services.move_lead import Acting, move, redraw, write
from bot.services.offer_lead import Guard, open_offer
from bot.services.refuse import authorise
from bot.services.work import Member, Work
from storage import leads
from storage.leads import LeadRow


def take_review(work: Work, actor: Member | None, review_id: str) -> Answer:
    """ "I'll take it": colleagues see who looks at it. One winner."""
    found = _in_review(work, actor, review_id, Deed.REVIEW_TAKE)
    if isinstance(found, Refusal):
        return found
    lead, who = found
    if lead.reviewer_id is not None and lead.reviewer_id != who.id:
        return Refusal("already_taken", facts=(("by", work.roster.name_of(lead.reviewer_id)),))
    saved = leads.save_lead(work.conn, lead, reviewer_id=who.id)
    write(work, lead.id, "review_taken", Acting(Actor.MARKETING, who.id), {"review": review_id})
    redraw(work, saved)
    return Done(lead.id)


def offer_again(work: Work, actor: Member | None, review_id: str, target: str) -> Answer:
    """Offer it again: `rules`, `team:<name>` or `person:<id>`. Nobody free: it stays in review, and says why."""
    found = _in_review(work, actor, review_id, Deed.REVIEW_OFFER)
    if isinstance(found, Refusal):
        return found
    lead, who = found
    rep: Member | None
    decision = None
    team = ""
    why = f"offered again by {who.name}"
    if target.startswith("person:"):
        rep = work.roster.by_id.get(int(target[7:])) if target[7:].isdigit() else None
    elif target.startswith("team:"):
        team = target[5:]
        rep = _longest_waiting(work, lead, team)
    else:
        decision = choose_rep(work, lead)
        rep = work.roster.by_email.get(decision.rep) if decision.rep else None
    if rep is None or not rep.reachable or Role.REP not in rep.roles:
        return Refusal("nobody_left", facts=(("why", decision.why if decision else ""),))
    moved = open_offer(
        work,
        lead,
        rep,
        Action.RESOLVE,
        Acting(Actor.MARKETING, who.id),
        decision=decision,
        team=team,
        why=why,
        guard=Guard(review_id=review_id),
    )
    return Done(lead.id) if moved is not None else gone(work, lead)


def _longest_waiting(work: Work, lead: LeadRow, team: str) -> Member | None:
    """Who said no to it is left out; who let it lapse comes last."""
    of_team = work.agreement.teams.get(team)
    out = exclusions_of(work, lead)
    free = [
        m
        for email in (of_team.members if of_team else ())
        if (m := work.roster.by_email.get(email)) is not None
        and m.reachable
        and Role.REP in m.roles
        and not m.absent_at(work.now)
        and m.email not in out.rejected
    ]
    return min(
        free,
        key=lambda m: (
            m.email in out.lapsed,
            m.row.last_offered_at is not None,
            m.row.last_offered_at or work.now,
            m.id,
        ),
        default=None,
    )


def nurture(
    work: Work,
    actor: Member | None,
    review_id: str,
    reason: str,
    wake_on: date | None,
    note: str = "",
) -> Answer:
    """Not now: back to sleep until the date."""
    found = _in_review(work, actor, review_id, Deed.REVIEW_NURTURE)
    if isinstance(found, Refusal):
        return found
    lead, who = found
    reasons = work.agreement.recycle_reasons
    rule = next((r for r in reasons if r.code == reason), reasons[0] if not reason else None)
    if rule is None:
        return Refusal("unknown_reason")
    wake_at = wake_instant(work, who, wake_on, rule)
    if wake_at is None:
        return Refusal("date_in_past")
    note_id = keep_note(work, lead, who, "nurture", note)
    moved = move(
        work,
        lead,
        Action.RESOLVE,
        Acting(Actor.MARKETING, who.id),
        Status.NURTURING,
        review_id=review_id,
        changes={
            "wake_at": wake_at,
            "wake_rep_id": None,
            "reason": rule.code,
            "note_id": note_id,
            "review_id": None,
        },
        data={"reason": rule.code, "wake_at": wake_at.isoformat(), "review": review_id},
    )
    if moved is None:
        return gone(work, lead)
    arm_wake(work, moved, wake_at)
    return Done(lead.id)


def disqualify(
    work: Work, actor: Member | None, review_id: str, reason: str, note: str = ""
) -> Answer:
    """Not a lead: closed. Terminal, every clock ends."""
    found = _in_review(work, actor, review_id, Deed.REVIEW_DISQUALIFY)
    if isinstance(found, Refusal):
        return found
    lead, who = found
    note_id = keep_note(work, lead, who, "disqualify", note)
    moved = move(
        work,
        lead,
        Action.RESOLVE,
        Acting(Actor.MARKETING, who.id),
        Status.DISQUALIFIED,
        review_id=review_id,
        changes={
            "reason": reason or lead.reason,
            "note_id": note_id or lead.note_id,
            "review_id": None,
        },
        data={"reason": reason or lead.reason, "review": review_id},
    )
    return Done(lead.id) if moved is not None else gone(work, lead)


def gone(work: Work, lead: LeadRow) -> Refusal:
    """Somebody else resolved it; the message is redrawn."""
    redraw(work, lead)
    return Refusal("wrong_status", facts=(("status", lead.status), ("now", work.now)))


def _in_review(
    work: Work, actor: Member | None, review_id: str, deed: Deed
) -> tuple[LeadRow, Member] | Refusal:
    lead_id = leads.lead_id_of_review(work.conn, review_id)
    lead = leads.lock_lead(work.conn, lead_id) if lead_id is not None else None
    if lead is None:
        return Refusal("already_resolved") if actor and actor.active else Refusal("not_in_playbook")
    refusal = authorise(work, actor, lead, deed)
    if refusal is not None:
        return refusal
    if actor is None:
        return Refusal("not_in_playbook")
    if lead.status != Status.REVIEW.value or lead.review_id != review_id:
        return gone(work, lead)
    return lead, actor
