"""Conversations as they are drawn: messages with author, time, thread and body, for one reader at one place.

Not here: the rest of the page (`rendering`), the drawing of blocks (`block_html`).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from urllib.parse import urlencode

from jinja2 import Environment
from markupsafe import Markup

from sandbox.block_html import Surface, render_blocks
from sandbox.model import BOT_USER_ID, SLACKBOT_ID, Channel, Message, Person
from sandbox.mrkdwn import Reader, date_text, mrkdwn
from sandbox.state import State

APP_NAME = "Baton"
#: Messages drawn of one conversation; a demo seldom has more, a stress run has thousands.
SHOWN = 80
#: Messages of one author that come closer than this share one head.
FOLLOW_SECONDS = 300
HUES = 8


@dataclass(frozen=True, slots=True)
class Place:
    """Who looks at what. `at` is a conversation's id or `home`; `thread` the root's ts or ""."""

    person: Person
    at: str
    thread: str

    def href(self, **changes: str) -> str:
        """The address of this place, with changes; an empty thread is left out."""
        query = {"as": self.person.email, "at": self.at, "thread": self.thread} | changes
        return "/?" + urlencode({k: v for k, v in query.items() if v})


@dataclass(frozen=True, slots=True)
class MessageEntry:
    """One message as it is drawn."""

    message: Message
    author: str
    initials: str
    hue: int
    kind: str
    time: str
    full_time: str
    day: str
    body: Markup
    fresh: bool
    follows: bool
    replies: int = 0
    new_replies: int = 0
    last_reply: str = ""
    thread_href: str = ""
    root_text: str = ""


class Timeline:
    """One conversation, or one of its threads."""

    def __init__(
        self, state: State, env: Environment, reader: Reader, place: Place, channel: Channel
    ) -> None:
        self.state, self.env, self.reader, self.place = state, env, reader, place
        self.channel = channel
        self._visible = state.timeline(channel.id, place.person.user_id)
        self._mark = state.read_marks.get((place.person.user_id, channel.id), "")

    @property
    def hidden(self) -> int:
        """How many older messages are left out."""
        return max(0, len(self._visible) - SHOWN)

    def messages(self) -> list[MessageEntry]:
        """The conversation itself, oldest first, with what is known of each thread."""
        replies: dict[str, list[Message]] = {}
        for message in self.state.messages.get(self.channel.id, {}).values():
            if message.thread_ts and message.visible_to(self.reader.user_id):
                replies.setdefault(message.thread_ts, []).append(message)
        shown = self._visible[-SHOWN:]
        return [
            self._entry(message, before, replies.get(message.ts, []))
            for before, message in zip([None, *shown], shown, strict=False)
        ]

    def thread(self) -> list[MessageEntry]:
        """The root and the replies of the place's thread; nothing when it names none."""
        if not self.place.thread:
            return []
        shown = self.state.thread(self.channel.id, self.place.thread, self.reader.user_id)
        return [
            self._entry(message, before, None)
            for before, message in zip([None, *shown], shown, strict=False)
        ]

    def _entry(
        self, message: Message, before: Message | None, replies: list[Message] | None
    ) -> MessageEntry:
        """`replies` is None inside a thread, where neither days nor roots are shown."""
        at, earlier = self._local(message.ts), self._local(before.ts) if before else None
        new_day = earlier is None or earlier.date() != at.date()
        root = message.thread_ts if message.broadcast and replies is not None else ""
        author, initials, kind = self._author(message.user)
        found = replies or []
        return MessageEntry(
            message,
            author,
            initials,
            hue_of(author),
            kind,
            f"{at:%H:%M}",
            f"{at:%A}, {at.day} {at:%B} {at:%Y}, {at:%H:%M:%S} ({self.reader.zone})",
            self._day(at.date()) if new_day and replies is not None else "",
            self._body(message),
            self._is_new(message),
            not new_day and not root and self._follows(message, before),
            len(found),
            sum(self._is_new(reply) for reply in found),
            self._last_reply(found),
            self.place.href(at=message.channel, thread=root or message.ts),
            self._root_text(root),
        )

    def _is_new(self, message: Message) -> bool:
        return message.ts > self._mark and message.user != self.reader.user_id

    @staticmethod
    def _follows(message: Message, before: Message | None) -> bool:
        """Whether it stands under the same name as the one before, without a head of its own.

        Unlike in Slack, a card always has its head: two cards in a row are easier told apart.
        """
        return (
            before is not None
            and before.user == message.user
            and not message.blocks
            and not message.ephemeral_to
            and not before.ephemeral_to
            and float(message.ts) - float(before.ts) < FOLLOW_SECONDS
        )

    def _author(self, user: str) -> tuple[str, str, str]:
        if user == BOT_USER_ID:
            return APP_NAME, "B", "app"
        if user == SLACKBOT_ID:
            return "Slackbot", "S", "slackbot"
        person = self.state.people.get(user)
        return (person.name, person.initials, "person") if person else (user, "?", "person")

    def _body(self, message: Message) -> Markup:
        if message.blocks:
            return render_blocks(self.env, message.blocks, Surface("message", self.reader))
        return Markup('<div class="txt">{}</div>').format(mrkdwn(message.text, self.reader))

    def _last_reply(self, replies: list[Message]) -> str:
        if not replies:
            return ""
        stamp = float(replies[-1].ts)
        pretty = date_text(stamp, "{date_short_pretty}", self.reader)
        return date_text(stamp, "{time}" if pretty == "today" else "{date_short_pretty} {time}",
                         self.reader)  # fmt: skip

    def _root_text(self, root: str) -> str:
        found = self.state.message(self.channel.id, root) if root else None
        line = found.text.partition("\n")[0] if found else ""
        text = mrkdwn(line, self.reader).striptags()
        return text if len(text) <= 70 else text[:69].rstrip() + "…"

    def _local(self, ts: str) -> datetime:
        return self.reader.local(datetime.fromtimestamp(float(ts), UTC))

    def _day(self, day: date) -> str:
        away = (day - self.reader.local(self.reader.now).date()).days
        near = {0: "Today", -1: "Yesterday", 1: "Tomorrow"}.get(away)
        return near or f"{day:%A}, {day.day} {day:%B}"


def hue_of(name: str) -> int:
    """One of the avatar colours, the same for the same name for ever."""
    return zlib.crc32(name.encode()) % HUES
