"""Timers that are due: claim a batch, decide lead by lead, write the effects together in the same transaction.

The batch is one savepoint; when a lead of it fails, its halves are fired again, each in a savepoint of its own, and
so on until the lead that fails stands alone.

After downtime every overdue state-changing step applies once, counting from now; of overdue messages only the highest
per lead and receiver is sent, the lower are journalled as superseded. A poison timer is parked after five attempts.
What is not here: when the tick runs (`handlers`), how a batch is read and written
(`fire_together`), what a reoffer does in detail (`offer_lead`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta

from bot.domain.agreement import ClockKind, StepKind
from bot.domain.funnel import Action, Status
from bot.domain.sla import ParsedStep, parse_step
from bot.services.end_test_lead import TEST_TIMER, end_test
from bot.services.escalate import escalate
from bot.services.fire_together import Batch
from bot.services.judge_lead import JUDGE_STEPS, judge_or_wait
from bot.services.meter import Seen
from bot.services.move_lead import REDRAW_STEP, SYSTEM, Ending, redraw, write
from bot.services.offer_lead import Guard, current_offer, enter_review, offer_next
from bot.services.run_clocks import end_clock
from bot.services.wake_lead import wake_lead
from bot.services.work import Gathered, Work
from storage import clocks, outbox
from storage.clocks import ClockRow, TimerRow
from storage.database import concerns_all
from storage.leads import LeadRow
from storage.outbox import Post

log = logging.getLogger(__name__)

BATCH = 500
ATTEMPTS = 5
#: Doubled after each failure: what fails for a moment only must not be parked within that moment.
RETRY_AFTER = timedelta(minutes=1)
#: The lead and the clock as a step left them.
_After = tuple[LeadRow, ClockRow]


def fire_due(work: Work, limit: int = BATCH) -> int:
    """Fire what is due at `work.now`. The number of timers settled; fewer than `limit` means that none is left."""
    due: dict[int, list[TimerRow]] = {}
    for timer in clocks.claim_due_timers(work.conn, work.now, limit):
        if timer.lead_id is not None:
            due.setdefault(timer.lead_id, []).append(timer)
    if due:
        _fire_or_halve(work, due)
    return sum(len(mine) for mine in due.values())


def _fire_or_halve(work: Work, due: Mapping[int, list[TimerRow]]) -> None:
    """One poison timer must not block the others: of a batch that fails each half is fired for itself."""
    if _fire_leads(work, due):
        return
    if len(due) == 1:
        for mine in due.values():
            _put_off(work, mine)
        return
    leads = list(due.items())
    for half in (leads[: len(leads) // 2], leads[len(leads) // 2 :]):
        _fire_or_halve(work, dict(half))


def _fire_leads(work: Work, due: Mapping[int, list[TimerRow]]) -> bool:
    """Fire the timers of locked leads in one savepoint, and write what came of them together. False: a lead failed,
    and nothing of it happened."""
    savepoint = work.conn.begin_nested()
    try:
        batch = Batch(work, due)
        for lead_id, mine in due.items():
            _fire_own(batch, lead_id, mine)
        work.gathered = Gathered()
        batch.hold({t.lead_id for mine in due.values() for t in mine if _changes_state(t)})
        for lead_id, mine in due.items():
            _fire_clocks(batch, lead_id, mine)
        batch.write()
        savepoint.commit()
        for timer in (each for mine in due.values() for each in mine):
            late = (work.now - timer.due_at).total_seconds()
            work.meter.see(Seen.TIMER_LATE, late)
        return True
    except Exception as error:
        savepoint.rollback()
        if concerns_all(error):
            raise  # nobody's fault: the whole batch is tried again
        work.forget_roster()
        if len(due) == 1:
            log.exception("a timer failed", extra={"lead": next(iter(due))})
        else:
            log.warning("a batch of timers failed: it is halved")
        return False
    finally:
        work.gathered = None


def _put_off(work: Work, timers: list[TimerRow]) -> None:
    """What failed is tried again, later each time, then parked."""
    for timer in timers:
        again = work.now + RETRY_AFTER * 2**timer.attempts
        if clocks.count_attempt(work.conn, timer.id, again) >= ATTEMPTS:
            clocks.settle_timer(work.conn, timer.id, "parked", work.now)


def until_next_due(work: Work) -> timedelta | None:
    """How long until the next armed timer is due (business time); None when none is armed."""
    due = clocks.next_due_at(work.conn)
    return due - work.now if due is not None else None


def _fire_own(batch: Batch, lead_id: int, due: list[TimerRow]) -> None:
    """What is due for the lead itself. What wakes or judges it may take back half of what it wrote: nothing of that is
    gathered, and it comes before what is."""
    work = batch.work
    for timer in due:
        if timer.subject_kind == "clock" or (lead := batch.lead(lead_id)) is None:
            continue
        batch.forget(lead_id)
        clocks.settle_timer(work.conn, timer.id, "fired", work.now)
        if timer.subject_kind == TEST_TIMER:
            end_test(work, lead)
        else:
            _fire_lead_timer(work, lead, timer)


def _fire_clocks(batch: Batch, lead_id: int, due: list[TimerRow]) -> None:
    by_clock: dict[int, list[TimerRow]] = {}
    for timer in due:
        if timer.subject_kind == "clock":
            by_clock.setdefault(timer.subject_id, []).append(timer)
    told: set[str] = set()
    for clock_id, timers in by_clock.items():
        clock = batch.clock(clock_id, lead_id)
        lead = batch.lead(lead_id)
        if clock is None or lead is None:
            batch.settle(timers, "superseded")
        else:
            _fire_clock(batch, lead, clock, timers, told, alone=len(by_clock) == 1)


def _fire_lead_timer(work: Work, lead: LeadRow, timer: TimerRow) -> None:
    if timer.step == "wake" and lead.status == Status.NURTURING.value:
        write(work, lead.id, "step_fired", data={"step": "wake"})
        wake_lead(work, lead, why=lead.reason, as_agreed=True)
    elif timer.step == REDRAW_STEP:
        redraw(work, lead)
    elif timer.step in JUDGE_STEPS and lead.status == Status.RECEIVED.value:
        judge_or_wait(work, lead, woken=JUDGE_STEPS[timer.step])


def _fire_clock(
    batch: Batch,
    lead: LeadRow,
    clock: ClockRow,
    timers: list[TimerRow],
    told: set[str],
    *,
    alone: bool,
) -> None:
    """All due steps of one clock. State changes first; then messages, the highest per receiver."""
    work = batch.work
    live = clock.ended_at is None
    batch.settle((t for t in timers if not live or t.generation != clock.generation), "superseded")
    steps = [(parse_step(t.step), t) for t in timers if live and t.generation == clock.generation]
    if not steps:
        return
    if clock.breached_at is None and clock.due_at <= work.now:
        clock = batch.breach(clock, at_once=not alone)
        write(work, lead.id, "clock_breached", data={"clock": clock.id, "kind": clock.kind})
    # All are taken before the first one acts: a reoffer ends the clock, which disarms whatever is still armed.
    batch.settle((timer for _, timer in steps), "fired")
    for parsed, timer in sorted(steps, key=_state_changes_first):
        receiver = _receiver_key(parsed)
        moot = parsed.kind is StepKind.REMIND and clock.ended_at is not None
        if moot or (receiver and receiver in told):
            batch.make_needless(timer)
            data = {"clock": clock.id, "step": timer.step}
            write(work, lead.id, "step_superseded", data=data)
            continue
        if receiver:
            told.add(receiver)
        if parsed.kind is not None:
            if parsed.kind in _CHANGING:
                batch.forget(lead.id)
            lead, clock = _STEPS[parsed.kind](work, lead, clock, timer, parsed)
            write(work, lead.id, "step_fired", data={"clock": clock.id, "step": timer.step})
    redraw(work, lead)


def _changes_state(timer: TimerRow) -> bool:
    return timer.subject_kind == "clock" and parse_step(timer.step).kind in _CHANGING


def _state_changes_first(step: tuple[ParsedStep, TimerRow]) -> tuple[int, int]:
    """A reoffer makes a reminder of the same batch moot; of messages the highest comes first."""
    changes = step[0].kind in _CHANGING
    return (0 if changes else 1, -step[0].percent)


def _receiver_key(step: ParsedStep) -> str:
    if step.kind is StepKind.REMIND:
        return "holder"
    return step.to if step.kind is StepKind.ESCALATE else ""


def _remind(
    work: Work, lead: LeadRow, clock: ClockRow, timer: TimerRow, step: ParsedStep
) -> _After:
    if work.gathered is None:
        raise RuntimeError("steps fire in a batch")
    review = clock.kind == ClockKind.REVIEW.value
    holder = work.roster.by_id.get(clock.person_id) if clock.person_id is not None else None
    calendar = work.agreement.marketing.calendar if holder is None else holder.calendar
    channel = work.agreement.marketing.channel if review else ""
    work.gathered.posts.append(
        Post(
            template="reminder",
            card_key=f"remind:{clock.id}:{clock.generation}",
            lane=outbox.lane_of(holder.id if holder and not review else None, channel),
            priority=outbox.PRIORITY_OFFER,
            show_at=calendar.next_open(work.now),
            lead_id=lead.id,
            offer_id=clock.offer_id or lead.current_offer_id,
            person_id=holder.id if holder and not review else None,
            clock_id=clock.id,
            data={"review": lead.review_id} if review else {"step": timer.step},
        )
    )
    write(
        work,
        lead.id,
        "reminded",
        data={"clock": clock.id, "to": holder.id if holder else None, "percent": step.percent},
    )
    return lead, clock


def _escalate(
    work: Work, lead: LeadRow, clock: ClockRow, timer: TimerRow, step: ParsedStep
) -> _After:
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
    return lead, clock


def _reoffer(
    work: Work, lead: LeadRow, clock: ClockRow, timer: TimerRow, step: ParsedStep
) -> _After:
    """The offer lapsed: the next rep, the manager at the second lapse, above at the third, then review."""
    offer = current_offer(work, lead)
    if offer is None or offer.state != "open" or lead.status != Status.OFFERED.value:
        return lead, clock
    if offer.delivered_at is None and outbox.is_under_way(work.conn, f"card:{offer.id}"):
        # Nobody has seen the card, so nobody let it lapse. When it comes, its clock starts anew.
        write(work, lead.id, "held_back", data={"offer": offer.id, "why": "not_delivered"})
        return lead, clock
    rules = work.agreement.lapses
    lapses = lead.lapses + 1
    lead = work.rows(lead.id).save_lead(lead, lapses=lapses)
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
    return moved, clock


def _review(
    work: Work, lead: LeadRow, clock: ClockRow, timer: TimerRow, step: ParsedStep
) -> _After:
    """An accept or route clock that ends with marketing instead of another rep."""
    offer = current_offer(work, lead)
    if lead.status not in (Status.OFFERED.value, Status.RECEIVED.value):
        return lead, clock
    if offer is not None:
        lead = work.rows(lead.id).save_lead(lead, lapses=lead.lapses + 1)
        clock = end_clock(work, clock, "lapsed")
    moved = enter_review(
        work,
        lead,
        Action.EXHAUST,
        SYSTEM,
        reason="not_accepted",
        guard=Guard(offer_id=offer.id) if offer else None,
        ending=Ending(offer, "lapsed") if offer else None,
    )
    return moved or lead, clock


_CHANGING = (StepKind.REOFFER, StepKind.REVIEW)
_Step = Callable[[Work, LeadRow, ClockRow, TimerRow, ParsedStep], _After]
_STEPS: dict[StepKind, _Step] = {
    StepKind.REMIND: _remind,
    StepKind.ESCALATE: _escalate,
    StepKind.REOFFER: _reoffer,
    StepKind.REVIEW: _review,
}
