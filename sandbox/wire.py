"""A wire between the bot and the sandbox that can be cut, or freeze: open at both ends, and nothing comes through.

It carries bytes over TCP, so that a frozen line is what a dead proxy or a lost network leaves behind: no ping is
answered, no close arrives. What is not here: faults that somebody who speaks the protocol makes (`sockets`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit


class Wire:
    """A relay on loopback. `frozen`: nothing moves any more. `refuses`: whoever comes is sent away at once."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._writers: set[asyncio.StreamWriter] = set()
        self._moving = asyncio.Event()
        self._moving.set()
        self.refuses = False
        self.url = ""

    @property
    def frozen(self) -> bool:
        """Whether bytes stand still."""
        return not self._moving.is_set()

    def freeze(self) -> None:
        """From now on nothing comes through, in either direction, on any connection."""
        self._moving.clear()

    def thaw(self) -> None:
        """Everything that waited moves on."""
        self._moving.set()

    def cut(self) -> int:
        """Reset every connection; how many ends there were."""
        ends = list(self._writers)
        for writer in ends:
            writer.transport.abort()
        return len(ends)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either end closes it."""
        if self.refuses:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, far_writer}
        self._writers |= ends
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, far_writer))
                both.create_task(self._pump(far_reader, writer))
        finally:
            self._writers -= ends
            for end in ends:
                end.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._moving.wait()
                writer.write(data)
                await writer.drain()
        with suppress(OSError):
            await self._moving.wait()
            writer.close()


@asynccontextmanager
async def wire_to(target: str) -> AsyncIterator[Wire]:
    """A wire to `target` (`http://127.0.0.1:port`); its near end is `url`."""
    wire = Wire(target)
    server = await asyncio.start_server(wire.carry, "127.0.0.1", 0)
    wire.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield wire
    finally:
        server.close()
        wire.thaw()
        wire.cut()
        await server.wait_closed()
