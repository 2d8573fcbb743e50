"""`views.*`: modals on a trigger, Home tabs, and updates that a hash guards.

Sources: docs.slack.dev/reference/methods. What is not here: limits of blocks (`block_rules`), triggers (`grants`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.block_rules import check_view, view_too_large
from sandbox.calls import ApiError, Call, Method, Reply
from sandbox.grants import NotGranted
from sandbox.model import View

MODAL_STACK = 3


def open_view(call: Call) -> Reply:
    """views.open"""
    view = _view(call, "modal")
    user_id, _ = _trigger(call)
    _free_external_id(call, view)
    new = call.workspace.new_view(user_id, view)
    call.workspace.set_modals(user_id, [new])
    return _reply(call, new)


def push(call: Call) -> Reply:
    """views.push: onto the modal that the trigger came from"""
    view = _view(call, "modal")
    user_id, below = _trigger(call)
    stack = call.workspace.modals.get(user_id, [])
    if not below or all(v.id != below for v in stack):
        raise ApiError("not_found")
    if len(stack) >= MODAL_STACK:
        raise ApiError("push_limit_reached")
    _free_external_id(call, view)
    new = call.workspace.new_view(user_id, view, stack[-1])
    call.workspace.set_modals(user_id, [*stack, new])
    return _reply(call, new)


def update(call: Call) -> Reply:
    """views.update: by view_id or external_id"""
    view_id, external_id = call.text("view_id"), call.text("external_id")
    if not view_id and not external_id:
        raise ApiError("invalid_arguments")
    old = call.workspace.find_view(view_id, external_id)
    view = _view(call, old.type if old else "modal")
    if old is None:
        raise ApiError("not_found")
    _hash(call, old)
    return _reply(call, call.workspace.replace_view(old, view))


def publish(call: Call) -> Reply:
    """views.publish: the Home tab of one person"""
    user_id = call.text("user_id", required=True)
    if user_id not in call.workspace.people:
        raise ApiError("user_not_found")
    if call.workspace.people[user_id].deactivated:
        raise ApiError("user_disabled")
    view = _view(call, "home")
    old = call.workspace.homes.get(user_id)
    if old:
        _hash(call, old)
        return _reply(call, call.workspace.replace_view(old, view))
    new = call.workspace.new_view(user_id, view)
    call.workspace.set_home(new)
    return _reply(call, new)


def check(call: Call) -> None:
    """The view part of blocks.validate."""
    view = call.structure("view", "invalid_view")
    surface = str(view.get("type")) if isinstance(view, Mapping) else "modal"
    findings = check_view(view, surface if surface in ("modal", "home") else "modal")
    if findings:
        raise ApiError("invalid_view", errors=[f.as_error() for f in findings])


def _view(call: Call, surface: str) -> Mapping[str, Any]:
    view = call.structure("view", "invalid_arguments")
    if not isinstance(view, Mapping):
        message = "[ERROR] missing required field: view"
        raise ApiError("invalid_arguments", response_metadata={"messages": [message]})
    if view_too_large(view):
        raise ApiError("view_too_large")
    findings = check_view(view, surface)
    if findings:
        raise ApiError.of_findings("invalid_arguments", findings)
    return view


def _trigger(call: Call) -> tuple[str, str]:
    try:
        return call.workspace.grants.take_trigger(call.text("trigger_id", required=True))
    except NotGranted as refusal:
        raise ApiError(str(refusal)) from None


def _hash(call: Call, old: View) -> None:
    given = call.text("hash")
    if given and given != old.hash:
        raise ApiError("hash_conflict")


def _free_external_id(call: Call, view: Mapping[str, Any]) -> None:
    wanted = str(view.get("external_id") or "")
    if wanted and call.workspace.find_view(external_id=wanted):
        raise ApiError("duplicate_external_id")


def _reply(call: Call, view: View) -> Reply:
    return {"view": view.payload(call.workspace.config.team_id)}


METHODS: dict[str, Method] = {
    "views.open": open_view,
    "views.push": push,
    "views.update": update,
    "views.publish": publish,
}
