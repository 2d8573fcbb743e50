"""Backups taken in the middle of intake, restored elsewhere: what was acknowledged before one began is in it, nothing
old is posted again, and who was erased since stays erased.

Each trial: leads come in, `baton backup`, a person is erased, everything is killed, `baton restore` into the spare
database, a Baton on that. What is not here: how long it takes (docs/backup.md), damaged files (the tests).
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from pathlib import Path

from sqlalchemy import text

from chaos.books import damage, misfits, open_books, unguarded
from chaos.experiment import SQLITE, Experiment, Ground
from chaos.kill_demo import Notebook
from chaos.playbooks import UNHURRIED
from chaos.steady import Steady
from chaos.town import Town, town
from chaos.verdict import Verdict
from storage.base import Base
from storage.database import Database

RATE = 50.0
#: How long a restored Baton is watched: it posts what it wants to post within the first second.
WATCHED = 4.0
#: So long Slack may take for what the killed Baton had sent: that was posted before the restore.
ON_ITS_WAY = 1.0


def backups_in_intake(ground: Ground) -> Verdict:
    """`ground.size` trials."""
    return asyncio.run(_backups(ground))


async def _backups(ground: Ground) -> Verdict:
    verdict = Verdict(ground.size, ground.seed)
    rng = random.Random(ground.seed)
    began = time.monotonic()
    kept = ground.folder / "backups"
    more = {"BATON_ERASURE_KEY": secrets.token_hex(32), "BATON_BACKUPS": str(kept)}
    sums = dict.fromkeys(("leads before", "leads restored", "held", "posted since", "erased"), 0)
    async with town(ground, env=more, accept=UNHURRIED) as here:
        kept.mkdir(mode=0o700)
        # What a Baton makes by itself when it starts with a folder for backups would stand in the way here.
        more.pop("BATON_BACKUPS")
        here.env.pop("BATON_BACKUPS")
        for number in range(ground.size):
            trial = _Trial(here, ground, kept, f"t{number}x", rng)
            verdict.faults += [f"trial {number}: {fault}" for fault in await trial.run()]
            for name, many in trial.figures.items():
                sums[name] += many
    verdict.seconds = round(time.monotonic() - began, 1)
    verdict.figures = dict(sums)
    return verdict


class _Trial:
    def __init__(
        self, here: Town, ground: Ground, kept: Path, name: str, rng: random.Random
    ) -> None:
        self._here, self._ground, self._kept = here, ground, kept
        self._name, self._rng = name, rng
        self._file = kept / f"{name}.backup"
        self._roles = ["run"] if ground.kind == SQLITE else ["web", "worker"]
        self.figures: dict[str, int] = {}

    async def run(self) -> list[str]:
        """One trial; what did not hold."""
        here = self._here
        notes = Notebook(self._ground.folder / self._name)
        batons = [here.place(role) for role in self._roles]
        for baton in batons:
            here.start(baton)
        for baton in batons:
            await here.ready(baton)
        sender = Steady(here, batons[0], notes, rate=RATE, name=self._name)
        await sender.more(20)
        await asyncio.sleep(self._rng.uniform(0, 1))
        before = dict(notes.leads)
        await here.command("backup", str(self._file))
        gone = self._rng.choice(sorted(before))
        erased = self._email_of(gone)
        await here.command("erase", erased, "--yes", BATON_BACKUPS=str(self._kept))
        await sender.more(10)
        await sender.end()
        for baton in batons:
            baton.kill()
        notes.close()
        await asyncio.sleep(ON_ITS_WAY)
        seen = set(self._shown())
        await here.command("restore", str(self._file), "--replace", DATABASE_URL=self._ground.spare)
        return await self._judge(before, gone, erased, seen)

    async def _judge(
        self, before: dict[str, int], gone: str, erased: str, seen: set[tuple[str, str]]
    ) -> list[str]:
        database = Database(self._ground.spare)
        try:
            books = open_books(database)
            known = {external: lead for (_, external), lead in books.keys.items()}
            faults = [f"{e} is missing" for e in before if e != gone and known.get(e) != before[e]]
            faults += misfits(books) + unguarded(books) + damage(database)
            if found := _holds(database, erased) + _holds(database, gone):
                faults.append(f"who was erased stands in {found}")
            old = set(books.posts)
            held = sum(state == "held" for state in books.posts.values())
            if left := [s for s in books.posts.values() if s in ("pending", "sending", "doubt")]:
                faults.append(f"{len(left)} old messages wait to be sent")
            restored = [self._here.place(role) for role in self._roles]
            for baton in restored:
                self._here.start(baton, {"DATABASE_URL": self._ground.spare})
            for baton in restored:
                await self._here.ready(baton)
            await asyncio.sleep(WATCHED)
            for baton in restored:
                baton.kill()
            with database.write() as conn:  # the next restore finds it quiet for a minute
                conn.execute(text("DELETE FROM heartbeats"))
            new = {place: d for place, d in self._shown().items() if place not in seen}
            if again := [d for d in new.values() if d in old]:
                faults.append(f"{len(again)} old messages were posted")
        finally:
            database.dispose()
        self.figures = {
            "leads before": len(before), "leads restored": len(books.leads), "held": held,
            "posted since": len(new), "erased": 1,
        }  # fmt: skip
        return faults

    def _shown(self) -> dict[tuple[str, str], str]:
        """Every message that stands in Slack, and the delivery that it came from."""
        return {
            (m.channel, m.ts): str((m.metadata or {}).get("event_payload", {}).get("d", ""))
            for each in self._here.sandbox.workspace.messages.values()
            for m in each.values()
        }

    def _email_of(self, external_id: str) -> str:
        database = Database(self._ground.url)
        try:
            with database.read() as conn:
                query = text("SELECT email FROM leads WHERE external_id = :key")
                return str(conn.execute(query, {"key": external_id}).scalar_one())
        finally:
            database.dispose()


def _holds(database: Database, word: str) -> list[str]:
    """The tables in which a word stands anywhere."""
    with database.read() as conn:
        return [
            table.name
            for table in Base.metadata.sorted_tables
            if any(word in str(value) for row in conn.execute(table.select()) for value in row)
        ]


EXPERIMENTS = (
    Experiment(
        "backups",
        "backups during intake, restored elsewhere after somebody was erased",
        "all leads acknowledged before the backup began are there, 0 old messages posted, erased stay erased",
        "holding what was not sent (short form, test_backups): it waits to be sent",
        everyday=1,
        full=20,
        run=backups_in_intake,
    ),
)
