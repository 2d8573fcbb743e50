"""Reminders that come due at 200 a second, fired by two real workers that deliver them, too: how late is each?

Lateness is the database's clock at the moment the timer is marked as fired, minus when it was due; a trigger writes it
down. What is not here: timers after downtime (`jumps`), workers that are disturbed (`workers`).
"""

from __future__ import annotations

import asyncio
import time

from chaos.books import open_books, step_faults
from chaos.due_timers import called, overdue_now, place_witness, prepare, seen
from chaos.experiment import POSTGRES, Experiment, Ground
from chaos.town import town
from chaos.verdict import Verdict
from storage.database import Database

WORKERS = 2
#: Timers a second; reps a team (three teams).
RATE, REPS = 200.0, 60
P99, MOST = 1.0, 5.0
AHEAD = 3.0
STUCK_SECONDS = 120.0


def timely_steps(ground: Ground) -> Verdict:
    """`ground.size` reminders."""
    return asyncio.run(_timely_steps(ground))


async def _timely_steps(ground: Ground) -> Verdict:
    verdict = Verdict(ground.size, ground.seed)
    async with town(ground, reps=REPS) as here:
        span = ground.size / RATE
        began = time.monotonic()
        # Half of the accept clock: the reminder. The reoffer is ten minutes away.
        await asyncio.to_thread(
            prepare, ground, here, ground.size, reps=REPS, span=span, ahead=86_400.0, share=0.5
        )
        database = Database(ground.url)
        pids: dict[str, set[int]] = {}
        await asyncio.to_thread(place_witness, database)
        try:
            batons = [here.place("worker") for _ in range(WORKERS)]
            for number, baton in enumerate(batons):
                here.start(baton, {"DATABASE_URL": called(ground.url, f"w{number}")})
                assert baton.process is not None  # noqa: S101 - just started
                pids[f"w{number}"] = {baton.process.pid}
                await here.ready(baton)
            await asyncio.to_thread(_bring_near, database)
            await asyncio.sleep(AHEAD + span)
            since = time.monotonic()
            while await asyncio.to_thread(overdue_now, database):
                if time.monotonic() - since > STUCK_SECONDS:
                    break
                await asyncio.sleep(0.2)
            verdict.seconds = round(time.monotonic() - began, 1)
            told = seen(database, pids)
            books = open_books(database)
        finally:
            for baton in here.batons:
                baton.kill()
            database.dispose()
    late = told.late or [0.0]
    p50, p99 = late[len(late) // 2], late[int(len(late) * 0.99)]
    verdict.figures = {
        "due": ground.size, "a second": RATE, "fired": told.fired,
        "late p50, s": round(p50, 3), "late p99, s": round(p99, 3), "late most, s": round(late[-1], 3),
        "early most, s": round(max(0.0, -late[0]), 3), "messages sent meanwhile": told.sent,
    }  # fmt: skip
    if told.fired != ground.size:
        verdict.faults.append(f"{told.fired} of {ground.size} fired")
    if p99 > P99 or late[-1] > MOST:
        verdict.faults.append(f"late: p99 {p99:.2f} s, most {late[-1]:.2f} s")
    verdict.faults += told.doubled + step_faults(books)
    return verdict


def _bring_near(database: Database) -> None:
    """Only now, with the workers up and running, the reminders come near; all else stays a day away."""
    with database.write() as conn:
        conn.exec_driver_sql(
            "UPDATE timers SET due_at = due_at - (SELECT min(due_at) FROM timers WHERE state = 'armed')"
            " + clock_timestamp() + %s * interval '1 second' WHERE step LIKE '50:%%'",
            (AHEAD,),
        )


EXPERIMENTS = (
    Experiment(
        name="timely",
        about="timers due at 200 a second, fired by two workers",
        criterion="fired = due, late p99 <= 1 s, at most 5 s",
        broken_by="1,000 timers: one a transaction instead of a batch, p99 11.1 s late; ticks every 5 s instead of at"
        " the next due time, p99 5.1 s",
        everyday=1000,
        full=20_000,
        run=timely_steps,
        kinds=(POSTGRES,),
    ),
)
