"""Payloads with Slack's genuine signature and nonsense inside: an answer below 500, and nothing changes."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from sqlalchemy import select

from bot.services.work import Work
from sandbox.dispatch import slack_signature
from storage.models import Clocks, Journal, Leads, Offers, Touches
from storage.rows import table_of
from tests.story import SIGNING_SECRET, Story
from tests.story_screen import click_payload

NONSENSE: tuple[Any, ...] = (None, 7, True, "x", "x" * 5000, [], [None], {}, {"id": 7}, ["x"])
#: Where something stands in a payload.
Path = tuple[str | int, ...]
TABLES = (Leads, Offers, Clocks, Journal, Touches)


def everything(story: Story) -> list[list[Any]]:
    """All rows that say where a lead is."""

    def look(work: Work) -> list[list[Any]]:
        return [
            [tuple(row) for row in work.conn.execute(select(table_of(model)))] for model in TABLES
        ]

    return story.house.runtime.read_now(look)


async def slack_says(
    story: Story, body: bytes, kind: str = "application/x-www-form-urlencoded"
) -> tuple[int, str]:
    """Raw bytes with a genuine signature: (status, body)."""
    at = int(story.time.instant.timestamp())
    headers = {
        "Content-Type": kind,
        "X-Slack-Request-Timestamp": str(at),
        "X-Slack-Signature": slack_signature(SIGNING_SECRET, at, body),
    }
    async with (
        aiohttp.ClientSession(trust_env=False) as session,
        session.post(f"{story.url}/slack/events", data=body, headers=headers) as answer,
    ):
        found = answer.status, await answer.text()
    await story.house.runtime.drain(2)
    return found


async def interact(story: Story, payload: Any) -> int:
    """An interaction as Slack frames it; the status."""
    return (await slack_says(story, urlencode({"payload": json.dumps(payload)}).encode()))[0]


def broken(payload: dict[str, Any], *path: str | int) -> Iterator[dict[str, Any]]:
    """`payload` without what stands at `path`, and with nonsense there."""
    for value in (..., *NONSENSE):
        made = copy.deepcopy(payload)
        place: Any = made
        for step in path[:-1]:
            place = place[step]
        if value is ...:
            del place[path[-1]]
        else:
            place[path[-1]] = value
        yield made


@pytest.fixture
async def accept(story: Story) -> dict[str, Any]:
    """Ann's click on Accept, not sent yet."""
    await story.lead_arrives("Initech")
    card = await story.expect_dm("ann", "Initech")
    block = next(b for b in card.first.blocks if b["type"] == "actions")
    return click_payload(story, "ann", card.first, block, block["elements"][0], None)


@pytest.fixture
def reject(accept: dict[str, Any]) -> dict[str, Any]:
    """Ann's form with a reason that sends it to review, not sent yet."""
    offer = accept["actions"][0]["value"]
    chosen = {"type": "static_select", "selected_option": {"value": "bad_data"}}
    return {
        **{k: accept[k] for k in ("team", "user", "api_app_id", "token", "trigger_id")},
        "type": "view_submission",
        "response_urls": [],
        "view": {
            "id": "V1",
            "type": "modal",
            "callback_id": "modal_reject",
            "private_metadata": json.dumps({"offer": offer}),
            "blocks": [],
            "state": {"values": {"reason": {"input_reason": chosen}}},
        },
    }


CLICK: tuple[Path, ...] = (
    ("user",),
    ("user", "id"),
    ("actions",),
    ("actions", 0),
    ("actions", 0, "action_id"),
    ("actions", 0, "value"),
    ("type",),
)


async def test_a_broken_click_does_nothing(story: Story, accept: dict[str, Any]) -> None:
    before = everything(story)
    for payload in (each for path in CLICK for each in broken(accept, *path)):
        assert await interact(story, payload) < 500, payload
        assert everything(story) == before, payload
    await forget_answers(story)


async def test_a_click_without_its_surroundings_still_counts(
    story: Story, accept: dict[str, Any]
) -> None:
    """Who clicked what is enough: the rest only says where to answer."""
    around = ("container", "channel", "message", "trigger_id")
    for payload in (each for name in around for each in broken(accept, name)):
        assert await interact(story, payload) in (200, 400), payload
    assert story.status("Initech") == "accepted"
    await forget_answers(story)


async def test_choices_that_were_never_offered(story: Story, accept: dict[str, Any]) -> None:
    before = everything(story)
    offer = accept["actions"][0]["value"]
    for value in (
        "",
        ":",
        "undo",
        f"undo:{offer}",
        f"fire_everybody:{offer}",
        f":{offer}",
        7,
        None,
    ):
        payload = copy.deepcopy(accept)
        payload["actions"] = [
            {"type": "overflow", "action_id": "lead_more", "selected_option": {"value": value}}
        ]
        assert await interact(story, payload) < 500
        leads, offers, clocks, journal, touches = everything(story)
        assert [leads, offers, clocks, journal, touches] == before, value
    await forget_answers(story)


REASON: Path = ("view", "state", "values", "reason")
FORM: tuple[Path, ...] = (
    ("view",),
    ("view", "state"),
    ("view", "state", "values"),
    REASON,
    (*REASON, "input_reason"),
    (*REASON, "input_reason", "selected_option"),
    (*REASON, "input_reason", "selected_option", "value"),
    ("view", "callback_id"),
    ("view", "private_metadata"),
    ("user",),
)


async def test_a_broken_form_does_nothing(story: Story, reject: dict[str, Any]) -> None:
    before = everything(story)
    for payload in (each for path in FORM for each in broken(reject, *path)):
        assert await interact(story, payload) < 500, payload
        assert everything(story) == before, payload


async def test_the_form_itself_works(story: Story, reject: dict[str, Any]) -> None:
    """Else the test above would show nothing."""
    assert await interact(story, reject) == 200
    await story.settle()
    assert story.status("Initech") == "review"
    await story.expect_channel("review", "Initech")


async def test_broken_commands(story: Story) -> None:
    good = {
        "command": "/lead",
        "text": "mine",
        "user_id": story.user("ann"),
        "channel_id": story.dm("ann"),
        "team_id": "T0SANDBOX",
        "trigger_id": "1.2.3",
        "api_app_id": "A0BATONAPP",
    }
    for missing in good:
        fields = {k: v for k, v in good.items() if k != missing}
        assert (await slack_says(story, urlencode(fields).encode()))[0] < 500, missing
    for text in (
        "\x00",
        "x" * 10_000,
        "why",
        "why \u202e",
        "<@U1> <!channel>",
        "%00",
        "#" + "9" * 40,
    ):
        for command in ("/lead", "/baton", "/baton away", "/nothing"):
            name, _, ahead = command.partition(" ")
            fields = {**good, "command": name, "text": f"{ahead} {text}"}
            assert (await slack_says(story, urlencode(fields).encode()))[0] < 500, (command, text)


async def test_broken_events(story: Story, accept: dict[str, Any]) -> None:
    before = everything(story)
    opened = {"type": "app_home_opened", "user": story.user("ann"), "tab": "home"}
    changed = {"type": "user_change", "user": {"id": story.user("ann"), "deleted": True}}
    envelope = {"type": "event_callback", "team_id": "T0SANDBOX", "event_id": "Ev1", "event": {}}
    events = [
        *broken(opened, "user"),
        *broken(opened, "tab"),
        *broken(opened, "type"),
        *broken(changed, "user"),
        *broken(changed, "user", "id"),
        {"type": "tokens_revoked"},
    ]
    for event in events:
        body = json.dumps({**envelope, "event": event}).encode()
        assert (await slack_says(story, body, "application/json"))[0] < 500, event
    for whole in (*broken(envelope, "event"), *broken(envelope, "type")):
        raw = json.dumps(whole).encode()
        assert (await slack_says(story, raw, "application/json"))[0] < 500, whole
    assert everything(story) == before


FRAMES = (
    b"", b"x", b"payload=", b"payload=x", b"payload=[]", b"payload=null", b"payload=7", b"{}",
    b"payload=%7B%7D", b"payload=%7B%7D&payload=%7B%7D", b"ssl_check=1", b"\xff\xfe",
)  # fmt: skip


async def test_framing_that_slack_never_sends(story: Story) -> None:
    for body in FRAMES:
        for kind in ("application/x-www-form-urlencoded", "application/json", "text/plain"):
            assert (await slack_says(story, body, kind))[0] < 500, (body, kind)


async def forget_answers(story: Story) -> None:
    """A sentence for the clicker is a fine answer to nonsense."""
    await story.settle()
    while any(m.ephemeral_to == story.user("ann") for m in story.unexpected()):
        await story.expect_said("ann")
