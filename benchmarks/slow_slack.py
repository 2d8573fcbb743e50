"""A Slack that takes every message after a while, as a process of its own: prints its port, ends with its input.

As little work as can be, for it shares the cores with what is measured: no framework, no routes, no limits. What is not
here: a Slack that behaves like Slack (`sandbox`).
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys

_LENGTH = re.compile(rb"content-length: *(\d+)", re.I)
_END = b"\r\n\r\n"


class _Line(asyncio.Protocol):
    """One connection: requests with a length, one after the other."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.kept = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a TCP server has no other
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.kept += data
        while (head := self.kept.find(_END)) >= 0:
            length = _LENGTH.search(self.kept, 0, head)
            end = head + len(_END) + (int(length[1]) if length else 0)
            if len(self.kept) < end:
                return
            body, self.kept = self.kept[head + len(_END) : end], self.kept[end:]
            asyncio.get_running_loop().call_later(self.seconds, self._answer, body)

    def _answer(self, body: bytes) -> None:
        if self.transport.is_closing():
            return
        channel = json.loads(body).get("channel") if body else None
        said = json.dumps({"ok": True, "channel": channel, "ts": "1.1"}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(said)}\r\n\r\n"
        self.transport.write(head.encode() + said)


async def _serve(seconds: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Line(seconds), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    # Until whoever started us ends us, or is gone: then our standard input ends.
    await loop.run_in_executor(None, sys.stdin.read)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1])))
