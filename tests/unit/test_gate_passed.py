"""What the gate passes on, and the headers of its answers."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest
from freezegun import freeze_time
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from handlers.doors import Authenticated, authenticated
from handlers.gate import Gate
from handlers.signatures import SenderKeys
from tests.unit.gate_callers import (
    LEAD,
    NOW,
    SLACK_SECRET,
    Call,
    House,
    Visit,
    from_slack,
    from_website,
    gate_before,
    parse_answer,
    serving,
    with_token,
)


@pytest.fixture
def house() -> House:
    return House()


def _found(house: House) -> Authenticated:
    found = authenticated(house.seen[0])
    assert found is not None
    return found


BROKEN = {
    "not UTF-8": (b'{"a": "\xff"}', "The body is not UTF-8 (byte 7)."),
    "not JSON": (b'{"a": ', "The body is not JSON (line 1, column 7)."),
    "too deep": (b"[" * 33 + b"]" * 33, "The JSON is nested deeper than 32 levels."),
    "far too deep": (b"[" * 100_000, "The JSON is nested deeper than 32 levels."),
    "NaN": (b"[NaN]", "The JSON has NaN, which is no JSON number."),
    "Infinity": (b"[-Infinity]", "The JSON has -Infinity, which is no JSON number."),
    "infinite": (b"[1e999]", "The JSON has a number too large to be one."),
    "endless number": (b"9" * 5000, "The JSON has a number of more than 100 digits."),
    "same key twice": (b'{"a": 1, "a": 2}', "The JSON has the same key twice in one object."),
}


class TestIntake:
    async def test_the_route_learns_who_sent_what(self, house: House) -> None:
        await Visit(from_website()).to(gate_before(house))

        found = _found(house)
        assert (found.source, found.msg_id, found.body) == ("website", "msg_1", LEAD)
        assert found.sha256 == hashlib.sha256(LEAD).hexdigest()
        assert (found.data, found.parse_error) == (json.loads(LEAD), "")

    async def test_without_an_id_the_body_is_its_own(self, house: House) -> None:
        await Visit(with_token()).to(gate_before(house))

        assert _found(house).msg_id == hashlib.sha256(LEAD).hexdigest()

    async def test_a_token_may_come_with_an_id(self, house: House) -> None:
        await Visit(with_token().having(b"webhook-id", b"msg_7")).to(gate_before(house))

        assert (_found(house).source, _found(house).msg_id) == ("form", "msg_7")

    @pytest.mark.parametrize("name", BROKEN)
    async def test_a_known_senders_broken_body_is_passed_on_for_quarantine(
        self, name: str, house: House
    ) -> None:
        body, fault = BROKEN[name]

        answer = await Visit(with_token(body=body)).to(gate_before(house))

        assert answer.status == 202
        found = _found(house)
        assert (found.body, found.data, found.parse_error) == (body, None, fault)

    async def test_thirty_two_levels_are_not_too_deep(self, house: House) -> None:
        await Visit(with_token(body=b"[" * 32 + b"]" * 32)).to(gate_before(house))

        assert _found(house).parse_error == ""

    async def test_without_any_key_nobody_gets_in(self, house: House) -> None:
        gate = gate_before(house, senders=SenderKeys())

        for call in (from_website(), from_website(key=b"\x00" * 32), with_token()):
            assert (await Visit(call).to(gate)).status == 401
        assert house.seen == []


def _client(gate: Gate) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(gate), base_url="http://baton")


def _form(payload: str) -> Call:
    body = b"payload=" + quote(payload).encode()
    return from_slack(body, content_type=b"application/x-www-form-urlencoded")


class TestSlack:
    @pytest.mark.parametrize(
        "call",
        [
            from_slack(b'{"type": '),
            from_slack(b"[1]"),
            from_slack(b"[" * 100_000),
            from_slack(b'{"a": ' * 33 + b"1" + b"}" * 33),
            from_slack(b"command=/lead"),  # says it is JSON
            _form("{"),
            _form('"a"'),
        ],
    )
    async def test_a_signed_body_that_bolt_could_not_read_is_no_server_error(
        self, call: Call, house: House
    ) -> None:
        answer = await Visit(call).to(gate_before(house))

        assert answer.status == 400
        assert house.seen == []

    async def test_a_command_gets_through(self, house: House) -> None:
        call = from_slack(
            b"command=%2Flead&text=acme", content_type=b"application/x-www-form-urlencoded"
        )

        assert (await Visit(call).to(gate_before(house))).status == 202

    async def test_slacks_handshake_works_through_the_gate_and_bolt(self) -> None:
        bolt = AsyncApp(client=AsyncWebClient("xoxb-unused"), signing_secret=SLACK_SECRET)
        handler = AsyncSlackRequestHandler(bolt)

        async def endpoint(request: Request) -> Response:
            return await handler.handle(request)

        app = Starlette(routes=[Route("/slack/events", endpoint, methods=["POST"])])
        call = from_slack(b'{"type": "url_verification", "challenge": "abc", "token": "t"}')

        with freeze_time(NOW, real_asyncio=True):  # Bolt checks the signature once more
            async with _client(gate_before(app)) as client:
                answer = await client.post(call.path, content=call.body, headers=list(call.headers))

        assert (answer.status_code, answer.json()) == (200, {"challenge": "abc"})


class TestHeaders:
    @pytest.mark.parametrize(
        "call", [from_website(), from_website(b""), Call("/", (), b"", "GET")], ids=str
    )
    async def test_every_answer_is_guarded(self, call: Call, house: House) -> None:
        answer = await Visit(call).to(gate_before(house))

        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert (answer.headers.get("cache-control") == "no-store") == (call.path == "/leads")

    async def test_a_page_may_bring_its_own_policy(self) -> None:
        async def page(_request: Request) -> Response:
            return Response("hi", headers={"content-security-policy": "default-src 'none'"})

        app = Starlette(routes=[Route("/", page)])
        async with _client(gate_before(app)) as client:
            answer = await client.get("/")

        assert answer.headers["content-security-policy"] == "default-src 'none'"


@pytest.fixture
def wire(house: House) -> Iterator[socket.socket]:
    with (
        serving(gate_before(house)) as port,
        socket.create_connection(("127.0.0.1", port), timeout=5) as wire,
    ):
        yield wire


def test_a_percent_escape_in_the_path_is_no_way_round(wire: socket.socket, house: House) -> None:
    wire.sendall(b"POST /%6Ceads HTTP/1.1\r\nhost: b\r\ncontent-length: 2\r\n\r\n{}")

    assert parse_answer(wire.recv(65536)).status == 401
    assert house.seen == []
