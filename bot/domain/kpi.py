"""The figures of the report: what each is called, how it is made, in which unit, from what, and what it leaves out.

One definition in one place, for Slack, the terminal and files alike; whoever asks is shown it. What is not here:
counting (`storage.reports`), periods (`period`), the report as a whole (`report`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Unit(StrEnum):
    """What a value counts in."""

    LEADS = "leads"
    PERCENT = "percent"  # a `Share`: part of a whole
    BUSINESS = "business"  # a `Spread` of seconds of working time
    WALL = "wall"  # a `Spread` of seconds on the clock
    RATIO = "ratio"  # a `Ratio`: so many per 100 leads


@dataclass(frozen=True, slots=True)
class Count:
    """So many."""

    n: int


@dataclass(frozen=True, slots=True)
class Share:
    """`part` of `of`; nothing can be said of 0."""

    part: int
    of: int

    @property
    def percent(self) -> int | None:
        """Whole percent, half up, but never 0 or 100 when it is not quite; None without a base."""
        if not self.of:
            return None
        if 0 < self.part < self.of:
            return min(99, max(1, (200 * self.part + self.of) // (2 * self.of)))
        return 100 if self.part else 0


@dataclass(frozen=True, slots=True)
class Spread:
    """Of `n` spans of whole seconds the middle one and the ninth of ten, by nearest rank; None when n is 0."""

    n: int
    p50: int | None = None
    p90: int | None = None


@dataclass(frozen=True, slots=True)
class Ratio:
    """`part` per 100 of `of`."""

    part: int
    of: int

    @property
    def per_hundred(self) -> float | None:
        """One decimal place; None without a base."""
        return round(100 * self.part / self.of, 1) if self.of else None


Value = Count | Share | Spread | Ratio


class Kpi(StrEnum):
    """Every figure. The value is its name in CSV and JSON; it never changes its meaning under the same name."""

    # how many
    ARRIVED = "arrived"
    OFFERED = "offered"
    # how fast
    SPEED_TO_LEAD = "speed_to_lead"
    SYSTEMS_DELAY = "systems_delay"
    PEOPLE_DELAY = "people_delay"
    TIME_TO_ACCEPT = "time_to_accept"
    TIME_TO_ACCEPT_WALL = "time_to_accept_wall"
    TIME_TO_TOUCH = "time_to_touch"
    TIME_TO_TOUCH_WALL = "time_to_touch_wall"
    # promises of sales
    ACCEPTED_IN_TIME = "accepted_in_time"
    TOUCHED_IN_TIME = "touched_in_time"
    FOLLOWED_UP_IN_TIME = "followed_up_in_time"
    DECIDED_IN_TIME = "decided_in_time"
    # promises of marketing
    ROUTED_IN_TIME = "routed_in_time"
    REVIEWED_IN_TIME = "reviewed_in_time"
    # what was worked
    PICKED_UP = "picked_up"
    ACCEPTED_UNTOUCHED = "accepted_untouched"
    VERIFIED = "verified"
    # lead decay, as of now
    UNTOUCHED = "untouched"
    UNTOUCHED_72H = "untouched_72h"
    # the funnel
    BECAME_MQL = "became_mql"
    BECAME_SAL = "became_sal"
    BECAME_SQL = "became_sql"
    BECAME_CUSTOMER = "became_customer"
    TIME_TO_SAL = "time_to_sal"
    TIME_TO_SQL = "time_to_sql"
    TIME_TO_CUSTOMER = "time_to_customer"
    # what came back
    REJECTED = "rejected"
    RECYCLED = "recycled"
    REROUTED = "rerouted"
    ESCALATIONS = "escalations"
    # today
    DUE_TODAY = "due_today"
    LIKELY_TO_BREACH = "likely_to_breach"


class Cut(StrEnum):
    """What figures can be parted by. PERSON is shown as `people_figures` allows."""

    TEAM = "team"
    SOURCE = "source"
    STAGE = "stage"
    REASON = "reason"
    AGE = "age"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Definition:
    """What a figure means, in words for whoever asks. `promises`: more is better (True), worse (False), neither."""

    kpi: Kpi
    title: str
    unit: Unit
    formula: str
    source: str  # tables and columns, or journal entries
    leaves_out: str
    more_is_better: bool | None = None
    cuts: tuple[Cut, ...] = ()


#: Filled by `bot.domain.kpi_definitions`, which holds the words.
Definitions = Mapping[Kpi, Definition]
