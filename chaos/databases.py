"""PostgreSQL is stopped at once and started again, over and over, while senders send leads and two workers work; and
once it stays away for a while.

Whatever a sender was told is there, once. While it is away the door says so, soon, and opens no files. What is not
here: processes of Baton that die (`kills`), a full disk (`disk`).
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from chaos.books import misfits, open_books, step_faults, unguarded
from chaos.experiment import POSTGRES, Experiment, Ground
from chaos.kill_demo import Notebook
from chaos.kills import lost
from chaos.playbooks import UNHURRIED
from chaos.race import made_leads
from chaos.town import Baton, Town, town
from chaos.verdict import Verdict
from storage.database import Database
from tests.postgres import start_again, stop_at_once

CLIENTS = 4
BATCH = 5
#: Seconds between two stops, at least and at most, and how long it stays away at the end.
BETWEEN = (1.0, 2.5)
AWAY, LONG_AWAY = 8.0, 300.0
#: Leads sent while it stays away; from so many leads on, it stays away for long.
LAST, MANY = 60, 10_000
ANSWERED, BACK = 2.0, 10.0
HANDLES = 8
#: Seconds; in production 60, which each run would wait for after the last return.
LEASE = 5.0
STUCK_SECONDS = 180.0


def restarted_database(ground: Ground) -> Verdict:
    """`ground.size` leads; the server is stopped until they are all taken."""
    return asyncio.run(_restarted_database(ground))


async def _restarted_database(ground: Ground) -> Verdict:
    verdict = Verdict(0, ground.seed)
    home = Path(str(make_url(ground.url).query["host"]))
    notes = Notebook(ground.folder / "acknowledged")
    rng = random.Random(ground.seed)
    async with town(ground, reps=20, env={"CHAOS_LEASE": str(LEASE)}, accept=UNHURRIED) as here:
        web, *workers = (here.place(role) for role in ("web", "worker", "worker"))
        for baton in (web, *workers):
            here.start(baton)
            await here.ready(baton)
        before = [_handles(baton) for baton in (web, *workers)]
        began = time.monotonic()
        sending = _Sending(here, web, notes, ground.size)
        stops = 0
        while not sending.done and time.monotonic() - began < STUCK_SECONDS + ground.size:
            await asyncio.sleep(rng.uniform(*BETWEEN))
            await asyncio.to_thread(stop_at_once, home)
            await asyncio.to_thread(start_again, home)
            stops += 1
        await sending.end()
        # Once more, and for longer.
        away = LONG_AWAY if ground.size >= MANY else AWAY
        last = _Sending(here, web, notes, ground.size + LAST, first=ground.size)
        await asyncio.to_thread(stop_at_once, home)
        await asyncio.sleep(away)
        grown = [now - was for now, was in zip(map(_handles, (web, *workers)), before, strict=True)]
        await asyncio.to_thread(start_again, home)
        back_at, known = time.monotonic(), len(notes.leads)
        while len(notes.leads) == known and time.monotonic() - back_at < STUCK_SECONDS:
            await asyncio.sleep(0.05)
        back = time.monotonic() - back_at
        await last.end()
        database = Database(ground.url)
        try:
            if not await here.quiet(database, STUCK_SECONDS):
                verdict.faults.append("messages were still waiting after three minutes")
            verdict.seconds = round(time.monotonic() - began, 1)
            books = open_books(database)
        finally:
            database.dispose()
            notes.close()
            for baton in here.batons:
                baton.kill()
    refusals = sorted(sending.refused + last.refused) or [0.0]
    verdict.n = stops + 1
    verdict.figures = {
        "stops at once": stops, "leads acknowledged": len(notes.leads), "leads": len(books.leads),
        "sent again": sending.again + last.again, "refused (503)": len(sending.refused + last.refused),
        "refusal took p50, p99, most, s": [
            round(refusals[min(len(refusals) - 1, int(len(refusals) * part))], 2) for part in (0.5, 0.99, 1)
        ],
        "away at the end, s": away, "takes leads again after, s": round(back, 2),
        "handles grown while away": grown,
    }  # fmt: skip
    if refusals[-1] > ANSWERED:
        verdict.faults.append(f"a refusal took {refusals[-1]:.1f} s")
    if back > BACK:
        verdict.faults.append(f"leads were taken again only {back:.1f} s after the return")
    if max(grown) > HANDLES:
        verdict.faults.append(f"handles grew by {grown}")
    verdict.faults += sending.faults + last.faults + lost(notes, books)
    if len(books.leads) != len(notes.leads):
        verdict.faults.append(f"{len(notes.leads)} acknowledged, {len(books.leads)} stand there")
    verdict.faults += misfits(books) + unguarded(books) + step_faults(books)
    return verdict


class _Sending:
    """Four senders; each message until it is answered. `refused`: how long each 503 took."""

    def __init__(
        self, here: Town, door: Baton, notes: Notebook, many: int, *, first: int = 0
    ) -> None:
        self._here, self._door, self._notes = here, door, notes
        leads = made_leads(many, name="d")[first:]
        self._queue: list[list[dict[str, Any]]] = [
            leads[at : at + BATCH] for at in range(0, len(leads), BATCH)
        ]
        self.again = 0
        self.refused: list[float] = []
        self.faults: list[str] = []
        self._tasks = [asyncio.create_task(self._send()) for _ in range(CLIENTS)]

    @property
    def done(self) -> bool:
        """Everything was acknowledged."""
        return all(task.done() for task in self._tasks)

    async def _send(self) -> None:
        while self._queue:
            batch = self._queue.pop(0)
            while True:
                began = time.monotonic()
                status, results = await self._here.send(self._door, batch[0]["external_id"], batch)
                if status == 202:
                    break
                if status == 503:
                    self.refused.append(time.monotonic() - began)
                elif status:
                    self.faults.append(f"leads were answered with {status}")
                self.again += 1
                await asyncio.sleep(0.2)
            for lead, result in zip(batch, results, strict=True):
                self._notes.lead(lead["external_id"], int(result["lead"]))

    async def end(self) -> None:
        """All of it."""
        await asyncio.wait_for(asyncio.gather(*self._tasks), STUCK_SECONDS)


def _handles(baton: Baton) -> int:
    assert baton.process is not None  # noqa: S101 - it runs
    return len(os.listdir(f"/proc/{baton.process.pid}/fd"))


EXPERIMENTS = (
    Experiment(
        name="databases",
        about="PostgreSQL stopped at once every 1 to 2.5 s during intake, and then away for longer",
        criterion="0 acknowledged leads missing or twice; 503 within 2 s, leads taken again 10 s after its"
        " return, no handles left open",
        broken_by="the readiness question before each message not guarded: 142 answers of 500, no 503",
        everyday=300,
        full=10_000,
        run=restarted_database,
        kinds=(POSTGRES,),
    ),
)
