"""The gate's other duties: size, time, room, broken framing, and what it passes on."""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
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
from starlette.types import Message, Receive, Scope, Send

from handlers.doors import Authenticated, authenticated
from handlers.gate import Gate, Limits
from handlers.signatures import SenderKeys
from tests.unit.gate_callers import (
    LEAD,
    NOW,
    SLACK_SECRET,
    Answer,
    Call,
    House,
    from_slack,
    from_website,
    gate_before,
    parse_answer,
    serving,
    with_token,
)


class Visit:
    """One request at the gate without a server: what was read and sent, in order."""

    def __init__(self, call: Call, *pieces: bytes, endless: bool = False) -> None:
        self.call = call
        self.pieces = list(pieces or (call.body,))
        self.endless = endless
        self.log: list[str] = []
        self.sent: list[Message] = []
        self.arrived = asyncio.Event()

    @property
    def scope(self) -> Scope:
        headers = list(self.call.headers)
        return {
            "type": "http",
            "method": self.call.method,
            "path": self.call.path,
            "root_path": "",
            "headers": headers,
        }

    async def receive(self) -> Message:
        self.log.append("read")
        self.arrived.set()
        if not self.pieces:
            await asyncio.sleep(3600)
        piece = self.pieces.pop(0)
        more = self.endless or bool(self.pieces)
        return {"type": "http.request", "body": piece, "more_body": more}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.log.append(f"answer {message['status']}")
        self.sent.append(message)

    async def to(self, gate: Any) -> Answer:
        await gate(self.scope, self.receive, self.send)
        return self.answer

    @property
    def answer(self) -> Answer:
        headers = {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}
        body = b"".join(message.get("body", b"") for message in self.sent[1:])
        return Answer(self.sent[0]["status"], headers, body)


@pytest.fixture
def house() -> House:
    return House()


def _found(house: House) -> Authenticated:
    found = authenticated(house.seen[0])
    assert found is not None
    return found


class TestSize:
    async def test_a_declared_length_too_long_is_refused_before_anything_is_read(
        self, house: House
    ) -> None:
        declared = (b"content-length", str(256 * 1024 + 1).encode())
        visit = Visit(replace(from_website(), headers=(*from_website().headers, declared)))

        answer = await visit.to(gate_before(house))

        assert answer.status == 413
        assert visit.log[0] == "answer 413"
        assert "256 KiB" in json.loads(answer.body)["error"]
        assert answer.headers["connection"] == "close"
        assert house.seen == []

    async def test_an_undeclared_body_is_counted_and_stopped(self, house: House) -> None:
        pieces = [b"x" * 65536] * 6
        visit = Visit(from_website(), *pieces, endless=True)

        answer = await visit.to(gate_before(house, Limits(linger_seconds=0.01)))

        assert answer.status == 413
        assert visit.log.index("answer 413") == 5  # four pieces fit, the fifth is the end of it
        assert house.seen == []

    async def test_a_body_of_exactly_the_limit_gets_in(self, house: House) -> None:
        body = b'"' + b"x" * (256 * 1024 - 2) + b'"'

        assert (await Visit(from_website(body)).to(gate_before(house))).status == 202

    async def test_slack_may_bring_more(self, house: House) -> None:
        body = b'{"view": "' + b"x" * 500_000 + b'"}'

        assert (await Visit(from_slack(body)).to(gate_before(house))).status == 202

    @pytest.mark.parametrize("length", [b"abc", b"-1", b"", b"1e3", b"9" * 13])
    async def test_a_length_that_is_none_is_refused(self, length: bytes, house: House) -> None:
        visit = Visit(from_website().having(b"content-length", length))

        assert (await visit.to(gate_before(house))).status == 400
        assert house.seen == []

    async def test_length_and_body_must_agree(self, house: House) -> None:
        visit = Visit(from_website().having(b"content-length", b"5"))

        assert (await visit.to(gate_before(house))).status == 400
        assert house.seen == []

    async def test_an_empty_body_is_no_lead(self, house: House) -> None:
        assert (await Visit(from_website(b"")).to(gate_before(house))).status == 400
        assert (await Visit(from_slack(b"")).to(gate_before(house))).status == 400
        assert house.seen == []

    def test_a_client_that_sends_it_all_the_same_reads_the_answer(self, house: House) -> None:
        with serving(gate_before(house)) as port:
            answer = httpx.post(
                f"http://127.0.0.1:{port}/leads",
                content=b"x" * 1_000_000,
                headers={"authorization": "Bearer whatever-it-may-be"},
            )

        assert answer.status_code == 413


class TestTime:
    async def test_a_body_that_dawdles_is_cut_off(self, house: House) -> None:
        visit = Visit(from_website(), b"{", endless=True)
        limits = Limits(body_seconds=0.05, linger_seconds=0.01)

        answer = await visit.to(gate_before(house, limits))

        assert answer.status == 408
        assert house.seen == []

    async def test_nobody_answers_a_caller_who_left(self, house: House) -> None:
        visit = Visit(from_website())

        async def gone() -> Message:
            return {"type": "http.disconnect"}

        await gate_before(house)(visit.scope, gone, visit.send)

        assert (visit.sent, house.seen) == ([], [])


class TestRoom:
    async def test_when_all_seats_are_taken_who_does_not_come_at_once_is_told_to_come_back(
        self, house: House
    ) -> None:
        gate = gate_before(
            house, Limits(in_flight=2, kept=0, body_seconds=0.4, linger_seconds=0.01)
        )
        slow = [Visit(from_website(), b"{", endless=True) for _ in range(2)]
        tasks = [asyncio.create_task(visit.to(gate)) for visit in slow]
        await asyncio.gather(*(visit.arrived.wait() for visit in slow))
        third = asyncio.create_task(Visit(from_website(), b"{", endless=True).to(gate))

        assert (await Visit(from_website()).to(gate)).status == 202, "nobody keeps out a good one"

        answer = await third
        assert (answer.status, answer.headers["retry-after"]) == (503, "2")
        assert {each.status for each in await asyncio.gather(*tasks)} == {408}

    async def test_who_stands_longest_makes_room_for_the_next(self, house: House) -> None:
        gate = gate_before(house, Limits(in_flight=1, kept=0, linger_seconds=0.01))
        slow = [Visit(from_website(), b"{", endless=True) for _ in range(2)]  # a seat, and standing
        tasks = [asyncio.create_task(visit.to(gate)) for visit in slow]
        await asyncio.gather(*(visit.arrived.wait() for visit in slow))

        assert (await Visit(from_website()).to(gate)).status == 202
        assert (await tasks[1]).status == 503
        tasks[0].cancel()

    async def test_the_slowest_caller_makes_room_for_a_good_one(self, house: House) -> None:
        gate = gate_before(house, Limits(in_flight=2, kept=0, patience=0, linger_seconds=0.01))
        slow = [Visit(from_website(), b"{", endless=True) for _ in range(2)]
        tasks = [asyncio.create_task(visit.to(gate)) for visit in slow]
        await asyncio.gather(*(visit.arrived.wait() for visit in slow))

        answer = await Visit(from_website()).to(gate)

        assert answer.status == 202
        assert (await tasks[0]).status == 408
        assert not tasks[1].done()
        tasks[1].cancel()

    async def test_leads_that_wait_leave_seats_to_people_who_click(self, house: House) -> None:
        done = asyncio.Event()

        async def busy(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] == "/leads":
                await done.wait()
            await house(scope, receive, send)

        gate = gate_before(busy, Limits(in_flight=3, kept=1))
        tasks = [asyncio.create_task(Visit(from_website()).to(gate)) for _ in range(2)]
        await asyncio.sleep(0)  # both bodies are in

        async with asyncio.timeout(5):  # let in, it would wait with the others
            assert (await Visit(from_website()).to(gate)).status == 503
        assert (await Visit(from_slack()).to(gate)).status == 202
        done.set()
        assert {each.status for each in await asyncio.gather(*tasks)} == {202}

    async def test_other_pages_need_no_seat(self, house: House) -> None:
        gate = gate_before(house, Limits(in_flight=0))

        assert (await Visit(Call("/healthz", (), b"", "GET")).to(gate)).status == 202
        assert (await Visit(from_website()).to(gate)).status == 503


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
