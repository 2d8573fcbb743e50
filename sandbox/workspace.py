"""The workspace as a person uses it: click, fill in a form, type a command, open Home; each a request to the bot.

A page or a test calls these methods; what the bot answers is applied to the state and the watchers hear of it.
What is not here: the state itself (`state`), the Web API that the bot calls (`web_api`).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from sandbox import interactions
from sandbox.answers import TROUBLE, command_answer, submission_answer
from sandbox.config import SandboxConfig
from sandbox.dispatch import Answer, Dispatcher
from sandbox.faults import FaultPlan
from sandbox.grants import Grants
from sandbox.interactions import Choice, Choices, NoSuchElement
from sandbox.model import (
    APP_ID,
    BOT_ID,
    BOT_USER_ID,
    SLACKBOT_ID,
    Change,
    Channel,
    Message,
    Outcome,
    Person,
    View,
)
from sandbox.persistence import Store
from sandbox.recording import Recorder
from sandbox.state import State, Subscription

__all__ = [
    "APP_ID",
    "BOT_ID",
    "BOT_USER_ID",
    "SLACKBOT_ID",
    "Change",
    "Channel",
    "Choice",
    "Choices",
    "Message",
    "Outcome",
    "Person",
    "Subscription",
    "View",
    "Workspace",
]

_TOKEN = "sandbox"  # noqa: S105 (Slack's old verification token, checked by nobody)


class Workspace(State):
    """A workspace with the bot installed. `start` before use, `stop` at the end."""

    def __init__(self, config: SandboxConfig) -> None:
        super().__init__(config, Store(config.state_path))
        self.grants = Grants(config.team_id, config.trigger_seconds, config.real)
        self.faults = FaultPlan()
        self.dispatch = Dispatcher(config, self.faults)
        self.recorder = Recorder(config.record_path)

    async def start(self) -> None:
        """Open the way to the bot; everybody has a conversation with it from the start."""
        await self.dispatch.start()
        for person in self.people.values():
            self.open_dm(person.user_id)

    async def stop(self) -> None:
        """Close everything."""
        await self.dispatch.stop()
        for watcher in list(self.watchers):
            watcher.close()
        self.recorder.close()
        self.store.close()

    # ------------------------------------------------------------ what a person does

    async def click(
        self,
        user_id: str,
        channel_id: str,
        ts: str,
        block_id: str,
        action_id: str,
        choice: Choice = None,
    ) -> Outcome:
        """Use an element of a message. `choice`: see `interactions`; a button needs none."""
        message = self.message(channel_id, ts)
        if message is None or not message.visible_to(user_id):
            return Outcome(False, "This message is not there any more.")
        try:
            element = interactions.find_element(message.blocks, block_id, action_id)
            action = interactions.action(element, block_id, choice, self._action_ts())
            values = interactions.state_values(message.blocks, {block_id: {action_id: choice}})
        except NoSuchElement as error:
            return Outcome(False, str(error))
        token = self.grants.response_token(user_id, channel_id, ts, message.thread_ts)
        payload = {
            **self._envelope("block_actions", user_id),
            **interactions.message_part(message, self.channels[channel_id], self.config.team_id),
            "trigger_id": self.grants.trigger(user_id),
            "response_url": self.response_url(token),
            "state": {"values": values},
            "actions": [action],
        }
        return self._outcome(await self.dispatch.interact(payload), user_id, channel_id)

    async def click_in_view(
        self,
        user_id: str,
        view_id: str,
        block_id: str,
        action_id: str,
        choice: Choice = None,
        state_values: Choices | None = None,
    ) -> Outcome:
        """Use an element of that person's open modal or Home tab; `state_values` is what else is filled in."""
        view = self.find_view(view_id)
        if view is None or view.user_id != user_id:
            return Outcome(False, "This view is not open any more.")
        filled = {key: dict(value) for key, value in (state_values or {}).items()}
        filled.setdefault(block_id, {})[action_id] = choice
        try:
            element = interactions.find_element(view.blocks, block_id, action_id)
            action = interactions.action(element, block_id, choice, self._action_ts())
            values = interactions.state_values(view.blocks, filled)
        except NoSuchElement as error:
            return Outcome(False, str(error))
        payload = {
            **self._envelope("block_actions", user_id),
            **interactions.view_part(view, self.config.team_id, values),
            "trigger_id": self.grants.trigger(user_id, view_id if view.type == "modal" else ""),
            "actions": [action],
        }
        return self._outcome(await self.dispatch.interact(payload), user_id, "")

    async def submit_view(
        self, user_id: str, view_id: str, state_values: Choices
    ) -> dict[str, str] | None:
        """Submit a modal. None when it was taken, else the errors by block_id ("" for the whole form)."""
        view = self.find_view(view_id)
        if view is None or view.user_id != user_id or view.type != "modal":
            return {"": "This form is not open any more."}
        missing = interactions.missing_fields(view.blocks, state_values)
        if missing:
            return missing
        try:
            values = interactions.state_values(view.blocks, state_values)
        except NoSuchElement as error:
            return {"": str(error)}
        payload = {
            **self._envelope("view_submission", user_id),
            "trigger_id": self.grants.trigger(user_id, view_id),
            "view": view.payload(self.config.team_id, values),
            "response_urls": [],
        }
        answer = await self.dispatch.interact(payload)
        if not answer.ok:
            self.publish(Change("warning", frozenset({user_id}), text=TROUBLE))
            return {"": TROUBLE}
        return submission_answer(self, self.recorder, view, answer)

    async def close_view(self, user_id: str, view_id: str, clear: bool = False) -> None:
        """Cancel a modal: it, and with `clear` (or its `clear_on_close`) all below it, disappear."""
        view = self.find_view(view_id)
        if view is None or view.user_id != user_id or view.type != "modal":
            return
        stack = self.modals.get(user_id, [])
        cleared = clear or bool(view.view.get("clear_on_close"))
        self.set_modals(user_id, () if cleared else [v for v in stack if v.id != view_id])
        for closed in reversed(stack) if cleared else [view]:
            if closed.view.get("notify_on_close"):
                payload = {
                    **self._envelope("view_closed", user_id),
                    "view": closed.payload(self.config.team_id),
                    "is_cleared": cleared,
                }
                await self.dispatch.interact(payload)

    async def command(self, user_id: str, channel_id: str, command: str, text: str) -> Outcome:
        """Type a slash command in a conversation."""
        person, channel = self.people[user_id], self.channels[channel_id]
        if command not in self.config.commands:
            return self._warned(user_id, channel_id, f"{command} is not a valid command.")
        token = self.grants.response_token(user_id, channel_id)
        answer = await self.dispatch.command(
            {
                "token": _TOKEN,
                "team_id": self.config.team_id,
                "team_domain": self.config.team_domain,
                "channel_id": channel_id,
                "channel_name": channel.name,
                "user_id": user_id,
                "user_name": person.username,
                "command": command,
                "text": text,
                "api_app_id": APP_ID,
                "is_enterprise_install": "false",
                "response_url": self.response_url(token),
                "trigger_id": self.grants.trigger(user_id),
            }
        )
        if not answer.ok:
            name = "operation_timeout" if answer.error == "timeout" else "dispatch_failed"
            return self._warned(user_id, channel_id, f'{command} failed with the error "{name}".')
        trouble = command_answer(self, self.recorder, self.grants.speaks_to(token), answer)
        return (
            self._warned(user_id, channel_id, f"{command} {trouble}.") if trouble else Outcome(True)
        )

    async def open_home(self, user_id: str) -> Outcome:
        """Look at the app's Home tab."""
        event: dict[str, Any] = {
            "type": "app_home_opened",
            "user": user_id,
            "channel": self.open_dm(user_id).id,
            "tab": "home",
            "event_ts": self._action_ts(),
        }
        home = self.homes.get(user_id)
        if home:
            event["view"] = home.payload(self.config.team_id)
        answer = await self.dispatch.event(event)
        return Outcome(answer.ok, "" if answer.ok else TROUBLE)

    async def deactivate(self, user_id: str, deactivated: bool = True) -> Outcome:
        """An administrator closes (or reopens) an account; the bot hears `user_change`."""
        person = self.set_deactivated(user_id, deactivated)
        answer = await self.dispatch.event(
            {
                "type": "user_change",
                "user": self.user_object(person),
                "cache_ts": int(self.config.real()),
                "event_ts": self._action_ts(),
            }
        )
        return Outcome(answer.ok)

    async def post_lead(
        self, fields: Mapping[str, Any], *, message_id: str = "", timestamp: int | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Send one signed lead to Baton's intake: (HTTP status or 0, JSON answer)."""
        body = json.dumps(dict(fields), ensure_ascii=False).encode()
        at = int(self.config.real()) if timestamp is None else timestamp
        answer = await self.dispatch.lead(body, message_id or "msg_" + secrets.token_hex(12), at)
        return answer.status, answer.json or {"error": answer.error or answer.body[:200]}

    # ------------------------------------------------------------ helpers

    def response_url(self, token: str) -> str:
        """The whole address of a response_url."""
        return f"{self.config.base_url}/sandbox/response/{token}"

    def user_object(self, person: Person) -> dict[str, Any]:
        """A person as `users.info` returns it. The e-mail stands in it only with the scope."""
        offset = self.now().astimezone(ZoneInfo(person.tz)).utcoffset()
        found: dict[str, Any] = {
            "id": person.user_id,
            "team_id": self.config.team_id,
            "name": person.username,
            "deleted": person.deactivated,
            "real_name": person.name,
            "is_bot": False,
            "is_app_user": False,
            "is_restricted": False,
            "is_ultra_restricted": False,
            "updated": int(self.config.real()),
            "profile": {
                "real_name": person.name,
                "display_name": person.name,
                "title": person.title,
                "team": self.config.team_id,
            },
        }
        if not person.deactivated:  # Slack drops the zone of a closed account
            found |= {"tz": person.tz, "tz_offset": int(offset.total_seconds()) if offset else 0}
        if "users:read.email" in self.config.scopes:
            found["profile"]["email"] = person.email
        return found

    def _envelope(self, kind: str, user_id: str) -> dict[str, Any]:
        team, domain = self.config.team_id, self.config.team_domain
        return interactions.envelope(kind, self.people[user_id], team, domain, _TOKEN)

    def _action_ts(self) -> str:
        return f"{self.config.real():.6f}"

    def _outcome(self, answer: Answer, user_id: str, channel_id: str) -> Outcome:
        if answer.ok:
            return Outcome(True)
        reason = "operation_timeout" if answer.error == "timeout" else "dispatch_failed"
        return self._warned(user_id, channel_id, f"{TROUBLE} ({reason})")

    def _warned(self, user_id: str, channel_id: str, text: str) -> Outcome:
        self.warn(user_id, text, channel_id)
        return Outcome(False, text)
