"""Migrations that are killed in their middle while leads come in, and a Baton that goes on when the tables are newer.

First the next Baton's step (`next_step`), under the Baton of today, which its tables admit: that is also what rolling
the code back is. Then today's own newest step, back and forth. What is not here: two that migrate at once (the tests).
"""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import time

from sqlalchemy import text

from chaos.books import damage, misfits, open_books, unguarded
from chaos.experiment import SQLITE, Experiment, Ground
from chaos.kill_demo import Notebook
from chaos.kills import lost
from chaos.next_step import NEXT, SLOW_SECONDS, is_half_done
from chaos.race import ROOT
from chaos.steady import Steady
from chaos.town import Baton, Town, town
from chaos.verdict import Verdict
from storage.database import Database
from storage.revisions import HEAD, current
from storage.schema import known_revisions

RATE = 20.0


def migrations(ground: Ground) -> Verdict:
    """`ground.size` kills."""
    return asyncio.run(_migrations(ground))


async def _migrations(ground: Ground) -> Verdict:
    verdict = Verdict(ground.size, ground.seed)
    rng = random.Random(ground.seed)
    notes = Notebook(ground.folder / "acknowledged")
    database = Database(ground.url)
    began = time.monotonic()
    try:
        async with town(ground) as here:
            roles = ["run"] if ground.kind == SQLITE else ["web", "worker"]
            batons = [here.place(role) for role in roles]
            await _start(here, batons)
            sender = Steady(here, batons[0], notes, rate=RATE)
            run = _Run(ground, database, rng)
            for number in range(ground.size):
                await sender.more(4)
                await run.kill_next(back=number % 2 == 1)
            await run.finish_next()
            if not await sender.more(10):
                verdict.faults.append("no leads were taken on newer tables that admit this Baton")
            for (
                baton
            ) in batons:  # the code is rolled back: today's Baton starts on tomorrow's tables
                baton.send(signal.SIGTERM)
                if baton.process is not None:
                    await asyncio.to_thread(baton.process.wait)
            await _start(here, batons)
            if not await sender.more(10):
                verdict.faults.append("the Baton that was rolled back takes no leads")
            await sender.end()
            for baton in batons:
                baton.kill()
            run.refuse_what_does_not_fit()
            run.back_and_forth(ground.size)
            verdict.faults += run.faults
        books = open_books(database)
        verdict.faults += lost(notes, books) + misfits(books) + unguarded(books) + damage(database)
    finally:
        database.dispose()
        notes.close()
    verdict.seconds = round(time.monotonic() - began, 1)
    verdict.figures = {
        "leads acknowledged": len(notes.leads), "killed in the middle": run.killed,
        "messages sent again": sender.again,
    }  # fmt: skip
    return verdict


async def _start(here: Town, batons: list[Baton]) -> None:
    for baton in batons:
        here.start(baton)
    for baton in batons:
        await here.ready(baton)


class _Run:
    def __init__(self, ground: Ground, database: Database, rng: random.Random) -> None:
        self._url, self._folder = ground.url, ground.folder
        self._database, self._rng = database, rng
        self.killed = 0
        self.faults: list[str] = []

    async def kill_next(self, *, back: bool) -> None:
        """The next Baton's step, killed while it has its locks."""
        await asyncio.to_thread(self._kill_next, back)

    def _kill_next(self, back: bool) -> None:
        process = self._next(back=back and current(self._database) == NEXT)
        if process.stdout is not None and process.stdout.readline().startswith("begun"):
            time.sleep(self._rng.uniform(0, SLOW_SECONDS))
        process.kill()
        process.communicate()
        self.killed += 1
        if is_half_done(self._database):
            self.faults.append("a migration that was killed left half of itself")

    async def finish_next(self) -> None:
        """To its end; a second run does nothing."""
        first = await asyncio.to_thread(self._next().communicate)
        again = await asyncio.to_thread(self._next().communicate)
        if current(self._database) != NEXT or is_half_done(self._database):
            self.faults.append(f"the migration did not come to its end: {first}")
        if "nothing to do" not in str(again[0]):
            self.faults.append(f"a second run did something: {again[0]}")

    def refuse_what_does_not_fit(self) -> None:
        """Tables that do not admit us: no start, no migration, with a sentence. Then they are ours again."""
        with self._database.write() as conn:
            conn.execute(text("UPDATE admitted SET oldest = :next"), {"next": NEXT})
        asked = [(words, self._start(*words)) for words in (("held", "list"), ("migrate",))]
        for words, process in asked:
            code, said = _answer(process)
            if code != 2 or "a newer Baton" not in said:
                self.faults.append(f"baton {words[0]} on tables that do not fit: {code}, {said}")
        self._next(back=True).communicate()
        if current(self._database) != HEAD:
            self.faults.append("the next Baton's step could not be taken back")

    def back_and_forth(self, many: int) -> None:
        """Today's newest step with rows in all states, killed at any moment, then to the end."""
        before = known_revisions()[-2]
        with self._database.write() as conn:
            conn.execute(text("UPDATE outbox SET state = 'held' WHERE state = 'pending'"))
            conn.execute(text("UPDATE outbox SET state = 'doubt' WHERE id % 7 = 0"))
        for number in range(many):
            back = ["migrate", "--back", before, "--yes"]
            process = self._start(*(back if number % 2 == 0 else ["migrate"]))
            time.sleep(self._rng.uniform(0.5, 3.0))
            process.kill()
            process.communicate()
            self.killed += 1
            if current(self._database) not in (before, HEAD):
                self.faults.append(f"killed, the tables are at {current(self._database)}")
        code, said = self._baton("migrate")
        if code or current(self._database) != HEAD:
            self.faults.append(f"migrate: {code}, {said}")
        if "nothing to do" not in self._baton("migrate")[1]:
            self.faults.append("a second migrate did something")

    def _next(self, *, back: bool = False) -> subprocess.Popen[str]:
        return self._run("-m", "chaos.next_step", self._url, *(["back"] if back else []))

    def _start(self, *words: str) -> subprocess.Popen[str]:
        return self._run("-m", "bot", *words)

    def _run(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *words], cwd=self._folder, text=True, stdin=subprocess.DEVNULL,
            env={"PYTHONPATH": str(ROOT), "DATABASE_URL": self._url, "PATH": ""},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def _baton(self, *words: str) -> tuple[int, str]:
        return _answer(self._start(*words))


def _answer(process: subprocess.Popen[str]) -> tuple[int, str]:
    said, _ = process.communicate(timeout=120)
    return process.returncode, said


EXPERIMENTS = (
    Experiment(
        "migrations",
        "migrations killed in their middle at 20 leads a second, code rolled back",
        "0 acknowledged leads lost, never half a step, newer tables that admit this Baton are worked on and others "
        "refused, a second run does nothing",
        "the one transaction of a step (a commit after the first table): half a step is found",
        everyday=2,
        full=20,
        run=migrations,
    ),
)
