"""The gate in front of every route: who may come in, how much they may bring, how long they may take.

Order (cheapest first, nothing parsed before the signature): room for one more -> known path -> method -> declared
length -> header syntax -> body within size and time -> signature over the raw bytes -> JSON. Bolt is no outer wall:
malformed headers make it answer 500, and it reads JSON before it checks the signature.
What is not here: what a caller must show (`doors`), routes, Bolt.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.clock import Clock
from bot.logs import get_logger
from handlers.doors import Door, Headers, IntakeDoor, Refused, SlackDoor
from handlers.signatures import SenderKeys

log = get_logger(__name__)

SLACK_PATH = "/slack/events"
INTAKE_PATHS = ("/leads", "/touches")

#: Seconds for the body of somebody who stands: it is in the first packets of a sender who means it.
_AT_ONCE = 0.25
_LENGTH = re.compile(rb"[0-9]{1,12}")

#: On every response that has not set its own.
_SECURITY_HEADERS: Mapping[str, str] = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "content-security-policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds. `kept`: places that leads and touches, whose senders come again, leave to
    people who click. `patience`: how old a body under way must be to make room for another."""

    in_flight: int = 64
    kept: int = 16
    intake_bytes: int = 256 * 1024
    slack_bytes: int = 1024 * 1024
    body_seconds: float = 10.0
    patience: float = 1.0
    linger_bytes: int = 2 * 1024 * 1024
    linger_seconds: float = 1.0


class Gate:
    """ASGI middleware. Guarded paths reach `app` only with a proven sender; everything else passes through.

    `slack_signing_secret` "" (Socket Mode) and empty `senders` are doors that nobody can open.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        clock: Clock,
        senders: SenderKeys,
        slack_signing_secret: str = "",
        limits: Limits | None = None,
    ) -> None:
        limits = limits or Limits()
        self._app = app
        self._limits = limits
        self._room = _Room(limits.in_flight, limits.patience)
        intake = IntakeDoor(senders, clock, limits.intake_bytes)
        self._doors: dict[str, Door] = {path: intake for path in INTAKE_PATHS}
        self._doors[SLACK_PATH] = SlackDoor(slack_signing_secret, clock, limits.slack_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        send = _with_security_headers(send)
        # The path as the router sees it: another reading of it would be a way round the gate.
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        door = self._doors.get(path)
        if door is None:
            await self._app(scope, receive, send)
            return
        upload = _Upload(receive)
        try:
            kept = 0 if path == SLACK_PATH else self._limits.kept
            with self._room.take() as seat:
                scope = await self._admit(door, scope, upload, seat)
                self._room.let_work(kept)
                seat.works = True
                await self._app(scope, upload.replay, _uncached(send))
        except Refused as refused:
            log.info(
                "request refused", path=path, status=int(refused.status), reason=refused.reason
            )
            await self._refuse(refused, upload, _uncached(send))
        except _CallerGone:
            log.info("caller went away", path=path)

    async def _admit(self, door: Door, scope: Scope, upload: _Upload, seat: _Seat) -> Scope:
        if scope["method"] != "POST":
            raise Refused(
                HTTPStatus.METHOD_NOT_ALLOWED, "Only POST works here.", "method", {"allow": "POST"}
            )
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.lower(), []).append(value)
        declared = _declared_length(headers)
        if declared is not None and declared > door.max_bytes:
            raise _too_large(door.max_bytes)
        claim = door.knock(headers)
        try:
            async with seat.deadline(self._limits.body_seconds):
                body = await upload.read(door.max_bytes)
        except TimeoutError:
            if seat.stands:
                raise _busy() from None
            raise Refused(
                HTTPStatus.REQUEST_TIMEOUT, "The body took too long to arrive.", "slow body"
            ) from None
        if declared is not None and declared != len(body):
            raise Refused(
                HTTPStatus.BAD_REQUEST, "Content-Length and body do not agree.", "wrong length"
            )
        return door.enter(claim, headers, body, scope)

    async def _refuse(self, refused: Refused, upload: _Upload, send: Send) -> None:
        content = json.dumps({"error": refused.sentence}).encode()
        headers = {
            "content-type": "application/json",
            "content-length": str(len(content)),
            **refused.headers,
        }
        if not upload.complete:
            headers["connection"] = "close"
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": int(refused.status), "headers": raw})
        await send({"type": "http.response.body", "body": content, "more_body": True})
        # Closing on a caller who is still sending resets the connection, and the answer is lost on the way.
        await upload.drain(self._limits.linger_bytes, self._limits.linger_seconds)
        await send({"type": "http.response.body", "body": b""})


def _declared_length(headers: Headers) -> int | None:
    values = headers.get(b"content-length", [])
    if not values:
        return None
    if len(values) > 1 or not _LENGTH.fullmatch(values[0]):
        raise Refused(HTTPStatus.BAD_REQUEST, "Content-Length is not a number.", "broken length")
    return int(values[0])


def _too_large(limit: int) -> Refused:
    return Refused(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"The body is larger than {limit // 1024} KiB. Send fewer items at once.",
        "too large",
    )


class _CallerGone(Exception):
    """Nobody is there to answer."""


class _Upload:
    """A request's body on its way in, and its replay for the app behind the gate."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._body = b""
        self._replayed = False
        self.complete = False

    async def read(self, limit: int) -> bytes:
        """The whole body. Raises `Refused` at the first byte too many."""
        received = bytearray()
        while not self.complete:
            received += await self._next()
            if len(received) > limit:
                raise _too_large(limit)
        self._body = bytes(received)
        return self._body

    async def replay(self) -> Message:
        """`receive` for the app: the body in one piece, then whatever comes after it."""
        if self._replayed:
            return await self._receive()
        self._replayed = True
        return {"type": "http.request", "body": self._body, "more_body": False}

    async def drain(self, limit: int, seconds: float) -> None:
        """Throw away what still comes, within bounds."""
        try:
            async with asyncio.timeout(seconds):
                while not self.complete and limit > 0:
                    limit -= len(await self._next())
        except (TimeoutError, _CallerGone):
            return

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise _CallerGone
        self.complete = not message.get("more_body", False)
        body: bytes = message.get("body", b"")
        return body


class _Seat:
    """One guarded request in flight. `stands`: the room was full; it is let in if its body comes at once."""

    def __init__(self, room: _Room, *, stands: bool = False) -> None:
        self._room = room
        self.stands = stands
        self.works = False  # its body is in
        self._deadline: asyncio.Timeout | None = None
        self._since = 0.0

    def __enter__(self) -> _Seat:
        return self

    def __exit__(self, *_: object) -> None:
        self._room.leave(self)

    def deadline(self, seconds: float) -> asyncio.Timeout:
        """A timeout for the body, which a newcomer may cut short when the room is full."""
        self._since = asyncio.get_running_loop().time()
        self._deadline = asyncio.timeout(min(seconds, _AT_ONCE) if self.stands else seconds)
        return self._deadline

    def give_up(self, patience: float) -> bool:
        """End this request if it has been sending its body for `patience` seconds; whether it did."""
        now = asyncio.get_running_loop().time()
        if self._deadline is None or now - self._since < patience:
            return False
        try:
            self._deadline.reschedule(now)
        except RuntimeError:  # the body is in (or has just timed out): too late to cut it short
            return False
        return True


class _Room:
    """At most `size` guarded requests at work, and as many whose bodies are on their way; whoever dawdles makes room
    for the next. As many again may stand for a moment: they are let in when their bodies come at once, so that those
    who fill the seats with bodies that never end keep out nobody who means it."""

    def __init__(self, size: int, patience: float) -> None:
        self._size = size
        self._patience = patience
        self._seats: dict[_Seat, None] = {}  # in the order of their coming
        self._standing: dict[_Seat, None] = {}

    def take(self) -> _Seat:
        """A seat, that of whoever dawdles if need be; in a full room one to stand at."""
        if len(self._seats) >= self._size:
            slow = next((seat for seat in self._seats if seat.give_up(self._patience)), None)
            if slow is None:
                return self._stand()
            self.leave(slow)
        seat = _Seat(self)
        self._seats[seat] = None
        return seat

    def _stand(self) -> _Seat:
        if len(self._standing) >= self._size:
            first = next((seat for seat in self._standing if seat.give_up(0.0)), None)
            if first is None:
                raise _busy()
            self.leave(first)
        seat = _Seat(self, stands=True)
        self._standing[seat] = None
        return seat

    def leave(self, seat: _Seat) -> None:
        self._seats.pop(seat, None)
        self._standing.pop(seat, None)

    def let_work(self, kept: int) -> None:
        """Refused when of those whose bodies are in there are as many as there are places but for `kept`."""
        working = sum(seat.works for seat in (*self._seats, *self._standing))
        if working >= self._size - kept:
            raise _busy()


def _busy() -> Refused:
    return Refused(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Baton is busy. Try again in a moment.",
        "full",
        {"retry-after": "2"},
    )


def _with_security_headers(send: Send) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=_raw_headers(message))
            for name, value in _SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            message = {**message, "headers": headers.raw}
        await send(message)

    return wrapped


def _uncached(send: Send) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=_raw_headers(message))
            headers["cache-control"] = "no-store"
            message = {**message, "headers": headers.raw}
        await send(message)

    return wrapped


def _raw_headers(message: Message) -> list[tuple[bytes, bytes]]:
    raw: Any = message.get("headers", ())
    return list(raw)
