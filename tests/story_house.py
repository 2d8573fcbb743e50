"""The house of a story: Baton and the workspace joined on a port of their own, in the test's own loop.

What is not here: what the story does with them (`tests.story`).
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from datetime import time as dt_time
from functools import cache
from pathlib import Path
from unittest.mock import patch

from pydantic import SecretStr
from slack_sdk.signature import Clock as BoltClock

from bot.clock import Clock
from bot.demo import channels_of, people_of
from bot.domain.agreement import Agreement
from bot.services.apply_playbook import apply_playbook
from bot.services.runtime import Runtime
from bot.services.work import Work
from bot.settings import Credential, Settings
from bot.wiring import House, SlackAccess, agreement_from_text
from sandbox.app import SandboxConfig, create_sandbox
from sandbox.config import DEFAULT_BOT_TOKEN
from sandbox.model import Person
from sandbox.server import free_socket, serve
from sandbox.workspace import Workspace
from storage import people
from storage.database import Database
from tests.story import INTAKE_SECRET, SIGNING_SECRET, Story
from tests.story_rows import Frozen, vienna

START = "2026-03-24 10:00"
PLAYBOOK = Path(__file__).with_name("story_playbook.yaml")
ZOE = Person.of("zoe@acme.example", "Zoe Hart", "no part in the playbook", "Europe/Vienna")


@cache
def playbook_text() -> str:
    """The playbook of the stories."""
    return PLAYBOOK.read_text(encoding="utf-8")


@asynccontextmanager
async def story_of(
    database_url: str, *, name: str = "story", playbook: str = "", start: str = START,
    slack_answers: bool = True, known: bool = True, app_token: str = "",
) -> AsyncIterator[Story]:  # fmt: skip
    """A running Baton beside its workspace. `slack_answers` False: Slack is down from the beginning.

    `known` False: nobody was looked up in Slack before, as at the first start of all.
    `app_token`: Slack comes in by Socket Mode.
    """
    time = Frozen(vienna(start))
    text = playbook or playbook_text()
    sock = free_socket()
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    runtime = _open(database_url, time, text)
    config = replace(_config(runtime.agreement, time, url, name), app_token=app_token)
    sandbox = create_sandbox(config)
    house = House(
        Settings(intake_secrets=(Credential("story", SecretStr(INTAKE_SECRET)),)),
        runtime,
        SlackAccess(
            SecretStr(DEFAULT_BOT_TOKEN),
            SecretStr(SIGNING_SECRET),
            f"{url}/api/",
            SecretStr(app_token) if app_token else None,
        ),
        worker=False,  # the story itself ticks and delivers
        more_routes=sandbox.routes,
        spacing=timedelta(0),
    )
    story = Story(house, sandbox, time, url, text)
    if not slack_answers:
        sandbox.workspace.faults.add("*", "http_500", count=None)
    if known:
        runtime.write_now(lambda work: _meet(work, sandbox.workspace))
    await sandbox.start()
    # Bolt checks signatures once more after the gate, by a clock of its own.
    bolt_time = patch.object(BoltClock, "now", lambda _: time.instant.timestamp())
    try:
        async with serve(house.asgi, sock):
            bolt_time.start()
            await house.start()
            try:
                if slack_answers:
                    await story.until_ready()
                yield story
            finally:
                bolt_time.stop()
                await house.stop()
    finally:
        await sandbox.stop()
        runtime.close()


@cache
def _compiled(text: str, day: date) -> tuple[Agreement, str]:
    """Reading the YAML takes longer than all the rest of a start; stories with one text share what came of it."""
    return agreement_from_text(text, Clock(lambda: datetime.combine(day, dt_time(12), UTC)))


def _open(database_url: str, time: Frozen, text: str) -> Runtime:
    """As `wiring.open_runtime` does, without compiling the same text again."""
    agreement, sha256 = _compiled(text, time.now().date())
    runtime = Runtime(Database(database_url), Clock(time.now), agreement)
    runtime.agreement = runtime.write_now(lambda work: apply_playbook(work, text, sha256))
    return runtime


def _meet(work: Work, workspace: Workspace) -> None:
    """What an earlier start found out about everybody."""
    for member in work.roster.by_id.values():
        person = workspace.person_by_email(member.email)
        if person is not None:
            dm = workspace.dm_id(person.user_id)
            people.save_person(
                work.conn, member.id, slack_user_id=person.user_id, slack_channel_id=dm
            )


def _config(agreement: Agreement, time: Frozen, url: str, name: str) -> SandboxConfig:
    folder = os.environ.get("BATON_RECORD_CALLS", "")
    channels = channels_of(agreement)
    return SandboxConfig(
        signing_secret=SIGNING_SECRET,
        events_url=f"{url}/slack/events",
        intake_url=f"{url}/leads",
        intake_secret=INTAKE_SECRET,
        people=[*people_of(agreement), ZOE],
        # Anybody may join a public channel: Zoe reads marketing's.
        channels=[replace(c, members=(*c.members, ZOE.user_id)) for c in channels],
        clock=time,
        record_path=Path(folder) / f"{name}.jsonl" if folder else None,
        event_retry_delays=(0.0, 0.0, 0.0),
        real=lambda: time.instant.timestamp(),
    )
