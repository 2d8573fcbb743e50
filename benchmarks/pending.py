"""What a million pending timers cost a tick: when nothing is due, and when something is; beside ten thousand of them.

Both houses stand side by side and are measured in turn. What is not here: firing itself (`timers`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

from sqlalchemy import make_url

from benchmarks import house
from benchmarks.places import Ground, NotMeasured
from benchmarks.row import Bar, Found, Row, interleave
from benchmarks.timers import fire_all, warm_up, worker_on
from bot.services.fire_timers import fire_due, until_next_due
from bot.services.work import Work
from storage.database import Database

_MANY, _FEW = 1_000_000, 10_000
_TICKS = 300
_LEADS = 500


def idle(ground: Ground) -> Found:
    """A tick with nothing due, on both databases."""
    figures = {}
    for kind, make in (("SQLite", ground.sqlite), ("PostgreSQL", ground.postgres)):
        with ExitStack() as stack:
            sides: dict[str, Callable[[], float]] = {}
            for name, pending in (("1 M", _MANY), ("10 k", _FEW)):
                database = Database(stack.enter_context(make()))
                stack.callback(database.dispose)
                house.furnish(database, 100, later=_size(ground, pending))
                fire_all(worker_on(database))
                sides[name] = _ticking(database, _TICKS // 10 if ground.small else _TICKS)
            found = interleave(sides, repetitions=15)
        figures[f"{kind}, 1 M against 10 k"] = found.ratio("1 M", "10 k")
        figures |= {f"{kind}, a tick, {name} pending": found.figure(name, "ms") for name in sides}
    return Found(
        figures, ("a tick: one writing transaction that claims, one that reads the next due time",)
    )


def _size(ground: Ground, many: int) -> int:
    return many // 100 if ground.small else many


def _ticking(database: Database, ticks: int) -> Callable[[], float]:
    agreement = house.agreement()

    def measure() -> float:
        began = time.perf_counter()
        for n in range(ticks):
            at = house.NOW + timedelta(milliseconds=n)
            with database.write() as conn:
                if fire_due(Work(conn, at, at, agreement)):
                    raise NotMeasured("something was due")
            with database.read() as conn:
                until_next_due(Work(conn, at, at, agreement))
        return (time.perf_counter() - began) / ticks * 1000

    return measure


def busy(ground: Ground) -> Found:
    """Firing beside a million pending timers, and beside few. On PostgreSQL: a file of SQLite is copied whole."""
    with ExitStack() as stack:
        sides: dict[str, Callable[[], float]] = {}
        for name, pending in (("1 M", _MANY), ("10 k", _FEW)):
            sides[name] = stack.enter_context(_firing(ground, _size(ground, pending)))
        found = interleave(sides)
    return Found({
        "1 M against 10 k": found.ratio("1 M", "10 k"),
        **{f"{name} pending": found.figure(name, "timers/s") for name in sides},
    })  # fmt: skip


@contextmanager
def _firing(ground: Ground, pending: int) -> Iterator[Callable[[], float]]:
    with ground.postgres() as full:
        database = Database(full)
        house.furnish(database, 50 if ground.small else _LEADS, later=pending)
        database.dispose()
        template = str(make_url(full).database)

        def measure() -> float:
            with ground.postgres(template) as url:
                database = Database(url)
                warm_up(database)
                fired, seconds = fire_all(runtime := worker_on(database))
                runtime.close()
            return fired / seconds

        yield measure


ROWS = (
    Row(
        "tick-idle",
        "a tick with nothing due, a million timers pending against ten thousand",
        "",
        (
            Bar("SQLite, 1 M against 10 k", "<=", 1.5),
            Bar("PostgreSQL, 1 M against 10 k", "<=", 1.5),
        ),
        idle,
    ),
    Row(
        "tick-busy",
        "firing with a million timers pending against ten thousand, PostgreSQL",
        "",
        (Bar("1 M against 10 k", ">=", 0.8),),
        busy,
    ),
)
