"""The modal that a click opens: rights and freshness are checked first, then the view is built.

Every function takes an offer or review id from a button and gives a view or a Refusal; nothing is
written. What is not here: what a submitted form does (`answer_offer`, `manage_lead`, `review_lead`),
reviews' own forms (`present_review_forms`), wording.
"""

from __future__ import annotations

import re
from datetime import timedelta

from bot.domain.access import Deed, may
from bot.domain.agreement import RejectReason, Role
from bot.domain.funnel import HELD, Status
from bot.domain.refusal import Refusal
from bot.rendering import modals, times
from bot.rendering.escalation_card import render_escalation_modal
from bot.rendering.ids import CallbackId
from bot.rendering.lead_card import render_lead_modal
from bot.rendering.replies import render_lead_summary, render_why
from bot.rendering.rich import Block, View, modal
from bot.rendering.views_forms import (
    ExcuseForm,
    ExtendForm,
    OfferForm,
    ReasonChoice,
    ReasonForm,
    ReassignForm,
    RepChoice,
)
from bot.services.present_escalation import breach_view, excusable_clock
from bot.services.present_lookup import summary_of, why_of
from bot.services.present_offer import is_held, offer_view
from bot.services.present_parts import LEAD_ID, face_of, reader_of, running, shown_clock
from bot.services.refuse import authorise, bonds_of, whereabouts
from bot.services.work import Member, Work
from storage import leads, offers
from storage.leads import LeadRow
from storage.offers import OfferRow

Form = View | Refusal
_TAKEABLE = frozenset({Status.OFFERED, Status.ACCEPTED, Status.WORKING})
_TOUCHABLE = frozenset({Status.ACCEPTED, Status.WORKING})


def no_member(actor: Member | None) -> Refusal:
    """For somebody whom Baton does not know, or does not know any more."""
    return Refusal("not_in_playbook" if actor is None or actor.person is None else "deactivated")


def find_held(
    work: Work, actor: Member | None, offer_id: str, deed: Deed, statuses: frozenset[Status]
) -> tuple[LeadRow, OfferRow, Member] | Refusal:
    """The lead of an offer that still counts, if `actor` may do `deed` to it now. Only reads."""
    offer = offers.read_offer(work.conn, offer_id)
    lead = leads.read_lead(work.conn, offer.lead_id) if offer is not None else None
    if actor is None or not actor.active:
        return no_member(actor)
    if offer is None or lead is None:
        return Refusal("stale_card")
    if not is_held(lead, offer):
        return whereabouts(work, lead, actor)
    refusal = authorise(work, actor, lead, deed, looking=True)
    if refusal is not None:
        return refusal
    if lead.state not in statuses:
        return Refusal("wrong_status", facts=(("status", lead.status),))
    return lead, offer, actor


# ------------------------------------------------------------------ a rep's


def reject_form(work: Work, actor: Member | None, offer_id: str) -> Form:
    """Reject an offer, with a reason."""
    found = find_held(work, actor, offer_id, Deed.REJECT, frozenset({Status.OFFERED}))
    if isinstance(found, Refusal):
        return found
    lead, offer, _ = found
    reasons = _choices(work.agreement.reject_reasons)
    return modals.render_reject_modal(ReasonForm(offer.id, face_of(lead), reasons))


def give_back_form(work: Work, actor: Member | None, offer_id: str) -> Form:
    """Give an accepted lead back, with a reason of its own."""
    found = find_held(work, actor, offer_id, Deed.GIVE_BACK, frozenset({Status.ACCEPTED}))
    if isinstance(found, Refusal):
        return found
    lead, offer, _ = found
    reasons = _choices(work.agreement.turn_back_reasons)
    return modals.render_give_back_modal(ReasonForm(offer.id, face_of(lead), reasons))


def _choices(reasons: tuple[RejectReason, ...]) -> tuple[ReasonChoice, ...]:
    return tuple(ReasonChoice(r.code, r.label, r.note_required) for r in reasons)


def recycle_form(work: Work, actor: Member | None, offer_id: str) -> Form:
    """Recycle, for the holder and for a manager: each reason presets its date."""
    found = find_held(work, actor, offer_id, Deed.RECYCLE, HELD)
    if isinstance(found, Refusal):
        return found
    lead, offer, who = found
    today = times.today(work.now, who.zone)
    reasons = recycle_choices(work, today_of=who)
    return modals.render_recycle_modal(ReasonForm(offer.id, face_of(lead), reasons, today))


def recycle_choices(work: Work, *, today_of: Member) -> tuple[ReasonChoice, ...]:
    """The recycle reasons with the days they preset."""
    today = times.today(work.now, today_of.zone)
    return tuple(
        ReasonChoice(r.code, r.label, r.note_required, today + timedelta(days=r.wake_after.days))
        for r in work.agreement.recycle_reasons
    )


def log_call_form(work: Work, actor: Member | None, offer_id: str) -> Form:
    """Log call asks one thing."""
    found = find_held(work, actor, offer_id, Deed.LOG_TOUCH, _TOUCHABLE)
    if isinstance(found, Refusal):
        return found
    return modals.render_log_call_modal(OfferForm(offer_id, face_of(found[0])))


def qualify_form(work: Work, actor: Member | None, offer_id: str) -> Form:
    """There is an opportunity."""
    found = find_held(work, actor, offer_id, Deed.QUALIFY, _TOUCHABLE)
    if isinstance(found, Refusal):
        return found
    return modals.render_qualify_modal(OfferForm(offer_id, face_of(found[0])))


def close_form(work: Work, actor: Member | None, offer_id: str) -> Form:
    """Won or lost."""
    found = find_held(work, actor, offer_id, Deed.CLOSE, frozenset({Status.QUALIFIED}))
    if isinstance(found, Refusal):
        return found
    return modals.render_close_modal(OfferForm(offer_id, face_of(found[0])))


# ------------------------------------------------------------------ a manager's


def reassign_form(work: Work, actor: Member | None, offer_id: str) -> Form:
    """Give it to another rep; those with something against them are offered as "anyway"."""
    found = find_held(work, actor, offer_id, Deed.REASSIGN, _TAKEABLE)
    if isinstance(found, Refusal):
        return found
    lead, offer, who = found
    reps = [m for m in _reps_under(work, who) if m.id != lead.owner_id]
    form = ReassignForm(
        offer.id,
        face_of(lead),
        rep_choices(work, lead, reps),
        holder=work.roster.name_of(lead.owner_id),
    )
    return modals.render_reassign_modal(form)


def _reps_under(work: Work, who: Member) -> list[Member]:
    """Reps of the teams that `who` answers for; of all teams for the signer and for deputies."""
    teams = work.agreement.teams_managed_by(who.email)
    names = {team.name for team in teams} or set(work.agreement.teams)
    return [m for m in reps_of(work) if m.person is not None and m.person.team in names]


def reps_of(work: Work) -> list[Member]:
    """Everybody who can be offered a lead at all, by name."""
    reps = (m for m in work.roster.by_id.values() if m.reachable and Role.REP in m.roles)
    return sorted(reps, key=lambda member: (member.name.casefold(), member.id))


def rep_choices(work: Work, lead: LeadRow, reps: list[Member]) -> tuple[RepChoice, ...]:
    """Reps with what speaks against each."""
    counts = leads.count_open_by_person(work.conn)
    before = offers.list_offers(work.conn, lead.id)
    made: list[RepChoice] = []
    for rep in reps:
        cap = rep.person.open_cap if rep.person is not None else None
        states = {o.state for o in before if o.rep_id == rep.id}
        here = {o.state for o in before if o.rep_id == rep.id and o.round == lead.round}
        notes = [
            "away" if rep.absent_at(work.now) else "",
            "full" if cap is not None and counts.get(rep.id, 0) >= cap else "",
            "rejected it before" if "rejected" in states else "",
            "let it lapse" if "lapsed" in here else "",
            "passed it on" if "passed" in here else "",
        ]
        made.append(RepChoice(str(rep.id), rep.name, ", ".join(n for n in notes if n)))
    return tuple(made)


def extend_form(work: Work, actor: Member | None, offer_id: str) -> Form:
    """More time on the clock that presses now."""
    found = find_held(work, actor, offer_id, Deed.EXTEND, _TAKEABLE)
    if isinstance(found, Refusal):
        return found
    lead, offer, who = found
    clock = shown_clock(lead, running(work, lead.id))
    if clock is None:
        return Refusal("no_clock")
    form = ExtendForm(
        offer.id,
        reader_of(work, who),
        face_of(lead),
        clock.due_at,
        holder=work.roster.name_of(lead.owner_id),
    )
    return modals.render_extend_modal(form)


def excuse_form(work: Work, actor: Member | None, offer_id: str) -> Form:
    """Excuse the newest lapse of this round that is not one's own."""
    found = find_held(work, actor, offer_id, Deed.EXCUSE, _TAKEABLE | {Status.QUALIFIED})
    if isinstance(found, Refusal):
        return found
    lead, offer, who = found
    clock = excusable_clock(work, lead, but=who.id)
    if clock is None:
        own = excusable_clock(work, lead) is not None
        return Refusal("self_excuse" if own else "nothing_to_excuse")
    name = work.roster.name_of(clock.person_id)
    return modals.render_excuse_modal(ExcuseForm(offer.id, face_of(lead), name))


# ------------------------------------------------------------------ a lead


def _find(work: Work, id_: str) -> LeadRow | None:
    """The lead of an offer or a review, or the one whose number follows `LEAD_ID`."""
    number = id_.removeprefix(LEAD_ID)
    if number != id_:
        return (
            leads.read_lead(work.conn, int(number)) if re.fullmatch("[0-9]{1,15}", number) else None
        )
    lead_id = leads.lead_id_of_offer(work.conn, id_) or leads.lead_id_of_review(work.conn, id_)
    return leads.read_lead(work.conn, lead_id) if lead_id is not None else None


def lead_modal(work: Work, actor: Member | None, id_: str) -> Form:
    """A lead behind Open (offer id, review id, or `lead:<number>`): the card for its rep, where it
    stands and the manager's buttons for a manager, where it stands for everybody else. Fields as
    `access` says."""
    if actor is None or not actor.active:
        return no_member(actor)
    lead = _find(work, id_)
    if lead is None:
        return Refusal("stale_card")
    refusal = authorise(work, actor, lead, Deed.SEE_STATUS, looking=True)
    if refusal is not None:
        return refusal
    offer = offers.read_offer(work.conn, lead.current_offer_id or "")
    if offer is not None and is_held(lead, offer) and offer.rep_id == actor.id:
        return render_lead_modal(offer_view(work, lead, offer, actor))
    blocks: list[Block | None] = []
    buttons: list[Block | None] = []
    if lead.state in _TAKEABLE and may(actor.roles, bonds_of(work, actor, lead), Deed.TAKE):
        breach = breach_view(work, lead, actor)
        made = render_escalation_modal(breach)["blocks"]
        buttons = [block for block in made if block["type"] == "actions"]
        if breach.due <= work.now:
            blocks = [block for block in made if block["type"] != "actions"]
    summary = render_lead_summary(summary_of(work, actor, lead))["blocks"]
    blocks += [block for block in summary if block["type"] != "actions"]
    return modal(
        CallbackId.LEAD,
        "Lead",
        [*blocks, *buttons],
        close="Close",
        metadata={"offer": lead.current_offer_id or id_},
    )


def why_modal(work: Work, actor: Member | None, id_: str) -> Form:
    """How the lead of a card came to this: `/lead why` as a modal."""
    lead = _find(work, id_)
    if actor is None or not actor.active:
        return no_member(actor)
    if lead is None:
        return Refusal("stale_card")
    refusal = authorise(work, actor, lead, Deed.SEE_WHY, looking=True)
    if refusal is not None:
        return refusal
    blocks = render_why(why_of(work, actor, lead))["blocks"]
    return modal(CallbackId.NOTICE, "Why", blocks, close="Close")
