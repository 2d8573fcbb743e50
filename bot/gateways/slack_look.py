"""Slack as `baton doctor` looks at it: whose token, which scopes, Slack's clock, people and channels in full.

Nothing here writes a message. What is not here: what the findings mean (`bot.services.examine_slack`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.gateways.slack import Identity, SlackGateway
from bot.gateways.slack_reading import date_of


@dataclass(frozen=True, slots=True)
class Token:
    """`auth.test` with its headers. `at`: Slack's clock, whole seconds; `scopes` None: the header did not come."""

    identity: Identity
    scopes: frozenset[str] | None
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Somebody:
    """An account, as far as the doctor cares. `guest`: sees only some channels."""

    id: str
    deleted: bool
    is_bot: bool
    guest: bool


@dataclass(frozen=True, slots=True)
class Room:
    """A channel."""

    id: str
    name: str
    archived: bool
    member: bool  # the bot is in it


class SlackLook(SlackGateway):
    """A gateway that also looks around."""

    async def whoami(self) -> Token:
        """auth.test: whose token, and from the headers its scopes and Slack's time."""
        answer, headers = await self._ask(self.client.auth_test)
        names = ("team_id", "user_id", "bot_id", "team", "url")
        given = {str(key).lower(): str(value) for key, value in headers.items()}
        scopes = given.get("x-oauth-scopes")
        return Token(
            Identity(**{name: str(answer.get(name) or "") for name in names}),
            frozenset(s.strip() for s in scopes.split(",") if s.strip()) if scopes else None,
            date_of(given),
        )

    async def find_somebody(self, email: str) -> Somebody:
        """users.lookupByEmail with what the answer says of the account."""
        return _somebody(await self._call(self.client.users_lookupByEmail, email=email))

    async def look_at_somebody(self, user: str) -> Somebody:
        """users.info: also closed accounts."""
        return _somebody(await self._call(self.client.users_info, user=user))

    async def look_at_channel(self, channel: str) -> Room:
        """conversations.info. `SlackRefused("channel_not_found")` also for private channels without the bot."""
        answer = await self._call(self.client.conversations_info, channel=channel)
        found = _part(answer, "channel")
        return Room(
            str(found.get("id") or channel),
            str(found.get("name") or ""),
            bool(found.get("is_archived")),
            bool(found.get("is_member")),
        )


def _somebody(answer: Mapping[str, Any]) -> Somebody:
    found = _part(answer, "user")
    return Somebody(
        str(found.get("id") or ""),
        bool(found.get("deleted")),
        bool(found.get("is_bot")) or found.get("id") == "USLACKBOT",
        bool(found.get("is_restricted")) or bool(found.get("is_ultra_restricted")),
    )


def _part(answer: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = answer.get(name)
    return part if isinstance(part, Mapping) else {}
