"""Slack's limits and the house's rules for whatever is rendered, and readers of a rendering for assertions.

What is not here: the renderings themselves (`rendering_kit`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple


class Shown(NamedTuple):
    """One rendering: its name, where it stands (dm, channel, ephemeral, modal, home), what it is."""

    name: str
    surface: str
    body: dict[str, Any]


def walk(item: Any) -> Iterator[dict[str, Any]]:
    """Every object of a payload."""
    if isinstance(item, dict):
        yield item
        for value in item.values():
            yield from walk(value)
    elif isinstance(item, list):
        for value in item:
            yield from walk(value)


def texts(body: dict[str, Any]) -> str:
    """All that a reader sees of the blocks, and the notification, one after the other."""
    keys = ("text", "fallback", "accessibility_label")
    seen = (item.get(key) for item in walk(body.get("blocks", [])) for key in keys)
    return "\n".join([str(body.get("text", "")), *(s for s in seen if isinstance(s, str))])


def shown(body: dict[str, Any]) -> str:
    """The text of the blocks in reading order, without the notification."""
    return "".join(
        str(item["text"] if item["type"] == "text" else item["fallback"])
        for item in walk(body["blocks"])
        if item.get("type") in ("text", "date")
    )


def buttons(body: dict[str, Any]) -> list[str]:
    """The words on the buttons, in order."""
    return [i["text"]["text"] for i in walk(body["blocks"]) if i.get("type") == "button"]


def menu(body: dict[str, Any]) -> list[str]:
    """The words behind ⋯."""
    return [
        o["text"]["text"]
        for item in walk(body["blocks"])
        if item.get("type") == "overflow"
        for o in item["options"]
    ]


_MAX_OPTIONS = {"overflow": 5, "static_select": 100, "radio_buttons": 10}
_BLOCKS = {
    "rich_text",
    "section",
    "actions",
    "input",
    "header",
    "context",
    "divider",
    "data_visualization",
}


def faults(shown_: Shown) -> list[str]:
    """What Slack would refuse, or what breaks the house's own rules; empty when all is well."""
    body, found = shown_.body, []
    blocks = body["blocks"]
    is_view = shown_.surface in ("modal", "home")
    if not 1 <= len(blocks) <= (100 if is_view else 50):
        found.append(f"{len(blocks)} blocks")
    if not is_view and not 1 <= len(body["text"]) <= 4000:
        found.append(f"text of {len(body['text'])}")
    ids = [b["block_id"] for b in blocks if "block_id" in b]
    if len(ids) != len(set(ids)):
        found.append("block_id twice")
    if {b["type"] for b in blocks} - _BLOCKS:
        found.append("unknown block")
    for item in walk(blocks):
        found += _element_faults(item)
    total = sum(len(i["text"]) for i in walk(blocks) if isinstance(i.get("text"), str))
    if not is_view and total > 9500:
        found.append(f"{total} characters in blocks")
    if is_view and len(json.dumps(body)) > 250_000:
        found.append("view too large")
    if shown_.surface == "modal":
        found += _modal_faults(body)
    return found


def _modal_faults(body: dict[str, Any]) -> list[str]:
    keys = [key for key in ("title", "submit", "close") if key in body]
    found = [f"{key} too long" for key in keys if not 1 <= len(body[key]["text"]) <= 24]
    if any(b["type"] == "input" for b in body["blocks"]) != ("submit" in body):
        found.append("inputs and submit do not go together")
    if len(body["private_metadata"]) > 3000:
        found.append("metadata too long")
    return found


def _too_long(choice: dict[str, Any]) -> bool:
    words = [choice["text"]["text"], choice.get("description", {"text": "x"})["text"]]
    return max(map(len, words)) > 75 or not 1 <= len(choice["value"]) <= 150


def _element_faults(item: dict[str, Any]) -> list[str]:
    kind, found = item.get("type"), []
    if kind == "mrkdwn":
        found.append("mrkdwn")
    if kind in ("user", "usergroup", "channel", "broadcast", "emoji", "team"):
        found.append(f"rich text {kind}")
    if kind in ("text", "plain_text") and not 1 <= len(item["text"]) <= 3000:
        found.append(f"{kind} of {len(item['text'])}")
    if kind == "plain_text" and item["emoji"]:
        found.append("emoji codes of lead text would act")
    if kind == "button":
        if len(item["text"]["text"]) > 30 or not 1 <= len(item["value"]) <= 2000:
            found.append("button too long")
        if len(item.get("accessibility_label", "")) > 75:
            found.append("label too long")
    if kind in _MAX_OPTIONS:
        if not 1 <= len(item["options"]) <= _MAX_OPTIONS[str(kind)]:
            found.append(f"{kind} with {len(item['options'])} options")
        found += ["option too long" for choice in item["options"] if _too_long(choice)]
    if kind == "actions" and len(item["elements"]) > 25:
        found.append("too many elements")
    return found
