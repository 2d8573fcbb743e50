"""Timers that are due: claim a batch, decide, write the effects in the same transaction, each lead in a savepoint.

After downtime every overdue state-changing step applies once, counting from now; of overdue messages only the highest
per lead and receiver is sent, the lower are journalled as superseded. A poison timer is parked after five attempts.
What is not here: when the tick runs (`handlers`), what a reoffer does in detail (`offer_lead`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy.exc import DBAPIError

from bot.domain.agreement import ClockKind, StepKind
from bot.domain.funnel import Action, Status
from bot.domain.sla import ParsedStep, parse_step
from bot.services.end_test_lead import TEST_TIMER, end_test
from bot.services.escalate import escalate
from bot.services.judge_lead import JUDGE_STEPS, judge_or_wait
from bot.services.move_lead import REDRAW_STEP, SYSTEM, Ending, redraw, write
from bot.services.offer_lead import Guard, current_offer, enter_review, offer_next
from bot.services.run_clocks import end_clock
from bot.services.wake_lead import wake_lead
from bot.services.work import Work
from storage import clocks, leads, outbox
from storage.clocks import ClockRow, TimerRow
from storage.database import is_passing
from storage.leads import LeadRow

log = logging.getLogger(__name__)

BATCH = 100
ATTEMPTS = 5
#: Doubled after each failure: what fails for a moment only must not be parked within that moment.
RETRY_AFTER = timedelta(minutes=1)


def fire_due(work: Work, limit: int = BATCH) -> int:
    """Fire what is due at `work.now`. The number of timers settled; fewer than `limit` means that none is left."""
    batch = clocks.claim_due_timers(work.conn, work.now, limit)
    settled = 0
    for lead_id in dict.fromkeys(t.lead_id for t in batch):
        mine = [t for t in batch if t.lead_id == lead_id]
        if lead_id is not None:
            # All that is due for this lead, also what the batch cut off: superseding needs the whole picture.
            mine = [t for t in clocks.list_timers(work.conn, lead_id) if t.due_at <= work.now]
        savepoint = work.conn.begin_nested()
        try:
            if lead_id is not None:
                _fire_lead(work, lead_id, mine)
            savepoint.commit()
        except (
            Exception
        ) as error:  # one poison timer must not block the others; it is retried, then parked
            savepoint.rollback()
            if isinstance(error, DBAPIError) and is_passing(error):
                raise  # nobody's fault: the whole batch is tried again
            work.forget_roster()
            log.exception("a timer failed", extra={"lead": lead_id})
            for timer in mine:
                again = work.now + RETRY_AFTER * 2**timer.attempts
                if clocks.count_attempt(work.conn, timer.id, again) >= ATTEMPTS:
                    clocks.settle_timer(work.conn, timer.id, "parked", work.now)
        settled += len(mine)
    return settled


def until_next_due(work: Work) -> timedelta | None:
    """How long until the next armed timer is due (business time); None when none is armed."""
    due = clocks.next_due_at(work.conn)
    return due - work.now if due is not None else None


def _fire_lead(work: Work, lead_id: int, due: list[TimerRow]) -> None:
    lead = leads.lock_lead(work.conn, lead_id)
    if lead is None:
        return
    for timer in due:
        if timer.subject_kind == "lead":
            clocks.settle_timer(work.conn, timer.id, "fired", work.now)
            _fire_lead_timer(work, lead, timer)
        elif timer.subject_kind == TEST_TIMER:
            clocks.settle_timer(work.conn, timer.id, "fired", work.now)
            end_test(work, leads.read_lead(work.conn, lead_id) or lead)
    by_clock: dict[int, list[TimerRow]] = {}
    for timer in due:
        if timer.subject_kind == "clock":
            by_clock.setdefault(timer.subject_id, []).append(timer)
    told: set[str] = set()
    for clock_id, timers in by_clock.items():
        clock = clocks.read_clock(work.conn, clock_id)
        fresh = leads.read_lead(work.conn, lead_id)
        if clock is not None and fresh is not None:
            _fire_clock(work, fresh, clock, timers, told)


def _fire_lead_timer(work: Work, lead: LeadRow, timer: TimerRow) -> None:
    if timer.step == "wake" and lead.status == Status.NURTURING.value:
        write(work, lead.id, "step_fired", data={"step": "wake"})
        wake_lead(work, lead, why=lead.reason, as_agreed=True)
    elif timer.step == REDRAW_STEP:
        redraw(work, lead)
    elif timer.step in JUDGE_STEPS and lead.status == Status.RECEIVED.value:
        judge_or_wait(work, lead, woken=JUDGE_STEPS[timer.step])


def _fire_clock(
    work: Work, lead: LeadRow, clock: ClockRow, timers: list[TimerRow], told: set[str]
) -> None:
    """All due steps of one clock. State changes first; then messages, the highest per receiver."""
    live = clock.ended_at is None
    steps = sorted(
        ((parse_step(t.step), t) for t in timers if live and t.generation == clock.generation),
        key=lambda s: s[0].percent,
    )
    for timer in timers:
        if not live or timer.generation != clock.generation:
            clocks.settle_timer(work.conn, timer.id, "superseded", work.now)
    if not steps:
        return
    if clock.breached_at is None and clock.due_at <= work.now:
        clock = clocks.save_clock(work.conn, clock.id, breached_at=clock.due_at)
        write(work, lead.id, "clock_breached", data={"clock": clock.id, "kind": clock.kind})
    # All are taken before the first one acts: a reoffer ends the clock, which disarms whatever is still armed.
    taken = [s for s in steps if clocks.settle_timer(work.conn, s[1].id, "fired", work.now)]
    for parsed, timer in sorted(taken, key=_state_changes_first):
        receiver = _receiver_key(parsed)
        now_clock = clocks.read_clock(work.conn, clock.id) or clock
        now_lead = leads.read_lead(work.conn, lead.id) or lead
        moot = parsed.kind is StepKind.REMIND and now_clock.ended_at is not None
        if moot or (receiver and receiver in told):
            clocks.supersede_taken(work.conn, timer.id)
            data = {"clock": clock.id, "step": timer.step}
            write(work, lead.id, "step_superseded", data=data)
            continue
        if receiver:
            told.add(receiver)
        if parsed.kind is not None:
            _STEPS[parsed.kind](work, now_lead, now_clock, timer, parsed)
            write(work, lead.id, "step_fired", data={"clock": clock.id, "step": timer.step})
    redraw(work, leads.read_lead(work.conn, lead.id) or lead)


def _state_changes_first(step: tuple[ParsedStep, TimerRow]) -> tuple[int, int]:
    """A reoffer makes a reminder of the same batch moot; of messages the highest comes first."""
    changes = step[0].kind in (StepKind.REOFFER, StepKind.REVIEW)
    return (0 if changes else 1, -step[0].percent)


def _receiver_key(step: ParsedStep) -> str:
    if step.kind is StepKind.REMIND:
        return "holder"
    return step.to if step.kind is StepKind.ESCALATE else ""


def _remind(work: Work, lead: LeadRow, clock: ClockRow, timer: TimerRow, step: ParsedStep) -> None:
    again = clocks.read_clock(work.conn, clock.id)
    if again is None or again.ended_at is not None:
        return
    review = clock.kind == ClockKind.REVIEW.value
    holder = work.roster.by_id.get(clock.person_id) if clock.person_id is not None else None
    calendar = work.agreement.marketing.calendar if holder is None else holder.calendar
    channel = work.agreement.marketing.channel if review else ""
    outbox.enqueue_post(
        work.conn,
        template="reminder",
        card_key=f"remind:{clock.id}:{clock.generation}",
        lane=outbox.lane_of(holder.id if holder and not review else None, channel),
        priority=outbox.PRIORITY_OFFER,
        now=work.now,
        real=work.real,
        show_at=calendar.next_open(work.now),
        lead_id=lead.id,
        offer_id=clock.offer_id or lead.current_offer_id,
        person_id=holder.id if holder and not review else None,
        clock_id=clock.id,
        data={"review": lead.review_id} if review else {"step": timer.step},
    )
    write(
        work,
        lead.id,
        "reminded",
        data={"clock": clock.id, "to": holder.id if holder else None, "percent": step.percent},
    )


def _escalate(
    work: Work, lead: LeadRow, clock: ClockRow, timer: TimerRow, step: ParsedStep
) -> None:
    escalate(
        work,
        lead,
        step.to,
        clock=clock,
        kind=ClockKind(clock.kind),
        about=clock.person_id,
        team=clock.team or lead.team,
        step=timer.step,
        at_once=step.now,
        # A step that reoffers ends this clock in the same breath; the manager hears of it all the same.
        always=clock.kind == ClockKind.ACCEPT.value,
    )


def _reoffer(work: Work, lead: LeadRow, clock: ClockRow, timer: TimerRow, step: ParsedStep) -> None:
    """The offer lapsed: the next rep, the manager at the second lapse, above at the third, then review."""
    offer = current_offer(work, lead)
    if offer is None or offer.state != "open" or lead.status != Status.OFFERED.value:
        return
    if offer.delivered_at is None and outbox.is_under_way(work.conn, f"card:{offer.id}"):
        # Nobody has seen the card, so nobody let it lapse. When it comes, its clock starts anew.
        write(work, lead.id, "held_back", data={"offer": offer.id, "why": "not_delivered"})
        return
    rules = work.agreement.lapses
    lapses = lead.lapses + 1
    lead = leads.save_lead(work.conn, lead, lapses=lapses)
    clock = end_clock(work, clock, "lapsed")
    guard = Guard(offer_id=offer.id)
    ending = Ending(offer, "lapsed")
    moved: LeadRow | None
    if lapses >= rules.above_hears_at:
        moved = enter_review(
            work, lead, Action.EXHAUST, SYSTEM, reason="lapsed_out", guard=guard, ending=ending
        )
    else:
        moved = offer_next(work, lead, Action.REOFFER, SYSTEM, guard=guard, ending=ending)
    if moved is None:
        raise RuntimeError(f"lead {lead.id} changed under our lock")
    for at, to in ((rules.manager_hears_at, "manager"), (rules.above_hears_at, "above")):
        if lapses == at:
            escalate(
                work,
                moved,
                to,
                clock=clock,
                kind=ClockKind.ACCEPT,
                about=offer.rep_id,
                team=offer.team,
                step=f"lapse:{lapses}",
                always=True,
            )


def _review(work: Work, lead: LeadRow, clock: ClockRow, timer: TimerRow, step: ParsedStep) -> None:
    """An accept or route clock that ends with marketing instead of another rep."""
    offer = current_offer(work, lead)
    if lead.status not in (Status.OFFERED.value, Status.RECEIVED.value):
        return
    if offer is not None:
        lead = leads.save_lead(work.conn, lead, lapses=lead.lapses + 1)
        end_clock(work, clock, "lapsed")
    enter_review(
        work,
        lead,
        Action.EXHAUST,
        SYSTEM,
        reason="not_accepted",
        guard=Guard(offer_id=offer.id) if offer else None,
        ending=Ending(offer, "lapsed") if offer else None,
    )


_Step = Callable[[Work, LeadRow, ClockRow, TimerRow, ParsedStep], None]
_STEPS: dict[StepKind, _Step] = {
    StepKind.REMIND: _remind,
    StepKind.ESCALATE: _escalate,
    StepKind.REOFFER: _reoffer,
    StepKind.REVIEW: _review,
}
