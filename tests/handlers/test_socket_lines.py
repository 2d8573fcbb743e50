"""The lines of Socket Mode on bad days: silent, cut, refused, sent away; without a database, against a bad Slack.

What is not here: what comes over the lines (`test_socket_mode`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from slack_bolt.app.async_app import AsyncApp

from handlers import socket_mode
from handlers.socket_mode import SocketMode
from sandbox.wire import Wire, wire_to

APP_TOKEN = "xapp-sandbox-1-not-a-real-token"


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)


@dataclass
class BadSlack:
    """Hands out addresses; each WebSocket is greeted, told `says`, and then hears nothing more; no pong, either.

    `answers`: what the next calls for an address are answered instead, (status, body, headers) each; `greets` False:
    no hello. `behind`: the wire that the addresses lead through. `at_once`: most lines that stood at a time.
    """

    says: list[dict[str, Any]] = field(default_factory=list)
    answers_pings: bool = False
    handshake: int = 101
    greets: bool = True
    answers: list[tuple[int, dict[str, Any], dict[str, str]]] = field(default_factory=list)
    behind: Wire | None = None
    asked: int = 0
    tickets: list[str] = field(default_factory=list)
    lines: list[web.WebSocketResponse] = field(default_factory=list)
    at_once: int = 0
    url: str = ""

    async def open(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == f"Bearer {APP_TOKEN}"
        self.asked += 1
        if self.answers:
            status, body, headers = self.answers.pop(0)
            return web.json_response(body, status=status, headers=headers)
        url = self.behind.url if self.behind is not None else self.url
        address = f"ws{url.removeprefix('http')}/line/ticket-{self.asked}"
        return web.json_response({"ok": True, "url": address})

    async def line(self, request: web.Request) -> web.StreamResponse:
        self.tickets.append(request.path)
        if self.handshake != 101:
            return web.Response(status=self.handshake)
        socket = web.WebSocketResponse(autoping=self.answers_pings)
        await socket.prepare(request)
        self.lines.append(socket)
        self.at_once = max(self.at_once, len(self.lines))
        if self.greets:
            await socket.send_json({"type": "hello", "num_connections": len(self.lines)})
        for message in self.says:
            await socket.send_json(message)
        async for _ in socket:
            pass
        self.lines.remove(socket)
        return socket


@asynccontextmanager
async def bad_slack(
    slack: BadSlack, pulse: float = 0.1, lines: int = 1, wired: bool = False
) -> AsyncIterator[SocketMode]:
    app = web.Application()
    app.router.add_post("/api/apps.connections.open", slack.open)
    app.router.add_get("/line/{ticket}", slack.line)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    slack.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    bolt = AsyncApp(signing_secret="none", token="xoxb-none")
    ours = SocketMode(bolt, APP_TOKEN, base_url=f"{slack.url}/api/", pulse=pulse, lines=lines)
    async with wire_to(slack.url) as wire:
        slack.behind = wire if wired else None
        ours.start()
        try:
            yield ours
        finally:
            await ours.stop()
            await runner.cleanup()


# --- the pulse -------------------------------------------------------------------------------------------


async def test_a_line_that_fell_silent_is_replaced() -> None:
    slack = BadSlack()
    async with bad_slack(slack):
        await until(lambda: len(slack.tickets) >= 2)


async def test_a_quiet_line_that_answers_pings_stays() -> None:
    slack = BadSlack(answers_pings=True)
    async with bad_slack(slack, pulse=0.4) as ours:
        await asyncio.sleep(1.0)
        assert ours.connected
        assert len(slack.tickets) == 1


async def test_a_line_behind_a_dead_proxy_is_given_up_though_it_is_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing closes, nothing comes through: the network is gone, and later there again."""
    monkeypatch.setattr(socket_mode, "CONNECT_TIMEOUT", 0.3)
    slack = BadSlack(answers_pings=True)
    async with bad_slack(slack, wired=True) as ours:
        assert slack.behind is not None
        await until(lambda: ours.connected == 1)
        slack.behind.freeze()
        await until(lambda: ours.connected == 0)
        asked = slack.asked
        await until(lambda: slack.asked > asked)
        slack.behind.thaw()
        await until(lambda: ours.connected == 1)


async def test_a_line_that_is_never_greeted_is_no_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket_mode, "CONNECT_TIMEOUT", 0.1)
    monkeypatch.setattr(socket_mode, "SILENT", 0.0)
    slack = BadSlack(answers_pings=True, greets=False)
    async with bad_slack(slack, pulse=5.0) as ours:
        await until(lambda: len(slack.tickets) >= 2)
        assert "no answer in time" in ours.faults()[0]


async def test_a_network_that_comes_back_is_found_again() -> None:
    slack = BadSlack(answers_pings=True)
    async with bad_slack(slack, pulse=5.0, wired=True) as ours:
        assert slack.behind is not None
        await until(lambda: ours.connected == 1)
        slack.behind.refuses = True
        slack.behind.cut()
        await until(lambda: ours.connected == 0)
        slack.behind.refuses = False
        await until(lambda: ours.connected == 1)


# --- Slack renews, sends away, refuses ---------------------------------------------------------------------


async def test_lines_are_renewed_one_for_one_and_never_more_than_one_too_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket_mode, "STAGGER", 0.0)
    monkeypatch.setattr(socket_mode, "STEADY", 0.0)
    monkeypatch.setattr(socket_mode, "LINGER", 0.0)
    slack = BadSlack(answers_pings=True)
    async with bad_slack(slack, lines=2) as ours:
        await until(lambda: ours.connected == 2)
        for tickets in (3, 4, 5):
            await slack.lines[0].send_json({"type": "disconnect", "reason": "refresh_requested"})
            await until(lambda: len(slack.tickets) == tickets)  # noqa: B023
            assert ours.connected >= 2
            await until(lambda: len(slack.lines) == 2)
        assert slack.at_once == 3


async def test_the_second_line_waits_so_that_they_are_not_renewed_together() -> None:
    slack = BadSlack(answers_pings=True)
    async with bad_slack(slack, lines=2) as ours:
        await until(lambda: ours.connected == 1)
        await asyncio.sleep(0.2)
        assert slack.asked == 1


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


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        ("link_disabled", "switched off in the app's settings"),
        ("too_many_websockets", "ten connections open already, elsewhere"),
    ],
)
@pytest.mark.parametrize("greets", [True, False])
async def test_sent_away_again_and_again_is_not_connected(
    reason: str, sentence: str, greets: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_mode, "SILENT", 0.2)
    slack = BadSlack(says=[{"type": "disconnect", "reason": reason}], greets=greets)
    async with bad_slack(slack) as ours:
        await until(lambda: len(slack.tickets) >= 2)
        await until(lambda: bool(ours.faults()))
        assert sentence in ours.faults()[0]
        assert slack.asked < 5  # it does not storm in


async def test_asked_too_often_it_waits_as_long_as_slack_says() -> None:
    busy = (429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "1"})
    slack = BadSlack(answers_pings=True, answers=[busy])
    began = asyncio.get_running_loop().time()
    async with bad_slack(slack) as ours:
        await until(lambda: ours.connected == 1)
    assert asyncio.get_running_loop().time() - began >= 1.0
    assert slack.asked == 2


async def test_a_refused_token_is_said_with_what_to_do_and_not_tried_again_and_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(socket_mode, "SILENT", 0.0)
    refused = (200, {"ok": False, "error": "missing_scope"}, dict[str, str]())
    slack = BadSlack(answers=[refused] * 5)
    async with bad_slack(slack, lines=2) as ours:
        await until(lambda: bool(ours.faults()))
        await asyncio.sleep(0.4)
        assert slack.asked == 1
        assert (
            "missing_scope: make a new app-level token with connections:write" in ours.faults()[0]
        )
    assert capsys.readouterr().out.count("[warning") == 1


async def test_when_nobody_looks_after_the_lines_a_restart_is_asked_for() -> None:
    slack = BadSlack(answers_pings=True)
    async with bad_slack(slack) as ours:
        await until(lambda: ours.connected == 1)
        assert ours.alive() == []
        (keeper,) = [t for t in asyncio.all_tasks() if t.get_name() == "socket mode"]
        keeper.cancel()
        await until(keeper.done)
        assert ours.alive() == ["Nobody looks after the Socket Mode connections any more."]
