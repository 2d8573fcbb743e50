"""A report: the figures of one period, for everybody or one team, beside those of the period before and a baseline.

Plain values: the same report is shown in Slack, on the terminal, as CSV and as JSON. What is not here: what a figure
means (`kpi`), counting (`storage.reports`), who may see figures about people (`people_figures`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bot.domain.kpi import Cut, Kpi, Value
from bot.domain.period import Period

#: By figure and kind of parts: each part's label ("" where nothing is known; a person's id as text) and its value,
#: most leads first.
Parts = Mapping[tuple[Kpi, Cut], tuple[tuple[str, Value], ...]]


@dataclass(frozen=True, slots=True)
class Load:
    """What one person got and did in the period, against the hours that they worked; figures about a person."""

    person_id: int
    team: str
    offered: int
    hours: float  # open hours of the period, absences and downtime taken out
    in_time: int  # accept and first-touch clocks that were kept
    late: int
    open_now: int


@dataclass(frozen=True, slots=True)
class Baseline:
    """What there was before: the imported history, or the first two weeks with Baton."""

    kind: str  # history, first_weeks
    values: Mapping[Kpi, Value]


@dataclass(frozen=True, slots=True)
class Report:
    """As of `at`. `team` "": all. `values` has every figure, also those that are as of now."""

    at: datetime
    period: Period
    team: str
    values: Mapping[Kpi, Value]
    before: Mapping[Kpi, Value]  # of the period before, as it stood at its end
    baseline: Baseline | None
    parts: Parts = field(default_factory=dict)
    loads: tuple[Load, ...] = ()
    #: Minutes in the period in which Baton was not running.
    down_minutes: int = 0
