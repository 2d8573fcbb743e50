"""A client that costs little: ready-made requests over raw sockets that stay open, in a process and on its own core.

Two ways: as fast as the answers come, over some connections; or each request at its own time, whatever became of those
before (then a latency counts from that time, or a slow answer would hide those that waited behind it). What is not
here: what is sent (`clicks`).
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from benchmarks.places import NotMeasured

#: The server under test runs on this core, everybody else on the other.
SERVER_CORE, CLIENT_CORE = 0, 1
_ANSWER_SECONDS = 30.0
#: A connection that was silent for longer is opened anew.
_FRESH_SECONDS = 3.0
#: Where nothing is said of when to come again.
_AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Answers:
    """`latencies`: seconds, one a request, in the order in which they ended; `seconds`: from the first to the last;
    `turned_away`: how many of them were told to come again (503, `Retry-After`), and did: that is in their latency."""

    latencies: tuple[float, ...]
    seconds: float
    turned_away: int = 0


def pin(core: int) -> None:
    """Keep this process on one core, where there is more than one."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[core % len(cores)]})


def request(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """A whole HTTP/1.1 request."""
    lines = [f"POST {path} HTTP/1.1", "Host: bench", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def client_pool(*, alone: bool = True) -> ProcessPoolExecutor:
    """The client's process; `alone`: on a core that the server under test does not have."""
    spawn = multiprocessing.get_context("spawn")
    if not alone:
        return ProcessPoolExecutor(1, spawn)
    return ProcessPoolExecutor(1, spawn, initializer=pin, initargs=(CLIENT_CORE,))


def hurry(port: int, requests: Sequence[bytes], connections: int) -> Answers:
    """Send all, over so many connections, each as soon as the one before it was answered."""
    return asyncio.run(_hurry(port, list(reversed(requests)), connections))


def keep_time(
    port: int, requests: Sequence[tuple[float, str, bytes]], patient: str
) -> dict[str, Answers]:
    """Send each (seconds from now, its kind, request) at its time; the answers by kind. Those of the kind `patient`
    come again when they are told to."""
    return asyncio.run(_keep_time(port, requests, patient))


async def _hurry(port: int, waiting: list[bytes], connections: int) -> Answers:
    lines = [await _Line.open(port) for _ in range(connections)]
    found: list[float] = []
    gc.disable()

    async def send(line: _Line) -> None:
        while waiting:
            one = waiting.pop()
            began = time.perf_counter()
            await line.ask(one)
            found.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(send(line) for line in lines))
    seconds = time.perf_counter() - began
    for line in lines:
        line.close()
    return Answers(tuple(found), seconds)


async def _keep_time(
    port: int, requests: Sequence[tuple[float, str, bytes]], patient: str
) -> dict[str, Answers]:
    free: list[_Line] = [await _Line.open(port) for _ in range(16)]
    found: dict[str, list[float]] = {}
    away: Counter[str] = Counter()
    start = time.perf_counter() + 0.1

    async def send(at: float, kind: str, one: bytes) -> None:
        line = free.pop() if free else await _Line.open(port)
        if line.is_stale():  # the server closes what has been silent for five seconds
            line.close()
            line = await _Line.open(port)
        if pause := await line.ask(one, patient=kind == patient):
            away[kind] += 1
            while pause:
                await asyncio.sleep(pause)
                pause = await line.ask(one, patient=True)
        found.setdefault(kind, []).append(time.perf_counter() - start - at)
        free.append(line)

    tasks: list[asyncio.Task[None]] = []
    for at, kind, one in sorted(requests, key=lambda each: each[0]):
        await asyncio.sleep(max(0.0, start + at - time.perf_counter()))
        tasks.append(asyncio.create_task(send(at, kind, one)))
    await asyncio.gather(*tasks)
    seconds = time.perf_counter() - start
    for line in free:
        line.close()
    return {kind: Answers(tuple(each), seconds, away[kind]) for kind, each in found.items()}


class _Line:
    """A connection that stays open: one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._used_at = time.perf_counter()

    @classmethod
    async def open(cls, port: int) -> _Line:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, one: bytes, *, patient: bool = False) -> float:
        """Send it and read the answer. Whatever is no success is no measurement, but for a 503 to who is `patient`:
        then in how many seconds to come again, else 0."""
        self._writer.write(one)
        async with asyncio.timeout(_ANSWER_SECONDS):
            head = await self._reader.readuntil(b"\r\n\r\n")
            length, pause = 0, _AGAIN_SECONDS
            for line in head.split(b"\r\n"):
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
                elif name.lower() == b"retry-after":
                    pause = float(value)
            body = await self._reader.readexactly(length)
        self._used_at = time.perf_counter()
        if patient and head[9:12] == b"503":
            return pause
        if head[9:12] not in (b"200", b"202"):
            raise NotMeasured(f"answered {head[9:12].decode()}: {body[:200]!r}")
        return 0.0

    def is_stale(self) -> bool:
        """Whether the server may have closed it by now."""
        return time.perf_counter() - self._used_at > _FRESH_SECONDS

    def close(self) -> None:
        self._writer.close()
