"""What the workspace holds: conversations, messages, open modals, Home tabs, unread marks, and who watches.

Every change goes through a method here, which writes it through to the store and tells the watchers. What is
not here: HTTP in either direction (`workspace`, `web_api`), and Slack's rules about who may do what.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sandbox.config import SandboxConfig
from sandbox.model import (
    BOT_USER_ID,
    SLACKBOT_ID,
    Change,
    Channel,
    Message,
    Person,
    View,
    hashed_id,
)
from sandbox.persistence import Store

WATCH_LIMIT = 500


class Subscription:
    """One watcher's queue of changes: `async for change in subscription`, or `get(timeout)`; `close()` at the end."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._queue: asyncio.Queue[Change | None] = asyncio.Queue(WATCH_LIMIT)

    def put(self, change: Change) -> None:
        """Queue a change; a watcher that is too slow is told to draw everything instead."""
        if self._queue.full():
            while not self._queue.empty():
                self._queue.get_nowait()
            change = Change("resync")
        self._queue.put_nowait(change)

    async def get(self, timeout: float | None = None) -> Change | None:
        """The next change; None when the subscription is closed or `timeout` seconds have passed."""
        try:
            return await asyncio.wait_for(self._queue.get(), timeout)
        except TimeoutError:
            return None

    def close(self) -> None:
        """Stop watching."""
        self._state.watchers.discard(self)
        if self._queue.full():
            self._queue.get_nowait()
        self._queue.put_nowait(None)

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Change:
        change = await self._queue.get()
        if change is None:
            raise StopAsyncIteration
        return change


class State:
    """The workspace's memory. `messages` is channel id -> ts -> message, in the order of ts."""

    def __init__(self, config: SandboxConfig, store: Store) -> None:
        self.config = config
        self.store = store
        self.people: dict[str, Person] = {}
        self.channels: dict[str, Channel] = {}
        self.messages: dict[str, dict[str, Message]] = {}
        self.modals: dict[str, list[View]] = {}
        self.homes: dict[str, View] = {}
        self.read_marks: dict[tuple[str, str], str] = {}
        self.watchers: set[Subscription] = set()
        self._last_ts = 0
        self._load()

    def _load(self) -> None:
        deactivated = self.store.deactivated()
        for person in self.config.people:
            self.people[person.user_id] = replace(
                person, deactivated=person.deactivated or person.user_id in deactivated
            )
        for channel in [*self.config.channels, *self.store.channels()]:
            self.channels[channel.id] = channel
            self.messages.setdefault(channel.id, {})
        for message in self.store.messages():
            self.messages.setdefault(message.channel, {})[message.ts] = message
            self._last_ts = max(self._last_ts, int(message.ts.replace(".", "")))
        self.homes = {view.user_id: view for view in self.store.homes()}
        self.read_marks = self.store.read_marks()

    # ------------------------------------------------------------ time and watchers

    def now(self) -> datetime:
        """The business time, which messages carry."""
        return self.config.clock.now()

    def next_ts(self) -> str:
        """A ts for a message that is written now; later than all before it, even when the clock stands."""
        micros = int(self.now().timestamp() * 1_000_000)
        self._last_ts = max(micros, self._last_ts + 1)
        return f"{self._last_ts // 1_000_000:010d}.{self._last_ts % 1_000_000:06d}"

    def subscribe(self) -> Subscription:
        """Watch for changes."""
        subscription = Subscription(self)
        self.watchers.add(subscription)
        return subscription

    def publish(self, change: Change) -> None:
        """Tell every watcher."""
        for watcher in self.watchers:
            watcher.put(change)

    # ------------------------------------------------------------ people and conversations

    def person_by_email(self, email: str) -> Person | None:
        """Who has that address."""
        wanted = email.strip().lower()
        return next((p for p in self.people.values() if p.email == wanted), None)

    def set_deactivated(self, user_id: str, deactivated: bool) -> Person:
        """Change the account's status. KeyError for nobody."""
        person = replace(self.people[user_id], deactivated=deactivated)
        self.people[user_id] = person
        self.store.save_deactivated(user_id, deactivated)
        self.publish(Change("person"))
        return person

    def dm_id(self, user_id: str) -> str:
        """The id of the conversation of that person with the bot, whether it is open yet or not."""
        return hashed_id("D0", user_id, length=8)

    def open_dm(self, user_id: str) -> Channel:
        """The conversation of that person with the bot, opened when it was not."""
        found = self.channels.get(self.dm_id(user_id))
        if found:
            return found
        channel = Channel(self.dm_id(user_id), "directmessage", "dm", (user_id, BOT_USER_ID))
        self.channels[channel.id] = channel
        self.messages.setdefault(channel.id, {})
        self.store.save_channel(channel)
        self.publish(Change("channel", frozenset({user_id}), channel.id))
        return channel

    def conversations_of(self, user_id: str) -> list[Channel]:
        """What stands in a person's sidebar: channels by name, then the DM with the bot."""
        mine = [c for c in self.channels.values() if user_id in c.members and not c.is_archived]
        return sorted(mine, key=lambda c: (c.kind == "dm", c.name))

    def archive(self, channel_id: str, archived: bool = True) -> None:
        """Archive a channel or take it back."""
        channel = replace(self.channels[channel_id], is_archived=archived)
        self.channels[channel_id] = channel
        self.store.save_channel(channel)
        self.publish(Change("channel", self._readers(channel_id), channel_id))

    def _readers(self, channel_id: str) -> frozenset[str]:
        members = self.channels[channel_id].members if channel_id in self.channels else ()
        return frozenset(m for m in members if m != BOT_USER_ID)

    # ------------------------------------------------------------ messages

    def message(self, channel_id: str, ts: str) -> Message | None:
        """A message that is not deleted."""
        found = self.messages.get(channel_id, {}).get(ts)
        return found if found and not found.deleted else None

    def add_message(
        self,
        channel_id: str,
        text: str,
        blocks: Sequence[Mapping[str, Any]] = (),
        *,
        user: str = BOT_USER_ID,
        thread_ts: str = "",
        broadcast: bool = False,
        metadata: Mapping[str, Any] | None = None,
        ephemeral_to: str = "",
    ) -> Message:
        """Write a message at the end of a conversation or thread."""
        ts = self.next_ts()
        message = Message(
            channel_id,
            ts,
            user,
            text,
            tuple(with_block_ids(blocks, ts)),
            thread_ts,
            broadcast,
            metadata,
            ephemeral_to=ephemeral_to,
        )
        self._put("message", message)
        return message

    def change_message(self, message: Message) -> None:
        """Replace the message with the same channel and ts."""
        self._put("message_deleted" if message.deleted else "message_changed", message)

    def _put(self, kind: str, message: Message) -> None:
        self.messages.setdefault(message.channel, {})[message.ts] = message
        if not message.ephemeral_to:  # an ephemeral message is gone after a reload, at Slack too
            self.store.save_message(message)
        readers = self._readers(message.channel)
        if message.ephemeral_to:
            readers = frozenset({message.ephemeral_to})
        self.publish(Change(kind, readers, message.channel, message.ts, message.thread_ts))

    def timeline(self, channel_id: str, user_id: str) -> list[Message]:
        """What that person sees in a conversation, oldest first, without what is only in threads."""
        found = self.messages.get(channel_id, {}).values()
        return [m for m in found if m.in_timeline and m.visible_to(user_id)]

    def thread(self, channel_id: str, thread_ts: str, user_id: str) -> list[Message]:
        """The root and its replies as that person sees them, oldest first."""
        found = self.messages.get(channel_id, {}).values()
        return [m for m in found if thread_ts in (m.ts, m.thread_ts) and m.visible_to(user_id)]

    def reply_count(self, channel_id: str, thread_ts: str) -> int:
        """How many replies a message has."""
        found = self.messages.get(channel_id, {}).values()
        return sum(m.thread_ts == thread_ts and not m.deleted and not m.ephemeral_to for m in found)

    def unread(self, user_id: str, channel_id: str) -> int:
        """How many messages of others came since that person last looked."""
        mark = self.read_marks.get((user_id, channel_id), "")
        count = 0
        for message in reversed(self.messages.get(channel_id, {}).values()):
            if message.ts <= mark:
                break
            count += message.visible_to(user_id) and message.user != user_id
        return count

    def mark_read(self, user_id: str, channel_id: str) -> None:
        """That person has seen all of a conversation."""
        newest = next(reversed(self.messages.get(channel_id, {})), "")
        if newest and newest != self.read_marks.get((user_id, channel_id)):
            self.read_marks[user_id, channel_id] = newest
            self.store.save_read_mark(user_id, channel_id, newest)
            self.publish(Change("unread", frozenset({user_id}), channel_id))

    def warn(self, user_id: str, text: str, channel_id: str = "") -> None:
        """Slack's own warning to one person: a Slackbot line where they stand, and a change that says it."""
        if channel_id in self.channels:
            self.add_message(channel_id, text, user=SLACKBOT_ID, ephemeral_to=user_id)
        self.publish(Change("warning", frozenset({user_id}), channel_id, text=text))

    # ------------------------------------------------------------ views

    def new_view(self, user_id: str, view: Mapping[str, Any], previous: View | None = None) -> View:
        """A view with an id and a hash, not shown yet."""
        view_id = "V" + secrets.token_hex(5).upper()
        root = previous.root_id if previous else view_id
        return View(
            view_id,
            str(view["type"]),
            self._hash(),
            {**view, "blocks": with_block_ids(view.get("blocks", ()), view_id)},
            user_id,
            root,
            previous.id if previous else "",
        )

    def _hash(self) -> str:
        return f"{int(self.config.real())}.{secrets.token_hex(4)}"

    def set_modals(self, user_id: str, stack: Sequence[View]) -> None:
        """What modals that person has open, the topmost last."""
        self.modals[user_id] = list(stack)
        self.publish(Change("modal", frozenset({user_id})))

    def set_home(self, view: View) -> None:
        """Publish a Home tab."""
        self.homes[view.user_id] = view
        self.store.save_home(view)
        self.publish(Change("home", frozenset({view.user_id})))

    def find_view(self, view_id: str = "", external_id: str = "") -> View | None:
        """A view that is open or published."""
        views = [*self.homes.values(), *(v for stack in self.modals.values() for v in stack)]
        if external_id:
            return next((v for v in views if v.external_id == external_id), None)
        return next((v for v in views if v.id == view_id), None)

    def replace_view(self, old: View, view: Mapping[str, Any]) -> View:
        """Other content under the same id, with a new hash."""
        blocks = with_block_ids(view.get("blocks", ()), old.id)
        new = replace(old, hash=self._hash(), view={**view, "blocks": blocks})
        if old.type == "home":
            self.set_home(new)
        else:
            stack = self.modals.get(old.user_id, [])
            self.set_modals(old.user_id, [new if v.id == old.id else v for v in stack])
        return new


def with_block_ids(blocks: Sequence[Mapping[str, Any]], seed: str) -> list[Mapping[str, Any]]:
    """The blocks with a block_id each, and an action_id at each element; Slack makes up those that are missing."""
    filled: list[Mapping[str, Any]] = []
    for i, block in enumerate(blocks):
        new = {**block, "block_id": block.get("block_id") or hashed_id("", seed, str(i), length=5)}
        for key in ("element", "accessory"):
            if isinstance(new.get(key), Mapping):
                new[key] = _with_action_id(new[key], new["block_id"], "0")
        if new.get("type") in ("actions", "context_actions"):
            new["elements"] = [
                _with_action_id(e, new["block_id"], str(j)) for j, e in enumerate(new["elements"])
            ]
        filled.append(new)
    return filled


def _with_action_id(element: Mapping[str, Any], *seed: str) -> Mapping[str, Any]:
    if element.get("action_id") or element.get("type") == "image":
        return element
    return {**element, "action_id": hashed_id("", *seed, length=5)}
