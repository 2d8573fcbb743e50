"""Callers at the gate: genuine ones, made with the clients the senders use, and the wire to send them over."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Thread

import uvicorn
from slack_sdk.signature import Clock as SlackClock
from slack_sdk.signature import SignatureVerifier
from standardwebhooks import Webhook
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.clock import Clock
from handlers.doors import authenticated
from handlers.gate import Gate, Limits
from handlers.signatures import SenderKeys

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SLACK_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
KEY, OLD_KEY, OTHER_KEY = b"k" * 32, b"o" * 32, b"x" * 32
TOKEN = "a-token-of-the-web-form"
LEAD = b'{"source": "contact_me", "external_id": "f-1", "email": "jo@nordwind.example"}'
SLACK_BODY = b'{"type": "event_callback", "event": {"type": "app_home_opened", "user": "U1"}}'

Header = tuple[bytes, bytes]


@dataclass(frozen=True)
class Call:
    """A request as it goes over the wire."""

    path: str
    headers: tuple[Header, ...]
    body: bytes
    method: str = "POST"
    chunked: bool = False

    def having(self, name: bytes, *values: bytes) -> Call:
        """The same call with these values for the header, none to leave it out."""
        kept = tuple(each for each in self.headers if each[0] != name)
        return replace(self, headers=kept + tuple((name, value) for value in values))

    def value(self, name: bytes) -> bytes:
        return next(value for each, value in self.headers if each == name)


@dataclass
class House:
    """The app behind the gate: it notes who got in, and answers 202."""

    seen: list[Scope] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "POST":
            message = await receive()
            self.bodies.append(message["body"])
        self.seen.append(scope)
        found = authenticated(scope)
        content = json.dumps({"source": found.source if found else None}).encode()
        headers = [(b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": 202, "headers": headers})
        await send({"type": "http.response.body", "body": content})


def gate_before(
    house: ASGIApp, limits: Limits | None = None, senders: SenderKeys | None = None
) -> Gate:
    """A gate that knows the website's key (old and new) and the form's token."""
    known = SenderKeys.of([("website", OLD_KEY), ("website", KEY)], [("form", TOKEN)])
    return Gate(
        house,
        clock=Clock(lambda: NOW),
        senders=known if senders is None else senders,
        slack_signing_secret=SLACK_SECRET,
        limits=limits,
    )


class _Frozen(SlackClock):
    def now(self) -> float:
        return NOW.timestamp()


def from_slack(
    body: bytes = SLACK_BODY,
    *,
    secret: str = SLACK_SECRET,
    timestamp: str | None = None,
    content_type: bytes = b"application/json",
) -> Call:
    """A call signed by Slack's own SDK."""
    stamp = str(int(NOW.timestamp())) if timestamp is None else timestamp
    verifier = SignatureVerifier(secret, clock=_Frozen())
    signature = verifier.generate_signature(timestamp=stamp, body=body)
    assert signature is not None
    return Call(
        "/slack/events",
        (
            (b"content-type", content_type),
            (b"x-slack-request-timestamp", stamp.encode()),
            (b"x-slack-signature", signature.encode()),
        ),
        body,
    )


def from_website(
    body: bytes = LEAD,
    *,
    key: bytes = KEY,
    at: datetime = NOW,
    msg_id: str = "msg_1",
    path: str = "/leads",
) -> Call:
    """A call signed by the public Standard Webhooks client."""
    signature = Webhook(key).sign(msg_id=msg_id, timestamp=at, data=body.decode())
    return Call(
        path,
        (
            (b"webhook-id", msg_id.encode()),
            (b"webhook-timestamp", str(int(at.timestamp())).encode()),
            (b"webhook-signature", signature.encode()),
        ),
        body,
    )


def with_token(token: str = TOKEN, body: bytes = LEAD) -> Call:
    """A call with a bearer token."""
    return Call("/leads", ((b"authorization", b"Bearer " + token.encode()),), body)


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes


class Visit:
    """One request at the gate without a server: what was read and sent, in order."""

    def __init__(self, call: Call, *pieces: bytes, endless: bool = False) -> None:
        self.call = call
        self.pieces = list(pieces or (call.body,))
        self.endless = endless
        self.log: list[str] = []
        self.sent: list[Message] = []
        self.arrived = asyncio.Event()

    @property
    def scope(self) -> Scope:
        headers = list(self.call.headers)
        return {
            "type": "http",
            "method": self.call.method,
            "path": self.call.path,
            "root_path": "",
            "headers": headers,
        }

    async def receive(self) -> Message:
        self.log.append("read")
        self.arrived.set()
        if not self.pieces:
            await asyncio.sleep(3600)
        piece = self.pieces.pop(0)
        more = self.endless or bool(self.pieces)
        return {"type": "http.request", "body": piece, "more_body": more}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.log.append(f"answer {message['status']}")
        self.sent.append(message)

    async def to(self, gate: ASGIApp) -> Answer:
        await gate(self.scope, self.receive, self.send)
        return self.answer

    @property
    def answer(self) -> Answer:
        headers = {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}
        body = b"".join(message.get("body", b"") for message in self.sent[1:])
        return Answer(self.sent[0]["status"], headers, body)


@contextmanager
def serving(gate: Gate) -> Iterator[int]:
    """The gate behind a real uvicorn on loopback; gives the port."""
    config = uvicorn.Config(gate, lifespan="off", ws="none", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


def send_raw(port: int, call: Call) -> Answer:
    """The call byte for byte, no client in between that would tidy it up."""
    lines = [f"{call.method} {call.path} HTTP/1.1".encode(), b"host: baton", b"connection: close"]
    lines += [name + b": " + value for name, value in call.headers]
    if call.chunked:
        lines.append(b"transfer-encoding: chunked")
        halves = (call.body[:7], call.body[7:])
        content = b"".join(b"%x\r\n%s\r\n" % (len(half), half) for half in halves) + b"0\r\n\r\n"
    else:
        lines.append(b"content-length: %d" % len(call.body))
        content = call.body
    with socket.create_connection(("127.0.0.1", port), timeout=10) as wire:
        wire.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + content)
        received = b""
        while piece := wire.recv(65536):
            received += piece
    return parse_answer(received)


def parse_answer(received: bytes) -> Answer:
    """Status, headers and body of a raw response."""
    head, _, body = received.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    pairs = (each.partition(":") for each in rest)
    return Answer(
        int(first.split()[1]), {name.lower(): value.strip() for name, _, value in pairs}, body
    )
