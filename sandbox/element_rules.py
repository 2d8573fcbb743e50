"""Slack's limits for the interactive elements that Baton uses (docs.slack.dev/reference/block-kit/block-elements).

An element or field that is not listed here is refused, also where Slack knows more: what Baton does not use,
nobody has tried. What is not here: blocks (`block_rules`), charts and tables (`data_rules`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from sandbox.interactions import options_of
from sandbox.rule_tools import Findings

#: Element type -> (required fields, optional fields), besides `type`.
_FIELDS = {
    "button": ("text", "value url style confirm accessibility_label"),
    "overflow": ("options", "confirm"),
    "static_select": ("", "options option_groups initial_option confirm focus_on_load placeholder"),
    "multi_static_select": (
        "",
        "options option_groups initial_options confirm focus_on_load placeholder max_selected_items",
    ),
    "users_select": ("", "initial_user confirm focus_on_load placeholder"),
    "datepicker": ("", "initial_date confirm focus_on_load placeholder"),
    "timepicker": ("", "initial_time timezone confirm focus_on_load placeholder"),
    "plain_text_input": (
        "",
        "initial_value multiline min_length max_length dispatch_action_config focus_on_load placeholder",
    ),
    "number_input": (
        "is_decimal_allowed",
        "initial_value min_value max_value dispatch_action_config focus_on_load placeholder",
    ),
    "radio_buttons": ("options", "initial_option confirm focus_on_load"),
    "checkboxes": ("options", "initial_options confirm focus_on_load"),
}
_EVERYWHERE = frozenset(_FIELDS) - {"plain_text_input", "number_input"}
#: Where -> which elements may stand there.
ALLOWED = {
    "actions": _EVERYWHERE,
    "accessory": _EVERYWHERE,
    "input": frozenset(_FIELDS) - {"button", "overflow"},
}
_OPTIONS = {"overflow": 5, "checkboxes": 10, "radio_buttons": 10}
_TRIGGERS = ("on_enter_pressed", "on_character_entered")
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_USER = re.compile(r"[UW][A-Z0-9]{2,}")


def check_element(f: Findings, at: str, value: Any, where: str, seen: set[str]) -> None:
    """An element in an actions block, as an accessory or in an input; `seen` are the action_ids of its block."""
    if not isinstance(value, Mapping):
        f.add(at, "type", "must provide an object")
        return
    kind = value.get("type")
    if kind not in _FIELDS:
        f.add(f"{at}/type", "enum", f"unsupported element: {kind}")
        return
    if kind not in ALLOWED[where]:
        f.add(f"{at}/type", "enum", f"{kind} is not allowed in {where}")
    required, optional = _FIELDS[kind]
    f.object(at, value, f"type {required}", f"action_id {optional}")
    action_id = value.get("action_id")
    f.string(f"{at}/action_id", action_id, 1, 255)
    if isinstance(action_id, str):
        if action_id in seen:
            f.add(f"{at}/action_id", "duplicate", f"`action_id` {action_id} already exists")
        seen.add(action_id)
    f.text(f"{at}/placeholder", value.get("placeholder"), 150, plain=True)
    f.flag(f"{at}/focus_on_load", value.get("focus_on_load"))
    f.focused += value.get("focus_on_load") is True
    if value.get("confirm") is not None:
        _confirm(f, f"{at}/confirm", value["confirm"])
    if kind == "button":
        _button(f, at, value)
    elif "options" in value or "option_groups" in value or kind.endswith("static_select"):
        _options(f, at, value, kind)
    else:
        _plain(f, at, value)


def _confirm(f: Findings, at: str, value: Any) -> None:
    if not f.object(at, value, "title text confirm deny", "style"):
        return
    for key, high in (("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)):
        f.text(f"{at}/{key}", value.get(key), high, plain=True)
    f.choice(f"{at}/style", value.get("style"), ("primary", "danger"))


def _button(f: Findings, at: str, value: Mapping[str, Any]) -> None:
    f.text(f"{at}/text", value.get("text"), 75, plain=True)
    f.string(f"{at}/value", value.get("value"), 1, 2000)
    f.string(f"{at}/accessibility_label", value.get("accessibility_label"), 1, 75)
    f.choice(f"{at}/style", value.get("style"), ("primary", "danger"))
    _url(f, f"{at}/url", value.get("url"))


def _url(f: Findings, at: str, value: Any) -> None:
    f.string(at, value, 1, 3000)
    if isinstance(value, str) and not re.match(r"https?://\S+$", value):
        f.add(at, "format", "must be a valid URL")


def _options(f: Findings, at: str, value: Mapping[str, Any], kind: str) -> None:
    if kind.endswith("static_select") and ("options" in value) == ("option_groups" in value):
        f.add(at, "required", "exactly one of options and option_groups is required")
    _option_list(f, f"{at}/options", value.get("options"), kind)
    groups = f.listing(f"{at}/option_groups", value.get("option_groups"), 1, 100)
    for i, group in enumerate(groups):
        if f.object(f"{at}/option_groups/{i}", group, "label options"):
            f.text(f"{at}/option_groups/{i}/label", group.get("label"), 75, plain=True)
            _option_list(f, f"{at}/option_groups/{i}/options", group.get("options"), kind)
    if f.found:
        return  # presets are compared with options that are known to be well formed
    chosen = [value["initial_option"]] if value.get("initial_option") is not None else []
    chosen += f.listing(f"{at}/initial_options", value.get("initial_options"), 1, 100)
    for option in chosen:
        if option not in options_of(value):
            f.add(at, "initial", "initial option must exactly match one of the options")


def _option_list(f: Findings, at: str, value: Any, kind: str) -> None:
    with_text_styles = kind in ("checkboxes", "radio_buttons")
    values: set[str] = set()
    for i, option in enumerate(f.listing(at, value, 1, _OPTIONS.get(kind, 100))):
        here = f"{at}/{i}"
        extra = "description url" if kind == "overflow" else "description"
        if not f.object(here, option, "text value", extra):
            continue
        f.text(f"{here}/text", option.get("text"), 75, plain=not with_text_styles)
        f.string(f"{here}/value", option.get("value"), 1, 150)
        f.text(f"{here}/description", option.get("description"), 75, plain=not with_text_styles)
        _url(f, f"{here}/url", option.get("url"))
        if str(option.get("value")) in values:
            f.add(f"{here}/value", "duplicate", "option values must be unique")
        values.add(str(option.get("value")))


def _plain(f: Findings, at: str, value: Mapping[str, Any]) -> None:
    if value.get("initial_date") is not None and not _is_date(value["initial_date"]):
        f.add(f"{at}/initial_date", "format", "must be a date like 2026-11-30")
    if value.get("initial_time") is not None and not _TIME.fullmatch(str(value["initial_time"])):
        f.add(f"{at}/initial_time", "format", "must be a time like 09:30")
    if value.get("initial_user") is not None and not _USER.fullmatch(str(value["initial_user"])):
        f.add(f"{at}/initial_user", "format", "must be a user id")
    f.flag(f"{at}/multiline", value.get("multiline"))
    f.flag(f"{at}/is_decimal_allowed", value.get("is_decimal_allowed"))
    for key in ("min_value", "max_value"):
        given = value.get(key)
        if given is not None and not (isinstance(given, str) and _NUMBER.fullmatch(given)):
            f.add(f"{at}/{key}", "format", "must be a number written as a text")
    f.string(f"{at}/initial_value", value.get("initial_value"), 0, 3000)
    _dispatch(f, f"{at}/dispatch_action_config", value.get("dispatch_action_config"))
    low, high = value.get("min_length"), value.get("max_length")
    f.number(f"{at}/min_length", low, 0, 3000)
    f.number(f"{at}/max_length", high, 1, 3000)
    if isinstance(low, int) and isinstance(high, int) and low > high:
        f.add(f"{at}/min_length", "range", "must not be above max_length")


def _dispatch(f: Findings, at: str, value: Any) -> None:
    if value is not None and f.object(at, value, "trigger_actions_on"):
        for item in f.listing(f"{at}/trigger_actions_on", value.get("trigger_actions_on"), 1, 2):
            f.choice(f"{at}/trigger_actions_on", item, _TRIGGERS)


def _is_date(value: Any) -> bool:
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False
