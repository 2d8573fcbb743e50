"""The end of a `[TEST]` lead: handing it to somebody else ends it, and so does a timer a day after it was made.

No clock runs for it, no figure counts it. What is not here: making one (`send_test_lead`).
"""

from __future__ import annotations

from datetime import timedelta

from bot.domain.funnel import TERMINAL, Action, Status
from bot.services.move_lead import SYSTEM, Acting, Ending, cancel_wake, move
from bot.services.work import Work
from storage import clocks, offers
from storage.leads import LeadRow

#: `leads.kind` of the leads this is about.
TEST = "test"
#: What its timer belongs to: not "lead", whose timers a wake date replaces.
TEST_TIMER = "test"
END_STEP = "end_test"
LASTS = timedelta(days=1)


def arm_end(work: Work, lead: LeadRow) -> None:
    """The timer that ends it a day from now, whatever was clicked until then."""
    clocks.arm_timer(
        work.conn,
        lead_id=lead.id,
        subject_kind=TEST_TIMER,
        subject_id=lead.id,
        step=END_STEP,
        generation=1,
        due_at=work.now + LASTS,
    )
    work.wake = True


def end_test(
    work: Work,
    lead: LeadRow,
    acting: Acting = SYSTEM,
    *,
    ending: Ending | None = None,
    offer_id: str | None = None,
    held_by: int | None = None,
    answered: bool = False,
) -> LeadRow | None:
    """Close a locked test lead; `ending` says how its offer ends. None when it is closed, or the guard failed."""
    if lead.kind != TEST:
        raise RuntimeError(f"lead {lead.id} is no test")  # a rep never closes a real lead alone
    if Status(lead.status) in TERMINAL:
        return None
    if ending is None and lead.current_offer_id is not None:
        offer = offers.read_offer(work.conn, lead.current_offer_id)
        ending = Ending(offer, "withdrawn", "test_over") if offer is not None else None
    ended = move(
        work,
        lead,
        Action.END_TEST,
        acting,
        Status.DISQUALIFIED,
        offer_id=offer_id,
        held_by=held_by,
        answered=answered,
        ending=ending,
        changes={"current_offer_id": None, "owner_id": None, "reason": "test_over"},
        data={"reason": ending.reason if ending is not None else "test_over"},
    )
    if ended is not None:
        clocks.cancel_timers(work.conn, TEST_TIMER, lead.id)
        cancel_wake(work, lead.id)
    return ended
