"""How many timers fire a second, with all that firing means, beside engines whose jobs do nothing; all on PostgreSQL.

Baton's side is the real `fire_due` on a furnished house (`house`): the claim, what is due decided lead by lead, clocks,
journal, messages, edits of cards, lists and Home tabs, the next timers of whoever is offered a lead. What is not here:
lateness (`lateness`), what a million pending timers change (`pending`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from sqlalchemy import make_url

from benchmarks import house, peers
from benchmarks.places import Ground, NotMeasured, burning, cpu_seconds
from benchmarks.row import Bar, Figure, Found, Row, interleave
from bot.clock import Clock
from bot.services.fire_timers import BATCH, fire_due
from bot.services.runtime import Runtime
from bot.services.work import Work
from handlers import ticks
from storage.database import Database

_LEADS = 1_000
#: Enough that each engine works for about a second.
_JOBS = {"procrastinate": 300, "APScheduler": 800, "pgqueuer": 3_000}


def worker_on(database: Database) -> Runtime:
    """What a worker runs use cases on, at the moment of the house. Closing it closes the database."""
    return Runtime(database, Clock(lambda: house.NOW), house.agreement())


def fire_all(runtime: Runtime) -> tuple[int, float]:
    """Fire until nothing is due, as the ticker does: timers fired, and seconds."""
    return asyncio.run(_fire_all(runtime))


async def _fire_all(runtime: Runtime) -> tuple[int, float]:
    began = time.perf_counter()
    fired = await ticks.fire_all(runtime)
    return fired, time.perf_counter() - began


def warm_up(database: Database) -> int:
    """A worker has run for days: its connections are there and their statements prepared. Fires a few timers."""
    agreement = house.agreement()
    fired = 0
    with database.read(), database.read():  # two, that take turns from here on
        pass
    for _ in range(
        6 * ticks.LANES
    ):  # psycopg prepares a statement when it comes for the fifth time
        with database.write() as conn:
            fired += fire_due(Work(conn, house.NOW, house.NOW, agreement), 4)
    return fired


def run(ground: Ground) -> Found:
    """Baton and the three peers in turn."""
    many = 200 if ground.small else _LEADS
    shares: list[float] = []
    cpu: list[float] = []
    with ground.postgres() as full, ground.postgres() as calm:
        _furnish(full, many, house.MIX)
        _furnish(calm, many, house.NO_LAPSES)

        def ours(template: str) -> float:
            with ground.postgres(template) as url:
                database = Database(url)
                warm_up(database)
                runtime = worker_on(database)
                before = time.process_time() + cpu_seconds(ground.server_pid)
                with burning(ground.server_pid):
                    fired, seconds = fire_all(runtime)
                after = time.process_time() + cpu_seconds(ground.server_pid)
                left = house.due_left(database)
                if template == _name(full):
                    cpu.append((after - before) / fired * 1e6)
                    shares.append(house.count_sending(database) / house.count_fired(database))
                runtime.close()
            if left:
                raise NotMeasured(f"{left} timers did not fire")
            return fired / seconds

        def theirs(name: str, rate: Callable[[str, int], float]) -> Callable[[], float]:
            jobs = _JOBS[name] // 10 if ground.small else _JOBS[name]

            def measure() -> float:
                with ground.postgres("template0") as url, burning(ground.server_pid):
                    return rate(url, jobs)

            return measure

        found = interleave({
            "Baton": lambda: ours(_name(full)),
            "Baton, no lapses": lambda: ours(_name(calm)),
            "procrastinate": theirs("procrastinate", peers.procrastinate_rate),
            "APScheduler": theirs("APScheduler", peers.apscheduler_rate),
            "pgqueuer": theirs("pgqueuer", peers.pgqueuer_rate),
        })  # fmt: skip
    sending = Figure(tuple(100 * share for share in shares), "%")
    figures = {f"against {name}": found.ratio("Baton", name) for name in _JOBS}
    figures["Baton, CPU of worker and server"] = Figure(tuple(cpu), "µs a timer")
    for name in ("Baton", "Baton, no lapses"):
        figures[name] = found.figure(name, "timers/s")
    figures |= {name: found.figure(name, "jobs/s") for name in _JOBS}
    mix = ", ".join(f"{share} % {name}" for name, share in house.MIX.items())
    return Found(
        figures,
        (
            f"{many} leads: {mix}. {sending.median:.0f} % of the timers say something to somebody or move "
            "the lead; the others mark the breach of a clock (clock and journal) in the same moment.",
            f"batches of {BATCH}, {ticks.LANES} at a time, as the ticker does it; each timer with its whole effect, "
            "each peer's job does nothing; pgqueuer over psycopg.",
            "PostgreSQL with fsync, full_page_writes and synchronous_commit on, logged tables.",
        ),
    )


def _furnish(url: str, many: int, mix: Mapping[str, int]) -> None:
    database = Database(url)
    house.furnish(database, many, mix=mix)
    database.dispose()


def _name(url: str) -> str:
    """The database's name, by which it is copied."""
    return str(make_url(url).database)


ROWS = (
    Row(
        "timers",
        "firing what is due with its whole effect (claim, decision, clock, journal, messages, card edits, next timers)",
        "empty jobs of procrastinate 3.10 (concurrency 10), APScheduler 3.11 SQLAlchemyJobStore, pgqueuer 1.6 "
        "(batch 100)",
        (
            Bar("against procrastinate", ">=", 10),
            Bar("against APScheduler", ">=", 5),
            Bar("against pgqueuer", ">=", 0.6),
        ),
        run,
    ),
)
