"""Socket Mode: the same Baton, reached over a real WebSocket that it opens itself; also when the line breaks.

What is not here: what clicks, forms and commands do (their own tests, over HTTP), a Slack that behaves badly
(`test_socket_lines`), several Batons (`test_two_batons`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from slack_bolt.adapter.socket_mode.async_internals import run_async_bolt_app
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.response import BoltResponse
from slack_sdk.socket_mode.request import SocketModeRequest

from handlers import socket_line, socket_mode
from handlers.socket_mode import SocketMode
from sandbox.answers import TROUBLE
from sandbox.dispatch import Answer
from sandbox.faults import SOCKET
from sandbox.sockets import Sockets
from tests.story import Story
from tests.story_house import story_of

APP_TOKEN = "xapp-sandbox-1-not-a-real-token"


@pytest_asyncio.fixture
async def by_socket(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Story]:
    """A story whose Slack comes in by Socket Mode; the line stands, and stays the only one."""
    monkeypatch.setattr(socket_mode, "STAGGER", 600.0)
    async with story_of(database_url, name="socket_mode", app_token=APP_TOKEN) as told:
        await line_stands(told)
        yield told


def sockets(story: Story) -> Sockets:
    """Slack's end."""
    return story.workspace.dispatch.sockets


def baton_end(story: Story) -> SocketMode:
    """Our end."""
    assert story.house.socket is not None
    return story.house.socket


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)


async def line_stands(story: Story, lines: int = 1) -> None:
    """Slack sees exactly so many connections, and Baton that they stand; who we are is known."""
    await until(lambda: story.house.identity is not None)
    await until(lambda: len(sockets(story).lines) == baton_end(story).connected == lines)


# --- the same as over HTTP -------------------------------------------------------------------------------


async def test_clicks_forms_commands_and_home_work_as_over_http(by_socket: Story) -> None:
    await by_socket.lead_arrives("Globex")
    card = await by_socket.expect_dm("ann", "Globex", buttons=["Accept", "Reject…", "Recycle…"])

    form = await card.click("Reject…")
    assert list(await form.submit(reason="other")) == ["note"]
    assert form.is_open
    await form.close()

    await card.click("Accept")
    assert (by_socket.status("Globex"), by_socket.holder("Globex")) == ("accepted", "ann")
    assert "Globex" in (await by_socket.command("ann", "/lead mine")).text
    assert "Globex" in (await by_socket.home("ann")).text


async def test_a_form_that_is_taken_closes(by_socket: Story) -> None:
    await by_socket.lead_arrives("Globex")
    card = await by_socket.expect_dm("ann", "Globex")
    form = await card.click("Reject…")

    assert await form.submit(reason="other", note="They asked for a job.") == {}
    assert not form.is_open
    assert by_socket.status("Globex") == "review"


async def test_another_workspace_is_refused(by_socket: Story) -> None:
    await by_socket.lead_arrives("Globex")
    card = await by_socket.expect_dm("ann", "Globex")
    by_socket.workspace.config.team_id = "T0ELSEWHERE"

    await card.click("Accept")
    said = await by_socket.workspace.dispatch.command(
        {"team_id": "T0ELSEWHERE", "user_id": card.person, "command": "/lead", "text": "mine"}
    )

    assert by_socket.status("Globex") == "offered"
    assert said.json is not None
    assert "workspace" in said.json["text"]


async def test_the_http_door_is_shut_also_for_what_is_signed_well(by_socket: Story) -> None:
    await by_socket.lead_arrives("Globex")
    card = await by_socket.expect_dm("ann", "Globex")
    by_socket.workspace.config.app_token = ""  # Slack calls over HTTP, with the right secret

    await card.click("Accept")

    assert by_socket.status("Globex") == "offered"
    assert not await by_socket.workspace.dispatch.verify_url()


# --- the line breaks -------------------------------------------------------------------------------------


async def test_the_line_is_cut_between_two_clicks(by_socket: Story) -> None:
    await by_socket.lead_arrives("Globex")
    card = await by_socket.expect_dm("ann", "Globex")
    await card.click("Accept")
    assert by_socket.status("Globex") == "accepted"

    await sockets(by_socket).cut()
    assert not (await card.click("Recycle…")).is_open
    assert TROUBLE in (await by_socket.expect_said("ann")).text
    await line_stands(by_socket)

    form = await card.click("Recycle…")
    assert await form.submit(reason="no_budget") == {}
    assert by_socket.status("Globex") == "nurturing"


@pytest_asyncio.fixture
async def two_lines(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Story]:
    """As always, only that the second line does not wait a few seconds."""
    monkeypatch.setattr(socket_mode, "STAGGER", 0.0)
    monkeypatch.setattr(socket_mode, "LINGER", 0.1)
    async with story_of(database_url, name="socket_mode", app_token=APP_TOKEN) as told:
        await line_stands(told, lines=2)
        yield told


async def test_sent_away_by_slack_it_opens_the_new_line_first_and_answers_on_the_old(
    two_lines: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    await two_lines.lead_arrives("Globex")
    card = await two_lines.expect_dm("ann", "Globex")
    let_go = asyncio.Event()

    async def slowly(*arguments: Any) -> Any:
        await let_go.wait()
        return await run_async_bolt_app(*arguments)

    monkeypatch.setattr(socket_line, "run_async_bolt_app", slowly)
    click = asyncio.create_task(click_of(two_lines, card.ts))
    await until(lambda: any(line.waiting for line in sockets(two_lines).lines))
    (old,) = [line for line in sockets(two_lines).lines if line.waiting]
    await sockets(two_lines).ask_to_leave("warning", old)
    seen: list[int] = []

    def renewed() -> bool:
        seen.append(sum(not line.leaving for line in sockets(two_lines).lines if line is not old))
        return seen[-1] == 2

    await until(renewed)
    assert old in sockets(two_lines).lines  # and still there: the new one came first
    await until(lambda: baton_end(two_lines).connected == 2)
    let_go.set()

    assert (await click).ok
    assert two_lines.status("Globex") == "accepted"
    await line_stands(two_lines, lines=2)
    assert old not in sockets(two_lines).lines


async def test_both_lines_are_used_and_it_does_not_matter_which_one(two_lines: Story) -> None:
    for number in range(3):
        assert "Nothing waits" in (await two_lines.command("ann", "/lead mine")).text, number
    await two_lines.lead_arrives("Globex")
    card = await two_lines.expect_dm("ann", "Globex")
    form = await card.click("Reject…")  # opened over one line, sent over the other
    assert await form.submit(reason="bad_data") == {}
    assert two_lines.status("Globex") == "review"
    assert sorted(line.taken for line in sockets(two_lines).lines) == [2, 3]


async def test_a_payload_that_slack_sends_again_acts_once(two_lines: Story) -> None:
    """The line breaks after the commit, before the ack; nothing but the note of the payload fences an undo."""
    await two_lines.lead_arrives("Globex")
    card = await two_lines.expect_dm("ann", "Globex")
    await card.click("Accept")
    await card.click("Log email")
    await card.choose("Log meeting")
    assert two_lines.lead("Globex").touches == 2

    two_lines.workspace.faults.add(SOCKET, "accept_then_reset")
    await card.click("Undo log")

    assert sockets(two_lines).resent == 1
    assert two_lines.lead("Globex").touches == 1
    await line_stands(two_lines, lines=2)

    two_lines.workspace.faults.add(SOCKET, "accept_then_reset")
    said = (await two_lines.command("ann", "/baton away until friday")).text
    assert said == "That is done already. Nothing has changed."
    assert "You are away until" in (await two_lines.home("ann")).text


async def test_a_click_in_hand_is_answered_before_baton_stops(
    by_socket: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    await by_socket.lead_arrives("Globex")
    card = await by_socket.expect_dm("ann", "Globex")

    async def slowly(*arguments: Any) -> Any:
        await asyncio.sleep(0.3)
        return await run_async_bolt_app(*arguments)

    monkeypatch.setattr(socket_line, "run_async_bolt_app", slowly)
    (line,) = sockets(by_socket).lines
    click = asyncio.create_task(click_of(by_socket, card.ts))
    await until(lambda: bool(line.waiting))
    await baton_end(by_socket).stop()

    assert (await click).ok
    assert by_socket.status("Globex") == "accepted"


async def click_of(story: Story, ts: str) -> Any:
    """Ann clicks Accept; gives what Slack shows, without waiting for what Baton does next."""
    message = story.workspace.message(story.dm("ann"), ts)
    assert message is not None
    actions = next(b for b in message.blocks if b["type"] == "actions")
    action_id = actions["elements"][0]["action_id"]
    return await story.workspace.click(
        story.user("ann"), story.dm("ann"), ts, actions["block_id"], action_id
    )


# --- what readyz says ------------------------------------------------------------------------------------


async def test_without_a_line_readyz_complains_but_leads_are_taken(
    by_socket: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await by_socket.get("/readyz") == (200, {"status": "ok", "faults": []})
    monkeypatch.setattr(socket_mode, "SILENT", -1.0)
    by_socket.workspace.faults.add(
        "apps.connections.open", "error", error="invalid_auth", count=None
    )
    await sockets(by_socket).cut()
    await until(lambda: "invalid_auth" in "".join(baton_end(by_socket).faults()))

    status, body = await by_socket.get("/readyz")
    assert status == 503
    assert body["faults"] == [
        "No Socket Mode connection for 30 seconds (Slack refuses SLACK_APP_TOKEN, invalid_auth: make a new app-level "
        "token with connections:write in the app's settings): clicks and commands fail."
    ]
    await by_socket.lead_arrives("Globex")
    await by_socket.expect_dm("ann", "Globex")


async def test_a_short_gap_is_no_fault(by_socket: Story) -> None:
    await sockets(by_socket).cut()
    await until(lambda: not baton_end(by_socket).connected)

    assert baton_end(by_socket).faults() == []


# --- Slack's end -----------------------------------------------------------------------------------------


async def test_nonsense_on_the_line_harms_nothing(by_socket: Story) -> None:
    (line,) = sockets(by_socket).lines
    for nonsense in (
        '{"type": "interactive", "envelope_id": "e1"}',
        '{"type": "interactive", "envelope_id": "e1", "payload": "text"}',
        '{"type": "interactive", "envelope_id": "e1", "payload": {}}',
        '{"type": 7, "envelope_id": null, "payload": null}',
        "{}",
        "{",
        "Hello!",
    ):
        await line.websocket.send_text(nonsense)
    await by_socket.lead_arrives("Globex")
    await (await by_socket.expect_dm("ann", "Globex")).click("Accept")

    assert by_socket.status("Globex") == "accepted"
    assert sockets(by_socket).lines == [line]


async def test_an_address_works_once(by_socket: Story) -> None:
    url = sockets(by_socket).new_url()
    async with aiohttp.ClientSession(trust_env=False) as session:
        async with session.ws_connect(url) as line:
            assert (await line.receive_json())["num_connections"] == 2
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(url)


async def test_an_event_that_is_not_acked_comes_again(
    by_socket: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[Any] = []

    async def no_answer_at_first(app: AsyncApp, request: SocketModeRequest) -> BoltResponse:
        tries.append(request.retry_attempt)
        return BoltResponse(status=500) if len(tries) < 3 else BoltResponse(status=200)

    by_socket.workspace.config.ack_seconds = 0.1
    monkeypatch.setattr(socket_line, "run_async_bolt_app", no_answer_at_first)
    await by_socket.workspace.open_home(by_socket.user("ann"))
    await until(lambda: len(tries) == 3)

    assert tries == [0, 1, 2]


async def test_nobody_at_the_line_is_unreachable(by_socket: Story) -> None:
    await baton_end(by_socket).stop()
    await until(lambda: not sockets(by_socket).lines)

    found = await by_socket.workspace.dispatch.interact({"type": "block_actions"})

    assert found == Answer(0, error="unreachable")
