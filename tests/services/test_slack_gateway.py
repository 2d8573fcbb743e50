"""The way to Slack over real HTTP: what arrives there, and what each failure is taken for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.gateways.slack import (
    SlackBusy,
    SlackGateway,
    SlackInDoubt,
    SlackRefused,
    SlackUnreachable,
    is_of_slack,
)
from sandbox.config import DEFAULT_BOT_TOKEN
from sandbox.server import free_socket, serve
from tests.unit.sandbox_kit import ANN, BEN, HELLO, LOCKED, REVIEW, Stage, modal, stage

MESSAGE = {"text": "Jonas asked for a call", "blocks": [HELLO]}


@asynccontextmanager
async def workspace(timeout: float = 5.0, **more: Any) -> AsyncIterator[tuple[SlackGateway, Stage]]:
    async with stage(**more) as slack:
        gateway = SlackGateway(DEFAULT_BOT_TOKEN, f"{slack.url}/api/", timeout=timeout)
        async with gateway:
            yield gateway, slack


async def test_a_message_is_posted_answered_in_its_thread_and_edited() -> None:
    async with workspace() as (gateway, slack):
        dm = await gateway.open_dm(ANN.user_id)
        posted = await gateway.post(dm, MESSAGE, delivery_id="d-1")
        reply = await gateway.post(
            dm, {"text": "12 minutes left"}, delivery_id="d-2", thread_ts=posted.ts, broadcast=True
        )
        await gateway.update(dm, posted.ts, {"text": "accepted", "blocks": [HELLO]})

        assert posted.channel == dm == slack.workspace.dm_id(ANN.user_id)
        history = await slack.client.conversations_history(channel=dm, include_all_metadata=True)
        found = {m["ts"]: m for m in history["messages"]}
        assert found[posted.ts]["text"] == "accepted"
        assert found[posted.ts]["blocks"]
        assert found[posted.ts]["metadata"] == {
            "event_type": "lead_delivery",
            "event_payload": {"d": "d-1"},
        }
        assert found[reply.ts]["thread_ts"] == posted.ts


async def test_people_are_found_by_address_and_known_by_id() -> None:
    async with workspace() as (gateway, _):
        assert await gateway.lookup_email("ann@acme.example") == ANN.user_id
        with pytest.raises(SlackRefused) as caught:
            await gateway.lookup_email("nobody@acme.example")
        assert caught.value.error == "users_not_found"
        person = await gateway.user_info(BEN.user_id)
        assert (person.id, person.name, person.deleted) == (BEN.user_id, "Ben Ode", False)
        identity = await gateway.auth_test()
        assert identity.team_id == "T0SANDBOX"
        assert identity.user_id


async def test_homes_and_ephemerals_reach_one_person() -> None:
    async with workspace() as (gateway, slack):
        await gateway.publish_home(ANN.user_id, {"type": "home", "blocks": [HELLO]})
        await gateway.ephemeral(REVIEW.id, ANN.user_id, {"text": "Only you see this"})
        texts = [m.text for m in slack.workspace.timeline(REVIEW.id, ANN.user_id)]
        assert texts == ["Only you see this"]


async def test_slacks_no_is_definite_and_keeps_its_name() -> None:
    async with workspace() as (gateway, slack):
        calls: list[tuple[Awaitable[Any], str]] = [
            (gateway.post(LOCKED.id, MESSAGE, delivery_id="d"), "not_in_channel"),
            (gateway.post("C0NOWHERE", MESSAGE, delivery_id="d"), "channel_not_found"),
            (gateway.update(REVIEW.id, "1700000000.000100", MESSAGE), "message_not_found"),
            (gateway.open_view("1.2.x", modal()), "invalid_trigger_id"),
            (
                gateway.post(
                    REVIEW.id, {"text": "x", "blocks": [{"type": "nonsense"}]}, delivery_id="d"
                ),
                "invalid_blocks",
            ),
        ]
        for call, error in calls:
            with pytest.raises(SlackRefused) as caught:
                await call
            assert caught.value.error == error
    async with stage() as slack, SlackGateway("xoxb-wrong", f"{slack.url}/api/") as stranger:
        with pytest.raises(SlackRefused) as caught:
            await stranger.auth_test()
        assert caught.value.error == "invalid_auth"


@pytest.mark.parametrize(
    ("fault", "failure", "arrives"),
    [
        ({"kind": "ratelimited", "retry_after": 7}, SlackBusy, 0),
        ({"kind": "http_500"}, SlackInDoubt, 0),
        ({"kind": "error", "error": "internal_error"}, SlackInDoubt, 0),
        ({"kind": "error", "error": "fatal_error"}, SlackInDoubt, 0),
        ({"kind": "error", "error": "is_archived"}, SlackRefused, 0),
        ({"kind": "hang", "seconds": 0.8}, SlackInDoubt, 0),
        ({"kind": "reset"}, SlackInDoubt, 0),
        ({"kind": "accept_then_reset"}, SlackInDoubt, 1),
        ({"kind": "accept_then_late", "seconds": 0.8}, SlackInDoubt, 1),
    ],
)
async def test_each_failure_is_taken_for_what_it_is_and_nothing_is_repeated(
    fault: dict[str, Any], failure: type[Exception], arrives: int
) -> None:
    async with workspace(timeout=0.4) as (gateway, slack):
        slack.workspace.faults.add("chat.postMessage", **fault)
        with pytest.raises(failure) as caught:
            await gateway.post(REVIEW.id, MESSAGE, delivery_id="d")
        if isinstance(caught.value, SlackBusy):
            assert caught.value.retry_after == 7
        await asyncio.sleep(0.1)
        assert len(slack.workspace.timeline(REVIEW.id, ANN.user_id)) == arrives
        await gateway.post(REVIEW.id, MESSAGE, delivery_id="d")
        assert len(slack.workspace.timeline(REVIEW.id, ANN.user_id)) == arrives + 1


async def test_a_connection_that_is_dropped_after_the_request_is_one_request() -> None:
    requests: list[bytes] = []

    async def drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    server = await asyncio.start_server(drop, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, SlackGateway("xoxb-1", f"http://127.0.0.1:{port}/api/") as gateway:
        with pytest.raises(SlackInDoubt):
            await gateway.post("C1", MESSAGE, delivery_id="d")
    assert len(requests) == 1


async def test_nobody_at_home_means_that_nothing_was_sent() -> None:
    sock = free_socket()
    url = f"http://127.0.0.1:{sock.getsockname()[1]}/api/"  # bound, but nobody listens
    async with SlackGateway("xoxb-1", url) as gateway:
        with pytest.raises(SlackUnreachable):
            await gateway.post("C1", MESSAGE, delivery_id="d")
    sock.close()


@asynccontextmanager
async def answering(answer: Callable[[], Response]) -> AsyncIterator[SlackGateway]:
    """Something in Slack's place that always answers the same."""

    async def say(_: Request) -> Response:
        return answer()

    app = Starlette(routes=[Route("/api/{method}", say, methods=["POST"])])
    async with serve(app) as url, SlackGateway("xoxb-secret-1", f"{url}/api/") as gateway:
        yield gateway


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (lambda: Response("", 429, {"Retry-After": "3"}), SlackBusy),
        (lambda: Response("{", 429, media_type="application/json"), SlackBusy),
        (lambda: Response("<html>", 502, media_type="text/html"), SlackInDoubt),
        (lambda: Response("{", 200, media_type="application/json"), SlackInDoubt),
        (lambda: Response("\xff".encode("latin-1"), 200, media_type="application/json"), SlackInDoubt),
        (lambda: Response("[]", 200, media_type="application/json"), SlackInDoubt),
        (lambda: Response("[1]", 200, media_type="application/json"), SlackInDoubt),
        (lambda: Response("fine", 200, media_type="text/plain"), SlackInDoubt),
        (lambda: Response("", 200), SlackInDoubt),
        (lambda: Response('{"ok": true}', 200, media_type="application/json"), SlackInDoubt),
        (lambda: Response("<html>log in", 403, media_type="text/html"), SlackUnreachable),
    ],
)  # fmt: skip
async def test_odd_answers_are_no_yes(
    answer: Callable[[], Response], failure: type[Exception]
) -> None:
    async with answering(answer) as gateway:
        with pytest.raises(failure):
            await gateway.post("C1", MESSAGE, delivery_id="d")


async def test_neither_token_nor_text_gets_into_the_log_or_a_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)

    def refuse() -> Response:
        return Response('{"ok": false, "error": "no_text"}', media_type="application/json")

    async with answering(refuse) as gateway:
        with pytest.raises(SlackRefused) as caught:
            await gateway.post("C1", MESSAGE, delivery_id="d")
    assert caught.value.__cause__ is None
    assert str(caught.value) == "no_text"
    said = caplog.text
    assert "xoxb-secret-1" not in said
    assert "Jonas" not in said


async def test_a_history_is_read_in_pages_and_as_often_as_slack_lets_us() -> None:
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    async with workspace(sold_outside=True) as (gateway, slack):
        dm = await gateway.open_dm(ANN.user_id)
        root = await gateway.post(dm, MESSAGE, delivery_id="d-0")
        for n in range(1, 17):
            await gateway.post(dm, MESSAGE, delivery_id=f"d-{n}")
        await gateway.post(dm, MESSAGE, delivery_id="reply", thread_ts=root.ts)
        first = await gateway.history(dm, long_ago)
        assert [seen.delivery_id for seen in first.seen][::14] == ["d-16", "d-2"]
        second = await gateway.history(dm, long_ago, first.cursor)
        assert [seen.delivery_id for seen in second.seen] == ["d-1", "d-0"]
        assert second.cursor == ""
        thread = await gateway.replies(dm, root.ts, long_ago)
        assert [seen.delivery_id for seen in thread.seen] == ["d-0", "reply"]
        assert (await gateway.history(dm, datetime(2040, 1, 1, tzinfo=UTC))).seen == ()

        slack.sandbox.config.enforce_rates = True
        await gateway.history(dm, long_ago)
        with pytest.raises(SlackBusy) as busy:
            await gateway.history(dm, long_ago)
        assert busy.value.retry_after > 50
        await gateway.delete(dm, root.ts)
        with pytest.raises(SlackRefused, match="message_not_found"):
            await gateway.delete(dm, root.ts)
    async with workspace(scopes=frozenset({"chat:write", "im:write"})) as (gateway, slack):
        dm = await gateway.open_dm(ANN.user_id)
        with pytest.raises(SlackRefused, match="missing_scope"):
            await gateway.history(dm, long_ago)


@pytest.mark.parametrize(
    ("url", "base", "asked"),
    [
        ("https://hooks.slack.com/commands/T1/2/x", "https://slack.com/api/", True),
        ("http://hooks.slack.com/commands/T1/2/x", "https://slack.com/api/", False),
        ("https://hooks.slack.com.evil.example/x", "https://slack.com/api/", False),
        ("https://hooks.slack.com@evil.example/x", "https://slack.com/api/", False),
        ("http://127.0.0.1:9/sandbox/response/x", "https://slack.com/api/", False),
        ("http://127.0.0.1:9/sandbox/response/x", "http://127.0.0.1:9/api/", True),
        ("http://127.0.0.1:8/metrics", "http://127.0.0.1:9/api/", False),
    ],
)
def test_a_later_answer_goes_to_slack_and_nowhere_else(url: str, base: str, asked: bool) -> None:
    assert is_of_slack(url, base) is asked
