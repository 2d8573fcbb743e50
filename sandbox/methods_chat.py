"""`chat.*`: post, update, delete, ephemeral messages, permalinks; with Slack's limits and names of errors.

Sources: docs.slack.dev/reference/methods. What is not here: the limits of blocks (`block_rules`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sandbox.block_rules import blocks_too_long, check_message
from sandbox.calls import ApiError, Call, Method, Reply
from sandbox.methods_conversations import conversation
from sandbox.model import BOT_ID, BOT_USER_ID, TS, Channel, Message
from sandbox.state import with_block_ids

POST_TEXT, UPDATE_TEXT, MARKDOWN_TEXT = 40_000, 4_000, 12_000
METADATA_BYTES = 16_000
_EVENT_TYPE = re.compile(r"[A-Za-z0-9_.\-]{1,255}")


def post_message(call: Call) -> Reply:
    """chat.postMessage"""
    channel = _writable(call)
    text, blocks = _content(call, POST_TEXT)
    thread_ts = _thread(call, channel)
    broadcast = call.flag("reply_broadcast")
    if broadcast and not thread_ts:
        raise ApiError("invalid_arguments")
    truncated = len(text) > POST_TEXT
    message = call.workspace.add_message(
        channel.id,
        text[:POST_TEXT],
        blocks,
        thread_ts=thread_ts,
        broadcast=broadcast,
        metadata=_metadata(call),
    )
    reply: Reply = {"channel": channel.id, "ts": message.ts, "message": _shown(call, message)}
    if truncated:
        reply["warning"] = "message_truncated"
        reply["response_metadata"] = {"warnings": ["message_truncated"]}
    return reply


def update(call: Call) -> Reply:
    """chat.update"""
    channel_id = call.text("channel", required=True)
    if not re.match(r"[CDG]", channel_id):
        raise ApiError("channel_not_found")
    channel = conversation(call, channel_id)
    if channel.is_archived:
        raise ApiError("is_archived")
    ts = call.text("ts", required=True)
    message = call.workspace.message(channel.id, ts)
    if message is None or message.ephemeral_to:
        raise ApiError("message_not_found")
    if message.user != BOT_USER_ID:
        raise ApiError("cant_update_message")
    has_blocks = "blocks" in call.args and call.args["blocks"] is not None
    text, blocks = _content(call, UPDATE_TEXT, may_be_empty=has_blocks)
    if len(text) > UPDATE_TEXT:
        raise ApiError("msg_too_long")
    metadata = message.metadata
    if call.args.get("metadata") is not None:
        metadata = _metadata(call)
    # Without blocks an update removes them, and Slack marks the message as edited.
    edited_at = message.edited_at if blocks else call.workspace.next_ts()
    changed = replace(
        message,
        text=text,
        blocks=tuple(with_block_ids(blocks, ts)),
        metadata=metadata,
        edited_at=edited_at,
        broadcast=message.broadcast or (call.flag("reply_broadcast") and bool(message.thread_ts)),
    )
    call.workspace.change_message(changed)
    return {"channel": channel.id, "ts": ts, "text": text, "message": _shown(call, changed)}


def delete(call: Call) -> Reply:
    """chat.delete"""
    channel = conversation(call, call.text("channel", required=True))
    message = call.workspace.message(channel.id, call.text("ts", required=True))
    if message is None or message.ephemeral_to:
        raise ApiError("message_not_found")
    if message.user != BOT_USER_ID:
        raise ApiError("cant_delete_message")
    call.workspace.change_message(replace(message, deleted=True))
    return {"channel": channel.id, "ts": message.ts}


def post_ephemeral(call: Call) -> Reply:
    """chat.postEphemeral"""
    channel = _writable(call)
    user_id = call.text("user", required=True)
    if user_id not in call.workspace.people:
        raise ApiError("user_not_found")
    if user_id not in channel.members:
        raise ApiError("user_not_in_channel")
    text, blocks = _content(call, POST_TEXT)
    message = call.workspace.add_message(
        channel.id,
        text[:POST_TEXT],
        blocks,
        thread_ts=_thread(call, channel),
        ephemeral_to=user_id,
    )
    return {"message_ts": message.ts}


def permalink(call: Call) -> Reply:
    """chat.getPermalink"""
    channel = conversation(call, call.text("channel", required=True))
    message = call.workspace.message(channel.id, call.text("message_ts", required=True))
    if message is None:
        raise ApiError("message_not_found")
    place = f"/archives/{channel.id}/p{message.ts.replace('.', '')}"
    return {"channel": channel.id, "permalink": call.workspace.config.base_url + place}


def validate_blocks(call: Call) -> Reply:
    """blocks.validate, for blocks and messages."""
    message = call.structure("message", "invalid_message")
    name = "invalid_message" if isinstance(message, Mapping) else "invalid_blocks"
    blocks = message.get("blocks") if isinstance(message, Mapping) else None
    if blocks is None:
        blocks = call.structure("blocks", "invalid_blocks")
    if blocks is None:
        raise ApiError("invalid_arguments")
    findings = check_message(blocks)
    if findings:
        raise ApiError(name, errors=[f.as_error() for f in findings])
    return {}


def _writable(call: Call) -> Channel:
    """The conversation to post to; a user id means the DM with that person."""
    workspace = call.workspace
    wanted = call.text("channel")
    if not wanted:
        raise ApiError("channel_not_found")
    if wanted in workspace.people:
        if workspace.people[wanted].deactivated:
            raise ApiError("user_disabled")
        return workspace.open_dm(wanted)
    channel = conversation(call, wanted)
    if channel.is_archived:
        raise ApiError("is_archived")
    if channel.kind == "dm":
        person = next((m for m in channel.members if m in workspace.people), "")
        if not person or workspace.people[person].deactivated:
            raise ApiError("user_disabled")
    elif BOT_USER_ID not in channel.members:
        public_write = "chat:write.public" in workspace.config.scopes
        if not public_write or call.method != "chat.postMessage":
            raise ApiError("not_in_channel")
    return channel


def _content(
    call: Call, limit: int, *, may_be_empty: bool = False
) -> tuple[str, list[Mapping[str, Any]]]:
    """Text and blocks, checked."""
    text, markdown = call.text("text"), call.text("markdown_text")
    blocks = call.structure("blocks", "invalid_blocks_format") or []
    if markdown:
        if text or blocks:
            raise ApiError("markdown_text_conflict")
        if len(markdown) > MARKDOWN_TEXT:
            raise ApiError("msg_too_long")
        text = markdown
    if not isinstance(blocks, list):
        raise ApiError("invalid_blocks_format")
    if not text.strip() and not blocks and not may_be_empty:
        raise ApiError("no_text")
    if limit == UPDATE_TEXT and len(text) > limit:
        raise ApiError("msg_too_long")
    findings = check_message(blocks)
    if findings:
        raise ApiError.of_findings("invalid_blocks", findings)
    if blocks_too_long(blocks):
        raise ApiError("msg_blocks_too_long")
    return text, blocks


def _thread(call: Call, channel: Channel) -> str:
    """The root's ts for a reply."""
    thread_ts = call.text("thread_ts")
    if not thread_ts:
        return ""
    if not TS.match(thread_ts):
        raise ApiError("invalid_thread_ts")
    root = call.workspace.message(channel.id, thread_ts)
    if root is None:
        raise ApiError("thread_not_found")
    if root.ephemeral_to:
        raise ApiError("cannot_reply_to_message")
    return root.thread_ts or root.ts


def _metadata(call: Call) -> Mapping[str, Any] | None:
    value = call.structure("metadata", "invalid_metadata_format")
    if not value:
        return None
    if not isinstance(value, Mapping):
        raise ApiError("invalid_metadata_format")
    event_type, payload = value.get("event_type"), value.get("event_payload")
    if not isinstance(event_type, str) or not _EVENT_TYPE.fullmatch(event_type):
        raise ApiError("invalid_metadata_schema")
    if not isinstance(payload, Mapping) or any(item is None for item in payload.values()):
        raise ApiError("invalid_metadata_schema")
    if len(json.dumps(value)) > METADATA_BYTES:
        raise ApiError("metadata_too_large")
    return value


def _shown(call: Call, message: Message) -> Reply:
    team_id = call.workspace.config.team_id
    return {**message.payload(), "team": team_id, "bot_id": BOT_ID}


METHODS: dict[str, Method] = {
    "chat.postMessage": post_message,
    "chat.update": update,
    "chat.delete": delete,
    "chat.postEphemeral": post_ephemeral,
    "chat.getPermalink": permalink,
}
