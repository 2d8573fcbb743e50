"""Putting a lead before a rep, accepted or not; or into review when nobody is left.

What is not here: who is next (`choose_rep`), what the rep answers (`answer_offer`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.domain.agreement import ClockKind
from bot.domain.funnel import Action, Status
from bot.domain.open_windows import whole_seconds
from bot.domain.routing import SAME_REP, Decision, turn_after
from bot.services.choose_rep import choose_rep
from bot.services.end_test_lead import TEST, end_test
from bot.services.escalate import tell_manager_nobody_left
from bot.services.move_lead import SYSTEM, Acting, Ending, move, write
from bot.services.run_clocks import start_clock
from bot.services.work import Member, Work
from storage import outbox, people
from storage.clocks import ClockRow
from storage.leads import LeadRow
from storage.offers import OfferRow, new_offer_id
from storage.outbox import Post

#: A card later than this after its time: the rep did not have the whole span, due times move by the delay.
LATE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Guard:
    """What the UPDATE must still find: this offer current, held by this person, or this stay in review."""

    offer_id: str | None = None
    held_by: int | None = None
    review_id: str | None = None


def offer_next(
    work: Work,
    lead: LeadRow,
    action: Action,
    acting: Acting,
    *,
    prefer: str = "",
    guard: Guard | None = None,
    ending: Ending | None = None,
    answered: bool = False,
    reason: str = "",
    note_id: int | None = None,
) -> LeadRow | None:
    """Offer the lead to whom the rules name, or send it to review when nobody is left. None: guard failed.

    A test lead is for one person only: it ends instead.
    """
    if lead.kind == TEST:
        return _end_test(work, lead, acting, guard, ending, answered=answered)
    decision = choose_rep(work, lead, prefer=prefer, ending=ending)
    rep = work.roster.by_email.get(decision.rep) if decision.rep else None
    if rep is not None:
        return open_offer(
            work,
            lead,
            rep,
            action,
            acting,
            decision=decision,
            guard=guard,
            ending=ending,
            answered=answered,
        )
    exhausted = (
        action if action in (Action.PASS_ON, Action.REJECT, Action.JUDGE) else Action.EXHAUST
    )
    reviewed = enter_review(
        work,
        lead,
        exhausted,
        acting if exhausted is action else SYSTEM,
        reason=reason or "nobody_free",
        note_id=note_id,
        guard=guard,
        ending=ending,
        answered=answered,
        data={"why": decision.why[:300], "trace": [line.as_dict() for line in decision.trace]},
    )
    if reviewed is not None:
        tell_manager_nobody_left(work, reviewed, lead.team or decision.team)
    return reviewed


def open_offer(
    work: Work,
    lead: LeadRow,
    rep: Member,
    action: Action,
    acting: Acting,
    *,
    decision: Decision | None = None,
    team: str = "",
    why: str = "",
    guard: Guard | None = None,
    ending: Ending | None = None,
    answered: bool = False,
    accepted: bool = False,
) -> LeadRow | None:
    """Put the lead before `rep`: offer, clocks, timers, journal and card in this transaction.

    `ending` is the offer that it had before. `accepted`: a manager takes it at once.
    """
    team_name = (
        team or (decision.team if decision else "") or (rep.person.team if rep.person else "")
    )
    if not team_name and decision is not None and decision.rule == SAME_REP:
        team_name = lead.team  # a manager who is in no team took it: it stays their team's
    test = lead.kind == TEST  # whoever asks for a test waits for it now, and it is nobody's turn
    show_at = work.now if accepted or test else rep.calendar.next_open(work.now)
    offer_id = new_offer_id()
    moved = move(
        work,
        lead,
        action,
        acting,
        Status.ACCEPTED if accepted else Status.OFFERED,
        answered=answered,
        changes={
            "current_offer_id": offer_id,
            "owner_id": rep.id,
            "team": team_name,
            "review_id": None,
            "reviewer_id": None,
            "wake_at": None,
            "first_offered_at": lead.first_offered_at or work.now,
            "accepted_at": work.now if accepted else None,
            "playbook_version": work.agreement.version,
        },
        data={"reason": None},
        ending=ending,
        offer_id=guard.offer_id if guard else None,
        held_by=guard.held_by if guard else None,
        review_id=guard.review_id if guard else None,
    )
    if moved is None:
        return None
    offer = work.rows(lead.id).insert_offer(
        id=offer_id,
        lead_id=lead.id,
        round=moved.round,
        rep_id=rep.id,
        team=team_name,
        rule=decision.rule if decision else "",
        why=(decision.why if decision else why)[:300],
        trace=[line.as_dict() for line in decision.trace] if decision else [],
        playbook_version=work.agreement.version,
        offered_at=work.now,
        show_at=show_at,
        source=None if test else lead.source,
        systems_seconds=whole_seconds(lead.arrived_at, work.now),
        touched_at=moved.touched_at,
        touched_seconds=(
            whole_seconds(lead.arrived_at, moved.touched_at) if moved.touched_at else None
        ),
    )
    write(
        work,
        lead.id,
        "offered",
        acting,
        {
            "offer": offer.id,
            "rep": rep.id,
            "round": offer.round,
            "n": offer.n,
            "team": team_name,
            "rule": offer.rule,
            "why": offer.why,
            "trace": offer.trace,
        },
    )
    if not test:
        turn = turn_after(work.now, (m.row.last_offered_at for m in work.roster.by_id.values()))
        if work.gathered is not None:
            work.gathered.turns[rep.id] = turn
        else:
            people.save_person(work.conn, rep.id, last_offered_at=turn)
        work.roster.note_offer(rep.id, turn)
    _start_offer_clocks(work, moved, offer, rep, accepted=accepted)
    post = Post(
        "lead_card",
        f"card:{offer.id}",
        outbox.lane_of(rep.id),
        outbox.PRIORITY_OFFER,
        show_at=show_at,
        lead_id=lead.id,
        offer_id=offer.id,
        person_id=rep.id,
    )
    _post(work, post)
    return moved


def _post(work: Work, post: Post) -> None:
    if work.gathered is not None:
        work.gathered.posts.append(post)
    else:
        outbox.enqueue_posts(work.conn, [post], now=work.now, real=work.real)


def _start_offer_clocks(
    work: Work, lead: LeadRow, offer: OfferRow, rep: Member, *, accepted: bool
) -> None:
    if lead.first_offered_at is not None and _needs_shelf_life(work, lead):
        start_clock(
            work,
            lead,
            ClockKind.SHELF_LIFE,
            started_at=lead.first_offered_at,
            person_id=rep.id,
            team=offer.team,
        )
    if accepted:
        accept_offer(work, lead, offer)
        return
    start_clock(
        work,
        lead,
        ClockKind.ACCEPT,
        started_at=offer.offered_at,
        offer_id=offer.id,
        person_id=rep.id,
        team=offer.team,
    )


def _needs_shelf_life(work: Work, lead: LeadRow) -> bool:
    """One shelf-life clock a round: not again while it runs, nor once it was breached or met."""
    for clock in clocks_of_round(work, lead):
        if clock.kind == ClockKind.SHELF_LIFE.value and (
            clock.ended_at is None or clock.breached_at is not None or clock.outcome == "met"
        ):
            return False
    return True


def clocks_of_round(work: Work, lead: LeadRow) -> list[ClockRow]:
    """All clocks of the lead's present round."""
    return [c for c in work.rows(lead.id).list_clocks(lead.id) if c.round == lead.round]


def accept_offer(
    work: Work, lead: LeadRow, offer: OfferRow, accepted_at: datetime | None = None
) -> OfferRow:
    """The offer is accepted, now or `accepted_at`: first touch counts from the offer (from its card when that came
    late), the decision from now."""
    at = accepted_at or work.now
    rows = work.rows(lead.id)
    again = offer.n > 1 and any(
        each.accepted_at is not None and each.round == offer.round and each.n < offer.n
        for each in rows.list_offers(lead.id)
    )
    since = lead.first_offered_at or offer.offered_at
    accepted = rows.save_offer(
        offer.id,
        state="accepted",
        accepted_at=at,
        accepted_seconds=None if again else whole_seconds(since, at),
    )
    write(work, lead.id, "offer_accepted", data={"offer": offer.id})
    came = offer.delivered_at
    asked_at = came if came is not None and came - offer.show_at > LATE else offer.offered_at
    for kind, start in ((ClockKind.FIRST_TOUCH, asked_at), (ClockKind.DECIDE, work.now)):
        start_clock(
            work,
            lead,
            kind,
            started_at=start,
            offer_id=offer.id,
            person_id=offer.rep_id,
            team=offer.team,
        )
    return accepted


def enter_review(
    work: Work,
    lead: LeadRow,
    action: Action,
    acting: Acting,
    *,
    reason: str,
    note_id: int | None = None,
    guard: Guard | None = None,
    ending: Ending | None = None,
    answered: bool = False,
    data: Mapping[str, Any] | None = None,
) -> LeadRow | None:
    """The lead is marketing's again: the review clock runs, the review message goes to their channel.

    A test lead is nobody else's business: it ends instead.
    """
    if lead.kind == TEST:
        return _end_test(work, lead, acting, guard, ending, answered=answered)
    review_id = new_offer_id()
    moved = move(
        work,
        lead,
        action,
        acting,
        Status.REVIEW,
        answered=answered,
        changes={
            "review_id": review_id,
            "current_offer_id": None,
            "owner_id": None,
            "reviewer_id": None,
            "reason": reason,
            "note_id": note_id,
        },
        data={"reason": reason, "review": review_id, **(data or {})},
        ending=ending,
        offer_id=guard.offer_id if guard else None,
        held_by=guard.held_by if guard else None,
        review_id=guard.review_id if guard else None,
    )
    if moved is None:
        return None
    start_clock(work, moved, ClockKind.REVIEW, started_at=work.now)
    post = Post(
        "review_card",
        f"review:{review_id}",
        outbox.lane_of(None, work.agreement.marketing.channel),
        outbox.PRIORITY_OFFER,
        lead_id=lead.id,
        data={"review": review_id},
    )
    _post(work, post)
    return moved


def _end_test(
    work: Work,
    lead: LeadRow,
    acting: Acting,
    guard: Guard | None,
    ending: Ending | None,
    *,
    answered: bool,
) -> LeadRow | None:
    return end_test(
        work,
        lead,
        acting,
        ending=ending,
        offer_id=guard.offer_id if guard else None,
        held_by=guard.held_by if guard else None,
        answered=answered,
    )


def current_offer(work: Work, lead: LeadRow) -> OfferRow | None:
    """The offer a lead is at: open, or accepted by its owner."""
    if lead.current_offer_id is None:
        return None
    offer = work.rows(lead.id).read_offer(lead.current_offer_id)
    return offer if offer is not None and offer.state in ("open", "accepted") else None
