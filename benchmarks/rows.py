"""All rows of the table, in the order in which they run. What is not here: the rows.

Each module has a tuple `ROWS`; a new one is two lines here. All of them together must need less than 30 minutes on two
idle cores, one row not much more than two.
"""

from __future__ import annotations

from benchmarks import (
    clicks,
    delivery,
    gateway,
    imports,
    intake,
    lateness,
    memory,
    pending,
    reports,
    search,
    timers,
)
from benchmarks.row import Row

ROWS: tuple[Row, ...] = (
    *timers.ROWS,
    *pending.ROWS,
    *lateness.ROWS,
    *search.ROWS,
    *clicks.ROWS,
    *intake.ROWS,
    *imports.ROWS,
    *gateway.ROWS,
    *reports.ROWS,
    *memory.ROWS,
    *delivery.ROWS,
)


def find(name: str) -> Row | None:
    """The row of that name."""
    return next((each for each in ROWS if each.name == name), None)
