"""How a sandbox is set up, and the checks that keep it away from a real workspace.

What is not here: state (`state`), and the environment's meaning for Baton itself.
"""

from __future__ import annotations

import ipaddress
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from sandbox.model import Channel, Person

#: What the app's manifest asks for, in Slack's words.
DEFAULT_SCOPES = frozenset(
    {
        "chat:write",
        "commands",
        "users:read",
        "users:read.email",
        "im:write",
        "im:history",
        "channels:read",
        "groups:read",
    }
)
DEFAULT_COMMANDS = ("/lead", "/baton", "/leaderboard")
DEFAULT_BOT_TOKEN = "xoxb-sandbox-0000-not-a-real-token"  # noqa: S105 (opens nothing)
DEFAULT_APP_TOKEN = "xapp-sandbox-0000-not-a-real-token"  # noqa: S105 (opens nothing)


class UnsafeSandbox(Exception):
    """The sandbox would stand beside a real workspace, or could be reached from outside. It does not start."""


class ClockControl(Protocol):
    """The business clock, as far as the workspace moves it. The demo gives Baton's own."""

    def now(self) -> datetime:
        """The business time, aware."""
        ...

    async def advance(self, seconds: int) -> None:
        """Move it forward."""
        ...

    def next_step_at(self) -> datetime | None:
        """When the next timer is due, None when none is armed."""
        ...


@dataclass(slots=True)
class SandboxConfig:
    """Everything a sandbox needs. Seconds everywhere; the defaults are Slack's own values.

    `public_url` is where the bot reaches the sandbox (for response_url), by default the host of `events_url`.
    `app_token`: Socket Mode for whoever opens it with this token; "": the bot is called over HTTP.
    `socket_url` is where its WebSockets are reached, by default as everything else.
    `state_path`: keep messages, conversations, Home tabs and unread marks in this SQLite file.
    `record_path`: write every call as one JSON line. `history_limit`: most messages of one history page.
    `sold_outside`: the app is sold outside Slack's Marketplace, which may read histories once a minute, 15 messages
    a time; otherwise it is internal, as Baton is. Counts with `enforce_rates`, the page always.
    `real` is the wall clock (signatures, triggers, rates); message times come from `clock`.
    """

    signing_secret: str
    events_url: str
    intake_url: str
    intake_secret: str
    people: Sequence[Person]
    channels: Sequence[Channel]
    clock: ClockControl
    bot_token: str = DEFAULT_BOT_TOKEN
    app_token: str = ""
    team_id: str = "T0SANDBOX"
    team_name: str = "Acme"
    host: str = "127.0.0.1"
    public_url: str = ""
    socket_url: str = ""
    state_path: Path | None = None
    record_path: Path | None = None
    scopes: frozenset[str] = DEFAULT_SCOPES
    commands: tuple[str, ...] = DEFAULT_COMMANDS
    enforce_rates: bool = False
    history_limit: int = 1000
    sold_outside: bool = False
    ack_seconds: float = 3.0
    trigger_seconds: float = 3.0
    event_retry_delays: tuple[float, ...] = (0.0, 60.0, 300.0)
    real: Callable[[], float] = field(default=time.time)

    @property
    def team_domain(self) -> str:
        """The workspace's short name."""
        return "".join(c for c in self.team_name.lower() if c.isalnum()) or "sandbox"

    @property
    def base_url(self) -> str:
        """Where the bot reaches the sandbox, without a slash at the end."""
        if self.public_url:
            return self.public_url.rstrip("/")
        parts = urlsplit(self.events_url)
        return f"{parts.scheme}://{parts.netloc}"

    def check(self, environment: Mapping[str, str] | None = None) -> None:
        """Raise `UnsafeSandbox` off loopback or beside a token that is not the sandbox's own."""
        for what, host in (
            ("HOST", self.host),
            ("events_url", urlsplit(self.events_url).hostname or ""),
            ("intake_url", urlsplit(self.intake_url).hostname or ""),
            ("public_url", urlsplit(self.base_url).hostname or ""),
            ("socket_url", urlsplit(self.socket_url or self.base_url).hostname or ""),
        ):
            if not _is_loopback(host):
                raise UnsafeSandbox(
                    f"The sandbox only runs on this machine: {what} is {host!r}, use 127.0.0.1."
                )
        if not self.bot_token.startswith("xoxb-sandbox-"):
            raise UnsafeSandbox("The sandbox's own token must start with xoxb-sandbox-.")
        if self.app_token and not self.app_token.startswith("xapp-sandbox-"):
            raise UnsafeSandbox("The sandbox's own app token must start with xapp-sandbox-.")
        values = os.environ if environment is None else environment
        for name in ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"):
            token = values.get(name, "").strip()
            own = token in (self.bot_token, self.app_token)
            if token.startswith(("xox", "xapp-")) and not own:
                raise UnsafeSandbox(
                    f"{name} holds a real Slack token. The sandbox does not start beside one: "
                    f"unset {name}, or run Baton against Slack itself."
                )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
