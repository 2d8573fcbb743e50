"""Block Kit as HTML: the jinja environment of the sandbox and everything its templates may call.

Autoescape is on for every template, whatever its name, and only `mrkdwn` makes `Markup`: text of
a block can never become a tag. The drawing itself is in `templates/blocks.html`. Not here: which
messages stand on the page (`rendering`), and what Slack sends after a click (`interactions`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import ChainableUndefined, Environment, FileSystemLoader
from markupsafe import Markup

from sandbox import mrkdwn as text_format
from sandbox.charts import chart_of
from sandbox.mrkdwn import Reader

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Surface:
    """Where blocks are drawn (`message`, `modal` or `home`) and for whom."""

    kind: str
    reader: Reader


@cache
def environment() -> Environment:
    """The one jinja environment of the page; it holds no state but compiled templates."""
    env = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        # Blocks leave out what they do not need, at any depth.
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.globals.update(
        text_object=text_object,
        mrkdwn=text_format.mrkdwn,
        plain=text_format.plain,
        mention=text_format.mention,
        broadcast_mention=text_format.broadcast_mention,
        channel_mention=text_format.channel_mention,
        date_html=text_format.date_html,
        safe_url=text_format.is_safe_url,
        link=text_format.link,
        rich_emoji=rich_emoji,
        chart_of=chart_of,
        flat_options=flat_options,
        confirm_of=confirm_of,
        initial_values=initial_values,
    )
    return env


def render_blocks(
    env: Environment, blocks: Sequence[Mapping[str, Any]], surface: Surface
) -> Markup:
    """The blocks of one message or view."""
    module = env.get_template("blocks.html").module
    drawn: Markup = module.blocks(list(blocks), surface)  # type: ignore[attr-defined]
    return drawn


def text_object(value: Mapping[str, Any] | str | None, reader: Reader) -> Markup:
    """A text object of either type; a missing one is empty."""
    if not value:
        return Markup("")
    if isinstance(value, str):
        return text_format.plain(value)
    text = str(value.get("text", ""))
    if value.get("type") == "mrkdwn":
        return text_format.mrkdwn(text, reader, bool(value.get("verbatim", False)))
    return text_format.plain(text, emoji=value.get("emoji") is not False)


def rich_emoji(element: Mapping[str, Any]) -> Markup:
    """The character of a rich text emoji: by its code points, by its name, else `:name:`."""
    try:
        found = "".join(chr(int(part, 16)) for part in str(element["unicode"]).split("-"))
    except (KeyError, ValueError, OverflowError):
        found = f":{element.get('name', '')}:"
    return text_format.plain(found)


def flat_options(element: Mapping[str, Any]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """Options as `(group label, options)`; ungrouped ones stand under an empty label."""
    groups = element.get("option_groups")
    if groups:
        return [(_text(g.get("label")), list(g.get("options") or [])) for g in groups]
    return [("", list(element.get("options") or []))]


def confirm_of(element: Mapping[str, Any], reader: Reader) -> dict[str, str] | None:
    """A confirm dialog as plain strings: the browser sets them as text, never as HTML."""
    confirm = element.get("confirm")
    if not isinstance(confirm, Mapping):
        return None
    return {
        "title": _text(confirm.get("title")) or "Are you sure?",
        "text": text_object(confirm.get("text"), reader).striptags(),
        "ok": _text(confirm.get("confirm")) or "Yes",
        "deny": _text(confirm.get("deny")) or "Cancel",
        "style": str(confirm.get("style") or "primary"),
    }


def initial_values(element: Mapping[str, Any]) -> frozenset[str]:
    """The values that an element starts with, whatever its type calls them."""
    found: set[str] = set()
    for key in (
        "initial_value",
        "initial_date",
        "initial_time",
        "initial_user",
        "initial_conversation",
        "initial_channel",
    ):
        if element.get(key):
            found.add(str(element[key]))
    for user in element.get("initial_users") or []:
        found.add(str(user))
    options = [element.get("initial_option"), *(element.get("initial_options") or [])]
    found.update(str(o.get("value", "")) for o in options if o)
    return frozenset(found)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return str(value.get("text", ""))
    return str(value or "")
