"""Requests as Slack and as a marketing system send them: body and headers, signed. What is not here: sending."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from sandbox.dispatch import slack_signature, webhook_signature
from sandbox.model import APP_ID

TEAM = "T0SANDBOX"


def click_request(
    secret: str, action: str, user: str, channel: str, ts: str, value: str
) -> tuple[bytes, dict[str, str]]:
    """A click on a button of a message."""
    payload = {
        "type": "block_actions",
        "team": {"id": TEAM, "domain": "acme"},
        "user": {"id": user, "team_id": TEAM},
        "api_app_id": APP_ID,
        "container": {"type": "message", "message_ts": ts, "channel_id": channel},
        "channel": {"id": channel, "name": "directmessage"},
        "trigger_id": secrets.token_hex(8),  # each click is another doing
        "actions": [
            {
                "type": "button",
                "action_id": action,
                "block_id": "b",
                "value": value,
                "action_ts": ts,
            }
        ],
    }
    body = urlencode({"payload": json.dumps(payload)}).encode()
    at = int(time.time())
    return body, {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": str(at),
        "X-Slack-Signature": slack_signature(secret, at, body),
    }


def leads_request(
    secret: str, message_id: str, leads: Sequence[Mapping[str, Any]]
) -> tuple[bytes, dict[str, str]]:
    """A message of leads (Standard Webhooks)."""
    body = json.dumps(list(leads)).encode()
    at = int(time.time())
    return body, {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": webhook_signature(secret, message_id, at, body),
    }
