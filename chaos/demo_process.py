"""The demo as a process of its own: started on a free port, killed without warning, started again; and its doors.

What is not here: what is sent when, and the verdict (`kill_demo`).
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from bot.demo import demo_secrets, people_of
from chaos.forks import Forked, Forks
from chaos.playbooks import agreement_of
from chaos.signed import click_request, leads_request
from sandbox.model import hashed_id
from sandbox.server import free_socket

START_SECONDS = 60.0


class DemoProcess:
    """One demo home and whoever runs in it at the moment."""

    def __init__(self, home: Path, playbook: str) -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        (home / "playbook.yaml").write_text(playbook, encoding="utf-8")
        self.signing, self.intake = demo_secrets(home)
        with free_socket() as sock:
            self.port = int(sock.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.database_url = f"sqlite:///{home / 'baton.db'}"
        people = people_of(agreement_of(playbook))
        #: Conversation -> the person it belongs to.
        self.user_of = {hashed_id("D0", p.user_id, length=8): p.user_id for p in people}
        self._process: Forked | None = None
        self._forks = Forks()

    @property
    def log(self) -> Path:
        """What the process wrote, all lives in one file."""
        return self.home / "log"

    async def start(self, session: aiohttp.ClientSession) -> float:
        """Start it; seconds until it takes leads. RuntimeError when it does not."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("BATON_", "SLACK_"))}
        kept.pop("DATABASE_URL", None)
        began = time.monotonic()
        env = {
            **kept,
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "BATON_PLAYBOOK": str(self.home / "playbook.yaml"),
            "BATON_DEMO_HOME": str(self.home),
            "BATON_DEMO_STORY": "off",
            # The demo's Slack dies with it: who wants to hear what was acknowledged has to ask from outside.
            "BATON_DEMO_SLACK": "http",
        }
        self._process = self._forks.start("bot", ["demo"], env, self.log)
        while time.monotonic() - began < START_SECONDS:
            if self._process.poll() is not None:
                break
            try:
                async with session.get(f"{self.url}/readyz") as answer:
                    if answer.status == 200:
                        return time.monotonic() - began
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(0.05)
        raise RuntimeError(f"the demo did not start:\n{self.log.read_text()[-3000:]}")

    def kill(self) -> None:
        """SIGKILL: no handler runs, nothing is flushed."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def end(self) -> None:
        """Kill it for good."""
        self.kill()
        self._forks.end()

    def stop(self) -> int:
        """SIGTERM, as an operator would; the exit code."""
        if self._process is None or self._process.poll() is not None:
            return -1
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(30)
        except TimeoutError:
            self.kill()
            return -9


class Doors:
    """Signed requests to a demo that may be dead at any moment. `None`: nobody answered."""

    def __init__(self, demo: DemoProcess, session: aiohttp.ClientSession) -> None:
        self._demo = demo
        self._session = session

    async def leads(
        self, message_id: str, leads: Sequence[Mapping[str, Any]]
    ) -> tuple[int, list[dict[str, Any]]] | None:
        """One message of leads, signed as Standard Webhooks says: status and results."""
        body, headers = leads_request(self._demo.intake, message_id, leads)
        answer = await self._post("/leads", body, headers)
        if answer is None:
            return None
        status, text = answer
        return status, json.loads(text).get("results", []) if status == 202 else []

    async def accept(self, channel: str, ts: str, offer: str) -> int | None:
        """Click Accept as the person whose conversation it is, signed as Slack does."""
        user = self._demo.user_of[channel]
        body, headers = click_request(self._demo.signing, "lead_accept", user, channel, ts, offer)
        answer = await self._post("/slack/events", body, headers)
        return answer[0] if answer else None

    async def move_clock(self, seconds: int) -> int | None:
        """The page's button. Answered when all that became due on the way is done, which may take minutes."""
        headers = {"Content-Type": "application/json", "Origin": self._demo.url}
        body = json.dumps({"move": seconds}).encode()
        answer = await self._post("/page/clock", body, headers, seconds=900.0)
        return answer[0] if answer else None

    async def messages(self) -> list[dict[str, Any]] | None:
        """Everything that was ever written in the workspace."""
        try:
            async with self._session.get(f"{self._demo.url}/sandbox/messages") as answer:
                return list((await answer.json())["messages"])
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None

    async def _post(
        self, path: str, body: bytes, headers: Mapping[str, str], seconds: float = 15.0
    ) -> tuple[int, str] | None:
        try:
            async with self._session.post(
                self._demo.url + path,
                data=body,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=seconds),
            ) as answer:
                return answer.status, await answer.text()
        except (aiohttp.ClientError, TimeoutError):
            return None
