"""Slack's limits for messages and views, block by block: what `chat.*` and `views.*` refuse with which pointer.

Only the blocks that Baton uses are known, in Slack's lengths (docs.slack.dev/reference/block-kit). What is not
here: elements (`element_rules`), charts, tables and rich text (`data_rules`), limits of plain text (`web_api`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.data_rules import (
    TABLE_CHARACTERS,
    check_chart,
    check_rich_text,
    check_table,
    text_length,
)
from sandbox.element_rules import check_element
from sandbox.rule_tools import Finding, Findings

MESSAGE_BLOCKS, VIEW_BLOCKS = 50, 100
#: Undocumented: 9,597 characters passed and 11,341 failed, so nothing above the proven length passes here.
BLOCK_TEXT = 9_600
VIEW_BYTES = 250_000
MARKDOWN = 12_000

#: Block type -> (required, optional) besides `type` and `block_id`.
_FIELDS = {
    "section": ("", "text fields accessory expand"),
    "header": ("text", "level"),
    "context": ("elements", ""),
    "actions": ("elements", ""),
    "divider": ("", ""),
    "input": ("label element", "hint optional dispatch_action"),
    "rich_text": ("elements", ""),
    "markdown": ("text", ""),
    "table": ("rows", "column_settings"),
    "data_table": ("rows caption", "page_size row_header_column_index"),
    "data_visualization": ("title chart", ""),
}
_MESSAGES_ONLY = ("markdown", "data_table", "data_visualization", "table")
_MODAL = "title submit close clear_on_close notify_on_close submit_disabled"
_VIEW = "private_metadata callback_id external_id"


def check_message(blocks: Any) -> list[Finding]:
    """Everything that is wrong with a message's blocks."""
    f = Findings()
    for i, block in enumerate(f.listing("/blocks", blocks, 0, MESSAGE_BLOCKS)):
        _block(f, f"/blocks/{i}", block, "message")
    if f.kinds.count("data_visualization") > 2:
        f.add("/blocks", "count", "no more than 2 data_visualization blocks allowed")
    if f.kinds.count("table") > 1:
        f.add("/blocks", "count", "only_one_table_allowed")
    if f.table_characters > TABLE_CHARACTERS:
        f.add("/blocks", "length", f"table cells exceed {TABLE_CHARACTERS} characters")
    return f.found


def blocks_too_long(blocks: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the text of all blocks together is above what Slack is known to take (`msg_blocks_too_long`)."""
    counted = [b for b in blocks if b.get("type") not in ("table", "data_table", "markdown")]
    return text_length(counted) > BLOCK_TEXT


def check_view(view: Any, surface: str) -> list[Finding]:
    """Everything that is wrong with a view for `surface` ("modal" or "home"), but for its size."""
    f = Findings()
    optional = f"{_VIEW} {_MODAL}" if surface == "modal" else _VIEW
    required = "type title blocks" if surface == "modal" else "type blocks"
    if not f.object("/view", view, required, optional):
        return f.found
    f.choice("/view/type", view.get("type"), (surface,))
    blocks = f.listing("/view/blocks", view.get("blocks"), 1, VIEW_BLOCKS)
    for i, block in enumerate(blocks):
        _block(f, f"/view/blocks/{i}", block, surface)
    for key in ("title", "submit", "close"):
        f.text(f"/view/{key}", view.get(key), 24, plain=True)
    for key in ("clear_on_close", "notify_on_close", "submit_disabled"):
        f.flag(f"/view/{key}", view.get(key))
    f.string("/view/private_metadata", view.get("private_metadata"), 0, 3000)
    f.string("/view/callback_id", view.get("callback_id"), 0, 255)
    f.string("/view/external_id", view.get("external_id"), 0, 255)
    if surface == "modal" and "input" in f.kinds and not view.get("submit"):
        f.add("/view/submit", "required", "submit is required when an input block is used")
    if f.focused > 1:
        f.add("/view", "count", "no more than 1 focus_on_load allowed")
    return f.found


def view_too_large(view: Mapping[str, Any]) -> bool:
    """Whether a view is above 250 kB (`view_too_large`)."""
    return len(json.dumps(view, ensure_ascii=False).encode()) > VIEW_BYTES


def _block(f: Findings, at: str, block: Any, surface: str) -> None:
    if not isinstance(block, Mapping):
        f.add(at, "type", "must provide an object")
        return
    kind = block.get("type")
    if kind not in _FIELDS:
        f.add(f"{at}/type", "enum", f"Unsupported block type: {kind}")
        return
    if surface != "message" and kind in _MESSAGES_ONLY:
        f.add(f"{at}/type", "surface", f"{kind} is not supported in a {surface}")
    required, optional = _FIELDS[kind]
    f.object(at, block, f"type {required}", f"block_id {optional}")
    f.kinds.append(kind)
    block_id = block.get("block_id")
    f.string(f"{at}/block_id", block_id, 1, 255)
    if isinstance(block_id, str):
        if block_id in f.block_ids:
            f.add(f"{at}/block_id", "duplicate", f"`block_id` {block_id} already exists")
        f.block_ids.add(block_id)
    _inside(f, at, block, kind)


def _inside(f: Findings, at: str, block: Mapping[str, Any], kind: str) -> None:
    if kind == "section":
        _section(f, at, block)
    elif kind == "header":
        f.text(f"{at}/text", block.get("text"), 150, plain=True)
        f.number(f"{at}/level", block.get("level"), 1, 4)
    elif kind == "context":
        for i, part in enumerate(f.listing(f"{at}/elements", block.get("elements"), 1, 10)):
            f.text(f"{at}/elements/{i}", part, 3000)
    elif kind == "actions":
        seen: set[str] = set()
        for i, element in enumerate(f.listing(f"{at}/elements", block.get("elements"), 1, 25)):
            check_element(f, f"{at}/elements/{i}", element, "actions", seen)
    elif kind == "input":
        f.text(f"{at}/label", block.get("label"), 2000, plain=True)
        f.text(f"{at}/hint", block.get("hint"), 2000, plain=True)
        f.flag(f"{at}/optional", block.get("optional"))
        f.flag(f"{at}/dispatch_action", block.get("dispatch_action"))
        if block.get("element") is not None:
            check_element(f, f"{at}/element", block["element"], "input", set())
    elif kind == "rich_text":
        check_rich_text(f, at, block)
    elif kind == "markdown":
        f.string(f"{at}/text", block.get("text"), 1, MARKDOWN)
    elif kind in ("table", "data_table"):
        check_table(f, at, block)
    elif kind == "data_visualization":
        check_chart(f, at, block)


def _section(f: Findings, at: str, block: Mapping[str, Any]) -> None:
    if block.get("text") is None and not block.get("fields"):
        f.add(at, "required", "missing required field: text or fields")
    f.text(f"{at}/text", block.get("text"), 3000)
    f.flag(f"{at}/expand", block.get("expand"))
    for i, part in enumerate(f.listing(f"{at}/fields", block.get("fields"), 1, 10)):
        f.text(f"{at}/fields/{i}", part, 2000)
    if block.get("accessory") is not None:
        check_element(f, f"{at}/accessory", block["accessory"], "accessory", set())
