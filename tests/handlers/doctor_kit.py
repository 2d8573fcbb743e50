"""Installations for the doctor's tests: a sound one with the sandbox as Slack over real HTTP, and ways to break it.

What is not here: what is broken, and what the doctor has to say then (`test_doctor_installations`).
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.cli import main
from bot.commands import doctor as doctor_command
from bot.demo import channels_of, people_of
from bot.playbook.loading import LoadResult, load_playbook
from bot.services import examine_agreement
from bot.services.apply_playbook import apply_playbook
from bot.services.work import Work
from sandbox.app import Sandbox, SandboxConfig, create_sandbox
from sandbox.clock import ManualClock
from sandbox.config import DEFAULT_APP_TOKEN, DEFAULT_BOT_TOKEN
from sandbox.server import serve
from storage import people
from storage.database import Database
from tests.unit.playbook_kit import SMALL, TODAY

GOOD_SECRET = "whsec_u5Ck0dZ8hD1mJ3yq7rBvX2tLw9sNfGaE4oPiKQeRbTY="
WEBHOOK_SECRET = "whsec_q7rBvX2tLw9sNfGaE4oPiKQeRbTYu5Ck0dZ8hD1mJ3y="


class Port:
    """One server for all installations of this module, in a thread of its own; each puts its own app behind it."""

    def __init__(self) -> None:
        self.app: ASGIApp = Starlette()
        self.url = ""
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        async with serve(self) as self.url:
            self._ready.set()
            await self._over.wait()


@dataclass
class Installation:
    """A sound installation; a case breaks it. `env` is what the doctor is started with."""

    folder: Path
    sandbox: Sandbox
    env: dict[str, str]
    health: dict[str, object] = field(default_factory=lambda: {"status": "ok", "faults": []})
    receiver: Response = field(default_factory=lambda: PlainTextResponse("thanks"))
    _lock: int | None = None

    @property
    def file(self) -> Path:
        return self.folder / "baton.db"

    def sql(self, statement: str, *values: object) -> None:
        """Change the stored rows."""
        with sqlite3.connect(self.file) as conn:
            conn.execute(statement, values)
        conn.close()

    def runs(self) -> None:
        """A Baton holds the lock and ticked just now."""
        self._lock = os.open(f"{self.file}.lock", os.O_CREAT | os.O_WRONLY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.ticked(timedelta(seconds=2))

    def stopped(self, ago: timedelta) -> None:
        """It ended so long ago."""
        self.release()
        self.ticked(ago)

    def release(self) -> None:
        """The process is gone."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def ticked(self, ago: timedelta) -> None:
        """A worker last ticked so long ago."""
        self.sql("DELETE FROM heartbeats")
        moment = (datetime.now(UTC) - ago).replace(tzinfo=None)
        self.sql("INSERT INTO heartbeats (worker, ticked_at) VALUES (?, ?)", "host:1", str(moment))

    def playbook(self, old: str, new: str) -> None:
        """Change the file, not what is in force."""
        path = self.folder / "playbook.yaml"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    def slack_says(self, method: str, error: str) -> None:
        self.sandbox.workspace.faults.add(method, "error", count=None, error=error)

    def channel_is(
        self, channel: str, *, members: tuple[str, ...] | None = None, archived: bool = False
    ) -> None:
        channels = self.sandbox.workspace.channels
        old = channels[channel]
        kept = old.members if members is None else members
        channels[channel] = replace(old, members=kept, is_archived=archived)

    def forget(self, email: str) -> None:
        """Baton has not looked for them yet."""
        statement = (
            "UPDATE people SET slack_user_id = NULL, slack_channel_id = NULL WHERE email = ?"
        )
        self.sql(statement, email)

    def tells(self, url: str = "") -> None:
        """There is a receiver of changes."""
        base = self.env["SLACK_API_URL"].removesuffix("/api/")
        self.env["BATON_WEBHOOK_URL"] = url or f"{base}/crm/k3y"
        self.env["BATON_WEBHOOK_SECRET"] = WEBHOOK_SECRET

    def nobody(self, email: str) -> None:
        """They are no member of the workspace."""
        self.forget(email)
        person = self.sandbox.workspace.person_by_email(email)
        assert person is not None
        del self.sandbox.workspace.people[person.user_id]


@cache
def small() -> LoadResult:
    """The sound playbook. Reading YAML takes longer than all other checks together: the tests share this."""
    return load_playbook(SMALL, today=TODAY)


def shared_load(text: str, *, name: str = "playbook.yaml", today: date) -> LoadResult:
    """`load_playbook`, without reading the sound text again."""
    return small() if text == SMALL else load_playbook(text, name=name, today=today)


shared_scopes = cache(doctor_command._scopes)


@pytest.fixture(scope="module")
def port() -> Iterator[Port]:
    made = Port()
    yield made
    made.close()


@pytest.fixture(scope="module")
def sound_database(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in which the playbook is in force and everybody was found in Slack."""
    path = tmp_path_factory.mktemp("doctor") / "sound.db"
    shutil.copyfile(sqlite_template, path)
    loaded = small()
    assert loaded.agreement is not None
    database = Database(f"sqlite:///{path}")
    now = datetime.now(UTC)
    with database.write() as conn:
        work = Work(conn, now, now, loaded.agreement)
        apply_playbook(work, SMALL, loaded.sha256)
        for person in people_of(loaded.agreement):
            member = work.roster.by_email[person.email]
            people.save_person(
                conn, member.id, slack_user_id=person.user_id, slack_channel_id=f"D{member.id}"
            )
    database.dispose()
    return path


@pytest.fixture
def sound(port: Port, sound_database: Path, tmp_path: Path) -> Iterator[Installation]:
    """An installation without a fault."""
    shutil.copyfile(sound_database, tmp_path / "baton.db")
    (tmp_path / "playbook.yaml").write_text(SMALL, encoding="utf-8")
    agreement = small().agreement
    assert agreement is not None
    sandbox = create_sandbox(
        SandboxConfig(
            signing_secret="0123456789abcdef0123456789abcdef",
            events_url=f"{port.url}/slack/events",
            intake_url=f"{port.url}/leads",
            intake_secret=GOOD_SECRET,
            people=people_of(agreement),
            channels=channels_of(agreement),
            clock=ManualClock(),
            app_token=DEFAULT_APP_TOKEN,
        )
    )
    made = Installation(
        tmp_path,
        sandbox,
        {
            "DATABASE_URL": f"sqlite:///{tmp_path / 'baton.db'}",
            "BATON_PLAYBOOK": str(tmp_path / "playbook.yaml"),
            "SLACK_BOT_TOKEN": DEFAULT_BOT_TOKEN,
            "SLACK_APP_TOKEN": DEFAULT_APP_TOKEN,
            "SLACK_API_URL": f"{port.url}/api/",
            "BATON_INTAKE_SECRET": f"website:{GOOD_SECRET}",
            "BATON_SMTP_URL": "smtp://127.0.0.1:1",
            "BATON_ALERT_FROM": "baton@acme.example",
            "BATON_WEBHOOK_URL": "",
            "BATON_WEBHOOK_SECRET": "",
            "PORT": port.url.rpartition(":")[2],
        },
    )

    async def health(_: Request) -> Response:
        return JSONResponse(made.health)

    async def crm(_: Request) -> Response:
        return made.receiver

    port.app = Starlette(
        routes=[
            Route("/healthz", health),
            Route("/readyz", health),
            Route("/crm/k3y", crm, methods=["POST"]),
            *sandbox.routes,
        ]
    )
    made.runs()
    yield made
    made.release()


#: An installation and what else stands on the line; exit code and lines.
Examine = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def examined(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Examine:
    """Run the doctor: exit code and lines."""

    def run(at: Installation, *more: str) -> tuple[int, list[str]]:
        for name in ("SLACK_SIGNING_SECRET", "BATON_INTAKE_TOKEN", "BATON_BASE_URL", "HOST"):
            monkeypatch.delenv(name, raising=False)
        for name, value in at.env.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(at.folder)
        monkeypatch.setattr(examine_agreement, "load_playbook", shared_load)
        monkeypatch.setattr(doctor_command, "_scopes", shared_scopes)
        code = main(["doctor", *more])
        said = capsys.readouterr()
        assert said.err == ""
        for secret in (GOOD_SECRET, WEBHOOK_SECRET, "not-a-real-token", "hunter2", "k3y"):
            assert secret.removeprefix("whsec_") not in said.out
        return code, said.out.splitlines()

    return run
