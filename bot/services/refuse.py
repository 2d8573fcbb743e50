"""Saying no: who may do what to which lead now, and why not, with the facts the sentence needs.

`authorise` is the one place where rights are checked; the guarded UPDATE checks again. What is not here: the
sentences (`bot.rendering.replies`).
"""

from __future__ import annotations

from bot.domain.access import Bond, Deed, may
from bot.domain.agreement import Role
from bot.domain.funnel import OWNED, Status
from bot.domain.refusal import Refusal
from bot.services.move_lead import redraw
from bot.services.work import Member, Work
from storage import offers
from storage.leads import LeadRow
from storage.offers import OfferRow


def bonds_of(work: Work, actor: Member, lead: LeadRow) -> frozenset[Bond]:
    """How a person stands to a lead."""
    bonds = {Bond.OTHER}
    if lead.owner_id == actor.id:
        bonds.add(Bond.HOLDER)
    if manages(work, actor, lead.team):
        bonds.add(Bond.MANAGER_OF_HOLDER)
    return frozenset(bonds)


def manages(work: Work, actor: Member, team_name: str) -> bool:
    """Manager or above of a team, their deputies, and the signer: escalations reach them in the manager's place."""
    team = work.agreement.teams.get(team_name)
    if (
        team is None
    ):  # a rep without a team, or one that was dropped: the signer hears of it and must be able to act
        return actor.email == work.agreement.signer_sales
    if actor.email in (team.manager, team.above, work.agreement.signer_sales):
        return True
    return any(
        (person := work.agreement.people.get(email)) is not None and person.deputy == actor.email
        for email in (team.manager, team.above)
    )


def authorise(
    work: Work, actor: Member | None, lead: LeadRow, deed: Deed, *, looking: bool = False
) -> Refusal | None:
    """None when `actor` may, else the refusal. Unknown and deactivated people have no rights at all.

    `looking`: nothing is written; else a refusal also brings the cards up to date.
    """
    if actor is None or actor.person is None:
        return Refusal("not_in_playbook")
    if not actor.active:
        return Refusal("deactivated")
    roles = actor.roles
    if lead.kind == "test" and lead.owner_id == actor.id:
        roles |= {Role.REP}  # whoever tests may click, also an admin who never gets leads
    if may(roles, bonds_of(work, actor, lead), deed):
        return None
    if may(actor.roles, frozenset({Bond.HOLDER}), deed):
        return whereabouts(work, lead, actor) if looking else explain(work, lead, actor)
    return Refusal("not_allowed")


def explain(work: Work, lead: LeadRow, actor: Member | None = None) -> Refusal:
    """The same as `whereabouts`, and the cards are redrawn: what was clicked is out of date."""
    redraw(work, lead, actor.id if actor else None)
    return whereabouts(work, lead, actor)


def whereabouts(work: Work, lead: LeadRow, actor: Member | None = None) -> Refusal:
    """Where the lead is now, for somebody whose click came too late or who does not hold it."""
    zone = actor.zone if actor else "UTC"
    status = Status(lead.status)
    offer = offers.read_offer(work.conn, lead.current_offer_id) if lead.current_offer_id else None
    if offer is not None and actor is not None and lead.owner_id == actor.id:
        return Refusal("already_done", facts=(("zone", zone), ("status", lead.status)))
    if status in OWNED and offer is not None and offer.accepted_at is not None:
        return Refusal(
            "already_accepted",
            facts=(
                ("by", work.roster.name_of(lead.owner_id)),
                ("at", offer.accepted_at),
                ("zone", zone),
                ("now", work.now),
            ),
        )
    if status is Status.OFFERED:
        return Refusal("moved_on", facts=(("zone", zone), ("now", work.now)))
    return Refusal(
        "wrong_status", facts=(("status", lead.status), ("zone", zone), ("now", work.now))
    )


def stale(work: Work, lead: LeadRow, offer: OfferRow, actor: Member | None) -> Refusal | None:
    """A card of a former offer: refused, whoever clicks it."""
    if lead.current_offer_id == offer.id and offer.state in ("open", "accepted"):
        return None
    return explain(work, lead, actor)
