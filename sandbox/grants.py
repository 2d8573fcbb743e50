"""What a doing of a person grants the app: a trigger id (3 seconds, once) and a response_url (5 uses, 30 minutes).

All in real time, which a moved business clock does not touch. What is not here: what the app does with them.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

RESPONSE_USES = 5
RESPONSE_SECONDS = 30 * 60


class NotGranted(Exception):
    """Slack's name for why not."""


@dataclass(slots=True)
class _Trigger:
    user_id: str
    view_id: str
    at: float
    used: bool = False


@dataclass(slots=True)
class ResponseUrl:
    """Whom and what a response_url speaks to. `ts` is "" after a command: there is no original message."""

    user_id: str
    channel: str
    ts: str
    thread_ts: str
    at: float
    uses: int = 0


class Grants:
    """Everything that was granted and may still be used."""

    def __init__(self, team_id: str, trigger_seconds: float, real: Callable[[], float]) -> None:
        self._team_id = team_id
        self._seconds = trigger_seconds
        self._real = real
        self._triggers: dict[str, _Trigger] = {}
        self._urls: dict[str, ResponseUrl] = {}

    def trigger(self, user_id: str, view_id: str = "") -> str:
        """A trigger id for what that person did, in that modal when `view_id` says so."""
        self._forget()
        trigger_id = f"{int(self._real() * 1000)}.{len(self._triggers)}.{secrets.token_hex(16)}"
        self._triggers[trigger_id] = _Trigger(user_id, view_id, self._real())
        return trigger_id

    def take_trigger(self, trigger_id: str) -> tuple[str, str]:
        """Use a trigger id: (user id, view id). `NotGranted` with Slack's error name."""
        trigger = self._triggers.get(trigger_id)
        if trigger is None:
            raise NotGranted("invalid_trigger_id")
        if trigger.used:
            raise NotGranted("exchanged_trigger_id")
        if self._real() - trigger.at > self._seconds:
            raise NotGranted("expired_trigger_id")
        trigger.used = True
        return trigger.user_id, trigger.view_id

    def response_token(self, user_id: str, channel: str, ts: str = "", thread_ts: str = "") -> str:
        """The secret part of a response_url."""
        token = secrets.token_urlsafe(18)
        self._urls[token] = ResponseUrl(user_id, channel, ts, thread_ts, self._real())
        return token

    def use_response(self, token: str) -> ResponseUrl:
        """One use of a response_url. `NotGranted` with Slack's error name."""
        url = self._urls.get(token)
        if url is None:
            raise NotGranted("invalid_url")
        if self._real() - url.at > RESPONSE_SECONDS:
            raise NotGranted("expired_url")
        if url.uses >= RESPONSE_USES:
            raise NotGranted("used_url")
        url.uses += 1
        return url

    def speaks_to(self, token: str) -> ResponseUrl:
        """Whom a response_url speaks to, without using it up. KeyError for an unknown one."""
        return self._urls[token]

    def _forget(self) -> None:
        """Long runs must not grow: what ended an hour ago is as good as never given."""
        if len(self._triggers) > 5000:
            limit = self._real() - 3600
            self._triggers = {k: t for k, t in self._triggers.items() if t.at > limit}
            self._urls = {k: u for k, u in self._urls.items() if u.at > limit}
