"""Three real workers over one PostgreSQL, stopped for twice their lease, continued and killed while timers come due.

Each step applies once, and nothing is written under a fence that is not one's own any more. A witness in the database
(triggers) keeps the books. What is not here: two workers that are left in peace (`timers`), what a duplicate in Slack
becomes (`sends`).
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter
from typing import Any

from chaos.books import misfits, open_books, overdue, step_faults, unguarded
from chaos.due_timers import (
    STEPS_OF_AN_OFFER,
    called,
    introduce,
    overdue_now,
    place_witness,
    prepare,
    seen,
)
from chaos.experiment import POSTGRES, Experiment, Ground
from chaos.race import START
from chaos.town import Baton, Town, town
from chaos.verdict import Verdict
from storage.database import Database

WORKERS = 3
MODULE = "chaos.odd_worker"
#: Seconds. Twenty-four times shorter than in production, so that one that stands still for two of them is seen often.
LEASE = 2.5
IDLE = 2.0
#: Seconds that the stand-in takes for each message: whoever is stopped has some on their way.
SLOW = 0.8
#: Timers a second.
RATE = 40.0
AHEAD = 2.0
STUCK_SECONDS = 120.0


def stopped_workers(ground: Ground) -> Verdict:
    """`ground.size` timers."""
    return asyncio.run(_stopped_workers(ground))


async def _stopped_workers(ground: Ground) -> Verdict:
    verdict = Verdict(ground.size, ground.seed)
    offers = max(WORKERS, ground.size // STEPS_OF_AN_OFFER)
    rng = random.Random(ground.seed)
    async with town(ground, reps=20) as here:
        span = max(12.0, ground.size / RATE)
        await asyncio.to_thread(introduce, ground, here, 20)
        database = Database(ground.url)
        crew = _Crew(here, ground.url, rng)
        began = time.monotonic()
        await asyncio.to_thread(place_witness, database)
        try:
            await crew.start()
            for method in ("chat.postMessage", "chat.update"):
                here.sandbox.workspace.faults.add(
                    method, "accept_then_late", count=None, seconds=SLOW
                )
            # Only now, with all of them up: else the first would have done it all before any trouble.
            ahead = AHEAD + offers / 150
            await asyncio.to_thread(prepare, ground, here, offers, reps=20, span=span, ahead=ahead)
            done = await crew.trouble(database, AHEAD + span)
            crew.end()
            verdict.seconds = round(time.monotonic() - began, 1)
            told = seen(database, crew.pids)
            books = open_books(database)
        finally:
            crew.end()
            database.dispose()
    verdict.n = told.fired
    verdict.figures = {
        "offers": offers, "steps settled": told.fired, "messages sent": told.sent, **crew.done,
        "stood still in a transaction, seconds": IDLE, "lease, seconds": LEASE,
    }  # fmt: skip
    if not done:
        verdict.faults.append("timers were still waiting after two minutes")
    lapsed = sum(offer.state == "lapsed" for offer in books.offers)
    if lapsed != offers:
        verdict.faults.append(f"{lapsed} of {offers} silent offers lapsed")
    for lead in books.leads:
        many = Counter(e.data["clock"] for e in books.entries(lead.id, "escalated"))
        verdict.faults += [f"lead {lead.id}: {n} escalations" for n in many.values() if n > 1]
    verdict.faults += told.doubled + told.old_fences
    verdict.faults += overdue(books, START.min.replace(tzinfo=START.tzinfo)) + step_faults(books)
    verdict.faults += misfits(books) + unguarded(books)
    return verdict


class _Crew:
    """The workers, and who they ever were."""

    def __init__(self, here: Town, url: str, rng: random.Random) -> None:
        self._here, self._url, self._rng = here, url, rng
        self.batons: list[Baton] = []
        self.pids: dict[str, set[int]] = {}
        self.done: Counter[str] = Counter()

    async def start(self) -> None:
        """All of them, until they are ready."""
        for _ in range(WORKERS):
            baton = self._here.place("worker")
            baton.module = MODULE
            self.batons.append(baton)
            self._start(baton)
            await self._here.ready(baton)

    def _start(self, baton: Baton) -> None:
        name = f"w{self.batons.index(baton)}"
        more: dict[str, Any] = {
            "DATABASE_URL": called(self._url, name),
            "CHAOS_LEASE": str(LEASE),
            "CHAOS_IDLE": str(round(IDLE)),
        }
        self._here.start(baton, more)
        assert baton.process is not None  # noqa: S101 - just started
        self.pids.setdefault(name, set()).add(baton.process.pid)

    async def trouble(self, database: Database, span: float) -> bool:
        """Stop, continue and kill, never all of them for long, until all that is due has happened."""
        until = time.monotonic() + span
        jobs = [asyncio.create_task(self._plague(baton, until)) for baton in self.batons]
        await asyncio.gather(*jobs)
        give_up = time.monotonic() + STUCK_SECONDS
        while await asyncio.to_thread(overdue_now, database):
            if time.monotonic() > give_up:
                return False
            await asyncio.sleep(0.2)
        return await self._here.quiet(database, 3 * LEASE) or True

    async def _plague(self, baton: Baton, until: float) -> None:
        while time.monotonic() < until:
            await asyncio.sleep(self._rng.uniform(0.5, 3.0))
            if self._rng.random() < 0.6:
                baton.send(signal.SIGSTOP)
                await asyncio.sleep(2 * LEASE)
                baton.send(signal.SIGCONT)
                self.done["stopped for two leases"] += 1
            else:
                baton.kill()
                self._start(baton)
                self.done["killed"] += 1

    def end(self) -> None:
        """Nobody writes any more."""
        for baton in self.batons:
            baton.send(signal.SIGCONT)
            baton.kill()


EXPERIMENTS = (
    Experiment(
        name="workers",
        about="three workers stopped for two leases, continued and killed over due timers",
        criterion="each step once, 0 duplicates, 0 writes with an old fence",
        broken_by="messages settled by whoever comes, without fence and state: 52 faults in 400 timers",
        everyday=600,
        full=10_000,
        run=stopped_workers,
        kinds=(POSTGRES,),
    ),
)
