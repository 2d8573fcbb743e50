"""Socket Mode: the same Baton, reached over a real WebSocket that it opens itself; also when the line breaks.

What is not here: what clicks, forms and commands do (their own tests, over HTTP).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from slack_bolt.adapter.socket_mode.async_internals import run_async_bolt_app
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.response import BoltResponse
from slack_sdk.socket_mode.request import SocketModeRequest

from handlers import socket_mode
from handlers.socket_mode import SocketMode
from sandbox.answers import TROUBLE
from sandbox.dispatch import Answer
from sandbox.sockets import Sockets
from tests.story import Story
from tests.story_house import story_of

APP_TOKEN = "xapp-sandbox-1-not-a-real-token"


@pytest_asyncio.fixture
async def by_socket(database_url: str) -> AsyncIterator[Story]:
    """A story whose Slack comes in by Socket Mode; the line stands."""
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


async def line_stands(story: Story) -> None:
    """Slack sees exactly one connection, and Baton that it stands; who we are is known."""
    await until(lambda: story.house.identity is not None)
    await until(lambda: len(sockets(story).lines) == 1 and baton_end(story).connected)


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


async def test_sent_away_by_slack_it_opens_the_new_line_first_and_answers_on_the_old(
    by_socket: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    await by_socket.lead_arrives("Globex")
    card = await by_socket.expect_dm("ann", "Globex")
    (old,) = sockets(by_socket).lines
    let_go = asyncio.Event()

    async def slowly(*arguments: Any) -> Any:
        await let_go.wait()
        return await run_async_bolt_app(*arguments)

    monkeypatch.setattr(socket_mode, "run_async_bolt_app", slowly)
    click = asyncio.create_task(click_of(by_socket, card.ts))
    await until(lambda: bool(old.waiting))
    await sockets(by_socket).ask_to_leave()
    await until(lambda: len(sockets(by_socket).lines) == 2)
    assert baton_end(by_socket).connected
    let_go.set()

    assert (await click).ok
    assert by_socket.status("Globex") == "accepted"
    await line_stands(by_socket)
    assert old not in sockets(by_socket).lines


async def test_a_click_in_hand_is_answered_before_baton_stops(
    by_socket: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    await by_socket.lead_arrives("Globex")
    card = await by_socket.expect_dm("ann", "Globex")

    async def slowly(*arguments: Any) -> Any:
        await asyncio.sleep(0.3)
        return await run_async_bolt_app(*arguments)

    monkeypatch.setattr(socket_mode, "run_async_bolt_app", slowly)
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
        "No Socket Mode connection for 30 seconds (Slack refuses SLACK_APP_TOKEN: invalid_auth): "
        "clicks and commands fail."
    ]
    await by_socket.lead_arrives("Globex")
    await by_socket.expect_dm("ann", "Globex")


async def test_a_short_gap_is_no_fault(by_socket: Story) -> None:
    await sockets(by_socket).cut()
    await until(lambda: not baton_end(by_socket).connected)

    assert baton_end(by_socket).faults() == []


# --- a Slack that behaves badly --------------------------------------------------------------------------


@dataclass
class BadSlack:
    """Hands out addresses; each WebSocket is greeted, told `says`, and then hears nothing more; no pong, either."""

    says: list[dict[str, Any]] = field(default_factory=list)
    answers_pings: bool = False
    handshake: int = 101
    tickets: list[str] = field(default_factory=list)
    url: str = ""

    async def open(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == f"Bearer {APP_TOKEN}"
        address = f"ws{self.url.removeprefix('http')}/line/ticket-{len(self.tickets)}"
        return web.json_response({"ok": True, "url": address})

    async def line(self, request: web.Request) -> web.StreamResponse:
        self.tickets.append(request.path)
        if self.handshake != 101:
            return web.Response(status=self.handshake)
        socket = web.WebSocketResponse(autoping=self.answers_pings)
        await socket.prepare(request)
        for message in ({"type": "hello"}, *self.says):
            await socket.send_json(message)
        async for _ in socket:
            pass
        return socket


@asynccontextmanager
async def bad_slack(slack: BadSlack, pulse: float = 0.1) -> AsyncIterator[SocketMode]:
    app = web.Application()
    app.router.add_post("/api/apps.connections.open", slack.open)
    app.router.add_get("/line/{ticket}", slack.line)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    slack.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    bolt = AsyncApp(signing_secret="none", token="xoxb-none")
    ours = SocketMode(bolt, APP_TOKEN, base_url=f"{slack.url}/api/", pulse=pulse)
    ours.start()
    try:
        yield ours
    finally:
        await ours.stop()
        await runner.cleanup()


async def test_a_line_that_fell_silent_is_replaced() -> None:
    slack = BadSlack()
    async with bad_slack(slack):
        await until(lambda: len(slack.tickets) >= 2)


async def test_a_quiet_line_that_answers_pings_stays() -> None:
    slack = BadSlack(answers_pings=True)
    async with bad_slack(slack, pulse=0.4) as ours:
        await asyncio.sleep(1.5)
        assert ours.connected
        assert len(slack.tickets) == 1


async def test_each_try_asks_for_an_address_of_its_own_and_none_gets_into_the_log(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    slack = BadSlack(handshake=403)
    async with bad_slack(slack) as ours:
        await until(lambda: len(slack.tickets) >= 2)
        assert not ours.connected
    assert len(set(slack.tickets)) == len(slack.tickets)

    logged = capsys.readouterr().out + caplog.text
    assert "the WebSocket was refused with status 403" in logged
    assert "ticket-" not in logged
    assert APP_TOKEN not in logged


async def test_let_in_and_sent_away_again_and_again_is_not_connected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket_mode, "SILENT", 0.2)
    slack = BadSlack(says=[{"type": "disconnect", "reason": "link_disabled"}])
    async with bad_slack(slack) as ours:
        await until(lambda: len(slack.tickets) >= 2)
        await until(lambda: bool(ours.faults()))
        assert "switched off in the app's settings" in ours.faults()[0]
        assert len(slack.tickets) < 6  # it does not storm in


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
    monkeypatch.setattr(socket_mode, "run_async_bolt_app", no_answer_at_first)
    await by_socket.workspace.open_home(by_socket.user("ann"))
    await until(lambda: len(tries) == 3)

    assert tries == [0, 1, 2]


async def test_nobody_at_the_line_is_unreachable(by_socket: Story) -> None:
    await baton_end(by_socket).stop()
    await until(lambda: not sockets(by_socket).lines)

    found = await by_socket.workspace.dispatch.interact({"type": "block_actions"})

    assert found == Answer(0, error="unreachable")
