"""`conversations.*` and `users.*`: who and what there is, and what was said.

What is not here: writing (`methods_chat`).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from typing import Any, TypeVar

from sandbox.calls import ApiError, Call, Method, Reply
from sandbox.model import BOT_USER_ID, Channel, Message
from sandbox.rates import SOLD_OUTSIDE_PAGE

T = TypeVar("T")
_HISTORY_SCOPE = {"D": "im:history", "C": "channels:history"}
_TIME = re.compile(r"\d{1,12}(\.\d{1,6})?")


def conversation(call: Call, channel_id: str) -> Channel:
    """A conversation by its id. `channel_not_found` for names, user ids, and other people's DMs."""
    channel = call.workspace.channels.get(channel_id)
    if channel is None:
        raise ApiError("channel_not_found")
    return channel


def open_dm(call: Call) -> Reply:
    """conversations.open"""
    if call.text("channel"):
        return {"channel": _channel_object(conversation(call, call.text("channel")))}
    users = [u for u in call.text("users").split(",") if u]
    if not users:
        raise ApiError("users_list_not_supplied")
    if len(users) > 1:
        raise ApiError("method_not_supported_for_channel_type")
    person = call.workspace.people.get(users[0])
    if person is None:
        raise ApiError("user_not_found")
    if person.deactivated:
        raise ApiError("user_disabled")
    known = call.workspace.dm_id(person.user_id) in call.workspace.channels
    channel = call.workspace.open_dm(person.user_id)
    found: dict[str, Any] = {"id": channel.id}
    if call.flag("return_im"):
        found = _channel_object(channel)
    return {"channel": found, "no_op": known, "already_open": known}


def channel_info(call: Call) -> Reply:
    """conversations.info"""
    channel_id = call.text("channel", required=True)
    # A name is no id: Slack says so before it asks for a scope.
    channel = conversation(call, channel_id)
    scope = {"D": "im:read", "C": "channels:read"}.get(channel_id[:1], "groups:read")
    _need(call, scope)
    return {"channel": _channel_object(channel)}


def history(call: Call) -> Reply:
    """conversations.history: newest first, replies only when they were broadcast."""
    channel = _readable(call)
    found = [m for m in call.workspace.messages[channel.id].values() if m.in_timeline and _kept(m)]
    return _messages(call, list(reversed(found)))


def replies(call: Call) -> Reply:
    """conversations.replies: the root, then the replies, oldest first."""
    channel = _readable(call)
    ts = call.text("ts", required=True)
    root = call.workspace.message(channel.id, ts)
    if root is None:
        raise ApiError("thread_not_found")
    root_ts = root.thread_ts or root.ts
    found = [
        m
        for m in call.workspace.messages[channel.id].values()
        if root_ts in (m.ts, m.thread_ts) and _kept(m)
    ]
    return _messages(call, found, always=root_ts)


def user_info(call: Call) -> Reply:
    """users.info"""
    user_id = call.text("user", required=True)
    if user_id == BOT_USER_ID:
        return {"user": {"id": BOT_USER_ID, "name": "baton", "real_name": "Baton", "is_bot": True}}
    person = call.workspace.people.get(user_id)
    if person is None:
        raise ApiError("user_not_found")
    return {"user": call.workspace.user_object(person)}


def lookup_by_email(call: Call) -> Reply:
    """users.lookupByEmail: closed accounts are not found."""
    person = call.workspace.person_by_email(call.text("email", required=True))
    if person is None or person.deactivated:
        raise ApiError("users_not_found")
    return {"user": call.workspace.user_object(person)}


def user_list(call: Call) -> Reply:
    """users.list"""
    page, cursor = _page(call, list(call.workspace.people.values()), 200)
    found = [call.workspace.user_object(person) for person in page]
    return {"members": found, "response_metadata": {"next_cursor": cursor}}


def _need(call: Call, scope: str) -> None:
    """`missing_scope` for a scope that depends on the kind of conversation."""
    granted = call.workspace.config.scopes
    if scope not in granted:
        provided = ",".join(sorted(granted))
        raise ApiError("missing_scope", needed=scope, provided=provided)


def _readable(call: Call) -> Channel:
    channel_id = call.text("channel", required=True)
    channel = conversation(call, channel_id)
    _need(call, _HISTORY_SCOPE.get(channel_id[:1], "groups:history"))
    if BOT_USER_ID not in channel.members:
        raise ApiError("not_in_channel")
    return channel


def _kept(message: Message) -> bool:
    return not message.deleted and not message.ephemeral_to


def _messages(call: Call, found: Sequence[Message], always: str = "") -> Reply:
    """The page that the arguments ask for. `always` is the ts of a root that no bound of time hides."""
    inclusive = call.flag("inclusive")
    oldest, latest = _bound(call, "oldest"), _bound(call, "latest")
    wanted = [
        m
        for m in found
        if m.ts == always
        or (
            (not oldest or m.ts > oldest or (inclusive and m.ts == oldest))
            and (not latest or m.ts < latest or (inclusive and m.ts == latest))
        )
    ]
    config = call.workspace.config
    most = min(config.history_limit, SOLD_OUTSIDE_PAGE if config.sold_outside else 1000)
    page, cursor = _page(call, wanted, 100, most)
    shown = []
    for message in page:
        body = message.payload(metadata=call.flag("include_all_metadata"))
        count = call.workspace.reply_count(message.channel, message.ts)
        if count:
            body |= {"thread_ts": message.ts, "reply_count": count}
        shown.append({**body, "team": call.workspace.config.team_id})
    reply: Reply = {"messages": shown, "has_more": bool(cursor)}
    if cursor:
        reply["response_metadata"] = {"next_cursor": cursor}
    return reply


def _bound(call: Call, name: str) -> str:
    """A time as a ts that can be compared; "" for none (also for 0, which clients send)."""
    value = call.text(name)
    if value in ("", "0"):
        return ""
    if not _TIME.fullmatch(value):
        raise ApiError(f"invalid_ts_{name}")
    seconds, _, micros = value.partition(".")
    return f"{int(seconds):010d}.{micros:0<6}"


def _page(call: Call, items: Sequence[T], default: int, most: int = 1000) -> tuple[list[T], str]:
    """A page of the list and the cursor of the next one, "" at the end."""
    limit = min(max(call.number("limit", default), 1), most)
    start = 0
    if call.text("cursor"):
        try:
            start = int(base64.b64decode(call.text("cursor"), validate=True).decode().split(":")[1])
        except (ValueError, IndexError):
            raise ApiError("invalid_cursor") from None
    more = start + limit < len(items)
    cursor = base64.b64encode(f"next:{start + limit}".encode()).decode() if more else ""
    return list(items[start : start + limit]), cursor


def _channel_object(channel: Channel) -> dict[str, Any]:
    if channel.kind == "dm":
        other = next((m for m in channel.members if m != BOT_USER_ID), "")
        return {"id": channel.id, "is_im": True, "user": other, "is_archived": channel.is_archived}
    return {
        "id": channel.id,
        "name": channel.name,
        "is_channel": True,
        "is_im": False,
        "is_private": False,
        "is_archived": channel.is_archived,
        "is_member": BOT_USER_ID in channel.members,
    }


METHODS: dict[str, Method] = {
    "conversations.open": open_dm,
    "conversations.info": channel_info,
    "conversations.history": history,
    "conversations.replies": replies,
    "users.info": user_info,
    "users.lookupByEmail": lookup_by_email,
    "users.list": user_list,
}
