"""Reading Slack's payloads into small typed values. Anything missing or of the wrong type becomes ""; nothing raises.

What is not here: who may do what (services), what an action means (`clicks`, `forms`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from bot.rendering.ids import ActionId, BlockId, More, parse_more


def text_at(body: object, *path: str | int) -> str:
    """The text at a path of keys and indexes, "" when there is none."""
    found: object = body
    for step in path:
        if isinstance(found, Mapping) and isinstance(step, str):
            found = found.get(step)
        elif isinstance(found, list) and isinstance(step, int) and step < len(found):
            found = found[step]
        else:
            return ""
    return found if isinstance(found, str) else ""


def texts_at(body: object, *path: str) -> tuple[str, ...]:
    """The values of the options at a path of keys: what is ticked in a list."""
    found: object = body
    for step in path:
        found = found.get(step) if isinstance(found, Mapping) else None
    options = found if isinstance(found, list) else []
    return tuple(value for option in options if (value := text_at(option, "value")))


@dataclass(frozen=True, slots=True)
class Click:
    """One use of an element. `id` is the opaque offer or review id; `what` is set for overflow menus.

    `in_modal`: clicked inside an open modal; `channel` is "" for modals and Home. `on_answer`: on an answer that only
    the clicker sees, which cannot be redrawn.
    """

    user: str
    team: str
    action: str
    id: str
    what: More | None
    trigger_id: str
    channel: str
    view_id: str
    in_modal: bool
    on_answer: bool = False


def read_click(body: Mapping[str, Any]) -> Click:
    """The (only) action of a `block_actions` payload. The actor is the verified payload's user, nothing else."""
    selected = text_at(body, "actions", 0, "selected_option", "value")
    what, id_ = None, text_at(body, "actions", 0, "value")
    if selected:
        parsed = parse_more(selected)
        what, id_ = parsed if parsed is not None else (None, "")
    return Click(
        user=text_at(body, "user", "id"),
        team=team_of(body),
        action=text_at(body, "actions", 0, "action_id"),
        id=id_[:64],
        what=what,
        trigger_id=text_at(body, "trigger_id"),
        channel=text_at(body, "container", "channel_id") or text_at(body, "channel", "id"),
        view_id=text_at(body, "view", "id"),
        in_modal=text_at(body, "view", "type") == "modal",
        on_answer=_flag_at(body, "container", "is_ephemeral"),
    )


def _flag_at(body: Mapping[str, Any], part: str, key: str) -> bool:
    found = body.get(part)
    return isinstance(found, Mapping) and found.get(key) is True


def team_of(body: Mapping[str, Any]) -> str:
    """The workspace a payload comes from."""
    return (
        text_at(body, "team", "id") or text_at(body, "team_id") or text_at(body, "user", "team_id")
    )


def once_key(body: Mapping[str, Any]) -> str:
    """What stays the same when Slack sends a payload again, over whatever line, and is another one at every click.

    A trigger belongs to one doing of one person. "" without one: then nothing is known.
    """
    trigger = text_at(body, "trigger_id")
    if not trigger:
        return ""
    parts = (
        trigger, text_at(body, "user", "id") or text_at(body, "user_id"), text_at(body, "type"),
        text_at(body, "actions", 0, "action_id"), text_at(body, "actions", 0, "value"),
        text_at(body, "actions", 0, "selected_option", "value"), text_at(body, "view", "id"),
        text_at(body, "command"), text_at(body, "text"),
    )  # fmt: skip
    return hashlib.sha256("\0".join(parts).encode(errors="replace")).hexdigest()


@dataclass(frozen=True, slots=True)
class Form:
    """A submitted modal. `id`: the offer or review id that the form was opened for."""

    user: str
    team: str
    callback: str
    id: str
    reason: str
    note: str
    day: date | None
    outcome: str
    value: str
    person: str
    span: str
    target: str


def read_form(body: Mapping[str, Any]) -> Form:
    """A `view_submission` payload."""
    view = body.get("view")
    metadata = _metadata(text_at(view, "private_metadata"))

    def chosen(block: BlockId, action: ActionId) -> str:
        return text_at(
            view, "state", "values", block.value, action.value, "selected_option", "value"
        )

    def typed(block: BlockId, action: ActionId, key: str = "value") -> str:
        return text_at(view, "state", "values", block.value, action.value, key)

    return Form(
        user=text_at(body, "user", "id"),
        team=team_of(body),
        callback=text_at(view, "callback_id"),
        id=(metadata.get("offer") or metadata.get("review") or "")[:64],
        reason=chosen(BlockId.REASON, ActionId.INPUT_REASON),
        note=typed(BlockId.NOTE, ActionId.INPUT_NOTE),
        day=_day(typed(BlockId.DATE, ActionId.INPUT_DATE, "selected_date")),
        outcome=chosen(BlockId.OUTCOME, ActionId.INPUT_OUTCOME),
        value=typed(BlockId.VALUE, ActionId.INPUT_VALUE),
        person=chosen(BlockId.PERSON, ActionId.INPUT_PERSON),
        span=chosen(BlockId.SPAN, ActionId.INPUT_SPAN),
        target=chosen(BlockId.TARGET, ActionId.INPUT_TARGET),
    )


def _metadata(text: str) -> dict[str, str]:
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return {k: v for k, v in found.items() if isinstance(v, str)} if isinstance(found, dict) else {}


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None
