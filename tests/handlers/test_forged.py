"""Forged requests against the whole app and its database: refused, and not one row more; the genuine ones are taken.

The whole matrix of what can be wrong stands in `tests/unit/test_gate_forged.py`, before the gate alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

import aiohttp
from sqlalchemy import func, select
from standardwebhooks import Webhook

from bot.services.work import Work
from sandbox.dispatch import slack_signature, webhook_signature
from storage.models import Base
from tests.story import INTAKE_SECRET, SIGNING_SECRET, Story, lead_of
from tests.story_screen import click_payload

OTHER_SECRET = "whsec_" + "b3RoZXIgc2VjcmV0IHRoYXQgbm9ib2R5IGtub3dz"


def rows(work: Work) -> dict[str, int]:
    """How many rows each table has."""
    return {
        name: work.conn.execute(select(func.count()).select_from(table)).scalar_one()
        for name, table in Base.metadata.tables.items()
    }


async def answered(story: Story, path: str, body: bytes, headers: Mapping[str, str]) -> int:
    """The status of the answer."""
    async with (
        aiohttp.ClientSession(trust_env=False) as session,
        session.post(f"{story.url}{path}", data=body, headers=headers) as answer,
    ):
        return answer.status


async def test_forged_leads_leave_no_row_and_a_genuine_one_is_taken(story: Story) -> None:
    body = json.dumps(lead_of("Initech")).encode()
    at = int(story.time.instant.timestamp())
    good = webhook_signature(INTAKE_SECRET, "msg_1", at, body)

    def headers(
        signature: str = good, stamp: int | str = at, msg_id: str = "msg_1"
    ) -> dict[str, str]:
        return {
            "webhook-id": msg_id,
            "webhook-timestamp": str(stamp),
            "webhook-signature": signature,
        }

    late, early = at - 301, at + 301
    forged: list[tuple[bytes, dict[str, str]]] = [
        (body, {}),
        (body, headers(signature="")),
        (body, headers(signature=good[:-2])),
        (body, headers(signature=good.replace("v1,", "v2,"))),
        (body, headers(signature=webhook_signature(OTHER_SECRET, "msg_1", at, body))),
        (body, headers(msg_id="msg_2")),
        (body + b" ", headers()),
        (body[:-1], headers()),
        (body, headers(stamp="abc")),
        (body, headers(stamp="NaN")),
        (body, headers(webhook_signature(INTAKE_SECRET, "msg_1", late, body), late)),
        (body, headers(webhook_signature(INTAKE_SECRET, "msg_1", early, body), early)),
        (body, {"Authorization": "Bearer guessed-guessed-guessed"}),
    ]
    before = story.house.runtime.read_now(rows)
    for sent, head in forged:
        assert await answered(story, "/leads", sent, head) == 401, head
    assert story.house.runtime.read_now(rows) == before
    client = Webhook(INTAKE_SECRET)
    signed = client.sign("msg_3", datetime.fromtimestamp(at, UTC), body.decode())
    assert await answered(story, "/leads", body, headers(signed, at, "msg_3")) == 202
    await story.settle()
    await story.expect_dm("ann", "Initech")


async def test_forged_clicks_leave_no_row_and_a_genuine_one_counts(story: Story) -> None:
    await story.lead_arrives("Initech")
    card = await story.expect_dm("ann", "Initech")
    block = next(b for b in card.message.blocks if b["type"] == "actions")
    payload = click_payload(story, "ann", card.message, dict(block), block["elements"][0], None)
    body = b"payload=" + quote(json.dumps(payload)).encode()
    at = int(story.time.instant.timestamp())

    def headers(signature: str, stamp: int | str = at) -> dict[str, str]:
        return {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": str(stamp),
            "X-Slack-Signature": signature,
        }

    good = slack_signature(SIGNING_SECRET, at, body)
    forged: list[tuple[bytes, dict[str, str]]] = [
        (body, {}),
        (body, headers("")),
        (body, headers(good[:-1])),
        (body, headers(good.replace("v0=", "v1="))),
        (body, headers(slack_signature("another secret", at, body))),
        (body + b"+", headers(good)),
        (body, headers(good, "abc")),
        (body, headers(slack_signature(SIGNING_SECRET, at - 301, body), at - 301)),
        (body, headers(slack_signature(SIGNING_SECRET, at + 301, body), at + 301)),
    ]
    before = story.house.runtime.read_now(rows)
    for sent, head in forged:
        assert await answered(story, "/slack/events", sent, head) == 401, head
    assert story.house.runtime.read_now(rows) == before
    assert story.status("Initech") == "offered"
    assert await answered(story, "/slack/events", body, headers(good)) == 200
    await story.settle()
    assert story.status("Initech") == "accepted"
