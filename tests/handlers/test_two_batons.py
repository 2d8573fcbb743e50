"""Two Batons with one app token: Slack deals clicks to both. One installation is right by design; two are noticed.

What is not here: one Baton's lines (`test_socket_mode`), the same at full size (`chaos.sockets`).
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.clock import Clock
from bot.services.apply_playbook import apply_playbook
from bot.services.runtime import Runtime
from bot.settings import Settings
from bot.wiring import House, SlackAccess
from chaos.books import misfits, open_books, unguarded
from chaos.sockets import Told, judge, offers_in, trouble, walk
from handlers import socket_mode
from sandbox.config import DEFAULT_BOT_TOKEN
from storage.database import Database
from tests.handlers.test_socket_mode import APP_TOKEN, baton_end, line_stands, sockets, until
from tests.postgres import PostgresServer
from tests.schema import create_schema
from tests.story import SIGNING_SECRET, Story
from tests.story_house import playbook_text, story_of


@asynccontextmanager
async def another_baton(story: Story, url: str) -> AsyncIterator[House]:
    """A web process more, on that database, with the same Slack app."""
    runtime = Runtime(Database(url), Clock(story.time.now), story.agreement)
    text = playbook_text()
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    runtime.agreement = runtime.write_now(lambda work: apply_playbook(work, text, sha256))
    access = SlackAccess(
        SecretStr(DEFAULT_BOT_TOKEN), SecretStr(SIGNING_SECRET), f"{story.url}/api/", SecretStr(APP_TOKEN)
    )  # fmt: skip
    house = House(Settings(), runtime, access, worker=False)
    await house.start()
    try:
        yield house
    finally:
        await house.stop()
        runtime.close()


_CUTS = ("accept_then_reset", "accept_then_reset", "all", "accept_then_reset", "refresh")


@asynccontextmanager
async def by_socket(database_url: str, lines: int) -> AsyncIterator[Story]:
    async with story_of(database_url, name="two_batons", app_token=APP_TOKEN) as told:
        await line_stands(told, lines)
        yield told


@pytest.mark.postgres
async def test_two_processes_of_one_installation_share_the_clicks(
    postgres_server: PostgresServer, shared_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_mode, "STAGGER", 600.0)  # one line each
    template = postgres_server.template(shared_folder, create_schema)
    with postgres_server.database(template) as url:
        await _share_the_clicks(url)


async def _share_the_clicks(url: str) -> None:
    async with by_socket(url, lines=1) as story, another_baton(story, url):
        await until(lambda: len(sockets(story).lines) == 2)
        await story.lead_arrives("Globex")
        card = await story.expect_dm("ann", "Globex")
        await card.click("Accept")
        await card.click("Log email")
        await card.choose("Log meeting")
        await card.click("Undo log")

        assert story.lead("Globex").touches == 1
        assert [line.taken for line in sockets(story).lines] == [2, 2]
        assert baton_end(story).strangers == 0


async def test_another_installation_on_the_same_app_is_noticed_and_a_stray_click_is_told_so(
    database_url: str, sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(socket_mode, "RECOUNT", 0.3)
    monkeypatch.setattr(socket_mode, "RECOUNT_AGAIN", 0.3)
    monkeypatch.setattr(socket_mode, "LINGER", 0.05)
    monkeypatch.setattr(socket_mode, "STAGGER", 0.0)
    elsewhere = f"sqlite:///{tmp_path / 'other.db'}"
    shutil.copyfile(sqlite_template, tmp_path / "other.db")
    async with by_socket(database_url, lines=2) as story, another_baton(story, elsewhere) as other:
        ours, theirs = baton_end(story), other.socket
        assert theirs is not None
        await until(lambda: theirs.strangers > 0)
        await sockets(story).ask_to_leave()  # who was there first is told at the next renewal
        await until(lambda: ours.strangers > 0)
        assert "Another installation uses the same Slack app" in theirs.faults()[0]
        assert (await story.get("/readyz"))[0] == 503
        await story.lead_arrives("Globex")
        card = await story.expect_dm("ann", "Globex")
        await ours.stop()  # so that the click goes to the other one

        await card.click("Accept")
        await other.runtime.drain(2)

        assert (await story.expect_said("ann")).text == (
            "This Baton does not know this card, and nothing has changed. Another installation may use the same "
            "Slack app: ask Olga Petrov."
        )
        assert story.status("Globex") == "offered"
        await until(lambda: theirs.strangers == 0)
        assert capsys.readouterr().out.count("clicks go astray") == 2  # once each


async def test_lines_that_are_cut_twenty_times_lose_nothing_that_was_acknowledged(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_mode, "STAGGER", 0.0)
    monkeypatch.setattr(socket_mode, "STEADY", 0.0)
    rng = random.Random(7)
    async with by_socket(database_url, lines=2) as story:
        for number in range(3):
            await story.lead_arrives(f"Company {number}")
        told = [(channel, Told(offer)) for channel, offer in offers_in(story.workspace)]
        assert len(told) == 3
        work = asyncio.gather(
            *(walk(story.workspace, channel, each, story.settle) for channel, each in told)
        )
        for cut in range(20):
            # Spread over the work, so that each step of somebody meets one.
            while sum(t.clicks.total() for _, t in told) < cut * 12 / 20 and not work.done():
                await asyncio.sleep(0.01)
            await trouble(story.sandbox, None, _CUTS[cut % len(_CUTS)], rng)
        await work
        books = open_books(story.house.runtime.database)
        assert judge([each for _, each in told], books) + misfits(books) + unguarded(books) == []
        assert sockets(story).resent > 0
