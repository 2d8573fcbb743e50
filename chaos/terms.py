"""SIGTERM under load: a Baton that is asked to go answers what it has, hands over the rest and goes; also when Slack
hangs.

SQLite: `baton run`, started again each time. PostgreSQL: a `web` and two `worker`s, one of them asked at a time.
Every fifth time the next calls to Slack hang. What is not here: SIGKILL (`kills`).
"""

from __future__ import annotations

import asyncio
import random
import signal
import time

from chaos.books import damage, misfits, open_books, step_faults, unguarded
from chaos.experiment import SQLITE, Experiment, Ground
from chaos.kill_demo import Notebook
from chaos.kills import card_faults, lost
from chaos.playbooks import UNHURRIED
from chaos.steady import Steady, unposted
from chaos.town import Baton, Town, town
from chaos.verdict import Verdict
from storage.database import Database

RATE = 3.0
LONGEST_EXIT = 20.0
#: From the signal until all that the leaving one had claimed is settled or in another one's hands; not what hung in
#: Slack. How long Slack's pace lets it wait there is another question.
LONGEST_TAKEOVER = 5.0


def sigterms(ground: Ground) -> Verdict:
    """`ground.size` of them."""
    return asyncio.run(_sigterms(ground))


async def _sigterms(ground: Ground) -> Verdict:
    verdict = Verdict(ground.size, ground.seed)
    rng = random.Random(ground.seed)
    notes = Notebook(ground.folder / "acknowledged")
    exits: list[float] = []
    takeovers: list[float] = []
    async with town(ground, accept=UNHURRIED) as here:
        roles = ["run"] if ground.kind == SQLITE else ["web", "worker", "worker"]
        batons = [here.place(role) for role in roles]
        for baton in batons:
            here.start(baton)
        for baton in batons:
            await here.ready(baton)
        began = time.monotonic()
        sender = Steady(here, batons[0], notes, rate=RATE)
        database = Database(ground.url)
        try:
            for number in range(ground.size):
                if not await sender.more(4):
                    verdict.faults.append("leads were not taken for two minutes")
                    break
                await asyncio.sleep(rng.uniform(0, 0.5))
                baton = batons[number % len(batons)]
                hangs = number % 5 == 1 and baton.role != "web"
                others = len(batons) > 1
                took, code, overtaken = await _ask_to_go(
                    here, baton, database, hangs=hangs, others=others
                )
                exits.append(took)
                if overtaken is not None:
                    takeovers.append(overtaken)
                if code != 0 or took > LONGEST_EXIT:
                    verdict.faults.append(f"{baton.role} left after {took:.1f} s with {code}")
                here.start(baton)
                await here.ready(baton)
            await sender.end()
            verdict.faults += await unposted(database)
            verdict.seconds = round(time.monotonic() - began, 1)
            books = open_books(database)
            shown = [m for each in here.sandbox.workspace.messages.values() for m in each.values()]
            verdict.faults += lost(notes, books) + card_faults(books, shown)
            verdict.faults += misfits(books) + unguarded(books) + step_faults(books)
            verdict.faults += damage(database)
        finally:
            database.dispose()
            notes.close()
    if max(takeovers, default=0.0) > LONGEST_TAKEOVER:
        verdict.faults.append(f"a takeover took {max(takeovers):.1f} s")
    verdict.figures = {
        "leads acknowledged": len(notes.leads), "messages sent again": sender.again,
        "exit seconds, median": round(sorted(exits)[len(exits) // 2], 1) if exits else None,
        "exit seconds, longest": round(max(exits, default=0.0), 1),
        "takeovers": len(takeovers), "takeover seconds, longest": round(max(takeovers, default=0.0), 1),
    }  # fmt: skip
    return verdict


async def _ask_to_go(
    here: Town, baton: Baton, database: Database, *, hangs: bool, others: bool
) -> tuple[float, int | None, float | None]:
    """Seconds until the process was gone, its exit code, seconds until nothing it had claimed waited any more."""
    if hangs:
        here.sandbox.workspace.faults.add("chat.postMessage", "hang", count=3, seconds=15.0)
        await asyncio.sleep(1.0)
    assert baton.process is not None  # noqa: S101 - it runs
    claimed = _claimed_by(baton.process.pid, database) if others else set()
    began = time.monotonic()
    baton.send(signal.SIGTERM)
    overtaken: float | None = None
    took: float | None = None
    while time.monotonic() - began < LONGEST_EXIT + 10:
        if took is None and not baton.is_up:
            took = time.monotonic() - began
        if overtaken is None and not _waiting(claimed, baton.process.pid, database):
            overtaken = time.monotonic() - began
        if took is not None and (
            overtaken is not None or hangs or took + 10 < time.monotonic() - began
        ):
            break
        await asyncio.sleep(0.05)
    if baton.is_up:
        baton.kill()
    here.sandbox.workspace.faults.clear()
    if overtaken is None:
        overtaken = time.monotonic() - began
    told = overtaken if claimed and not hangs else None
    return took or LONGEST_EXIT + 10, baton.process.returncode, told


def _claimed_by(pid: int, database: Database) -> set[int]:
    """Messages that this process has claimed and not settled."""
    with database.read() as conn:
        rows = conn.exec_driver_sql("SELECT id, claimed_by FROM outbox WHERE state = 'sending'")
        return {int(row[0]) for row in rows if str(row[1]).endswith(f":{pid}")}


def _waiting(claimed: set[int], pid: int, database: Database) -> set[int]:
    """Those of them that it still has, or that nobody has taken up since."""
    if not claimed:
        return set()
    with database.read() as conn:
        rows = conn.exec_driver_sql("SELECT id FROM outbox WHERE state = 'pending'")
        pending = {int(row[0]) for row in rows}
    return claimed & (pending | _claimed_by(pid, database))


EXPERIMENTS = (
    Experiment(
        "sigterms",
        "SIGTERM under load, also while Slack hangs",
        "each leaves with 0 within 20 s, 0 acknowledged leads lost, 0 cards twice, takeover within 5 s",
        "handing over before a call what is claimed (short form, test_leaving): it is in doubt instead of pending",
        everyday=3,
        full=100,
        run=sigterms,
    ),
)
