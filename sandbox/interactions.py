"""What Slack sends when a person does something: payloads of interactions, commands and events, pure.

A *choice* is what a page knows of an element: the value of an option, a list of them, a user id, a date or a
text; None for nothing chosen. What is not here: signing and sending (`dispatch`), the workspace's state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sandbox.model import APP_ID, Channel, Message, Person, View

Choice = str | Sequence[str] | None
#: What a page hands in of a form: block_id -> action_id -> choice.
Choices = Mapping[str, Mapping[str, Choice]]
Block = Mapping[str, Any]

_ONE_OPTION = ("static_select", "radio_buttons", "overflow", "external_select")
_MANY_OPTIONS = ("multi_static_select", "checkboxes", "multi_external_select")
#: Element type -> (key of what is chosen, key of what is preset).
_PLAIN = {
    "users_select": ("selected_user", "initial_user"),
    "multi_users_select": ("selected_users", "initial_users"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "channels_select": ("selected_channel", "initial_channel"),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
    "plain_text_input": ("value", "initial_value"),
    "email_text_input": ("value", "initial_value"),
    "url_text_input": ("value", "initial_value"),
    "number_input": ("value", "initial_value"),
}
#: Elements that hold nothing between two clicks.
_STATELESS = ("button", "overflow", "image", "workflow_button")


class NoSuchElement(Exception):
    """The element or option is not there (any more)."""


def elements_of(blocks: Sequence[Block]) -> Iterator[tuple[Block, Mapping[str, Any]]]:
    """Every interactive element with the block it stands in."""
    for block in blocks:
        if block.get("type") == "actions":
            for element in block["elements"]:
                yield block, element
        elif isinstance(block.get("accessory"), Mapping):
            if block["accessory"].get("type") != "image":
                yield block, block["accessory"]
        elif isinstance(block.get("element"), Mapping):
            yield block, block["element"]


def find_element(blocks: Sequence[Block], block_id: str, action_id: str) -> Mapping[str, Any]:
    """The element with these ids. `NoSuchElement` when there is none."""
    for block, element in elements_of(blocks):
        if (block["block_id"], element.get("action_id")) == (block_id, action_id):
            return element
    raise NoSuchElement(f"There is no {action_id!r} in block {block_id!r}.")


def options_of(element: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """All options, also those in groups."""
    groups = element.get("option_groups") or ()
    return [*(element.get("options") or ()), *(o for g in groups for o in g["options"])]


def preset(element: Mapping[str, Any]) -> Choice:
    """What is chosen before anybody touches the element."""
    kind = element["type"]
    if kind in _ONE_OPTION:
        return (element.get("initial_option") or {}).get("value")
    if kind in _MANY_OPTIONS:
        return [option["value"] for option in element.get("initial_options") or ()]
    chosen: Choice = element.get(_PLAIN[kind][1]) if kind in _PLAIN else None
    return chosen


def _chosen(element: Mapping[str, Any], choice: Choice) -> dict[str, Any]:
    """The keys that hold the choice, in an action and in a form's state alike."""
    kind = element["type"]
    if kind == "button":
        return {"value": element["value"]} if "value" in element else {}
    if kind in _ONE_OPTION:
        return {"selected_option": _option(element, choice) if choice else None}
    if kind in _MANY_OPTIONS:
        values = [choice] if isinstance(choice, str) else list(choice or ())
        return {"selected_options": [_option(element, value) for value in values]}
    if kind not in _PLAIN:
        raise NoSuchElement(f"The sandbox cannot use a {kind}.")
    if kind.startswith("multi_"):
        return {_PLAIN[kind][0]: [choice] if isinstance(choice, str) else list(choice or ())}
    if kind == "datetimepicker" and isinstance(choice, str):
        return {_PLAIN[kind][0]: int(choice)}
    return {_PLAIN[kind][0]: choice or None}


def _option(element: Mapping[str, Any], value: Any) -> Mapping[str, Any]:
    for option in options_of(element):
        if option["value"] == value:
            return option
    raise NoSuchElement(f"There is no option {value!r}.")


def action(element: Mapping[str, Any], block_id: str, choice: Choice, at: str) -> dict[str, Any]:
    """One entry of `actions`."""
    found = {
        "type": element["type"],
        "action_id": element["action_id"],
        "block_id": block_id,
        "action_ts": at,
        **_chosen(element, choice),
    }
    for key in ("text", "style", "url", "placeholder"):
        if key in element:
            found[key] = element[key]
    return found


def state_values(blocks: Sequence[Block], choices: Choices) -> dict[str, dict[str, Any]]:
    """The form's state as Slack sends it: what was chosen, else what was preset."""
    values: dict[str, dict[str, Any]] = {}
    for block, element in elements_of(blocks):
        if element["type"] in _STATELESS:
            continue
        given = choices.get(block["block_id"], {})
        chosen = given.get(element["action_id"], preset(element))
        entry = {"type": element["type"], **_chosen(element, chosen)}
        values.setdefault(block["block_id"], {})[element["action_id"]] = entry
    return values


def missing_fields(blocks: Sequence[Block], choices: Choices) -> dict[str, str]:
    """What Slack itself refuses before it asks the app: block_id -> sentence."""
    errors: dict[str, str] = {}
    for block in blocks:
        if block.get("type") != "input":
            continue
        element = block["element"]
        chosen = choices.get(block["block_id"], {}).get(element["action_id"], preset(element))
        if not chosen:
            if not block.get("optional"):
                errors[block["block_id"]] = "Please complete this required field."
        elif isinstance(chosen, str) and "text_input" in element["type"]:
            low, high = element.get("min_length", 0), element.get("max_length", 3000)
            if len(chosen) < low:
                errors[block["block_id"]] = f"Please use at least {low} characters."
            elif len(chosen) > high:
                errors[block["block_id"]] = f"Please use at most {high} characters."
    return errors


def envelope(kind: str, person: Person, team_id: str, domain: str, token: str) -> dict[str, Any]:
    """What every interaction carries."""
    return {
        "type": kind,
        "team": {"id": team_id, "domain": domain},
        "user": {
            "id": person.user_id,
            "username": person.username,
            "name": person.username,
            "team_id": team_id,
        },
        "api_app_id": APP_ID,
        "token": token,
        "enterprise": None,
        "is_enterprise_install": False,
    }


def message_part(message: Message, channel: Channel, team_id: str) -> dict[str, Any]:
    """Where a click on a message happened."""
    container: dict[str, Any] = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": channel.id,
        "is_ephemeral": bool(message.ephemeral_to),
    }
    if message.thread_ts:
        container["thread_ts"] = message.thread_ts
    part = {"container": container, "channel": {"id": channel.id, "name": channel.name}}
    # Slack leaves the message out when it is ephemeral: it does not keep those.
    return (
        part
        if message.ephemeral_to
        else {**part, "message": {**message.payload(), "team": team_id}}
    )


def view_part(view: View, team_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Where a click in a view happened."""
    return {
        "container": {"type": "view", "view_id": view.id},
        "view": view.payload(team_id, values),
    }
