"""What touches do to the clocks of a lead: they start and meet them; taken back, they let them run on.

What is not here: the touches themselves (`work_lead`, `settle_touch`), how a clock is started and ended (`run_clocks`).
"""

from __future__ import annotations

from datetime import datetime

from bot.domain.agreement import ClockKind
from bot.services.run_clocks import (
    end_clock,
    resume_clock,
    running_clock,
    start_clock,
    verdict_on,
)
from bot.services.work import Work
from storage import clocks, touches
from storage.clocks import ClockRow
from storage.leads import LeadRow
from storage.offers import OfferRow


def follow_up(
    work: Work, lead: LeadRow, offer: OfferRow, done: int, at: datetime | None = None
) -> None:
    """The owner's first touch starts the follow-up clock; the round's n-th one meets it. `at`: when it happened, if
    we were told late."""
    clock = running_clock(work, lead.id, ClockKind.FOLLOW_UP)
    if clock is None and touches.count_touches(work.conn, lead.id, lead.round, offer.id) == 1:
        clock = start_clock(
            work,
            lead,
            ClockKind.FOLLOW_UP,
            started_at=max(at or work.now, offer.offered_at),
            offer_id=offer.id,
            person_id=offer.rep_id,
            team=offer.team,
        )
    if clock is not None and done >= clock.goal:
        end_clock(work, clock, verdict_on(work, clock, at), at=at)


def run_on(work: Work, lead: LeadRow, offer: OfferRow, *, own: int, left: int) -> None:
    """What a withdrawn touch had ended runs again: of each kind the newest, since an undone accept left older ones
    behind.

    `own`: touches that the present owner has left; `left`: all that the round has left.
    """
    newest = _newest(work, lead, offer)
    ended = {kind: clock for kind, clock in newest.items() if clock.outcome in ("met", "late")}
    back: list[ClockRow | None] = []
    if own <= 0:
        back.append(ended.get(ClockKind.FIRST_TOUCH.value))
    if left <= 0:
        back.append(ended.get(ClockKind.SHELF_LIFE.value))
    followed = ended.get(ClockKind.FOLLOW_UP.value)
    if followed is not None and own <= 0:
        # It began with that touch, which even met it when a former owner had made the others: the next one begins anew.
        end_clock(work, followed, "stopped", at=followed.ended_at)
    elif followed is not None and left < followed.goal:
        back.append(followed)
    for over in back:
        if over is not None:
            resume_clock(work, over)


def judge_again(work: Work, lead: LeadRow, offer: OfferRow) -> None:
    """Touches are told late and in any order, and their times are corrected: each clock that one of them ended is
    ended by the one that was truly first (or the n-th)."""
    of_round = touches.list_touches(work.conn, lead.id, lead.round)
    own = [touch for touch in of_round if touch.offer_id == offer.id]
    newest = _newest(work, lead, offer)
    for kind, found, nth in (
        (ClockKind.FIRST_TOUCH, own, 1),
        (ClockKind.SHELF_LIFE, of_round, 1),
        (ClockKind.FOLLOW_UP, of_round, 0),
    ):
        clock = newest.get(kind.value)
        if clock is None or clock.outcome not in ("met", "late"):
            continue
        nth = nth or clock.goal
        if len(found) < nth:
            continue
        at = found[nth - 1].at
        if max(at, clock.started_at) != clock.ended_at:
            end_clock(work, clock, verdict_on(work, clock, at), at=at)


def _newest(work: Work, lead: LeadRow, offer: OfferRow) -> dict[str, ClockRow]:
    """Of each kind the newest clock of this round that belongs to the offer, or to none."""
    newest: dict[str, ClockRow] = {}
    for clock in clocks.list_clocks(work.conn, lead.id):
        if clock.round == lead.round and clock.offer_id in (None, offer.id):
            newest[clock.kind] = clock
    return newest
