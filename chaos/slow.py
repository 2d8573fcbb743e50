"""Clients that drip, never end, or send a gigabyte, beside one that behaves: it must not notice.

What is not here: what is sent too often by somebody who signs (the gate's cap per source has tests of its own).
"""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress
from urllib.parse import urlsplit

import psutil

from chaos.books import open_books
from chaos.experiment import SQLITE, Experiment, Ground
from chaos.race import made_leads
from chaos.town import Baton, Town, town
from chaos.verdict import Verdict
from storage.database import Database

#: A second, of the client that behaves.
RATE = 5
GIGABYTE = 2**30


def _head(extra: bytes) -> bytes:
    """As a sender's that may be one: the signature can only be judged when the whole body is there."""
    at = str(int(time.time())).encode()
    return (
        b"POST /leads HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nwebhook-id: slow\r\n"
        b"webhook-timestamp: " + at + b"\r\nwebhook-signature: v1," + b"A" * 43 + b"=\r\n" + extra
    )


def slow_clients(ground: Ground) -> Verdict:
    """`ground.size` slow sockets and a tenth as many endless bodies, for as many tenths of a second (5 min at most)."""
    return asyncio.run(_slow_clients(ground))


async def _slow_clients(ground: Ground) -> Verdict:
    verdict = Verdict(0, ground.seed)
    rng = random.Random(ground.seed)
    seconds = min(300.0, max(10.0, ground.size * 0.6))
    async with town(ground) as here:
        door = here.place("run" if ground.kind == SQLITE else "web")
        here.start(door)
        await here.ready(door)
        await _behave(here, door, 3.0, "warm", verdict)
        before = _memory(door)
        bad = [asyncio.create_task(_drip(door, rng)) for _ in range(ground.size)]
        bad += [asyncio.create_task(_pour(door)) for _ in range(max(1, ground.size // 10))]
        waits = await _behave(here, door, seconds, "good", verdict)
        grown = _memory(door) - before
        for task in bad:
            task.cancel()
        await asyncio.gather(*bad, return_exceptions=True)
        up = door.is_up
    database = Database(ground.url)
    try:
        leads = len(open_books(database).leads)
    finally:
        database.dispose()
    waits.sort()
    p99 = waits[max(0, round(len(waits) * 0.99) - 1)]
    verdict.n = len(waits)
    verdict.seconds = round(seconds, 1)
    verdict.figures = {"slow sockets": ground.size, "good requests": len(waits), "leads": leads,
                       "p99 ms": round(p99 * 1000, 1), "grown MB": round(grown / 2**20, 1)}  # fmt: skip
    if not up:
        verdict.faults.append("Baton ended")
    if p99 > 0.5:
        verdict.faults.append(f"p99 of the good client is {p99:.3f} s")
    if grown > 50 * 2**20:
        verdict.faults.append(f"memory grew by {grown / 2**20:.0f} MB")
    return verdict


async def _behave(
    here: Town, door: Baton, seconds: float, name: str, verdict: Verdict
) -> list[float]:
    """A lead at a time, at an even rate; how long each took."""
    waits: list[float] = []
    began = time.monotonic()
    for number, lead in enumerate(made_leads(round(seconds * RATE), name=name)):
        await asyncio.sleep(max(0.0, began + number / RATE - time.monotonic()))
        sent = time.monotonic()
        status, _ = await here.send(door, f"{name}-{number}", [lead])
        waits.append(time.monotonic() - sent)
        if status != 202:
            verdict.faults.append(f"a good request was answered {status}")
    return waits


async def _connected(door: Baton) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(door.address)
    return await asyncio.open_connection(parts.hostname, parts.port)


async def _drip(door: Baton, rng: random.Random) -> None:
    """One byte a second of a request that never ends; comes again when it is cut off."""
    while True:
        with suppress(OSError):
            reader, writer = await _connected(door)
            try:
                head = _head(b"Content-Length: 100000\r\n")
                if rng.random() < 0.5:  # the body drips, else the head
                    writer.write(head + b"\r\n")
                    head = b""
                while not reader.at_eof():
                    writer.write(head[:1] or b"x")
                    head = head[1:]
                    await writer.drain()
                    await asyncio.sleep(1.0)
            finally:
                writer.close()
        await asyncio.sleep(1.0)


async def _pour(door: Baton) -> None:
    """A body of a gigabyte, as fast as it is taken; with a length at times, in chunks at others."""
    chunk = b"x" * 65_536
    chunked = False
    while True:
        with suppress(OSError):
            _, writer = await _connected(door)
            try:
                size = (
                    b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % GIGABYTE
                )
                writer.write(_head(size + b"\r\n\r\n"))
                for _ in range(GIGABYTE // len(chunk)):
                    if chunked:
                        writer.write(b"%x\r\n" % len(chunk))
                    writer.write(chunk)
                    await writer.drain()
                    await asyncio.sleep(0.01)  # the machine is the good client's, too
            finally:
                writer.close()
        chunked = not chunked
        await asyncio.sleep(0.2)


def _memory(door: Baton) -> int:
    """Resident bytes."""
    process = door.process
    return int(psutil.Process(process.pid).memory_info().rss) if process is not None else 0


EXPERIMENTS = (
    Experiment(
        "slow",
        "sockets at one byte a second and bodies of a gigabyte beside a good client",
        "p99 of the good client at most 500 ms, none refused, at most 50 MB more memory",
        "the gate without its cap on size and time: memory grew by 118 and 137 MB in 12 s",
        everyday=30,
        full=500,
        run=slow_clients,
    ),
)
