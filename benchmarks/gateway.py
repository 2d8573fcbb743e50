"""The gateway alone: 500 messages, 100 at once, to a stub that answers after 150 ms, beside the bare HTTP client.

What is not here: the outbox (claiming, rendering, settling), Slack's limits.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from multiprocessing.connection import Connection

import aiohttp

from benchmarks.places import Ground, NotMeasured, burning
from benchmarks.row import Bar, Found, Row, interleave
from bot.gateways.slack import SlackGateway

MESSAGES = 500
AT_ONCE = 100
LATENCY = 0.15
_TOKEN = "xoxb-bench"  # noqa: S105 - of a stub
_MESSAGE = {
    "text": "New lead: Jana Novak, Globex",
    "blocks": [
        {"type": "section", "text": {"type": "mrkdwn", "text": "A line of a card. " * 8}}
        for _ in range(6)
    ],
}
_ANSWER = json.dumps({"ok": True, "channel": "C0BENCH", "ts": "1795424400.000001"}).encode()


def measure(ground: Ground) -> Found:
    """Both in turn, each with a session of its own."""
    many = 100 if ground.small else MESSAGES
    with _stub() as (pid, url), burning(pid):
        sides = interleave(
            {
                "baton": lambda: many / asyncio.run(_baton(url, many)),
                "aiohttp": lambda: many / asyncio.run(_aiohttp(url, many)),
            }
        )
    return Found(
        {
            "against raw aiohttp": sides.ratio("baton", "aiohttp"),
            "Baton": sides.figure("baton", "messages/s"),
            "aiohttp": sides.figure("aiohttp", "messages/s"),
        },
        (f"{AT_ONCE} at once and {LATENCY * 1000:.0f} ms each: {AT_ONCE / LATENCY:.0f} a second is the most",),
    )  # fmt: skip


async def _baton(url: str, many: int) -> float:
    async with SlackGateway(_TOKEN, url) as gateway:
        return await _at_once(many, partial(_post, gateway))


async def _post(gateway: SlackGateway, n: int) -> None:
    await gateway.post("C0BENCH", _MESSAGE, delivery_id=f"{n:036d}")


async def _aiohttp(url: str, many: int) -> float:
    headers = {"Authorization": f"Bearer {_TOKEN}"}
    async with aiohttp.ClientSession(headers=headers, trust_env=False) as session:

        async def post(n: int) -> None:
            metadata = {"event_type": "lead_delivery", "event_payload": {"d": f"{n:036d}"}}
            body = {"channel": "C0BENCH", **_MESSAGE, "metadata": metadata}
            async with session.post(f"{url}chat.postMessage", json=body) as answer:
                if not (await answer.json())["ok"]:
                    raise NotMeasured("the stub refused a message")

        return await _at_once(many, post)


async def _at_once(many: int, post: Callable[[int], Awaitable[None]]) -> float:
    waiting = list(range(many))

    async def send() -> None:
        while waiting:
            await post(waiting.pop())

    began = time.perf_counter()
    await asyncio.gather(*(send() for _ in range(AT_ONCE)))
    return time.perf_counter() - began


@contextmanager
def _stub() -> Iterator[tuple[int, str]]:
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        if not ours.poll(60):
            raise NotMeasured("the stub did not start")
        yield process.pid or 0, f"http://127.0.0.1:{ours.recv()}/"
    finally:
        process.kill()
        process.join()


def _serve(told: Connection) -> None:
    asyncio.run(_answer_all(told))


async def _answer_all(told: Connection) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
            + str(len(_ANSWER)).encode()
            + b"\r\n\r\n"
        )
        try:
            while True:
                asked = await reader.readuntil(b"\r\n\r\n")
                for line in asked.lower().split(b"\r\n"):
                    if line.startswith(b"content-length:"):
                        await reader.readexactly(int(line.partition(b":")[2]))
                await asyncio.sleep(LATENCY)
                writer.write(head + _ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=512)
    told.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


ROWS: tuple[Row, ...] = (
    Row(
        "gateway",
        f"{MESSAGES} messages, {AT_ONCE} at once, stub of 150 ms, gateway alone",
        f"aiohttp {version('aiohttp')}, one session",
        (Bar("against raw aiohttp", ">=", 0.85),),
        measure,
    ),
)
