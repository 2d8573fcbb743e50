"""The sandbox on a bad day: rate limits, planned faults, a kill, and the refusal to stand beside a real Slack."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError

import sandbox
from sandbox.app import UnsafeSandbox, create_sandbox
from sandbox.clock import ManualClock
from sandbox.faults import FaultPlan
from sandbox.rates import Rates
from tests.unit.sandbox_kit import ANN, BEN, HELLO, REVIEW, config, stage


async def test_one_message_a_second_and_a_conversation_with_a_small_burst() -> None:
    times = [1_790_000_000.0]
    async with stage(real=lambda: times[0], enforce_rates=True) as slack:
        for _ in range(3):
            await slack.client.chat_postMessage(channel=ANN.user_id, text="x")
        with pytest.raises(SlackApiError) as caught:
            # The DM's id and the person's are the same conversation.
            await slack.client.chat_postMessage(
                channel=slack.workspace.dm_id(ANN.user_id), text="x"
            )
        assert caught.value.response.status_code == 429
        assert caught.value.response.headers["Retry-After"] == "1"
        await slack.client.chat_postMessage(channel=REVIEW.id, text="elsewhere")
        times[0] += 1
        await slack.client.chat_postMessage(channel=ANN.user_id, text="x")
        assert len(slack.shown(ANN)) == 4


def test_a_tier_is_counted_per_method_over_a_minute() -> None:
    times = [100.0]
    rates = Rates(lambda: times[0])
    assert [rates.take("users.list") for _ in range(20)] == [0] * 20
    times[0] += 10
    assert rates.take("users.list") == 50
    assert rates.take("users.info") == 0
    assert rates.take("auth.test") == 0
    times[0] += 50
    assert rates.take("users.list") == 0


async def test_nothing_is_limited_unless_asked_for() -> None:
    async with stage() as slack:
        for _ in range(10):
            await slack.client.chat_postMessage(channel=ANN.user_id, text="x")


async def test_each_fault_does_what_it_says() -> None:
    async with stage() as slack:
        plan, post = slack.workspace.faults, slack.client.chat_postMessage
        plan.add("chat.postMessage", "ratelimited", retry_after=7)
        with pytest.raises(SlackApiError) as caught:
            await post(channel=ANN.user_id, text="x")
        assert caught.value.response.headers["Retry-After"] == "7"
        plan.add("*", "error", error="fatal_error")
        with pytest.raises(SlackApiError, match="fatal_error"):
            await post(channel=ANN.user_id, text="x")
        plan.add("chat.postMessage", "http_500")
        with pytest.raises(SlackApiError) as caught:
            await post(channel=ANN.user_id, text="x")
        assert caught.value.response.status_code == 500
        plan.add("chat.postMessage", "reset")
        with pytest.raises(aiohttp.ClientError):
            await post(channel=ANN.user_id, text="x")
        assert slack.shown(ANN) == []
        plan.add("chat.postMessage", "accept_then_reset")
        with pytest.raises(aiohttp.ClientError):
            await post(channel=ANN.user_id, text="arrived")
        assert slack.shown(ANN) == ["arrived"]
        slack.client.timeout = 1
        plan.add("chat.postMessage", "accept_then_late", seconds=1.5)
        with pytest.raises(TimeoutError):
            await post(channel=ANN.user_id, text="late")
        assert slack.shown(ANN) == ["arrived", "late"]
        plan.add("chat.postMessage", "hang", seconds=1.5)
        with pytest.raises(TimeoutError):
            await post(channel=ANN.user_id, text="never")
        await post(channel=ANN.user_id, text="fine again")
        assert slack.shown(ANN) == ["arrived", "late", "fine again"]
        plan.add("chat.postMessage", "late_accept", seconds=0.1)
        with pytest.raises(aiohttp.ClientError):
            await post(channel=ANN.user_id, text="after a look")
        assert slack.shown(ANN)[-1] == "fine again"
        await asyncio.sleep(0.2)
        assert slack.shown(ANN)[-1] == "after a look"


async def test_faults_are_planned_over_http_and_repeat_with_their_seed() -> None:
    async with stage() as slack, aiohttp.ClientSession() as session:
        url = f"{slack.url}/sandbox/faults"
        plan: dict[str, Any] = {
            "faults": [
                {"method": "chat.update", "kind": "error", "count": None, "probability": 0.5}
            ],
            "seed": 7,
            "date_skew": 3600,
        }
        async with session.post(url, json=plan) as response:
            assert (await response.json())["waiting"][0]["method"] == "chat.update"
        answer = await slack.client.api_test()
        skewed = parsedate_to_datetime(answer.headers["Date"])
        assert 3500 < (skewed - datetime.now(UTC)).total_seconds() < 3700
        async with session.post(
            url, json={"faults": [{"method": "*", "kind": "rain"}]}
        ) as response:
            assert response.status == 400
        async with session.delete(url) as response:
            assert (await response.json())["waiting"] == []

    def drawn() -> list[bool]:
        plan = FaultPlan(seed=7)
        plan.add("chat.update", "error", count=None, probability=0.5)
        return [plan.take("chat.update") is not None for _ in range(20)]

    assert drawn() == drawn()
    assert len(set(drawn())) == 2


def test_a_fault_can_wait_for_its_call() -> None:
    plan = FaultPlan()
    plan.add("chat.update", "error", skip=2, count=2)
    taken = [plan.take("chat.update") is not None for _ in range(5)]
    assert taken == [False, False, True, True, False]
    assert plan.take("chat.delete") is None


async def test_a_restart_finds_messages_marks_homes_and_closed_accounts(tmp_path: Path) -> None:
    path = tmp_path / "slack.db"
    async with stage(state_path=path) as slack:
        posted = await slack.client.chat_postMessage(
            channel=ANN.user_id,
            text="card",
            blocks=[HELLO],
            metadata={"event_type": "a", "event_payload": {"d": "1"}},
        )
        await slack.client.chat_postEphemeral(channel=REVIEW.id, user=ANN.user_id, text="whisper")
        gone = await slack.client.chat_postMessage(channel=REVIEW.id, text="gone")
        await slack.client.chat_delete(channel=REVIEW.id, ts=gone["ts"])
        slack.workspace.mark_read(ANN.user_id, posted["channel"])
        await slack.client.chat_postMessage(channel=ANN.user_id, text="second")
        await slack.client.views_publish(
            user_id=ANN.user_id, view={"type": "home", "blocks": [HELLO]}
        )
        await slack.workspace.deactivate(BEN.user_id)
        before = slack.workspace.message(posted["channel"], posted["ts"])
        last = max(ts for found in slack.workspace.messages.values() for ts in found)
    async with stage(state_path=path) as slack:
        assert slack.workspace.message(posted["channel"], posted["ts"]) == before
        assert slack.shown(ANN) == ["card", "second"]
        assert slack.workspace.unread(ANN.user_id, posted["channel"]) == 1
        assert slack.workspace.timeline(REVIEW.id, ANN.user_id) == []
        assert slack.workspace.homes[ANN.user_id].blocks[0]["type"] == "section"
        assert slack.workspace.people[BEN.user_id].deactivated
        after = await slack.client.chat_postMessage(channel=ANN.user_id, text="third")
        assert after["ts"] > last


def test_a_killed_process_loses_no_message(tmp_path: Path) -> None:
    path = tmp_path / "slack.db"
    program = (
        "import os, pathlib, sys\n"
        "from sandbox.persistence import Store\n"
        "from sandbox.model import Message\n"
        "store = Store(pathlib.Path(sys.argv[1]))\n"
        "for i in range(50):\n"
        "    store.save_message(Message('D0ANN', f'17000000{i:02d}.000000', 'U1', str(i)))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(sandbox.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", program, str(path)], env=environment, check=False)
    assert done.returncode == -9
    workspace = create_sandbox(config("http://127.0.0.1:1", state_path=path)).workspace
    assert len(workspace.messages["D0ANN"]) == 50
    workspace.store.close()


async def test_the_record_holds_what_a_checker_can_read(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    async with stage(record_path=path) as slack:
        await slack.client.auth_test()
        await slack.client.chat_postMessage(channel=ANN.user_id, text="card", blocks=[HELLO])
        with pytest.raises(SlackApiError):
            await slack.client.chat_postMessage(channel="C0NOWHERE", text="lost")
        slack.bot.says({"text": "answer"})
        await slack.workspace.command(ANN.user_id, REVIEW.id, "/lead", "mine")
    lines = [line for line in path.read_text().splitlines() if line]
    assert [line.split('"')[3] for line in lines] == [
        "chat.postMessage",
        "chat.postMessage",
        "response_url",
    ]
    assert '"error": "channel_not_found"' in lines[1]
    assert "xoxb" not in path.read_text()
    assert "auth.test" in (tmp_path / "calls.other.jsonl").read_text()


@pytest.mark.parametrize(
    ("change", "environment", "word"),
    [
        ({"host": "192.168.1.7"}, {}, "HOST"),
        ({"events_url": "https://baton.acme.example/slack/events"}, {}, "events_url"),
        ({"intake_url": "http://10.0.0.1/leads"}, {}, "intake_url"),
        ({"public_url": "http://sandbox.example"}, {}, "public_url"),
        ({"bot_token": "xoxb-1-2-real"}, {}, "token"),
        ({}, {"SLACK_BOT_TOKEN": "xoxb-1-2-real"}, "SLACK_BOT_TOKEN"),
        ({}, {"SLACK_APP_TOKEN": "xapp-1-real"}, "SLACK_APP_TOKEN"),
    ],
)
def test_it_refuses_to_stand_beside_the_real_slack_or_to_be_seen_from_outside(
    change: dict[str, Any],
    environment: dict[str, str],
    word: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UnsafeSandbox, match=word):
        create_sandbox(config("http://127.0.0.1:8080", **change))


def test_its_own_token_in_the_environment_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    found = config("http://127.0.0.1:8080")
    monkeypatch.setenv("SLACK_BOT_TOKEN", found.bot_token)
    found.check()


async def test_the_clock_of_a_lone_sandbox_moves_only_when_told() -> None:
    clock = ManualClock()
    start = clock.now()
    await clock.advance(600)
    assert (clock.now() - start).total_seconds() == 600
    assert clock.next_step_at() is None


async def test_view_of_a_closed_account_is_refused() -> None:
    async with stage() as slack:
        await slack.workspace.deactivate(BEN.user_id)
        with pytest.raises(SlackApiError, match="user_disabled"):
            await slack.client.views_publish(
                user_id=BEN.user_id, view={"type": "home", "blocks": [HELLO]}
            )
        with pytest.raises(SlackApiError, match="user_disabled"):
            await slack.client.conversations_open(users=[BEN.user_id])
