"""A CRM beside a story: it reports activities over HTTP, signed as leads are. What is not here: the story itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import aiohttp

from sandbox.dispatch import webhook_signature
from tests.story import INTAKE_SECRET, Story


def call(story: Story, company: str, *, ago: float = 0, **fields: Any) -> dict[str, Any]:
    """Ann's call with the lead of a company, so many minutes ago."""
    at = story.time.instant - timedelta(minutes=ago)
    return {
        "id": f"call-{company}",
        "source": "contact_me",
        "external_id": company.lower(),
        "actor": "ann@acme.example",
        "kind": "call",
        "outcome": "reached",
        "occurred_at": at.isoformat(),
    } | fields


async def report(
    story: Story, *items: object, message_id: str = "crm_1", body: bytes = b"", sign: bool = True
) -> tuple[int, Mapping[str, Any]]:
    """One item, or a list, to `POST /touches`: (status, JSON answer)."""
    sent = body or json.dumps(items[0] if len(items) == 1 else list(items)).encode()
    at = int(story.time.instant.timestamp())
    headers = {"Content-Type": "application/json", "webhook-id": message_id}
    if sign:
        headers["webhook-timestamp"] = str(at)
        headers["webhook-signature"] = webhook_signature(INTAKE_SECRET, message_id, at, sent)
    async with (
        aiohttp.ClientSession(trust_env=False) as session,
        session.post(f"{story.url}/touches", data=sent, headers=headers) as answer,
    ):
        found: Mapping[str, Any] = await answer.json()
        status = answer.status
    await story.settle()
    return status, found
