"""A stand-in Slack with people in it, and Batons around it that can be started, killed and started again.

One event loop's. What is not here: leads and clicks (`signed`), what is done to whom (each experiment).
"""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from bot.demo import channels_of, people_of
from chaos.experiment import Ground
from chaos.forks import Forked, Forks
from chaos.playbooks import agreement_of, playbook_text
from chaos.signed import leads_request
from sandbox.app import Sandbox, SandboxConfig, create_sandbox
from sandbox.config import DEFAULT_BOT_TOKEN
from sandbox.server import free_socket, serve
from storage.database import Database

READY_SECONDS = 60.0


class RealTime:
    """The stand-in's clock is the one on the wall: the processes have no other."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def advance(self, seconds: int) -> None:
        raise AssertionError("real time cannot be moved")

    def next_step_at(self) -> datetime | None:
        return None


@dataclass(slots=True)
class Baton:
    """One process, now or at some time."""

    role: str
    address: str
    log: Path
    process: Forked | subprocess.Popen[bytes] | None = None
    module: str = "bot"

    @property
    def is_up(self) -> bool:
        """It runs; it may not answer yet."""
        return self.process is not None and self.process.poll() is None

    def send(self, number: int) -> None:
        """A signal, if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL: no handler runs, nothing is flushed."""
        self.send(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()


@dataclass(slots=True)
class Town:
    """What `town()` gives."""

    sandbox: Sandbox
    slack: str
    env: dict[str, str]
    secret: str
    signing: str
    folder: Path
    session: aiohttp.ClientSession
    module: str
    forks: Forks
    batons: list[Baton] = field(default_factory=list)

    def place(self, role: str) -> Baton:
        """A Baton with an address of its own; not started."""
        with free_socket() as sock:
            port = int(sock.getsockname()[1])
        log = self.folder / f"log{len(self.batons)}"
        baton = Baton(role, f"http://127.0.0.1:{port}", log, module=self.module)
        self.batons.append(baton)
        return baton

    def start(self, baton: Baton, more: Mapping[str, str] | None = None) -> None:
        """Start it (again)."""
        port = baton.address.rpartition(":")[2]
        env = {**self.env, "HOST": "127.0.0.1", "PORT": port, **(more or {})}
        baton.process = self.forks.start(baton.module, [baton.role], env, baton.log)

    async def command(self, *words: str, **more: str) -> None:
        """A command, as an operator runs it. RuntimeError with what it said when it fails."""
        log = self.folder / f"said{time.monotonic_ns()}"
        process = self.forks.start("bot", words, {**self.env, **more}, log)
        while process.poll() is None:
            await asyncio.sleep(0.02)
        if process.returncode:
            raise RuntimeError(f"baton {' '.join(words)}: {log.read_text()[-2000:]}")

    async def ready(self, baton: Baton) -> float:
        """Wait until it takes leads; how long that took. RuntimeError with its log when it does not."""
        began = time.monotonic()
        while time.monotonic() - began < READY_SECONDS and baton.is_up:
            try:
                async with self.session.get(f"{baton.address}/readyz") as answer:
                    if answer.status == 200:
                        return time.monotonic() - began
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(0.05)
        raise RuntimeError(f"Baton did not start:\n{baton.log.read_text()[-3000:]}")

    async def send(
        self, baton: Baton, message_id: str, leads: Sequence[Mapping[str, Any]]
    ) -> tuple[int, list[dict[str, Any]]]:
        """A signed message of leads; status and results. Status 0: nobody answered."""
        body, headers = leads_request(self.secret, message_id, leads)
        return await self.send_body(baton, body, headers)

    async def send_body(
        self, baton: Baton, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, list[dict[str, Any]]]:
        """Any body to the door for leads."""
        try:
            async with self.session.post(
                f"{baton.address}/leads", data=body, headers=headers
            ) as answer:
                if answer.status != 202:
                    return answer.status, []
                return 202, list((await answer.json())["results"])
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return 0, []

    async def quiet(self, database: Database, seconds: float) -> bool:
        """Wait until nothing that is due is left to be delivered; False when for so long it did not become less."""
        least, since = -1, time.monotonic()
        while time.monotonic() - since < seconds:
            with database.read() as conn:
                waiting = conn.exec_driver_sql(
                    "SELECT count(*) FROM outbox WHERE state IN ('pending', 'sending', 'doubt')"
                ).scalar_one()
            if not waiting:
                return True
            if least < 0 or waiting < least:
                least, since = waiting, time.monotonic()
            await asyncio.sleep(0.2)
        return False


@asynccontextmanager
async def town(
    ground: Ground,
    *,
    reps: int = 8,
    rates: bool = False,
    env: Mapping[str, str] | None = None,
    accept: str = "20m",
) -> AsyncIterator[Town]:
    """The stand-in Slack, served, and an environment for Batons. `rates`: it enforces Slack's tiers, and they keep to
    them; else neither does. `accept`: how long reps have for an answer."""
    text = playbook_text(reps, accept)
    agreement = agreement_of(text)
    (ground.folder / "playbook.yaml").write_text(text, encoding="utf-8")
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    signing = secrets.token_hex(16)
    config = SandboxConfig(
        signing_secret=signing,
        events_url="http://127.0.0.1:9/",
        intake_url="http://127.0.0.1:9/",
        intake_secret=secret,
        people=people_of(agreement),
        channels=channels_of(agreement),
        clock=RealTime(),
        enforce_rates=rates,
    )
    sandbox = create_sandbox(config)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("BATON_", "SLACK_"))}
    await sandbox.start()
    limit = aiohttp.ClientTimeout(total=15)
    try:
        async with (
            serve(sandbox.asgi, free_socket()) as slack,
            aiohttp.ClientSession(trust_env=False, timeout=limit) as session,
        ):
            made = {
                **kept, "DATABASE_URL": ground.url, "SLACK_BOT_TOKEN": DEFAULT_BOT_TOKEN,
                "SLACK_SIGNING_SECRET": signing, "SLACK_API_URL": f"{slack}/api/",
                "BATON_INTAKE_SECRET": f"town:{secret}",
                "BATON_PLAYBOOK": str(ground.folder / "playbook.yaml"), **(env or {}),
            }  # fmt: skip
            module = "bot" if rates else "chaos.unpaced"
            forks = Forks()
            here = Town(
                sandbox, slack, made, secret, signing, ground.folder, session, module, forks
            )
            try:
                yield here
            finally:
                for baton in here.batons:
                    baton.kill()
                forks.end()
    finally:
        await sandbox.stop()
