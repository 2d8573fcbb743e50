"""One connection of Socket Mode: opened with one address, greeted, used until it breaks or Slack says goodbye.

Every payload goes through Bolt, and its ack leaves on the line it came by, after the commit. aiohttp keeps the pulse:
a ping when nothing came for a while, and the end when nothing answers it. What is not here: when to open a line, and
how many (`socket_mode`).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import aiohttp
from slack_bolt.adapter.socket_mode.async_internals import run_async_bolt_app
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.response import BoltResponse
from slack_sdk.socket_mode.request import SocketModeRequest

from bot.logs import get_logger

log = get_logger(__name__)

#: In seconds. Slack waits so long for an ack; nobody needs a later one.
ACK = 3.0
CLOSE_TIMEOUT = 2.0

_ENVELOPE: dict[str, type] = {"type": str, "envelope_id": str, "payload": dict}


class Unwelcome(Exception):
    """The line ended before Slack's hello. Its text is Slack's reason, "" without one."""


class Line:
    """`open()`, in use while it `stands` and there is no `goodbye`, then `leave()`.

    `changed` is called when Slack says goodbye and when the line ends. `counted`: how many connections the app had when
    this one was greeted, itself included; 0 when Slack did not say. `taken`: payloads that came over it.
    """

    def __init__(
        self,
        app: AsyncApp,
        session: aiohttp.ClientSession,
        *,
        pulse: float,
        proxy: str | None,
        changed: Callable[[], None],
    ) -> None:
        self._app = app
        self._session = session
        self._pulse = pulse
        self._proxy = proxy
        self._changed = changed
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reader: asyncio.Task[None] | None = None
        self._in_hand: set[asyncio.Task[None]] = set()
        self._greeted = False
        self.counted = self.taken = 0
        #: Why Slack wants this connection to be replaced; "" while it does not.
        self.goodbye = ""
        self.opened_at = 0.0

    @property
    def stands(self) -> bool:
        """Greeted and not ended. A line that fell silent stands until its pulse is missed."""
        return self._greeted and self._reader is not None and not self._reader.done()

    @property
    def age(self) -> float:
        """Seconds since the greeting."""
        return asyncio.get_running_loop().time() - self.opened_at

    async def open(self, url: str) -> None:
        """One try, until Slack's hello. Raises whatever goes wrong; `Unwelcome` when Slack ends it at once."""
        socket = self._socket = await self._session.ws_connect(
            url,
            heartbeat=self._pulse,
            proxy=self._proxy,
            timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_TIMEOUT),
        )
        while not self._greeted:
            message = await socket.receive()
            if message.type is aiohttp.WSMsgType.TEXT:
                self._hear(message.data)
            if socket.closed or (self.goodbye and not self._greeted):
                raise Unwelcome(self.goodbye)
        self.opened_at = asyncio.get_running_loop().time()
        self._reader = asyncio.create_task(self._read(socket), name="socket mode: a line")

    async def leave(self, linger: float = 0.0) -> None:
        """Answer what is in hand and what comes in the next `linger` seconds, then close.

        A line that is dead already does not keep anybody waiting.
        """
        if linger and self._reader is not None:
            await asyncio.wait({self._reader}, timeout=linger)
        if self._in_hand:
            await asyncio.wait(self._in_hand, timeout=ACK)
        if self._socket is not None:
            try:
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await self._socket.close()
            except (TimeoutError, aiohttp.ClientError, OSError):
                log.info("socket mode: the old connection did not close in time")
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        try:
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._hear(message.data)
        finally:
            self._changed()

    def _hear(self, text: str) -> None:
        """Whatever Slack says; nonsense is passed over."""
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            return
        if not isinstance(message, dict):
            return
        kind = message.get("type")
        if kind == "hello":
            counted = message.get("num_connections")
            self.counted = counted if isinstance(counted, int) else 0
            self._greeted = True
        elif kind == "disconnect":
            self.goodbye = str(message.get("reason") or "disconnect")[:40]
            self._changed()
        elif all(isinstance(message.get(k), t) for k, t in _ENVELOPE.items()):
            request = SocketModeRequest.from_dict(message)
            if request is not None:
                self.taken += 1
                task = asyncio.create_task(self._answer(request), name="socket mode: a payload")
                self._in_hand.add(task)
                task.add_done_callback(self._in_hand.discard)

    async def _answer(self, request: SocketModeRequest) -> None:
        """Through Bolt, and the ack back. No ack is an answer, too: Slack tells the person, or sends it again."""
        try:
            response = await run_async_bolt_app(self._app, request)
            if response.status == 200 and self._socket is not None:
                await self._socket.send_str(ack_text(request.envelope_id, response))
        except Exception as failure:
            # The work may be done all the same; an exception's text may hold what was to be sent.
            log.warning(
                "socket mode: not answered", kind=request.type, failure=type(failure).__name__
            )


def ack_text(envelope_id: str, response: BoltResponse) -> str:
    """The ack as Slack reads it: JSON as it is, a bare sentence as a message's text."""
    ack: dict[str, Any] = {"envelope_id": envelope_id}
    if response.body:
        kind = (response.headers.get("content-type") or [""])[0]
        ack["payload"] = (
            json.loads(response.body)
            if kind.startswith("application/json")
            else {"text": response.body}
        )
    return json.dumps(ack)
