"""Block Kit pieces as plain dicts, with Slack's limits, in one place. Everything shown is built of
these.

All text passes `escape.clean` here. There is no mrkdwn element on purpose: rich_text and plain_text
are literal, so nothing in a lead's name can ping, link or format. What is not here: sentences
(`wording`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from bot.rendering import escape, times
from bot.rendering.ids import ActionId, BlockId, CallbackId, More, more_value
from bot.rendering.views import Reader

Block = dict[str, Any]
Element = dict[str, Any]
#: `{"text": …, "blocks": […]}`: what chat.postMessage and chat.update take beside channel and ts.
Message = dict[str, Any]
#: A modal or Home view.
View = dict[str, Any]
#: A piece of a line: template text, or a rich_text element made by `bold`, `quoted`, `at` ….
Part = str | Element

TEXT_MAX = 3000  # chat.update refuses more than 4,000; escaping adds some
TEXT_HARD = 3900
MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
BUTTON_MAX = 30
OPTION_MAX = 75
OVERFLOW_MAX = 5
SELECT_MAX = 100
PLAIN_MAX = 2900
NOTE_INPUT_MAX = 1000


# ------------------------------------------------------------------ text elements


def literal(
    text: str, cap: int | None = None, *, bold: bool = False, italic: bool = False
) -> Element:
    """A rich_text text element; a dash when nothing is left, since Slack refuses empty ones. One
    blank at either end stays: the words around it need it."""
    cleaned = escape.clean(text, cap) or "–"
    ahead = " " if text.startswith(" ") else ""
    behind = " " if text.endswith(" ") else ""
    element: Element = {"type": "text", "text": f"{ahead}{cleaned}{behind}"}
    style = {name: True for name, on in (("bold", bold), ("italic", italic)) if on}
    return {**element, "style": style} if style else element


def bold(text: str, cap: int | None = None) -> Element:
    """Bold literal text."""
    return literal(text, cap, bold=True)


def at(instant: datetime, reader: Reader, *, bold: bool = False) -> Element:
    """A `date` element: each viewer's own clock; the fallback is rendered in the reader's zone."""
    same_day = times.is_today(instant, reader.zone, reader.now)
    element: Element = {
        "type": "date",
        "timestamp": int(instant.timestamp()),
        "format": "{time}" if same_day else "{date_short_pretty} at {time}",
        "fallback": times.moment(instant, reader.zone, reader.now),
    }
    return {**element, "style": {"bold": True}} if bold else element


def when(instant: datetime, reader: Reader) -> tuple[Part, ...]:
    """For what was done: "at 10:45" today, "Tue at 10:45" else; without a preposition in front."""
    element = at(instant, reader)
    return ("at ", element) if times.is_today(instant, reader.zone, reader.now) else (element,)


def flat(elements: Iterable[Element]) -> str:
    """Elements as plain text in the reader's zone: for the notification and for screen readers."""
    return "".join(str(e.get("text") or e.get("fallback") or "") for e in elements)


def line(*parts: Part) -> list[Element]:
    """One line. Empty strings vanish; template strings keep their spaces."""
    return [_part(part) for part in parts if part != ""]


def _part(part: Part) -> Element:
    return {"type": "text", "text": part} if isinstance(part, str) else part


def lines(*rows: Sequence[Element]) -> Element:
    """Lines as one rich_text_section; empty lines vanish."""
    elements: list[Element] = []
    for row in rows:
        if not row:
            continue
        if elements:
            elements.append({"type": "text", "text": "\n"})
        elements.extend(row)
    return {"type": "rich_text_section", "elements": elements}


def quote(text: str, cap: int = escape.MESSAGE_CAP) -> Element | None:
    """Somebody's own words, marked off; None when there are none."""
    cleaned = escape.clean(text, cap)
    if not cleaned:
        return None
    return {"type": "rich_text_quote", "elements": [{"type": "text", "text": cleaned}]}


def rich_text(*elements: Element | None) -> Block:
    """A rich_text block of sections and quotes; None and empty ones vanish."""
    kept = [element for element in elements if element and element["elements"]]
    return {"type": "rich_text", "elements": kept or [lines(line("–"))]}


def plain(text: str, cap: int = PLAIN_MAX) -> Element:
    """A plain_text object; `:emoji:` codes stay as typed. Newlines of the template are kept."""
    rows = [escape.clean(row) for row in text.split("\n")]
    cleaned = escape.clip(escape.unbracket("\n".join(rows)), cap)
    return {"type": "plain_text", "text": cleaned or "–", "emoji": False}


# ------------------------------------------------------------------ blocks and elements


def header(text: str) -> Block:
    """A header: template text only."""
    return {"type": "header", "text": plain(text, 150)}


def divider() -> Block:
    """A rule between parts."""
    return {"type": "divider"}


def section(text: str, accessory: Element | None = None) -> Block:
    """Plain text, with one element at its side."""
    block: Block = {"type": "section", "text": plain(text)}
    return {**block, "accessory": accessory} if accessory else block


def context(*texts: str) -> Block:
    """Small print; at most ten pieces."""
    return {"type": "context", "elements": [plain(text, 500) for text in texts[:10]]}


def button(
    text: str,
    action: ActionId,
    value: str,
    *,
    style: str = "",
    confirm: Element | None = None,
    label: str = "",
) -> Element:
    """A button. `label` is what a screen reader says when the text alone is not enough."""
    element: Element = {
        "type": "button",
        "action_id": action.value,
        "text": plain(text, BUTTON_MAX),
        "value": value[:2000],
    }
    if style:
        element["style"] = style
    if confirm:
        element["confirm"] = confirm
    if label:
        element["accessibility_label"] = escape.clean(label, 75)
    return element


def confirm(title: str, text: str, yes: str, no: str = "Cancel") -> Element:
    """A question before a click counts; for what cannot be undone."""
    return {
        "title": plain(title, 100),
        "text": plain(text, 300),
        "confirm": plain(yes, 30),
        "deny": plain(no, 30),
    }


def option(text: str, value: str, *, description: str = "", url: str = "") -> Element:
    """An option of a select, radio or overflow."""
    made: Element = {"text": plain(text, OPTION_MAX), "value": value[:150]}
    if description:
        made["description"] = plain(description, OPTION_MAX)
    if url:
        made["url"] = url
    return made


def overflow(
    action: ActionId, id_: str, choices: Iterable[tuple[More, str]], crm_url: str = ""
) -> Element | None:
    """The menu behind ⋯: at most five options, "Open in CRM" the last one when there is a link."""
    options = [option(text, more_value(what, id_)) for what, text in choices]
    link = safe_url(crm_url)
    if link:
        options = options[: OVERFLOW_MAX - 1]
        options.append(option("Open in CRM", more_value(More.OPEN_CRM, id_), url=link))
    if not options:
        return None
    return {"type": "overflow", "action_id": action.value, "options": options[:OVERFLOW_MAX]}


def safe_url(url: str) -> str:
    """`url` when it is a plain http(s) address without blanks, brackets or control characters, else
    ""."""
    lowered = url.lower()
    if not lowered.startswith(("https://", "http://")) or len(url) > 2900:
        return ""
    if url != escape.clean(url) or any(char in url for char in ' <>|"\\`'):
        return ""
    host = lowered.split("://", 1)[1].split("/", 1)[0].split("?", 1)[0].split("#", 1)[0]
    return url if host and "@" not in host else ""


def actions(block: BlockId | str, *elements: Element | None) -> Block | None:
    """A row of buttons; None when there is none."""
    kept = [element for element in elements if element]
    if not kept:
        return None
    return {"type": "actions", "block_id": str(block), "elements": kept[:25]}


# ------------------------------------------------------------------ messages and views


def message(text: str, blocks: Iterable[Block | None]) -> Message:
    """A message. `text` is what the notification shows and screen readers read; it is escaped
    here."""
    rows = "\n".join(escape.clean(row) for row in text.split("\n"))
    rows = rows if rows.strip() else "–"
    escaped = escape.esc(escape.clip(rows, TEXT_MAX))
    if len(escaped) > TEXT_HARD:  # all ampersands: cut before escaping, never through an entity
        escaped = escape.esc(escape.clip(rows, TEXT_HARD // 5))
    return {"text": escaped, "blocks": [block for block in blocks if block][:MESSAGE_BLOCKS]}


def modal(
    callback: CallbackId,
    title: str,
    blocks: Iterable[Block | None],
    *,
    submit: str = "",
    close: str = "Cancel",
    metadata: dict[str, str] | None = None,
) -> View:
    """A modal; `metadata` becomes `private_metadata`, as JSON with ids only."""
    view: View = {
        "type": "modal",
        "callback_id": callback.value,
        "title": plain(title, 24),
        "close": plain(close, 24),
        "blocks": [block for block in blocks if block][:VIEW_BLOCKS],
        "private_metadata": json.dumps(metadata or {}, separators=(",", ":")),
    }
    if submit:
        view["submit"] = plain(submit, 24)
    return view


def home(blocks: Iterable[Block | None]) -> View:
    """A Home tab."""
    return {"type": "home", "blocks": [block for block in blocks if block][:VIEW_BLOCKS]}
