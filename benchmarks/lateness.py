"""How late timers fire: the real Ticker on its bell, which sleeps until the next one is due.

A timer is late by what lies between its due time and the end of the transaction that fired it. What is not here: how
many fire a second (`timers`).
"""

from __future__ import annotations

import asyncio
import statistics
from bisect import bisect_left
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sqlalchemy import select

from benchmarks import house
from benchmarks.places import Ground, NotMeasured
from benchmarks.row import Bar, Figure, Found, Row
from bot.clock import Clock
from bot.services.keep_watch import Watch
from bot.services.runtime import Runtime
from bot.services.work import Work
from handlers.ticks import Ticker
from storage.database import Database
from storage.models import Clocks, Timers
from storage.rows import table_of

_timers = table_of(Timers)
_clocks = table_of(Clocks)
_ROUNDS = 5
_SECONDS = 4.0
#: Leads with something due within these seconds; of 100 leads about 160 timers fire.
_LEADS = {"idle": 6, "200 due/s": 500}
T = TypeVar("T")


class Noting(Runtime):
    """Notes when each writing transaction has ended."""

    ends: list[datetime]

    async def write(self, use_case: Callable[[Work], T]) -> T:
        result = await super().write(use_case)
        self.ends.append(datetime.now(UTC))
        return result


def run(ground: Ground) -> Found:
    """Quiet and busy stretches in turn, on PostgreSQL."""
    found: dict[str, list[float]] = {}
    many: dict[str, int] = {}
    for _ in range(1 if ground.small else _ROUNDS):
        for name, leads in _LEADS.items():
            with ground.postgres() as url:
                late = asyncio.run(_stretch(url, leads))
            many[name] = many.get(name, 0) + len(late)
            for share in (50, 99):
                cut = statistics.quantiles(late, n=100, method="inclusive")[share - 1]
                found.setdefault(f"{name}, p{share}", []).append(cut)
    noted = ", ".join(f"{count} timers {name}" for name, count in many.items())
    return Found(
        {name: Figure(tuple(values), "ms") for name, values in found.items()},
        (
            f"{noted}; from the due time to the end of the transaction, a stretch of {_SECONDS:.0f} s each",
        ),
    )


async def _stretch(url: str, leads: int) -> list[float]:
    """Milliseconds that each timer was late."""
    house.furnish(database := Database(url), leads)
    runtime = Noting(database, Clock(), house.agreement())
    runtime.ends = []

    async def look_on(_: Watch) -> None:
        pass

    ticker = Ticker(runtime, worker="bench", on_watch=look_on)
    ticker.start()
    try:
        await asyncio.sleep(1)  # the first tick has connected and found nothing
        due = await asyncio.to_thread(_make_due, database, datetime.now(UTC) + timedelta(seconds=1))
        ticker.wake()
        await asyncio.sleep(_SECONDS + 1.5)
        for _ in range(40):
            fired = await asyncio.to_thread(_fired, database, list(due))
            if len(fired) == len(due):
                break
            await asyncio.sleep(0.5)
    finally:
        ticker.stop()
        await asyncio.sleep(0.1)
        runtime.close()
    if len(fired) < len(due):
        raise NotMeasured(f"{len(due) - len(fired)} of {len(due)} timers did not fire")
    ends = sorted(runtime.ends)
    # `fired_at` is when their transaction began; it is the first to end after that.
    return [
        (ends[bisect_left(ends, began)] - due[timer]).total_seconds() * 1000
        for timer, began in fired.items()
    ]


def _make_due(database: Database, start: datetime) -> dict[int, datetime]:
    """Spread what was due in the house evenly over the stretch, and put all others off."""
    far = start + timedelta(days=2)
    with database.write() as conn:
        rows = conn.execute(
            select(_timers.c.id, _timers.c.subject_id, _timers.c.step)
            .where(_timers.c.state == "armed", _timers.c.due_at <= house.NOW)
            .order_by(_timers.c.subject_id, _timers.c.id)
        ).all()
        conn.execute(_timers.update().values(due_at=far))
        conn.execute(_clocks.update().values(due_at=far))
        due: dict[int, datetime] = {}
        at = start
        for n, row in enumerate(rows):
            if (
                n == 0 or row.subject_id != rows[n - 1].subject_id
            ):  # those of one clock are due together
                at = start + timedelta(seconds=_SECONDS * n / len(rows))
            due[row.id] = at
            conn.execute(_timers.update().where(_timers.c.id == row.id).values(due_at=at))
            if row.step.startswith("100:"):
                conn.execute(
                    _clocks.update().where(_clocks.c.id == row.subject_id).values(due_at=at)
                )
    return due


def _fired(database: Database, ids: list[int]) -> dict[int, datetime]:
    with database.read() as conn:
        rows = conn.execute(
            select(_timers.c.id, _timers.c.fired_at).where(
                _timers.c.id.in_(ids), _timers.c.fired_at.is_not(None)
            )
        )
        return {int(i): at for i, at in rows}


ROWS = (
    Row(
        "lateness",
        "how late a timer fires, by the real ticker: two a second (idle) and two hundred a second",
        "",
        (Bar("idle, p99", "<=", 250), Bar("200 due/s, p99", "<=", 1000)),
        run,
    ),
)
