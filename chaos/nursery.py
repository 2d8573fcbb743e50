"""Where senders are forked, and the door at which one dies between Slack's doing and its own reading.

What is not here: the sender (`sender`), when it is to die (`sends`).
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chaos.race import ROOT


class Doorman:
    """Stands before the stand-in, knows each sender by its path (`/w/<pid>/…`), and kills whom it is told to: when
    Slack has done it and has not said so yet."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.doomed: dict[int, int] = {}  # pid -> posts that are let through first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        pid = 0
        if scope["type"] == "http" and scope["path"].startswith("/w/"):
            _, _, name, rest = scope["path"].split("/", 3)
            pid = int(name)
            scope = {**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode()}
        posts = scope.get("path", "").endswith("chat.postMessage")

        async def deadly(message: Message) -> None:
            if posts and pid in self.doomed:
                self.doomed[pid] -= 1
                if self.doomed[pid] < 0:
                    os.kill(pid, signal.SIGKILL)
                    del self.doomed[pid]
            await send(message)

        await self._app(scope, receive, deadly)


class Nursery:
    """A process that forks senders (`chaos.sender`), one at a time."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def begin(self, task: dict[str, Any]) -> int:
        """Fork a life; its pid."""
        assert self._process.stdin is not None  # noqa: S101 - a pipe by construction
        self._process.stdin.write(json.dumps(task).encode() + b"\n")
        await self._process.stdin.drain()
        return await self._number()

    async def end(self) -> int:
        """Wait for the end of that life; the signal that ended it."""
        return await self._number()

    async def _number(self) -> int:
        assert self._process.stdout is not None  # noqa: S101 - a pipe by construction
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("the nursery is gone")
        return int(line)


@asynccontextmanager
async def nursery() -> AsyncIterator[Nursery]:
    """Started, and gone at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "chaos.sender", cwd=ROOT, stdin=PIPE, stdout=PIPE
    )
    try:
        yield Nursery(process)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()
