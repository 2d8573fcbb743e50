"""A lead comes back: the next round begins, with its own counts and clocks, and is judged."""

from __future__ import annotations

from bot.domain.funnel import Action, Status
from bot.services.end_test_lead import TEST, end_test
from bot.services.judge_lead import receive
from bot.services.move_lead import SYSTEM, cancel_wake, move
from bot.services.work import Work
from storage import leads
from storage.leads import LeadRow


def wake_lead(work: Work, lead: LeadRow, *, why: str, as_agreed: bool) -> LeadRow | None:
    """Start the next round of a locked lead in nurturing, lost or disqualified; None when it is elsewhere.

    `as_agreed`: its wake date has come, so it is offered again, first to the rep who asked for that;
    else it passes the bar of the playbook like any other. A test lead ends.
    """
    if lead.kind == TEST:
        return end_test(work, lead)
    received = begin_round(work, lead, why=why)
    if received is None:
        return None
    receive(work, received, woken=as_agreed)
    return leads.read_lead(work.conn, lead.id)


def begin_round(work: Work, lead: LeadRow, *, why: str) -> LeadRow | None:
    """The next round of a locked lead, in `received` and not judged yet; None when it cannot wake from its status."""
    cancel_wake(work, lead.id)
    return move(
        work,
        lead,
        Action.WAKE,
        SYSTEM,
        Status.RECEIVED,
        changes={
            "round": lead.round + 1,
            "current_offer_id": None,
            "owner_id": None,
            "review_id": None,
            "reviewer_id": None,
            "first_offered_at": None,
            "accepted_at": None,
            "touched_at": None,
            "touches": 0,
            "lapses": 0,
            "wake_at": None,
        },
        data={"reason": why},
    )
