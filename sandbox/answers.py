"""What the bot's answers do to the workspace: acks of submissions, replies by response_url and to commands.

What is not here: how an answer comes in (`workspace` for acks, `web_api` for response_url).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sandbox.block_rules import check_message, check_view
from sandbox.dispatch import Answer
from sandbox.grants import ResponseUrl
from sandbox.model import View
from sandbox.recording import Recorder
from sandbox.state import State, with_block_ids

TROUBLE = "We had some trouble connecting. Try again?"


def reply(state: State, where: ResponseUrl, payload: Mapping[str, Any]) -> str:
    """Apply what was posted to a response_url. Returns Slack's name of the error, "" for none."""
    original = state.message(where.channel, where.ts) if where.ts else None
    if payload.get("delete_original"):
        if original:
            state.change_message(replace(original, deleted=True))
        return ""
    text, blocks = str(payload.get("text") or ""), payload.get("blocks") or []
    if not text and not blocks:
        return "no_text"
    if blocks and check_message(blocks):
        return "invalid_blocks"
    if payload.get("replace_original") and original:
        state.change_message(
            replace(original, text=text, blocks=tuple(with_block_ids(blocks, original.ts)))
        )
        return ""
    in_channel = payload.get("response_type") == "in_channel"
    state.add_message(
        where.channel,
        text,
        blocks,
        thread_ts=str(payload.get("thread_ts") or "") or where.thread_ts,
        ephemeral_to="" if in_channel else where.user_id,
    )
    return ""


def command_answer(state: State, recorder: Recorder, where: ResponseUrl, answer: Answer) -> str:
    """Apply the body of a command's ack. Returns what Slack shows when it cannot be used, "" else."""
    if not answer.body.strip():
        return ""
    payload = answer.json or {"text": answer.body}
    recorder.record("response_url", payload)
    error = reply(state, where, payload)
    return f'failed with the error "{error}"' if error else ""


def submission_answer(
    state: State, recorder: Recorder, view: View, answer: Answer
) -> dict[str, str] | None:
    """Apply the ack of a submitted modal: errors by block_id, or None when it was taken."""
    payload = answer.json or {}
    action = payload.get("response_action")
    stack = state.modals.get(view.user_id, [])
    if payload:
        recorder.record("ack", payload)
    if action == "errors":
        known = {block["block_id"] for block in view.blocks if block["type"] == "input"}
        errors = {str(k): str(v) for k, v in (payload.get("errors") or {}).items()}
        # Slack ignores errors that name no input of the view; with none left the person sees the general one.
        return {k: v for k, v in errors.items() if k in known} or {"": TROUBLE}
    if action == "clear":
        state.set_modals(view.user_id, ())
    elif action in ("update", "push"):
        new = payload.get("view")
        if not isinstance(new, Mapping) or check_view(new, "modal"):
            return {"": TROUBLE}
        if action == "update":
            state.replace_view(view, new)
        elif len(stack) >= 3:
            return {"": TROUBLE}
        else:
            state.set_modals(view.user_id, [*stack, state.new_view(view.user_id, new, view)])
    else:
        state.set_modals(view.user_id, [v for v in stack if v.id != view.id])
    return None
