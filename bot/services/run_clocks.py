"""Starting, ending, resuming and moving the clocks of a lead, always together with their timers and the journal.

What is not here: what a step does (`fire_timers`), which clocks exist (the agreement).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from bot.domain.agreement import ClockKind, ClockRule, StepKind, StepRule
from bot.domain.business_time import Calendar, Duration, DurationKind, due_at, parse_duration
from bot.domain.funnel import Status
from bot.domain.open_windows import whole_seconds
from bot.domain.sla import BREACH_STEP, COVERS, GOALS, PlannedStep, plan_steps
from bot.services.meter import Seen
from bot.services.work import Work
from storage import clocks, journal
from storage.clocks import ClockRow
from storage.leads import LeadRow


def calendar_for(work: Work, kind: ClockKind, person_id: int | None, team: str) -> Calendar:
    """Whose hours count: the rep's for rep clocks, the team's for `decide`, marketing's for its own."""
    if kind in (ClockKind.ROUTE, ClockKind.REVIEW, ClockKind.SCRUB):
        return work.agreement.marketing.calendar
    member = work.roster.by_id.get(person_id) if person_id is not None else None
    of_team = work.agreement.teams.get(team)
    if kind in (ClockKind.DECIDE, ClockKind.STALLED) and of_team is not None:
        return of_team.calendar
    if member is not None:
        return member.calendar
    return of_team.calendar if of_team is not None else work.agreement.calendar


def clock_rule(work: Work, lead: LeadRow, kind: ClockKind) -> ClockRule | None:
    """The rule of this clock for a lead: its SLA by name, marketing's own for route and review."""
    if kind in (ClockKind.ROUTE, ClockKind.REVIEW):
        return work.agreement.marketing_slas.get(kind)
    for sla in work.agreement.slas:
        if sla.name == lead.sla_name:
            return sla.clocks.get(kind)
    # The SLA was renamed or dropped since the lead was judged: the last one catches all.
    return work.agreement.slas[-1].clocks.get(kind) if work.agreement.slas else None


def start_clock(
    work: Work,
    lead: LeadRow,
    kind: ClockKind,
    *,
    started_at: datetime,
    offer_id: str | None = None,
    person_id: int | None = None,
    team: str = "",
    goal: int | None = None,
    arm: bool = True,
) -> ClockRow | None:
    """Start the clock if the agreement knows it for this lead; None when it does not. None runs for a test lead.

    `arm` False: its timers come later (`arm_steps`), because it most likely ends in this same transaction.
    """
    rule = clock_rule(work, lead, kind) if lead.kind != "test" else None
    if rule is None:
        return None
    calendar = calendar_for(work, kind, person_id, team)
    due = due_at(calendar, started_at, rule.within)
    clock = work.rows(lead.id).insert_clock(
        lead_id=lead.id,
        offer_id=offer_id,
        round=lead.round,
        kind=kind.value,
        person_id=person_id,
        team=team,
        within=rule.within.text,
        goal=goal if goal is not None else rule.touches,
        steps=steps_of(rule),
        started_at=started_at,
        due_at=due,
        generation=1,
        playbook_version=work.agreement.version,
    )
    _journal(
        work,
        lead.id,
        "clock_started",
        clock=clock.id,
        kind=kind.value,
        offer=offer_id,
        person=person_id,
        started_at=started_at.isoformat(),
        due_at=due.isoformat(),
        generation=1,
        **({"goal": clock.goal} if kind is ClockKind.FOLLOW_UP else {}),
    )
    if arm:
        arm_steps(work, clock)
    return clock


def arm_steps(work: Work, clock: ClockRow) -> None:
    """Arm a timer for every step of the clock's present generation."""
    calendar = calendar_for(work, ClockKind(clock.kind), clock.person_id, clock.team)
    kind = _duration_of(clock).kind
    _arm(work, clock, plan_steps(_rules_of(clock), calendar, clock.started_at, clock.due_at, kind))


def _arm(work: Work, clock: ClockRow, steps: Iterable[PlannedStep]) -> None:
    rows = clocks.timer_rows(
        lead_id=clock.lead_id,
        subject_kind="clock",
        subject_id=clock.id,
        generation=clock.generation,
        steps=[(step.name, step.at) for step in steps],
    )
    if work.gathered is not None:
        work.gathered.armed += rows
    else:
        clocks.arm_timers(work.conn, rows)
    work.wake = True


def end_clock(
    work: Work, clock: ClockRow, outcome: str, *, at: datetime | None = None, timed: bool = True
) -> ClockRow:
    """End a running clock, or judge an ended one again: the true delay is kept, its timers are cancelled.

    `at`: when what ended it truly happened, if we were told late. In time then was in time, whatever was told since.
    `timed`: its delay is one of those that reports tell; a no took no time to accept.
    """
    calendar = calendar_for(work, ClockKind(clock.kind), clock.person_id, clock.team)
    ended_at = max(at, clock.started_at) if at is not None else work.now
    breached = clock.breached_at
    if ended_at > clock.due_at:
        breached = breached or clock.due_at
    elif at is not None:
        breached = None
    ended = work.rows(clock.lead_id).save_clock(
        clock.id,
        ended_at=ended_at,
        outcome=outcome,
        breached_at=breached,
        taken_seconds=calendar.between(clock.started_at, ended_at),
        wall_seconds=whole_seconds(clock.started_at, ended_at) if timed else None,
    )
    if work.gathered is not None:
        work.gathered.ended.add(clock.id)
    else:
        clocks.cancel_timers(work.conn, "clock", clock.id)
    _journal(work, clock.lead_id, "clock_ended", clock=clock.id, kind=clock.kind, outcome=outcome)
    work.meter.see(Seen.CLOCK_ENDED, 1, clock.kind, outcome)
    return ended


def end_left_clocks(
    work: Work, lead: LeadRow, *, answered: bool = False, at: datetime | None = None
) -> None:
    """After a move: end each clock that does not cover the lead's status any more.

    `answered`: the rep answered the offer (also by no): the accept clock was met, or late. `at`: as in `end_clock`.
    """
    for clock in work.rows(lead.id).list_clocks(lead.id, running=True):
        kind = ClockKind(clock.kind)
        status = Status(lead.status)
        other_offer = lead.current_offer_id is not None and clock.offer_id not in (
            None,
            lead.current_offer_id,
        )
        if status in COVERS[kind] and not (other_offer and kind in _PER_OFFER):
            continue
        reached = timed = status in GOALS[kind]
        if kind is ClockKind.ACCEPT:
            reached = answered
        elif kind in _PER_OFFER and other_offer:
            reached = False
        outcome = verdict_on(work, clock, at) if reached else "stopped"
        end_clock(work, clock, outcome, at=at, timed=timed)


def verdict_on(work: Work, clock: ClockRow, at: datetime | None = None) -> str:
    """ "met" or "late" for a clock whose goal is reached now. A breach that was told stays a breach, unless the goal
    was truly reached `at` a time before the due time and we were only told late."""
    if at is not None:
        return "met" if at <= clock.due_at else "late"
    return "met" if clock.breached_at is None and work.now <= clock.due_at else "late"


#: These belong to one offer: another offer of the same lead needs its own.
_PER_OFFER = frozenset(
    {ClockKind.ACCEPT, ClockKind.FIRST_TOUCH, ClockKind.FOLLOW_UP, ClockKind.DECIDE}
)


def running_clock(work: Work, lead_id: int, kind: ClockKind) -> ClockRow | None:
    """The running clock of a kind, if any."""
    for clock in clocks.list_clocks(work.conn, lead_id, running=True):
        if clock.kind == kind.value:
            return clock
    return None


def move_due(
    work: Work, clock: ClockRow, new_due: datetime, why: str, *, started_at: datetime | None = None
) -> ClockRow:
    """Another due time for a running clock: a new generation of its timers; steps that are over stay over."""
    moved = clocks.save_clock(
        work.conn,
        clock.id,
        due_at=new_due,
        started_at=started_at or clock.started_at,
        generation=clock.generation + 1,
        breached_at=clock.breached_at if new_due <= work.now else None,
    )
    clocks.cancel_timers(work.conn, "clock", clock.id, "superseded")
    _journal(
        work,
        clock.lead_id,
        "clock_moved",
        clock=clock.id,
        due_at=new_due.isoformat(),
        generation=moved.generation,
        why=why,
    )
    arm_steps_ahead(work, moved)
    return moved


def arm_steps_ahead(work: Work, clock: ClockRow) -> None:
    """Arm the steps that still lie ahead, and what is agreed for the due time or after it and never happened: when the
    due time was moved into the past it happens now. Nothing is repeated at once."""
    calendar = calendar_for(work, ClockKind(clock.kind), clock.person_id, clock.team)
    kind = _duration_of(clock).kind
    happened = clocks.list_settled_steps(work.conn, clock.id)
    ahead: list[PlannedStep] = []
    for step in plan_steps(_rules_of(clock), calendar, clock.started_at, clock.due_at, kind):
        owed = step.at >= clock.due_at and step.name not in happened
        if step.at > work.now or owed or (step.name == BREACH_STEP and clock.breached_at is None):
            ahead.append(step)
    _arm(work, clock, ahead)


def resume_clock(work: Work, clock: ClockRow) -> ClockRow:
    """An undo: an ended clock runs again with the time that was left when it ended. Was it overdue already, what never
    happened of its steps happens now."""
    calendar = calendar_for(work, ClockKind(clock.kind), clock.person_id, clock.team)
    if _duration_of(clock).kind is DurationKind.CLOCK:
        calendar = Calendar.around_the_clock()
    ended_at = clock.ended_at or work.now
    left = calendar.between(ended_at, clock.due_at)
    new_due = calendar.add(work.now, left) if left > 0 else clock.due_at
    resumed = clocks.save_clock(
        work.conn,
        clock.id,
        ended_at=None,
        outcome="",
        taken_seconds=None,
        wall_seconds=None,
        due_at=new_due,
        generation=clock.generation + 1,
    )
    _journal(
        work,
        clock.lead_id,
        "clock_resumed",
        clock=clock.id,
        kind=clock.kind,
        due_at=new_due.isoformat(),
        generation=resumed.generation,
    )
    arm_steps_ahead(work, resumed)
    return resumed


def longer_due(work: Work, clock: ClockRow, span: Duration) -> datetime:
    """The due time that `span` more gives: counted from the due time, or from now when it is past."""
    calendar = calendar_for(work, ClockKind(clock.kind), clock.person_id, clock.team)
    return due_at(calendar, max(work.now, clock.due_at), span)


def steps_of(rule: ClockRule) -> list[dict[str, object]]:
    """A rule's steps as a clock keeps them."""
    return [
        {"percent": s.percent, "kind": s.kind.value, "to": s.to, "now": s.now} for s in rule.steps
    ]


def _rules_of(clock: ClockRow) -> list[StepRule]:
    return [
        StepRule(int(s["percent"]), StepKind(s["kind"]), str(s["to"]), bool(s["now"]))
        for s in clock.steps
    ]


def _duration_of(clock: ClockRow) -> Duration:
    try:
        return parse_duration(clock.within)
    except ValueError:
        return Duration(DurationKind.BUSINESS, 0, clock.within)


def _journal(work: Work, lead_id: int, entry: str, **data: object) -> None:
    if work.gathered is not None:
        work.gathered.entries.append(journal.LeadEntry(lead_id, entry, data))
        return
    journal.insert_entry(
        work.conn, subject_kind="lead", subject_id=lead_id, at=work.now, kind=entry, data=data
    )
