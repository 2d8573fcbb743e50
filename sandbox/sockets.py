"""Slack's side of Socket Mode: tickets, WebSockets, envelopes and their acks, and what goes wrong with them.

A payload whose line breaks before the ack is sent again over another one, as long as the person's three seconds last.
Planned faults of the method `socket` (`faults`) meet one payload each: `reset` cuts its line before it leaves,
`accept_then_reset` after it has arrived, `accept_then_late` hears its ack only after `seconds`. Pings are the
server's. What is not here: what stands in the payloads (`interactions`), what becomes of an ack, events that are sent
again minutes later (`dispatch`), a line that is open and dead (`wire`).
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from sandbox.config import SandboxConfig
from sandbox.faults import SOCKET, FaultPlan
from sandbox.model import APP_ID

PATH = "/sandbox/socket"
#: Slack's limit for one app.
MOST = 10


class NoSocket(Exception):
    """The bot has no connection open."""


class LineLost(Exception):
    """The connection ended before the ack came."""


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

    def lose(self) -> None:
        """It ended: nothing that was not acked will be."""
        for future in self.waiting.values():
            if not future.done():
                future.set_exception(LineLost())


class Sockets:
    """All connections of the bot. Each payload goes to any one of them; it acks on the same one, in 3 seconds.

    `refuse`: no WebSocket is let in. `disabled`: Socket Mode is switched off in the app's settings.
    `resent`: payloads that went out once more because their line had broken.
    """

    def __init__(self, config: SandboxConfig, faults: FaultPlan) -> None:
        self._config = config
        self._faults = faults
        self._tickets: set[str] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self.lines: list[Line] = []
        self.refuse = self.disabled = False
        self.resent = 0

    def routes(self) -> list[BaseRoute]:
        """Where the addresses of `new_url` lead, and a switchboard."""
        return [
            WebSocketRoute(f"{PATH}/{{ticket}}", self._serve),
            Route("/sandbox/sockets", self._switch, methods=["GET", "POST"]),
        ]

    def new_url(self) -> str:
        """An address that works once."""
        ticket = secrets.token_urlsafe(24)
        self._tickets.add(ticket)
        base = self._config.socket_url or self._config.base_url
        return f"ws{base.removeprefix('http')}{PATH}/{ticket}"

    async def send(
        self, kind: str, payload: Mapping[str, Any], more: Mapping[str, Any] | None = None
    ) -> dict[str, Any] | None:
        """The payload of the ack, None when it has none. `NoSocket`; TimeoutError when no ack comes in time.

        `kind`: interactive, slash_commands or events_api; `more`: further keys of the envelope.
        """
        envelope = {
            "envelope_id": str(uuid4()),
            "type": kind,
            "accepts_response_payload": kind != "events_api",
            "payload": payload,
            **(more or {}),
        }
        async with asyncio.timeout(self._config.ack_seconds):
            while True:
                try:
                    return await self._send_over(self._next(), envelope)
                except LineLost:
                    self.resent += 1

    async def _send_over(self, line: Line, envelope: Mapping[str, Any]) -> dict[str, Any] | None:
        fault = self._faults.take(SOCKET)
        if fault is not None and fault.kind == "reset":
            await self._close(line)
            raise LineLost
        acked = asyncio.get_running_loop().create_future()
        envelope_id = str(envelope["envelope_id"])
        line.waiting[envelope_id] = acked
        line.taken += 1
        try:
            await line.websocket.send_text(json.dumps(envelope, ensure_ascii=False))
            if fault is not None and fault.kind == "accept_then_reset":
                await self._close(line)
            if fault is not None and fault.kind == "accept_then_late":
                await asyncio.sleep(fault.seconds)
            found: dict[str, Any] | None = await acked
            return found
        except (WebSocketDisconnect, RuntimeError):
            raise LineLost from None
        finally:
            acked.cancel()
            del line.waiting[envelope_id]

    async def ask_to_leave(
        self, reason: str = "refresh_requested", line: Line | None = None
    ) -> None:
        """Tell a connection (or each) that it will be closed, as Slack does every few hours; the bot comes anew."""
        for each in [line] if line is not None else list(self.lines):
            each.leaving = True
            with suppress(WebSocketDisconnect, RuntimeError):
                await each.websocket.send_text(json.dumps(_goodbye(reason)))

    async def cut(self, line: Line | None = None) -> None:
        """Close a connection (or each) without a word. Payloads under way are never acked."""
        for each in [line] if line is not None else list(self.lines):
            await self._close(each)

    async def disable(self) -> None:
        """Somebody switches Socket Mode off: every connection is told so and closed, new ones likewise."""
        self.disabled = True
        await self.ask_to_leave("link_disabled")
        await self.cut()

    async def _close(self, line: Line) -> None:
        if line in self.lines:
            self.lines.remove(line)
            line.lose()
            # Not awaited: the other end may never answer the closing handshake.
            task = asyncio.create_task(_close_quietly(line.websocket))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def _next(self) -> Line:
        """Whoever had the fewest; one that is leaving only when there is no other."""
        if not self.lines:
            raise NoSocket
        return min(self.lines, key=lambda line: (line.leaving, line.taken))

    async def _serve(self, websocket: WebSocket) -> None:
        ticket = str(websocket.path_params["ticket"])
        if ticket not in self._tickets or self.refuse:
            await websocket.close()
            return
        self._tickets.remove(ticket)
        await websocket.accept()
        if self.disabled or len(self.lines) >= MOST:
            reason = "link_disabled" if self.disabled else "too_many_websockets"
            await websocket.send_text(json.dumps(_goodbye(reason)))
            await websocket.close()
            return
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
        except (WebSocketDisconnect, RuntimeError):
            pass  # gone while it was greeted, or closed by us
        finally:
            if line in self.lines:
                self.lines.remove(line)
            line.lose()

    async def _switch(self, request: Request) -> JSONResponse:
        """GET what stands; POST `{"do": "cut" | "refresh" | "disable" | "enable" | "refuse" | "accept"}`."""
        if request.method == "POST":
            try:
                do = str((await request.json()).get("do"))
            except (ValueError, AttributeError):
                do = ""
            if do == "cut":
                await self.cut()
            elif do == "refresh":
                await self.ask_to_leave()
            elif do == "disable":
                await self.disable()
            elif do == "enable":
                self.disabled = False
            elif do in ("refuse", "accept"):
                self.refuse = do == "refuse"
            else:
                return JSONResponse({"ok": False, "error": "unknown"}, 400)
        taken = [line.taken for line in self.lines]
        return JSONResponse({"ok": True, "lines": taken, "resent": self.resent})


def _goodbye(reason: str) -> dict[str, Any]:
    return {"type": "disconnect", "reason": reason, "debug_info": {"host": "sandbox"}}


async def _close_quietly(websocket: WebSocket) -> None:
    with suppress(WebSocketDisconnect, RuntimeError, OSError):
        await websocket.close(1011)
