"""A row of the table: what is measured, beside whom, and the bar; and how two sides are measured fairly.

On a busy machine one configuration swings by up to 1.8 times, and a ratio of two runs misleads. So the sides take turns
in one run (A B A B), each time in a fresh state, and what counts is the ratio of neighbours: the median of five or more
such pairs. What is not here: databases and machines (`places`), running and writing down (`__main__`), any row.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from benchmarks.places import Ground

REPETITIONS = 5
#: A row that is still measuring after so many seconds stops at the end of a round, but not before its fifth.
LONGEST = 75.0


@dataclass(frozen=True, slots=True)
class Bar:
    """What the median of a figure must reach (`>=`) or must not go beyond (`<=`)."""

    figure: str
    sense: Literal[">=", "<="]
    limit: float

    def holds(self, value: float) -> bool:
        """Whether `value` keeps it."""
        return value >= self.limit if self.sense == ">=" else value <= self.limit


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure, once a repetition. `unit`: "x" for a ratio, else as people say it ("ms", "leads/s", "MB")."""

    values: tuple[float, ...]
    unit: str

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        """The smallest."""
        return min(self.values)

    @property
    def high(self) -> float:
        """The largest."""
        return max(self.values)

    def __str__(self) -> str:
        said = f"{shown(self.median)} {self.unit}"
        return said if len(self.values) == 1 else f"{said} ({shown(self.low)} – {shown(self.high)})"


@dataclass(frozen=True, slots=True)
class Found:
    """What a row measured: its figures by name, and what a reader must know besides."""

    figures: Mapping[str, Figure]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """`measures`: one sentence. `peer`: whom it is measured beside, by name and version; empty: an absolute figure."""

    name: str
    measures: str
    peer: str
    bars: tuple[Bar, ...]
    run: Callable[[Ground], Found]


@dataclass(slots=True)
class Sides:
    """What `interleave` measured, a list a side, in the order of the rounds."""

    values: dict[str, list[float]] = field(default_factory=dict)

    def figure(self, side: str, unit: str) -> Figure:
        """The values of one side."""
        return Figure(tuple(self.values[side]), unit)

    def ratio(self, one: str, other: str) -> Figure:
        """`one` as a multiple of `other`, pair by pair."""
        pairs = zip(self.values[one], self.values[other], strict=True)
        return Figure(tuple(a / b for a, b in pairs), "x")


def interleave(
    sides: Mapping[str, Callable[[], float]],
    *,
    repetitions: int = REPETITIONS,
    warm: bool = True,
    longest: float = LONGEST,
) -> Sides:
    """Each side in turn, `repetitions` times; `warm`: one round before that, which does not count.

    A side makes its own fresh state and returns its figure; only it knows where the measured stretch begins and ends.
    """
    if warm:
        for measure in sides.values():
            measure()
    found = Sides({name: [] for name in sides})
    began = time.monotonic()
    for done in range(repetitions):
        if done >= REPETITIONS and time.monotonic() - began > longest:
            break
        for name, measure in sides.items():
            found.values[name].append(measure())
    return found


def shown(value: float) -> str:
    """A figure as a person reads it: three digits that say something."""
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.2f}"
