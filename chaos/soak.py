"""Hours of ordinary work: memory, handles and answers must stay as they were. `make soak`.

What is not here: faults.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from dataclasses import dataclass, field

import psutil

from chaos.books import misfits, open_books, unguarded
from chaos.experiment import SQLITE, Experiment, Ground
from chaos.race import made_leads
from chaos.signed import click_request
from chaos.town import Baton, Town, town
from chaos.verdict import Verdict
from sandbox.interactions import elements_of
from storage.database import Database

RATE = 5
#: A start is no measure: caches and pools fill. Of a short soak a quarter.
SETTLE = 1_800.0


@dataclass(slots=True)
class _Samples:
    """Every five seconds: seconds since the start, resident bytes and open handles of all processes."""

    at: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    handles: list[int] = field(default_factory=list)


def soak(ground: Ground) -> Verdict:
    """`ground.size` seconds of five leads a second, and reps that accept them."""
    return asyncio.run(_soak(ground))


async def _soak(ground: Ground) -> Verdict:
    verdict = Verdict(0, ground.seed)
    rng = random.Random(ground.seed)
    samples = _Samples()
    waits: list[tuple[float, float]] = []
    clicked = 0
    async with town(ground) as here:
        roles = ["run"] if ground.kind == SQLITE else ["web", "worker"]
        batons = [here.place(role) for role in roles]
        for baton in batons:
            here.start(baton)
        for baton in batons:
            await here.ready(baton)
        began = time.monotonic()
        taken: set[str] = set()
        number = 0
        while (since := time.monotonic() - began) < ground.size:
            lead = made_leads(1, name=f"soak{number}")
            sent = time.monotonic()
            status, _ = await here.send(batons[0], f"soak{number}", lead)
            waits.append((since, time.monotonic() - sent))
            if status != 202:
                verdict.faults.append(f"lead {number} was answered {status}")
            number += 1
            clicked += await _accept_one(here, batons[0], taken, rng)
            if not samples.at or since - samples.at[-1] >= 5.0:
                _sample(samples, since, batons)
            await asyncio.sleep(max(0.0, began + number / RATE - time.monotonic()))
    database = Database(ground.url)
    try:
        books = open_books(database)
        verdict.faults += misfits(books) + unguarded(books)
    finally:
        database.dispose()
    verdict.n = len(waits)
    verdict.seconds = float(ground.size)
    settle = min(SETTLE, ground.size / 4)
    calm = [i for i, at in enumerate(samples.at) if at >= settle]
    hours = max(samples.at[-1] - settle, 1.0) / 3600
    growth = (samples.memory[calm[-1]] - samples.memory[calm[0]]) / 2**20 / hours
    handles = [samples.handles[i] for i in calm]
    first, last = (_p99([w for at, w in waits if low <= at < high]) for low, high in (
        (settle, settle + (ground.size - settle) / 4), (ground.size - (ground.size - settle) / 4, ground.size),
    ))  # fmt: skip
    verdict.figures = {
        "leads": len(books.leads), "clicks": clicked, "MB an hour": round(growth, 2),
        "handles": f"{min(handles)}-{max(handles)}", "p99 ms first quarter": round(first * 1000, 1),
        "p99 ms last quarter": round(last * 1000, 1), "p50 ms": round(statistics.median(w for _, w in waits) * 1000, 1),
    }  # fmt: skip
    # A slope needs an hour: of a short soak it is told, not judged.
    if ground.size >= 3_600 and growth > 1.0 * len(roles):
        verdict.faults.append(f"memory grows by {growth:.1f} MB an hour")
    if max(handles) - min(handles) > 10:
        verdict.faults.append(f"open handles go from {min(handles)} to {max(handles)}")
    if ground.size >= 3_600 and last > 1.2 * first:
        verdict.faults.append(f"p99 went from {first:.3f} to {last:.3f} s")
    return verdict


async def _accept_one(here: Town, door: Baton, taken: set[str], rng: random.Random) -> int:
    """A rep accepts the newest offer in their conversation, unless they have."""
    workspace = here.sandbox.workspace
    user = rng.choice(list(workspace.people))
    channel = workspace.dm_id(user)
    messages = workspace.messages.get(channel, {})
    if not messages:
        return 0
    newest = next(reversed(messages.values()))
    offer = next(
        (
            str(e["value"])
            for _, e in elements_of(newest.blocks)
            if e.get("action_id") == "lead_accept"
        ),
        "",
    )
    if not offer or offer in taken:
        return 0
    taken.add(offer)
    body, headers = click_request(here.signing, "lead_accept", user, channel, "1.000001", offer)
    async with here.session.post(
        f"{door.address}/slack/events", data=body, headers=headers
    ) as said:
        return int(said.status == 200)


def _sample(samples: _Samples, at: float, batons: list[Baton]) -> None:
    running = [psutil.Process(b.process.pid) for b in batons if b.process is not None]
    samples.at.append(at)
    samples.memory.append(sum(p.memory_info().rss for p in running))
    samples.handles.append(sum(p.num_fds() for p in running))


def _p99(times: list[float]) -> float:
    return sorted(times)[max(0, round(len(times) * 0.99) - 1)] if times else 0.0


EXPERIMENTS = (
    Experiment(
        "soak",
        "leads and clicks, hour after hour (the size is seconds)",
        "memory at most 1 MB an hour and process, handles ± 5, p99 of the last quarter at most 1.2 × the first"
        " (slopes are judged from an hour on)",
        "a list that keeps every request: memory grows by megabytes an hour",
        everyday=40,
        full=28_800,
        run=soak,
    ),
)
