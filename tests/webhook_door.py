"""A webhook receiver on a port of its own that does what it is told: answers, redirects, drips, hangs, hangs up.

What is not here: what it should have been sent.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from standardwebhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
CERTIFICATE = Path(__file__).parent / "tls" / "receiver.pem"
KEY = CERTIFICATE.with_suffix(".key")


@dataclass(frozen=True, slots=True)
class Letter:
    """What came in. Header names in lower case."""

    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The `webhook-id`."""
        return self.headers["webhook-id"]

    def verify(self) -> None:
        """Raises when the signature is not ours."""
        signed = Webhook(SECRET)
        expected = signed.sign(
            self.id,
            datetime.fromtimestamp(int(self.headers["webhook-timestamp"]), UTC),
            self.body.decode(),
        )
        assert self.headers["webhook-signature"] == expected, "a signature that is not ours"


@dataclass(frozen=True, slots=True)
class Reply:
    """How it answers. `wait`: seconds before anything is said; `hang_up`: it says nothing; `drip`: seconds between the
    bytes of the body; `endless_head`: between those of a header that never ends."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    wait: float = 0.0
    hang_up: bool = False
    drip: float = 0.0
    endless_head: float = 0.0


class Door:
    """The receiver. `letters`: all that came in, in order."""

    def __init__(self, answer: Callable[[Letter], Reply]) -> None:
        self.answer = answer
        self.letters: list[Letter] = []
        self.port = 0
        self.open = 0
        self.most_open = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Its address, with a path and a query that are nobody's business."""
        return f"http://127.0.0.1:{self.port}/hooks/path-secret?key=query-secret"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            # Whoever called may be gone, or the test over.
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while await self._one(reader, writer):
                    pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        lines = (line.partition(":") for line in head[1:] if line)
        headers = {name.lower(): value.strip() for name, _, value in lines}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        letter = Letter(head[0].split(" ")[1], headers, body)
        self.letters.append(letter)
        self.open += 1
        self.most_open = max(self.open, self.most_open)
        try:
            return await self._reply(self.answer(letter), writer)
        finally:
            self.open -= 1

    async def _reply(self, reply: Reply, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(reply.wait)
        if reply.hang_up:
            writer.transport.abort()
            return False
        if reply.endless_head:
            writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while reply.endless_head:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(reply.endless_head)
        head = [f"HTTP/1.1 {reply.status} Any", f"Content-Length: {len(reply.body)}"]
        head += [f"{name}: {value}" for name, value in reply.headers.items()]
        writer.write("\r\n".join([*head, "", ""]).encode())
        if not reply.drip:
            writer.write(reply.body)
        await writer.drain()
        for byte in reply.body if reply.drip else b"":
            await asyncio.sleep(reply.drip)
            writer.write(bytes([byte]))
            await writer.drain()
        return True

    async def close(self) -> None:
        """Whatever still hangs is cut off."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def opened(
    answer: Callable[[Letter], Reply] = lambda _: Reply(), *, tls: bool = False
) -> AsyncIterator[Door]:
    """A receiver that answers so; with `tls` it shows a certificate that nobody vouches for."""
    door = Door(answer)
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE, KEY)
    server = await asyncio.start_server(door.serve, "127.0.0.1", 0, ssl=context)
    door.port = server.sockets[0].getsockname()[1]
    try:
        yield door
    finally:
        server.close()
        await door.close()
        await server.wait_closed()
