"""What the tests of the sandbox share: a workspace with two people, a bot that records, the real Slack client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.app import Sandbox, SandboxConfig, create_sandbox
from sandbox.clock import ManualClock
from sandbox.config import DEFAULT_BOT_TOKEN
from sandbox.model import Channel, Person
from sandbox.server import free_socket, serve
from sandbox.workspace import Workspace

SECRET = "signing-secret"
INTAKE_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

ANN = Person.of("ann@acme.example", "Ann Lee", "Account executive", "Europe/Vienna")
BEN = Person.of("ben@acme.example", "Ben Ode", "Account executive", "Europe/Berlin")
REVIEW = Channel.of("C0REVIEW", "lead-review", [ANN])
LOCKED = Channel.of("C0LOCKED", "board", [ANN, BEN], bot=False)

HELLO: dict[str, Any] = {"type": "section", "text": {"type": "mrkdwn", "text": "hello"}}


def buttons(*names: str) -> dict[str, Any]:
    """An actions block with a button per name."""
    return {
        "type": "actions",
        "block_id": "doings",
        "elements": [
            {
                "type": "button",
                "action_id": name,
                "value": f"offer-{name}",
                "text": {"type": "plain_text", "text": name.capitalize()},
            }
            for name in names
        ],
    }


def modal(**more: Any) -> dict[str, Any]:
    """A modal that asks for a note."""
    return {
        "type": "modal",
        "callback_id": "reject",
        "title": {"type": "plain_text", "text": "Reject"},
        "submit": {"type": "plain_text", "text": "Send"},
        "blocks": [
            {
                "type": "input",
                "block_id": "note",
                "label": {"type": "plain_text", "text": "Why?"},
                "element": {"type": "plain_text_input", "action_id": "text", "max_length": 20},
            }
        ],
        **more,
    }


@dataclass
class Bot:
    """Stands where Baton would: keeps what it is sent, answers what the test says."""

    requests: list[tuple[bytes, dict[str, str]]] = field(default_factory=list)
    answers: list[Callable[[], Response]] = field(default_factory=list)
    delay: float = 0.0

    async def receive(self, request: Request) -> Response:
        body = await request.body()
        self.requests.append((body, dict(request.headers)))
        await asyncio.sleep(self.delay)
        return self.answers.pop(0)() if self.answers else Response("")

    def says(self, body: Any, status: int = 200) -> None:
        """What it answers next."""
        self.answers.append(lambda: JSONResponse(body, status))

    @property
    def payloads(self) -> list[dict[str, Any]]:
        """The interactions and events it got."""
        found = []
        for body, headers in self.requests:
            if headers["content-type"] == "application/json":
                found.append(json.loads(body))
            elif b"payload=" in body:
                found.append(json.loads(parse_qs(body.decode())["payload"][0]))
        return found


@dataclass
class Stage:
    """A running sandbox, the bot behind it, and the bot's client."""

    sandbox: Sandbox
    bot: Bot
    client: AsyncWebClient
    url: str

    @property
    def workspace(self) -> Workspace:
        return self.sandbox.workspace

    def shown(self, person: Person) -> list[str]:
        """The texts in that person's DM with the bot."""
        dm = self.workspace.dm_id(person.user_id)
        return [m.text for m in self.workspace.timeline(dm, person.user_id)]


def config(url: str, **more: Any) -> SandboxConfig:
    """A configuration whose bot and sandbox are at `url`."""
    values: dict[str, Any] = {
        "signing_secret": SECRET,
        "events_url": f"{url}/slack/events",
        "intake_url": f"{url}/leads",
        "intake_secret": INTAKE_SECRET,
        "people": [ANN, BEN],
        "channels": [REVIEW, LOCKED],
        "clock": ManualClock(),
        "event_retry_delays": (0.0, 0.0, 0.0),
        **more,
    }
    return SandboxConfig(**values)


@asynccontextmanager
async def stage(**more: Any) -> AsyncIterator[Stage]:
    """A sandbox and a bot on one port that the system chose."""
    sock = free_socket()
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    sandbox, bot = create_sandbox(config(url, **more)), Bot()
    own = [
        Route("/slack/events", bot.receive, methods=["POST"]),
        Route("/leads", bot.receive, methods=["POST"]),
    ]
    client = AsyncWebClient(token=DEFAULT_BOT_TOKEN, base_url=f"{url}/api/", retry_handlers=[])
    await sandbox.start()
    try:
        async with serve(Starlette(routes=[*own, *sandbox.routes]), sock):
            yield Stage(sandbox, bot, client, url)
    finally:
        await sandbox.stop()
