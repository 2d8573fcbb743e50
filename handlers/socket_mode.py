"""Socket Mode: Slack's payloads come in over a WebSocket that Baton opens, and reach the same Bolt app as over HTTP.

The SDK's client reads, writes and keeps the pulse. When to open anew is decided here: left to itself it tries a
used-up address for ever, comes back at once however often it is sent away, and closes the old connection before the
new one stands. What is not here: the listeners, more than one connection at a time.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import aiohttp
from slack_bolt.adapter.socket_mode.async_internals import run_async_bolt_app, send_async_response
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

from bot.gateways.slack import SlackBusy, SlackFailure, SlackGateway, SlackRefused
from bot.logs import get_logger

log = get_logger(__name__)

#: All in seconds. A ping every `PULSE`; half of it without an answer ends the connection.
PULSE = 10.0
WATCH = 0.5
CONNECT_TIMEOUT = 10.0
#: Slack waits so long for an ack; nobody needs a later one.
ACK = 3.0
CLOSE_TIMEOUT = 2.0
#: A connection that lasted less counts as a failed try.
STEADY = 10.0
SLOWEST = 15.0
#: `/readyz` says nothing of a shorter gap: Slack ends every connection once in a while.
SILENT = 30.0

# The SDK logs whole payloads at DEBUG, and addresses with their tickets when it fails. What counts is logged here.
_mute = logging.getLogger("handlers.socket_mode.sdk")
_mute.setLevel(logging.CRITICAL)


class SocketMode:
    """Keeps one connection to Slack open from `start()` to `stop()`. `base_url`: that of the Web API."""

    def __init__(
        self, app: AsyncApp, app_token: str, *, base_url: str, pulse: float = PULSE
    ) -> None:
        self._app = app
        self._token = app_token
        self._slack = SlackGateway("", base_url)
        self._pulse = pulse
        self._line: _Line | None = None
        self._loop: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._seen = 0.0
        self._why = ""

    @property
    def connected(self) -> bool:
        """Whether Slack can reach us at this moment."""
        return self._line is not None and self._line.stands

    def faults(self) -> list[str]:
        """What `/readyz` has to say: nothing within the first 30 seconds without a connection."""
        if self.connected or asyncio.get_running_loop().time() - self._seen <= SILENT:
            return []
        why = f" ({self._why})" if self._why else ""
        return [f"No Socket Mode connection for 30 seconds{why}: clicks and commands fail."]

    def start(self) -> None:
        """Begin to connect, in the background. Needs the running loop."""
        self._seen = asyncio.get_running_loop().time()
        self._loop = asyncio.create_task(self._keep_open(), name="socket mode")

    async def stop(self) -> None:
        """Answer what is in hand, then close."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
        self._replace(None)
        await asyncio.gather(*self._leaving, return_exceptions=True)
        await self._slack.close()

    async def _keep_open(self) -> None:
        await self._slack.open()
        failures = 0
        while True:
            wait = 0.0
            try:
                line = await self._open()
            except Exception as failure:  # whatever it was, coming back is all that helps
                failures += 1
                self._why = _reason(failure)
                wait = failure.retry_after if isinstance(failure, SlackBusy) else 0.0
                log.warning("socket mode: not connected", why=self._why, tries=failures)
            else:
                log.info("socket mode: connected")
                self._replace(line)
                lasted = await self._watch(line)
                failures = 0 if lasted >= STEADY else failures + 1
                self._why = _SAID.get(line.goodbye, line.goodbye)
                log.info("socket mode: a new connection is due", why=self._why or "it broke")
            await asyncio.sleep(max(wait, _pause(failures)))

    async def _open(self) -> _Line:
        line = _Line(self._app, self._token, self._slack, self._pulse)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await line.connect()
        except BaseException:
            await line.leave()
            raise
        return line

    async def _watch(self, line: _Line) -> float:
        """Until it breaks, falls silent, or Slack asks for a new one: after how many seconds."""
        clock = asyncio.get_running_loop().time
        since = clock()
        while not line.goodbye and await line.is_connected():
            # Being let in for a moment again and again is not being connected.
            if clock() - since >= STEADY:
                self._seen = clock()
            await asyncio.sleep(WATCH)
        return clock() - since

    def _replace(self, line: _Line | None) -> None:
        """The old connection answers what it has in hand while the new one works already."""
        old, self._line = self._line, line
        if old is not None:
            leaving = asyncio.create_task(old.leave(), name="socket mode: old connection")
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)


class _Line(SocketModeClient):
    """One connection: `connect()`, in use until `is_connected()` says no or `goodbye` is set, then `leave()`."""

    def __init__(self, app: AsyncApp, token: str, slack: SlackGateway, pulse: float) -> None:
        super().__init__(
            token,
            logger=_mute,
            web_client=slack.client,
            auto_reconnect_enabled=False,
            ping_interval=pulse,
        )
        self.proxy = (
            slack.client.proxy
        )  # the SDK's own choice would be the environment's, also on loopback
        self._app = app
        self._slack = slack
        self._greeted = asyncio.Event()
        self._in_hand: set[asyncio.Task[Any]] = set()
        #: Why Slack wants this connection to be replaced; "" while it does not.
        self.goodbye = ""

    @property
    def stands(self) -> bool:
        """Greeted and not closed. Whether the other end still answers is `is_connected`'s business."""
        session = self.current_session
        return self._greeted.is_set() and session is not None and not session.closed

    async def connect(self) -> None:
        """One try, with an address of its own, until Slack's hello. Raises whatever goes wrong."""
        url = await self._slack.open_socket(self.app_token)
        # Pings of the other side are answered, and pongs noted, by the SDK's receiver.
        self.current_session = await self.aiohttp_client_session.ws_connect(
            url, autoping=False, heartbeat=self.ping_interval, proxy=self.proxy
        )
        self.current_session_monitor = asyncio.ensure_future(self.monitor_current_session())
        self.message_receiver = asyncio.ensure_future(self.receive_messages())
        await self._greeted.wait()

    async def run_message_listeners(self, message: dict[str, Any], raw_message: str) -> None:
        """Everything that Slack sends comes through here, each in a task of its own."""
        kind = message.get("type")
        if kind == "hello":
            self._greeted.set()
        elif kind == "disconnect":
            self.goodbye = str(message.get("reason") or "disconnect")[:40]
        elif all(isinstance(message.get(k), t) for k, t in _ENVELOPE.items()):
            task = asyncio.current_task()
            if task is not None:
                # The SDK keeps no reference to it, and what nobody holds may be collected half done.
                self._in_hand.add(task)
                task.add_done_callback(self._in_hand.discard)
            request = SocketModeRequest.from_dict(message)
            if request is not None:
                await self._answer(request)

    async def _answer(self, request: SocketModeRequest) -> None:
        """Through Bolt, and the ack back. No ack is an answer, too: Slack tells the person, or repeats the event."""
        try:
            response = await run_async_bolt_app(self._app, request)
            await send_async_response(self, request, response, 0.0)
        except Exception as failure:
            # The work may be done all the same; an exception's text may hold what was to be sent.
            log.warning(
                "socket mode: not answered", kind=request.type, failure=type(failure).__name__
            )

    async def leave(self) -> None:
        """Answer what is in hand, then close; a line that is dead already does not keep anybody waiting."""
        if self._in_hand:
            await asyncio.wait(self._in_hand, timeout=ACK)
        session = self.current_session
        if session is not None:
            try:
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await session.close()
            except (TimeoutError, aiohttp.ClientError, OSError):
                log.info("socket mode: the old connection did not close in time")
        await self.close()  # type: ignore[no-untyped-call]  # the SDK's
        tasks = (self.message_processor, self.message_receiver, self.current_session_monitor)
        await asyncio.gather(*(t for t in tasks if t is not None), return_exceptions=True)


_SAID = {"link_disabled": "Socket Mode is switched off in the app's settings"}
_ENVELOPE: dict[str, type] = {"type": str, "envelope_id": str, "payload": dict}


def _pause(failures: int) -> float:
    """Seconds before the next try: none after a connection that lasted, then doubling."""
    return min(SLOWEST, 0.25 * 2.0**failures) if failures else 0.0


def _reason(failure: Exception) -> str:
    """What can be said of it without addresses, which hold tickets."""
    if isinstance(failure, SlackRefused):
        return f"Slack refuses SLACK_APP_TOKEN: {failure.error[:40]}"
    if isinstance(failure, SlackFailure):
        return f"Slack cannot be asked for an address: {str(failure)[:60]}"
    if isinstance(failure, aiohttp.WSServerHandshakeError):
        return f"the WebSocket was refused with status {failure.status}"
    return type(failure).__name__
