"""What a workspace consists of, as values: people, channels, messages, views, changes; and their ids.

Ids come from hashes of names, so that a restart keeps them. What is not here: where the values are kept
(`state`), and Slack's limits (`block_rules`).
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

#: The app that the workspace has installed, and its bot user.
APP_ID = "A0BATONAPP"
BOT_ID = "B0BATONBOT"
BOT_USER_ID = "U0BATONBOT"
#: Slack's own voice: warnings about an app that did not answer.
SLACKBOT_ID = "USLACKBOT"

TS = re.compile(r"^\d{10}\.\d{6}$")


def hashed_id(prefix: str, *parts: str, length: int = 9) -> str:
    """`prefix` and `length` capitals or digits, the same for the same parts for ever."""
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return prefix + base64.b32encode(digest).decode()[:length]


@dataclass(frozen=True, slots=True)
class Person:
    """A member of the workspace. `tz` is an IANA zone. Build one with `Person.of`."""

    user_id: str
    email: str
    name: str
    title: str = ""
    tz: str = "UTC"
    deactivated: bool = False

    @classmethod
    def of(cls, email: str, name: str, title: str = "", tz: str = "UTC") -> Person:
        """A person whose user id follows from the e-mail address."""
        return cls(hashed_id("U", email.lower()), email.lower(), name, title, tz)

    @property
    def username(self) -> str:
        """What Slack sends as `user.name`."""
        return self.email.partition("@")[0]

    @property
    def initials(self) -> str:
        """ "Ann Lee" -> "AL", for an avatar."""
        words = self.name.split() or ["?"]
        return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()


@dataclass(frozen=True, slots=True)
class Channel:
    """A conversation. `kind` is "channel" or "dm" (one person and the bot); `members` are user ids."""

    id: str
    name: str
    kind: str = "channel"
    members: tuple[str, ...] = ()
    is_archived: bool = False

    @classmethod
    def of(cls, channel_id: str, name: str, people: Iterable[Person], bot: bool = True) -> Channel:
        """A public channel with these people, and with the bot unless `bot` is false."""
        members = tuple(person.user_id for person in people)
        return cls(channel_id, name, "channel", (*members, BOT_USER_ID) if bot else members)


@dataclass(frozen=True, slots=True)
class Message:
    """A message. `user` is BOT_USER_ID, SLACKBOT_ID or a person; `ephemeral_to` names its only reader.

    `thread_ts` is the root's ts for a reply and "" for a message of the conversation itself; `broadcast`: a
    reply that is also shown in the conversation. `edited_at` is a ts, "" when never edited with a mark.
    """

    channel: str
    ts: str
    user: str
    text: str
    blocks: tuple[Mapping[str, Any], ...] = ()
    thread_ts: str = ""
    broadcast: bool = False
    metadata: Mapping[str, Any] | None = None
    edited_at: str = ""
    deleted: bool = False
    ephemeral_to: str = ""

    def visible_to(self, user_id: str) -> bool:
        """Whether `user_id`, a member, sees it."""
        return not self.deleted and self.ephemeral_to in ("", user_id)

    @property
    def in_timeline(self) -> bool:
        """Whether it stands in the conversation itself, not only in a thread."""
        return not self.thread_ts or self.broadcast

    def payload(self, *, metadata: bool = True) -> dict[str, Any]:
        """The message object that Slack sends and returns."""
        found: dict[str, Any] = {
            "type": "message",
            "user": self.user,
            "text": self.text,
            "ts": self.ts,
        }
        if self.user == BOT_USER_ID:
            found |= {"bot_id": BOT_ID, "app_id": APP_ID}
        if self.blocks:
            found["blocks"] = [dict(block) for block in self.blocks]
        if self.thread_ts:
            found["thread_ts"] = self.thread_ts
        if self.broadcast:
            found["subtype"] = "thread_broadcast"
        if metadata and self.metadata:
            found["metadata"] = dict(self.metadata)
        if self.edited_at:
            found["edited"] = {"user": self.user, "ts": self.edited_at}
        return found


@dataclass(frozen=True, slots=True)
class View:
    """An open modal or a Home tab of one person. `view` is what the app sent, with every block_id filled in."""

    id: str
    type: str
    hash: str
    view: Mapping[str, Any]
    user_id: str
    root_id: str
    previous_id: str = ""

    @property
    def blocks(self) -> list[Mapping[str, Any]]:
        """Its blocks."""
        return list(self.view.get("blocks", ()))

    @property
    def title(self) -> str:
        """The modal's title, "" for a Home tab."""
        return str((self.view.get("title") or {}).get("text", ""))

    @property
    def submit(self) -> str:
        """The label of the submit button, "" when there is none."""
        return str((self.view.get("submit") or {}).get("text", ""))

    @property
    def close(self) -> str:
        """The label of the cancel button."""
        return str((self.view.get("close") or {}).get("text", "")) or "Cancel"

    @property
    def private_metadata(self) -> str:
        """The app's own string."""
        return str(self.view.get("private_metadata") or "")

    @property
    def callback_id(self) -> str:
        """What the app routes a submission by."""
        return str(self.view.get("callback_id") or "")

    @property
    def external_id(self) -> str:
        """The app's own id of the view, "" when it gave none."""
        return str(self.view.get("external_id") or "")

    def payload(self, team_id: str, values: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The view object that Slack sends and returns; `values` are the state of its inputs."""
        return {
            "id": self.id,
            "team_id": team_id,
            "type": self.type,
            "blocks": [dict(block) for block in self.blocks],
            "private_metadata": self.private_metadata,
            "callback_id": self.callback_id,
            "state": {"values": dict(values or {})},
            "hash": self.hash,
            "title": self.view.get("title"),
            "clear_on_close": bool(self.view.get("clear_on_close")),
            "notify_on_close": bool(self.view.get("notify_on_close")),
            "close": self.view.get("close"),
            "submit": self.view.get("submit"),
            "previous_view_id": self.previous_id or None,
            "root_view_id": self.root_id,
            "app_id": APP_ID,
            "external_id": self.external_id,
            "app_installed_team_id": team_id,
            "bot_id": BOT_ID,
        }


@dataclass(frozen=True, slots=True)
class Change:
    """Something a page may have to draw anew.

    `kind`: "message" (new), "message_changed", "message_deleted", "unread", "channel", "modal", "home",
    "person", "clock", "warning" (then `text` says what Slack shows), or "resync" (draw everything: the
    reader was too slow). `people` are the user ids it concerns, empty for everybody.
    """

    kind: str
    people: frozenset[str] = frozenset()
    channel: str = ""
    ts: str = ""
    thread_ts: str = ""
    text: str = ""

    def concerns(self, user_id: str) -> bool:
        """Whether `user_id` sees a difference."""
        return not self.people or user_id in self.people


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one doing of a person went. `warning` is what Slack shows when the app did not answer well."""

    ok: bool
    warning: str = ""
