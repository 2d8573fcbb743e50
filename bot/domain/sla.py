"""Clocks, pure: which statuses each covers, what ends it well, and when its steps happen.

What is not here: business time (`business_time`), rows and timers (`bot.services.run_clocks`).
Source: the design's section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.domain.agreement import ClockKind, StepKind, StepRule
from bot.domain.business_time import Calendar, DurationKind, point_at
from bot.domain.funnel import Status

#: A clock runs only in these statuses; leaving them ends it.
COVERS: dict[ClockKind, frozenset[Status]] = {
    ClockKind.ROUTE: frozenset({Status.RECEIVED}),
    ClockKind.SCRUB: frozenset({Status.SCRUB}),
    ClockKind.ACCEPT: frozenset({Status.OFFERED}),
    ClockKind.FIRST_TOUCH: frozenset({Status.ACCEPTED}),
    ClockKind.FOLLOW_UP: frozenset({Status.WORKING}),
    ClockKind.DECIDE: frozenset({Status.ACCEPTED, Status.WORKING}),
    ClockKind.STALLED: frozenset({Status.QUALIFIED}),
    ClockKind.SHELF_LIFE: frozenset({Status.OFFERED, Status.ACCEPTED}),
    ClockKind.REVIEW: frozenset({Status.REVIEW}),
}

#: Reaching one of these is what the clock was for; leaving for elsewhere stops it without a verdict.
GOALS: dict[ClockKind, frozenset[Status]] = {
    ClockKind.ROUTE: frozenset(Status) - {Status.RECEIVED},
    ClockKind.SCRUB: frozenset({Status.OFFERED, Status.DISQUALIFIED}),
    ClockKind.ACCEPT: frozenset({Status.ACCEPTED, Status.WORKING, Status.QUALIFIED}),
    ClockKind.FIRST_TOUCH: frozenset({Status.WORKING}),
    ClockKind.FOLLOW_UP: frozenset(),  # met by the count of touches
    ClockKind.DECIDE: frozenset({Status.QUALIFIED, Status.NURTURING, Status.WON, Status.LOST}),
    ClockKind.STALLED: frozenset({Status.WON, Status.LOST, Status.NURTURING}),
    ClockKind.SHELF_LIFE: frozenset({Status.WORKING}),
    ClockKind.REVIEW: frozenset({Status.OFFERED, Status.NURTURING, Status.DISQUALIFIED}),
}

#: Marks the breach itself; armed for every clock, whatever its steps are.
BREACH_STEP = "100:breach"


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step with its name (unique within a clock) and instant."""

    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ParsedStep:
    """What a step's name says. `kind` None: the breach mark."""

    percent: int
    kind: StepKind | None
    to: str = ""
    now: bool = False


def step_name(step: StepRule) -> str:
    """`100:escalate:manager:now`: everything that firing needs, so that old versions need no lookup."""
    parts = [str(step.percent), step.kind.value]
    if step.kind is StepKind.ESCALATE:
        parts.append(step.to)
        if step.now:
            parts.append("now")
    return ":".join(parts)


def parse_step(name: str) -> ParsedStep:
    """The inverse of `step_name`. ValueError for a name that is not a step's."""
    parts = name.split(":")
    if name == BREACH_STEP:
        return ParsedStep(100, None)
    kind = StepKind(parts[1])
    return ParsedStep(
        int(parts[0]),
        kind,
        parts[2] if len(parts) > 2 else "",
        len(parts) > 3 and parts[3] == "now",
    )


def plan_steps(
    steps: Sequence[StepRule],
    calendar: Calendar,
    started_at: datetime,
    due_at: datetime,
    kind: DurationKind,
) -> list[PlannedStep]:
    """All steps of a clock with their instants, the breach mark included, in order."""
    planned = [
        PlannedStep(step_name(s), point_at(calendar, started_at, due_at, s.percent, kind))
        for s in steps
    ]
    planned.append(PlannedStep(BREACH_STEP, due_at))
    return sorted(planned, key=lambda p: p.at)
