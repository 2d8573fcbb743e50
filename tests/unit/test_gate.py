"""The gate's other duties: size, time, room, broken framing."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from handlers.gate import Limits
from tests.unit.gate_callers import (
    Call,
    House,
    Visit,
    from_slack,
    from_website,
    gate_before,
    serving,
)


@pytest.fixture
def house() -> House:
    return House()


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
