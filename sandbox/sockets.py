"""Slack's side of Socket Mode: tickets, WebSockets, envelopes and their acks.

What is not here: what stands in the payloads (`interactions`), what becomes of an ack, retries (`dispatch`).
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from sandbox.config import SandboxConfig
from sandbox.model import APP_ID

PATH = "/sandbox/socket"


class NoSocket(Exception):
    """The bot has no connection open."""


@dataclass(eq=False)
class Line:
    """One open connection. `waiting`: envelope_id -> the ack's payload to be. `leaving`: was asked to close."""

    websocket: WebSocket
    waiting: dict[str, asyncio.Future[dict[str, Any] | None]] = field(default_factory=dict)
    leaving: bool = False
    taken: int = 0

    def hear(self, text: str) -> None:
        """An ack; anything else is ignored, as Slack does."""
        try:
            ack = json.loads(text)
        except ValueError:
            return
        if not isinstance(ack, dict):
            return
        future = self.waiting.get(str(ack.get("envelope_id") or ""))
        if future is not None and not future.done():
            payload = ack.get("payload")
            future.set_result(payload if isinstance(payload, dict) else None)


class Sockets:
    """All connections of the bot. Each payload goes to any one of them; it acks on the same one, in 3 seconds."""

    def __init__(self, config: SandboxConfig) -> None:
        self._config = config
        self._tickets: set[str] = set()
        self.lines: list[Line] = []

    def routes(self) -> list[WebSocketRoute]:
        """Where the addresses of `new_url` lead."""
        return [WebSocketRoute(f"{PATH}/{{ticket}}", self._serve)]

    def new_url(self) -> str:
        """An address that works once."""
        ticket = secrets.token_urlsafe(24)
        self._tickets.add(ticket)
        return f"ws{self._config.base_url.removeprefix('http')}{PATH}/{ticket}"

    async def send(
        self, kind: str, payload: Mapping[str, Any], more: Mapping[str, Any] | None = None
    ) -> dict[str, Any] | None:
        """The payload of the ack, None when it has none. `NoSocket`; TimeoutError when no ack comes in time.

        `kind`: interactive, slash_commands or events_api; `more`: further keys of the envelope.
        """
        line = self._next()
        envelope_id = str(uuid4())
        envelope = {
            "envelope_id": envelope_id,
            "type": kind,
            "accepts_response_payload": kind != "events_api",
            "payload": payload,
            **(more or {}),
        }
        acked = asyncio.get_running_loop().create_future()
        line.waiting[envelope_id] = acked
        line.taken += 1
        try:
            async with asyncio.timeout(self._config.ack_seconds):
                await line.websocket.send_text(json.dumps(envelope, ensure_ascii=False))
                found: dict[str, Any] | None = await acked
                return found
        except WebSocketDisconnect:
            raise NoSocket from None
        finally:
            del line.waiting[envelope_id]

    async def ask_to_leave(self, reason: str = "refresh_requested") -> None:
        """Tell every connection that it will be closed, as Slack does every few hours; the bot has to come anew."""
        goodbye = {"type": "disconnect", "reason": reason, "debug_info": {"host": "sandbox"}}
        for line in list(self.lines):
            line.leaving = True
            await line.websocket.send_text(json.dumps(goodbye))

    async def cut(self) -> None:
        """Close every connection without a word. Payloads under way are never acked."""
        lines, self.lines = self.lines, []
        for line in lines:
            await line.websocket.close(1011)

    def _next(self) -> Line:
        """Whoever had the fewest; one that is leaving only when there is no other."""
        if not self.lines:
            raise NoSocket
        return min(self.lines, key=lambda line: (line.leaving, line.taken))

    async def _serve(self, websocket: WebSocket) -> None:
        ticket = str(websocket.path_params["ticket"])
        if ticket not in self._tickets:
            await websocket.close()
            return
        self._tickets.remove(ticket)
        await websocket.accept()
        line = Line(websocket)
        self.lines.append(line)
        hello = {
            "type": "hello",
            "num_connections": len(self.lines),
            "connection_info": {"app_id": APP_ID},
            "debug_info": {"host": "sandbox", "approximate_connection_time": 18060},
        }
        try:
            await websocket.send_text(json.dumps(hello))
            async for text in websocket.iter_text():
                line.hear(text)
        except WebSocketDisconnect:
            pass  # gone while it was greeted
        finally:
            if line in self.lines:
                self.lines.remove(line)
