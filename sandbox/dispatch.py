"""Requests from the workspace to the bot, with Slack's 3 seconds: over HTTP, signed as Slack signs them, or by socket.

With an app token in the configuration it is Socket Mode, and HTTP is used for leads only. Events are retried three
times, interactions and commands never. What is not here: what stands in the payloads (`interactions`), what the
answers mean (`answers`), the WebSockets (`sockets`).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp

from sandbox.config import SandboxConfig
from sandbox.faults import FaultPlan
from sandbox.model import APP_ID
from sandbox.sockets import NoSocket, Sockets

log = logging.getLogger(__name__)

_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the bot answered. `status` 0: nothing; then `error` is "timeout" or "unreachable"."""

    status: int
    body: str = ""
    error: str = ""
    no_retry: bool = False

    @property
    def ok(self) -> bool:
        """Whether Slack takes it as an acknowledgement."""
        return 200 <= self.status < 300

    @property
    def json(self) -> dict[str, Any] | None:
        """The body as a JSON object, None when it is something else."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return None
        return found if isinstance(found, dict) else None


def slack_signature(secret: str, timestamp: int | str, body: bytes) -> str:
    """Slack's v0 signature (docs.slack.dev/authentication/verifying-requests-from-slack)."""
    basis = b"v0:" + str(timestamp).encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), basis, hashlib.sha256).hexdigest()


def webhook_signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """A Standard Webhooks v1 signature; `secret` is `whsec_` and base64."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    basis = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, basis, hashlib.sha256).digest()).decode()


class Dispatcher:
    """Sends to the bot. `start` before the first use, `stop` after the last."""

    def __init__(self, config: SandboxConfig, faults: FaultPlan) -> None:
        self._config = config
        self.sockets = Sockets(config, faults)
        self._session: aiohttp.ClientSession | None = None
        self._retries: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Open the session."""
        # No environment: a proxy variable must never carry the sandbox's requests off this machine.
        self._session = aiohttp.ClientSession(trust_env=False)

    async def stop(self) -> None:
        """Drop waiting retries and close the session."""
        waiting = list(self._retries)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        if self._session:
            await self._session.close()
            self._session = None

    async def interact(self, payload: Mapping[str, Any]) -> Answer:
        """A click, a submission or a closed view."""
        if self._config.app_token:
            return await self._by_socket("interactive", payload)
        body = urlencode({"payload": json.dumps(payload, ensure_ascii=False)}).encode()
        return await self._send(body, _FORM)

    async def command(self, fields: Mapping[str, str]) -> Answer:
        """A slash command."""
        if self._config.app_token:
            return await self._by_socket("slash_commands", fields)
        return await self._send(urlencode(fields).encode(), _FORM)

    async def event(self, event: Mapping[str, Any]) -> Answer:
        """An event: the first try is awaited, the retries go on in the background."""
        authorized = {
            "team_id": self._config.team_id,
            "is_bot": True,
            "is_enterprise_install": False,
        }
        payload = {
            "token": "sandbox",
            "team_id": self._config.team_id,
            "api_app_id": APP_ID,
            "event": dict(event),
            "type": "event_callback",
            "event_id": "Ev" + secrets.token_hex(5).upper(),
            "event_time": int(self._config.real()),
            "authorizations": [authorized],
            "is_ext_shared_channel": False,
        }
        answer = await self._send_event(payload)
        if not answer.ok and not answer.no_retry:
            task = asyncio.create_task(self._retry(payload, answer), name="sandbox event retry")
            self._retries.add(task)
            task.add_done_callback(self._retries.discard)
        return answer

    async def _send_event(
        self, payload: Mapping[str, Any], number: int = 0, reason: str = ""
    ) -> Answer:
        """`number` 0: the first try, else the retry of that number."""
        if self._config.app_token:
            tries = {"retry_attempt": number, "retry_reason": reason}
            return await self._by_socket("events_api", payload, tries)
        extra = {"X-Slack-Retry-Num": str(number), "X-Slack-Retry-Reason": reason} if number else {}
        body = json.dumps(payload, ensure_ascii=False).encode()
        return await self._send(body, _JSON, extra)

    async def _retry(self, payload: Mapping[str, Any], answer: Answer) -> None:
        for number, delay in enumerate(self._config.event_retry_delays, start=1):
            await asyncio.sleep(delay)
            reason = {"timeout": "http_timeout", "unreachable": "connection_failed"}.get(
                answer.error, "http_error"
            )
            answer = await self._send_event(payload, number, reason)
            if answer.ok or answer.no_retry:
                return
        log.warning("the bot never acknowledged an event")

    async def verify_url(self) -> bool:
        """Slack's check of the events URL: the challenge must come back."""
        challenge = secrets.token_hex(12)
        body = json.dumps({"token": "sandbox", "challenge": challenge, "type": "url_verification"})
        answer = await self._send(body.encode(), _JSON)
        return answer.ok and challenge in answer.body

    async def _by_socket(
        self, kind: str, payload: Mapping[str, Any], more: Mapping[str, Any] | None = None
    ) -> Answer:
        try:
            ack = await self.sockets.send(kind, payload, more)
        except TimeoutError:
            return Answer(0, error="timeout")
        except NoSocket:
            return Answer(0, error="unreachable")
        return Answer(200, json.dumps(ack, ensure_ascii=False) if ack else "")

    async def _send(
        self, body: bytes, content_type: str, extra: Mapping[str, str] | None = None
    ) -> Answer:
        timestamp = int(self._config.real())
        headers = {
            "Content-Type": content_type,
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "X-Slack-Request-Timestamp": str(timestamp),
            "X-Slack-Signature": slack_signature(self._config.signing_secret, timestamp, body),
            **(extra or {}),
        }
        return await self._post(self._config.events_url, body, headers, self._config.ack_seconds)

    async def lead(self, body: bytes, message_id: str, timestamp: int) -> Answer:
        """One signed request to the intake."""
        headers = {
            "Content-Type": _JSON,
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": webhook_signature(
                self._config.intake_secret, message_id, timestamp, body
            ),
        }
        return await self._post(self._config.intake_url, body, headers, 10.0)

    async def _post(
        self, url: str, body: bytes, headers: Mapping[str, str], seconds: float
    ) -> Answer:
        if self._session is None:
            raise RuntimeError("the sandbox is not started")
        limit = aiohttp.ClientTimeout(total=seconds)
        try:
            async with self._session.post(
                url, data=body, headers=headers, timeout=limit, allow_redirects=False
            ) as response:
                text = await response.text(errors="replace")
                no_retry = response.headers.get("X-Slack-No-Retry") == "1"
                return Answer(response.status, text, "", no_retry)
        except TimeoutError:
            return Answer(0, error="timeout")
        except aiohttp.ClientError as error:
            log.info("the bot cannot be reached: %s", error)
            return Answer(0, error="unreachable")
