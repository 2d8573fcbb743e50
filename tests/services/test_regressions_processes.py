"""`baton web` and `baton worker` as two real processes on one PostgreSQL: a lead goes through both of them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from bot.demo import channels_of, people_of
from bot.playbook.loading import load_playbook
from sandbox.app import SandboxConfig, create_sandbox
from sandbox.config import DEFAULT_BOT_TOKEN
from sandbox.model import Message
from sandbox.server import free_socket, serve
from sandbox.workspace import Workspace
from tests.postgres import PostgresServer
from tests.schema import create_schema
from tests.services.desk_kit import PLAYBOOK
from tests.story import INTAKE_SECRET, SIGNING_SECRET, lead_of
from tests.story_screen import click_payload

pytestmark = pytest.mark.postgres
ROOT = Path(__file__).parents[2]


class RealTime:
    """The sandbox's clock is the one on the wall: the processes have no other."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def advance(self, seconds: int) -> None:
        raise AssertionError("real time cannot be moved")

    def next_step_at(self) -> datetime | None:
        return None


@dataclass
class Company:
    """A workspace, and the environment in which Baton's processes reach it."""

    workspace: Workspace
    env: dict[str, str]
    web_url: str

    async def run(self, *words: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", *words, env=self.env, cwd=ROOT,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip

    def cards(self, who: str) -> list[Message]:
        person = self.workspace.person_by_email(f"{who}@acme.example")
        assert person is not None
        return list(self.workspace.messages[self.workspace.dm_id(person.user_id)].values())

    async def accept(self, who: str, message: Message) -> None:
        person = self.workspace.person_by_email(f"{who}@acme.example")
        assert person is not None
        block, element = next(
            (b, e)
            for b in message.blocks
            if b["type"] == "actions"
            for e in b["elements"]
            if e.get("text", {}).get("text") == "Accept"
        )
        # All that a payload needs of a story.
        teller: Any = SimpleNamespace(workspace=self.workspace, user=lambda _: person.user_id)
        await self.workspace.dispatch.interact(
            click_payload(teller, who, message, block, element, None)
        )


async def until(what: str, holds: Callable[[], Any], seconds: float = 60) -> None:
    """Wait for something that another process does."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                found = holds()
                if await found if isinstance(found, Awaitable) else found:
                    return
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"it never came to this: {what}") from None


async def answers(url: str) -> bool:
    try:
        async with aiohttp.ClientSession(trust_env=False) as session, session.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


@pytest.fixture
def url(postgres_server: PostgresServer, shared_folder: Path) -> Iterator[str]:
    template = postgres_server.template(shared_folder, create_schema)
    with postgres_server.database(template) as fresh:
        yield fresh


def free_port() -> int:
    sock = free_socket()
    port = int(sock.getsockname()[1])
    sock.close()
    return port


@asynccontextmanager
async def company(database_url: str, playbook: Path) -> AsyncIterator[tuple[Company, int, int]]:
    agreement = load_playbook(PLAYBOOK, today=datetime.now(UTC).date()).agreement
    assert agreement is not None
    web, worker = free_port(), free_port()
    web_url = f"http://127.0.0.1:{web}"
    sandbox = create_sandbox(
        SandboxConfig(
            signing_secret=SIGNING_SECRET,
            events_url=f"{web_url}/slack/events",
            intake_url=f"{web_url}/leads",
            intake_secret=INTAKE_SECRET,
            people=people_of(agreement),
            channels=channels_of(agreement),
            clock=RealTime(),
        )
    )
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "TMPDIR")}
    sock = free_socket()
    await sandbox.start()
    async with serve(sandbox.asgi, sock) as slack:
        env = {
            **kept,
            "DATABASE_URL": database_url,
            "SLACK_BOT_TOKEN": DEFAULT_BOT_TOKEN,
            "SLACK_SIGNING_SECRET": SIGNING_SECRET,
            "SLACK_API_URL": f"{slack}/api/",
            "BATON_PLAYBOOK": str(playbook),
            "BATON_INTAKE_SECRET": f"hub:{INTAKE_SECRET}",
        }
        try:
            yield Company(sandbox.workspace, env, web_url), web, worker
        finally:
            await sandbox.stop()


async def test_a_lead_goes_through_web_and_worker_and_both_follow_the_playbook(
    url: str, tmp_path: Path
) -> None:
    playbook = tmp_path / "playbook.yaml"
    playbook.write_text(PLAYBOOK)
    async with company(url, playbook) as (acme, web_port, worker_port):
        acme.env["PORT"] = str(web_port)
        web = await acme.run("web")
        acme.env["PORT"] = str(worker_port)
        worker = await acme.run("worker")
        try:
            for port in (web_port, worker_port):
                there = f"http://127.0.0.1:{port}"
                await until(f"{there} is ready", partial(answers, f"{there}/readyz"))
            status, body = await acme.workspace.post_lead(lead_of("Globex", source="contact_me"))
            assert (status, body["results"][0]["status"]) == (202, "accepted")
            await until("ann has a card", lambda: len(acme.cards("ann")) == 1)
            card = acme.cards("ann")[0]
            await acme.accept("ann", card)
            await until(
                "her card shows that she accepted",
                lambda: "Log call" in str(acme.cards("ann")[0].blocks),
            )

            playbook.write_text(PLAYBOOK.replace("to: emea, prefer: [language]", "to: west"))
            applied = await acme.run("playbook", "apply")
            assert await applied.wait() == 0
            await asyncio.sleep(3)  # within two seconds the web process takes it over
            await acme.workspace.post_lead(lead_of("Initech", source="contact_me"))
            await until("eve has a card", lambda: len(acme.cards("eve")) == 1)
        finally:
            for process in (web, worker):
                if process.returncode is None:
                    process.send_signal(signal.SIGTERM)
        assert [await web.wait(), await worker.wait()] == [0, 0]
