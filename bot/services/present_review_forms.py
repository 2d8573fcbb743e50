"""The modals behind marketing's review message. Rights and freshness first; nothing is written.

What is not here: the message itself (`present_review`), what a submitted form does (`review_lead`).
"""

from __future__ import annotations

from datetime import timedelta

from bot.domain.access import Deed
from bot.domain.funnel import Status
from bot.domain.refusal import Refusal
from bot.rendering import modals, times
from bot.rendering.review_card import render_review_details
from bot.rendering.views_forms import NurtureForm, ReasonChoice, ReasonForm, ReviewOfferForm
from bot.services.present_forms import Form, no_member, rep_choices, reps_of
from bot.services.present_parts import face_of, label_of, story_of
from bot.services.present_review import review_details
from bot.services.refuse import authorise
from bot.services.work import Member, Work
from storage import cards, leads
from storage.leads import LeadRow

#: What a reviewed lead sleeps when marketing says nothing else.
_REST = timedelta(days=90)


def find_review(
    work: Work, actor: Member | None, review_id: str, deed: Deed
) -> tuple[LeadRow, Member] | Refusal:
    """The lead that is in review under this id, if `actor` may do `deed` to it. Only reads."""
    if actor is None or not actor.active:
        return no_member(actor)
    lead_id = leads.lead_id_of_review(work.conn, review_id)
    lead = leads.read_lead(work.conn, lead_id) if lead_id is not None else None
    if lead is None or lead.state is not Status.REVIEW:
        return _resolved(work, review_id)
    refusal = authorise(work, actor, lead, deed, looking=True)
    return refusal if refusal is not None else (lead, actor)


def _resolved(work: Work, review_id: str) -> Refusal:
    """Who was quicker, as far as the message knows its lead."""
    card = cards.read_card(work.conn, f"review:{review_id}")
    if card is None or card.lead_id is None:
        return Refusal("already_resolved")
    story = story_of(work, card.lead_id)
    entered = story.last("moved", review=review_id, to=Status.REVIEW.value)
    seq = entered.seq if entered is not None else 0
    left = next((m for m in story.moves() if m.seq > seq and m.data.get("from") == "review"), None)
    if left is None:
        return Refusal("already_resolved")
    by = work.roster.name_of(left.actor_id) if left.actor_id is not None else ""
    return Refusal("already_resolved", facts=(("by", by), ("at", left.at)))


def review_offer_form(work: Work, actor: Member | None, review_id: str) -> Form:
    """Offer it again: by the rules, to a team, to a rep."""
    found = find_review(work, actor, review_id, Deed.REVIEW_OFFER)
    if isinstance(found, Refusal):
        return found
    lead, _ = found
    form = ReviewOfferForm(
        review_id,
        face_of(lead),
        teams=tuple(work.agreement.teams),
        reps=rep_choices(work, lead, reps_of(work)),
    )
    return modals.render_review_offer_modal(form)


def review_nurture_form(work: Work, actor: Member | None, review_id: str) -> Form:
    """Let it sleep until a date; preset by its reason when that is a recycle reason."""
    found = find_review(work, actor, review_id, Deed.REVIEW_NURTURE)
    if isinstance(found, Refusal):
        return found
    lead, who = found
    today = times.today(work.now, who.zone)
    rests = {r.code: r.wake_after for r in work.agreement.recycle_reasons}
    preset = today + timedelta(days=rests.get(lead.reason, _REST).days)
    return modals.render_review_nurture_modal(NurtureForm(review_id, face_of(lead), preset, today))


def review_disqualify_form(work: Work, actor: Member | None, review_id: str) -> Form:
    """Close it: the reject reasons serve, the one it came back for first."""
    found = find_review(work, actor, review_id, Deed.REVIEW_DISQUALIFY)
    if isinstance(found, Refusal):
        return found
    lead, _ = found
    known = [ReasonChoice(r.code, r.label) for r in work.agreement.reject_reasons]
    if lead.reason and lead.reason not in {choice.code for choice in known}:
        known.append(ReasonChoice(lead.reason, label_of(work, lead.reason)))
    known.sort(key=lambda choice: choice.code != lead.reason)
    form = ReasonForm(review_id, face_of(lead), tuple(known))
    return modals.render_review_disqualify_modal(form)


def review_details_modal(work: Work, actor: Member | None, review_id: str) -> Form:
    """Everything about a lead in review: for those who may see contact details."""
    found = find_review(work, actor, review_id, Deed.SEE_CONTACT)
    if isinstance(found, Refusal):
        return found
    lead, who = found
    return render_review_details(review_details(work, lead, review_id, who))
